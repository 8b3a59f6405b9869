"""The kill loop, for a minute a job; as long as one likes by its own command."""

import kill_loop
import numpy as np
import pytest


@pytest.mark.slow
@pytest.mark.parametrize("job", kill_loop.JOBS)
def test_killed_at_any_moment_it_ends_with_the_same_bits(tmp_path, job):
    kills = kill_loop.loop(job, 60.0, seed=3, folder=tmp_path)
    assert kills.total() >= 3
    assert kills.keys() - {"", "begin"}  # while it trained or scored


def test_a_difference_would_be_seen(tmp_path):
    """What the loop compares holds every file, arrays by value."""

    np.savez(tmp_path / "a.npz", x=np.arange(3))
    (tmp_path / "b.json").write_text("1")
    first = kill_loop.results(tmp_path)
    np.savez(tmp_path / "a.npz", x=np.arange(3) + 1)
    assert kill_loop.results(tmp_path)["b.json"] == first["b.json"]
    assert kill_loop.results(tmp_path)["a.npz"] != first["a.npz"]
    (tmp_path / ".b.host-1-2.tmp.json").write_text("")
    assert kill_loop.leftovers(tmp_path) == [".b.host-1-2.tmp.json"]
