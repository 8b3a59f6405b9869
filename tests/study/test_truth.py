"""The main job with every group trained: what was chosen, what was best, by hand."""

import itertools
import json

import numpy as np
import pytest

from disentangle.affinity import Affinity
from disentangle.data import DATASETS
from disentangle.data.dataset import Recipe
from disentangle.errors import UserError
from disentangle.oracle import TaskTable
from disentangle.report.page import write_report
from disentangle.report.text import result_tables
from disentangle.study.pipeline import check, default_pipeline, run_pipeline
from disentangle.study.truth import Truth
from disentangle.training.run import load_run

TASKS = ["shape", "size", "turn", "x"]


def job(**changes):
    config = default_pipeline("toy").to_dict()
    config["data"] |= {"train_size": 64, "test_size": 32}
    config["affinity"] |= {"every": 3, "estimators": ["lookahead", "cosine"]}
    small = {"steps": 9, "batch_size": 8, "eval_every": 9, "log_every": 9}
    for part in ("supervised", "unsupervised"):
        config[part] |= small
        config[part]["optimizer"]["learning_rate"] = 3e-3
    config["supervised"] |= {"seeds": 2}
    config["supervised"]["method"] |= {"encoder": "pooled", "bottleneck": 2}
    config["unsupervised"]["method"] |= {"encoder": "dense", "decoder": "dense"}
    config["score"] |= {"metrics": ("mig",), "num_train": 90, "num_test": 30}
    return config | {"truth": True} | changes


def run(folder, **changes):
    return run_pipeline(job(**changes), folder, progress=False, log=lambda line: None)


@pytest.fixture(scope="module")
def done(toy, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS, "toy", Recipe(toy.space, lambda cache_dir: toy))
        yield run(tmp_path_factory.mktemp("job") / "p")


def losses_of(folder):
    """(group, seed) -> test losses, as every network's own record has them."""
    found = {}
    for name in ("multitask", "networks"):
        held = json.loads((folder / name / "final.json").read_text())["rows"]
        trained = load_run(folder / name)
        for member, swept in zip(trained.members, trained.swept, strict=True):
            weights = swept.get("weights", [1.0] * 4)
            group = tuple(t for t, w in zip(TASKS, weights, strict=True) if w)
            found[group, swept["seed"]] = held[member]["task_losses"]
    return found


@pytest.mark.slow
def test_the_table_has_every_group_as_its_network_ended(done):
    table, by_hand = TaskTable.load(done / "truth.parquet"), losses_of(done)
    assert table.loss.shape == (2, 15, 4)
    assert len(by_hand) == 30
    for (s, seed), (g, name) in itertools.product(
        enumerate(table.seeds), enumerate(table.names)
    ):
        group = tuple(name.split("+"))
        expected = [
            by_hand[group, seed][TASKS.index(t)] if t in group else np.nan
            for t in table.tasks
        ]
        np.testing.assert_allclose(table.loss[s, g], expected, rtol=1e-6)


@pytest.mark.slow
def test_the_best_groups_and_the_regret_are_those_of_all_pairs_of_groups(done):
    found, table = Truth.load(done), TaskTable.load(done / "truth.parquet")
    mean = table.loss.mean(axis=0)
    pairs = itertools.combinations_with_replacement(range(15), 2)
    best = min(
        np.nanmin(mean[[i, j]], axis=0).mean()
        for i, j in pairs
        if (table.groups[i] | table.groups[j]).all()
    )
    assert found.best == pytest.approx(best)
    ways = {way.name: way for way in found.ways}
    assert {w.name for w in found.ways if w.is_estimate} == {"lookahead", "cosine"}
    for way in found.ways:
        assert way.regret == pytest.approx(way.loss - best)
        assert way.regret > -1e-12
    chosen = json.loads((done / "groups.json").read_text())
    assert ways["lookahead"].groups == chosen["groups"]
    names = [frozenset(name.split("+")) for name in table.names]
    rows = [names.index(frozenset(group)) for group in chosen["groups"]]
    loss = [mean[rows[chosen["serves"][task]], t] for t, task in enumerate(table.tasks)]
    assert ways["lookahead"].loss == pytest.approx(np.mean(loss))
    together = names.index(frozenset(TASKS))
    assert ways["all together"].loss == pytest.approx(mean[together].mean())


@pytest.mark.slow
def test_the_page_and_the_tables_say_it(done):
    page = write_report(done).read_text()
    assert "The groups beside the truth" in page
    assert "The lookahead affinity chose" in page
    text = result_tables(done)
    assert "the truth: 15 groups of tasks trained, 2 seeds" in text
    assert "random" in text


@pytest.mark.slow
def test_the_command_that_judges_anyones_affinity_takes_the_files_of_a_job(done):
    from disentangle.oracle.verdict import judge

    table = TaskTable.load(done / "truth.parquet")
    affinity = Affinity.from_csv(done / "affinity.csv")
    found = judge(table, affinity, [2]).regrets[0]
    ways = {way.name: way for way in Truth.load(done).ways}
    assert ways["lookahead"].regret == pytest.approx(found.regret)


@pytest.mark.slow
def test_another_budget_trains_nothing_and_judges_anew(done, toy):
    before = {p: p.stat().st_mtime_ns for p in done.glob("*/checkpoints/**/*")}
    run(done, budget=3)
    assert Truth.load(done).budget == 3
    assert before == {p: p.stat().st_mtime_ns for p in done.glob("*/checkpoints/**/*")}
    run(done)


def test_the_truth_of_too_many_tasks_is_refused():
    with pytest.raises(UserError, match="truth=3 must be true or false"):
        check(job(truth=3))
