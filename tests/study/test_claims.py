"""Who works on what: one owner, the dead are replaced, and nobody is doubled."""

import dataclasses
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from disentangle.processes import is_gone
from disentangle.study.sweeps import claims as module
from disentangle.study.sweeps.claims import Claims, Owner, is_alive, me


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_one_has_it_until_it_is_released(tmp_path):
    first, second = Claims(tmp_path), Claims(tmp_path)
    assert first.take("u") and not second.take("u")
    assert second.is_taken("u") and first.holds("u") and not second.holds("u")
    assert second.take("v")
    first.release("u")
    assert not second.is_taken("u") and second.take("u")
    second.release("u")
    second.release("v")
    assert files(tmp_path) == []


def leave(folder, name, owner, age=0.0):
    path = folder / name
    path.write_text(json.dumps(dataclasses.asdict(owner)))
    now = path.stat().st_mtime
    os.utime(path, (now - age, now - age))


def test_the_claim_of_a_killed_process_is_taken_over(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path;"
        "from disentangle.study.sweeps.claims import Claims;"
        "assert Claims(Path(sys.argv[1])).take('u');"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path]).returncode == -9
    assert files(tmp_path) == ["u.1"]
    claims = Claims(tmp_path)
    assert not claims.is_taken("u") and claims.take("u")
    assert files(tmp_path) == ["u.1", "u.2"] and not Claims(tmp_path).take("u")
    claims.release("u")
    assert files(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
def test_a_killed_owner_that_its_parent_has_not_waited_for_is_dead(tmp_path):
    """In a container whose first process waits for nobody it stays so for ever."""
    code = (
        "import sys, time; from pathlib import Path;"
        "from disentangle.study.sweeps.claims import Claims;"
        "assert Claims(Path(sys.argv[1])).take('u');"
        "print('taken', flush=True); time.sleep(600)"
    )
    words = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"taken\n"
        assert not Claims(tmp_path).take("u")
        process.kill()
        for _ in range(1000):
            if is_gone(process.pid):
                break
            time.sleep(0.01)
        os.kill(process.pid, 0)  # the number is there still
        assert Claims(tmp_path).take("u")


def test_a_number_that_another_process_has_now_is_dead(tmp_path):
    ours = me()
    assert is_alive(ours) and not is_alive(dataclasses.replace(ours, began="1"))
    leave(tmp_path, "u.1", dataclasses.replace(ours, began="1"))
    assert Claims(tmp_path).take("u")


@pytest.mark.parametrize(("age", "taken"), [(0.0, False), (2 * module.GONE, True)])
def test_another_machine_lives_as_long_as_it_gives_signs(tmp_path, age, taken):
    leave(tmp_path, "u.1", Owner("another", os.getpid(), me().began), age)
    assert Claims(tmp_path).take("u") is taken


def test_a_living_owner_gives_signs(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BEAT", 0.02)
    claims = Claims(tmp_path)
    assert claims.take("u")
    path = tmp_path / "u.1"
    os.utime(path, (0, 0))
    for _ in range(500):
        if path.stat().st_mtime > 0:
            break
        threading.Event().wait(0.01)
    claims.release("u")
    assert not path.exists()


def test_of_many_who_find_the_dead_one_gets_it(tmp_path):
    """Also where each has looked before any has acted."""
    dead = dataclasses.replace(me(), began="1")
    for turn in range(20):
        leave(tmp_path, f"{turn}.1", dead)
        barrier, won = threading.Barrier(8), []

        def rush(turn=turn, barrier=barrier, won=won):
            claims = Claims(tmp_path)
            barrier.wait()
            if claims.take(str(turn)):
                won.append(claims)

        threads = [threading.Thread(target=rush) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        won[0].release(str(turn))


def test_a_torn_claim_is_of_nobody_after_a_while(tmp_path):
    (tmp_path / "u.1").write_bytes(b"{")
    assert not Claims(tmp_path).take("u")
    os.utime(tmp_path / "u.1", (0, 0))
    assert Claims(tmp_path).take("u")


def test_without_hard_links_a_claim_is_still_one(tmp_path, monkeypatch):
    def refuse(*paths):
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert Claims(tmp_path).take("u") and not Claims(tmp_path).take("u")
    assert json.loads((tmp_path / "u.1").read_text())["process"] == os.getpid()
