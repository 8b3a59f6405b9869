"""The oracle as a job: its files, its table, going on after a stop, what is refused."""

import copy
import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from disentangle.__main__ import main
from disentangle.data import DATASETS
from disentangle.data.dataset import Recipe
from disentangle.errors import UserError
from disentangle.oracle import TaskTable, train
from disentangle.oracle.regime import Regime
from disentangle.study import oracle_seed
from disentangle.study.oracle import check, default_oracle, run_oracle
from disentangle.study.oracle_files import GroupScores, SeedResult
from disentangle.training.stopping import Stopped

ROOT = Path(__file__).resolve().parents[2]
# That of tests/oracle/test_train.py: the same program.
REGIME = Regime(train_size=40, batch_size=8, steps=12, every=4, hidden=12, head=5)


def config(**regimes):
    chosen = default_oracle("toy", {"small": REGIME} | regimes).to_dict()
    chosen["held"] |= {"validation_size": 20, "test_size": 16}
    chosen["score"] |= {"metrics": ("mig",), "num_train": 30, "num_test": 10}
    return chosen | {"seeds": 2}


@pytest.fixture(scope="module")
def finished(toy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("oracle") / "w"
    return run_oracle(config(), folder, data=toy, progress=False)


def steps_taken(monkeypatch, after=None, event=None):
    """Counts the calls of `train.advance`; the call `after` calls `event`, once."""
    calls, real, waiting = [], train.advance, [event]

    def counting(program, state, groups, seed, *rest):
        calls.append(int(seed))
        if len(calls) == after and waiting:
            waiting.pop()()
        return real(program, state, groups, seed, *rest)

    monkeypatch.setattr(train, "advance", counting)
    return calls


def same(one: Path, other: Path, seeds=(0, 1)):
    for seed in seeds:
        a, b = (SeedResult.load(w / "small", f"seed-{seed}.npz") for w in (one, other))
        for field in ("groups", "validation", "test", "steps", "codes"):
            assert vars(a)[field].tobytes() == vars(b)[field].tobytes(), field


def test_the_table_holds_every_group_and_nothing_outside_of_it(finished):
    table = TaskTable.load(finished / "small/table.parquet")
    assert table.tasks == ("shape", "size", "turn", "x")
    assert (table.data, table.regime, table.seeds) == ("toy", "small", (0, 1))
    assert len(set(table.names)) == 15
    assert "shape+size+turn+x" in table.names
    for values in (table.loss, table.validation, table.steps):
        assert (np.isfinite(values) == table.groups[None]).all()
    assert set(table.steps[:, table.groups].ravel()) <= {0, 4, 8, 12}
    held = SeedResult.load(finished / "small", "seed-1.npz")
    row = held.groups.tolist().index([True, False, False, True])
    at = table.names.index("shape+x")
    assert table.loss[1, at, 3] == held.test[row, 3]
    assert held.codes.shape == (15, 40, 3)
    assert not (held.codes[0] == held.codes[1]).all()


def test_scores_are_those_of_the_codes(finished, toy):
    from disentangle.metrics import score
    from disentangle.study.sample import sample_index

    held = SeedResult.load(finished / "small", "seed-0.npz")
    found = GroupScores.load(finished / "small", "scores-0.json")
    factors = toy.space.factors(sample_index(toy, 40, seed=0))
    wanted = score(held.codes[4], factors, ["mig"], num_train=30, num_test=10)
    assert found.values["mig/score"][4] == wanted["mig/score"]
    assert found.columns == ["mig/score", "own/mig/score"]
    everything = found.values["own/mig/score"]
    assert not np.array_equal(everything, found.values["mig/score"])


def test_a_finished_job_computes_nothing(finished, toy, monkeypatch):
    calls = steps_taken(monkeypatch)
    before = (finished / "small/table.parquet").read_bytes()
    run_oracle(config(), finished, progress=False)
    assert not calls
    assert (finished / "small/table.parquet").read_bytes() == before


@pytest.mark.slow
def test_seeds_and_regimes_come_later_and_the_old_ones_stay(
    toy, finished, tmp_path, monkeypatch
):
    folder = tmp_path / "w"
    calls = steps_taken(monkeypatch)
    run_oracle(config() | {"seeds": 1}, folder, data=toy, progress=False)
    assert calls == [0, 0, 0]
    calls.clear()
    run_oracle(config(), folder, data=toy, progress=False)
    assert calls == [1, 1, 1]
    same(folder, finished)
    calls.clear()
    other = config(noisy=replace(REGIME, label_noise=(0.5,)))
    del other["regimes"]["small"]
    run_oracle(other, folder, data=toy, progress=False)
    assert calls == [0, 0, 0, 1, 1, 1]
    held = json.loads((folder / "config.json").read_text())
    assert list(held["regimes"]) == ["small", "noisy"]
    assert TaskTable.load(folder / "noisy/table.parquet").regime == "noisy"
    changed = config()
    changed["regimes"]["small"]["latents"] = 2
    with pytest.raises(UserError, match="'small' with other fields"):
        run_oracle(changed, folder, data=toy, progress=False)


def test_a_job_killed_in_the_middle_of_a_seed_ends_in_the_same_bits(
    toy, finished, tmp_path, monkeypatch
):
    """Every part is saved; the kill comes between two parts."""
    monkeypatch.setattr(oracle_seed, "SAVE_SECONDS", -1.0)

    def kill():
        raise KeyboardInterrupt

    calls = steps_taken(monkeypatch, 6, kill)  # the third of the second seed
    with pytest.raises(KeyboardInterrupt):
        run_oracle(config(), tmp_path / "w", data=toy, progress=False)
    assert (tmp_path / "w/small/partial-1.npz").exists()
    calls.clear()
    run_oracle(config(), tmp_path / "w", data=toy, progress=False)
    assert calls == [1]
    assert not (tmp_path / "w/small/partial-1.npz").exists()
    same(tmp_path / "w", finished)


def test_sigterm_saves_the_seed_in_the_middle(toy, finished, tmp_path, monkeypatch):
    stop = lambda: signal.raise_signal(signal.SIGTERM)
    calls = steps_taken(monkeypatch, 2, stop)
    with pytest.raises(Stopped):
        run_oracle(config(), tmp_path / "w", data=toy, progress=False)
    assert (tmp_path / "w/small/partial-0.npz").exists()
    calls.clear()
    run_oracle(config(), tmp_path / "w", data=toy, progress=False)
    assert calls == [0, 1, 1, 1]
    same(tmp_path / "w", finished)


def test_a_damaged_seed_is_trained_again(toy, finished, tmp_path, monkeypatch):
    folder = tmp_path / "w"
    run_oracle(config() | {"seeds": 1}, folder, data=toy, progress=False)
    (folder / "small/seed-0.npz").write_bytes(b"damaged")
    (folder / "small/partial-0.npz").write_bytes(b"damaged")
    calls = steps_taken(monkeypatch)
    with pytest.warns(UserWarning, match=r"partial-0.npz.*the seed begins anew"):
        run_oracle(config() | {"seeds": 1}, folder, data=toy, progress=False)
    assert calls == [0, 0, 0]
    same(folder, finished, [0])


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (("regimes",), {}, "regimes={} must be sections"),
        (("regimes", "small", "latents"), 0, "regimes.small.latents=0"),
        (("regimes", "small", "steps"), 13, "steps=13 must be a multiple of every=4"),
        (("regimes", "small", "latent"), 3, "Did you mean 'small.latents'"),
        (("regimes", "a/b"), {}, "'a/b' names a folder"),
        (("held", "test_size"), 0, "held.test_size=0"),
        (("seeds",), 0, "seeds=0"),
        (("score", "metrics"), ["mgi"], "Did you mean 'mig'"),
        (("regime",), {}, "Did you mean 'regimes'"),
    ],
)
def test_a_mistake_is_found_before_anything(place, value, says):
    wrong = copy.deepcopy(config())
    spot = wrong
    for name in place[:-1]:
        spot = spot[name]
    spot[place[-1]] = value
    with pytest.raises(UserError) as error:
        check(wrong)
    assert says in str(error.value)


def test_the_command_its_page_and_its_tables(
    toy, finished, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(DATASETS, "toy", Recipe(toy.space, lambda cache_dir: toy))
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config()))
    words = ["oracle", f"--config={path}", f"--workdir={finished}", "--noprogress"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "gain of a task (column) when trained with another (row)" in said
    assert "all tasks together" in said
    page = (finished / "report.html").read_text()
    assert "<h1>Every group of tasks on toy</h1>" in page
    for anchor in ("gains", "best-groups", "joint"):
        assert f'<section id="{anchor}">' in page
    assert "cannot be shown" not in page
    (finished / "small/scores-0.json").write_text("{")
    assert main(["report", str(finished)]) == 0
    page = (finished / "report.html").read_text()
    assert "scores-0.json cannot be shown" in page
    assert '<section id="gains">' in page
