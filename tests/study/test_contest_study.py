"""The contest as a study: its rows are the bench's, its page shows them."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from disentangle.errors import UserError
from disentangle.oracle.contest import SIZE, TRUTH, Bench
from disentangle.oracle.kept import kept
from disentangle.oracle.shipped import shipped, shipped_names
from disentangle.report.contest import headline, means, tables
from disentangle.report.page import write_report
from disentangle.study.contest import Results, check, default_contest, run_contest

NAME = "dsprites-bottleneck"


def config(**changes):
    return default_contest().to_dict() | {"tables": [NAME], "trained": [8]} | changes


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contest") / "c"
    return run_contest(config(), folder, progress=False)


@pytest.mark.slow
def test_its_rows_are_what_the_bench_says(done):
    found = Results.load(done)
    rows = {row["name"]: row for row in found.rows}
    bench = Bench(shipped(NAME), (2, 3))
    for given in (bench.baselines()[0], kept(NAME)[0]):
        judged, row = dataclasses.asdict(bench.judge(given)), rows[given.name]
        for part in ("area", "spearman", "cost", "family"):
            assert row[part] == judged[part]
    assert {TRUTH, SIZE, "kernel, pairs and all", "surrogate, 8"} <= set(rows)
    assert len(rows) == len(found.rows)
    frame = pd.read_csv(done / "contest.csv")
    assert len(frame) == len(rows)
    held = frame.set_index("name").loc[TRUTH]
    assert held["normalised 2"] == pytest.approx(rows[TRUTH]["normalised"]["2"]["mean"])


@pytest.mark.slow
def test_the_page_and_the_terminal_name_the_best(done):
    found = Results.load(done)
    table = means(found)
    best = table[table["family"] != "baseline"].index[0]
    assert repr(best) in headline(found)
    assert best in tables(done)
    page = write_report(done).read_text()
    assert "Which estimate of task affinity" in page
    assert "dsprites, bottleneck" in page


@pytest.mark.slow
def test_the_winner_costs_no_more_than_allowed(done):
    found = Results.load(done)
    rows = {row["name"]: row for row in found.rows}
    assert rows[found.winners["dsprites"]]["cost"] <= 25


@pytest.mark.slow
def test_a_finished_contest_is_not_held_again(done):
    before = (done / Results.FILE).stat().st_mtime_ns
    run_contest(config(), done, progress=False)
    assert (done / Results.FILE).stat().st_mtime_ns == before


@pytest.mark.parametrize("name", shipped_names())
def test_every_table_has_its_estimates(name):
    table, found = shipped(name), kept(name)
    for one in found:
        assert one.scores.shape == table.loss.shape
        several = table.groups & (table.sizes > 1)[:, None]
        assert np.isfinite(one.scores[:, several]).mean() > 0.99
        assert 1 < one.cost < 3
    names = {one.name for one in found}
    assert {"lookahead@0.01, mean", "cosine, sum", "grad_tag@0.1"} <= names


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tables": ["dsprites-botleneck"]}, "Did you mean 'dsprites-bottleneck'"),
        ({"budgets": []}, "empty list"),
        ({"budgets": [2, 2]}, "named twice"),
        ({"budgets": [9]}, "at most 4"),
        ({"most": 0}, "above 0"),
    ],
)
def test_wrong_contests_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        check(config(**changes))
