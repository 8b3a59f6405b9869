"""`disentangle regret`: anyone's affinity against anyone's table."""

import json

import numpy as np
import pandas as pd
import pytest

from disentangle.__main__ import main
from disentangle.affinity import Affinity
from disentangle.oracle import TaskTable
from disentangle.oracle.regret import regret

TASKS = ("x", "y", "z")


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    groups = np.array([[m >> t & 1 for t in range(3)] for m in range(1, 8)], bool)
    loss = np.where(groups, rng.normal(size=(2, 7, 3)), np.nan)
    table = TaskTable(TASKS, groups, (0, 1), loss)
    table.save("t.parquet")
    table.save("t.csv")
    affinity = Affinity(rng.normal(size=(3, 3)), TASKS[::-1])
    affinity.to_csv("a.csv")
    return table, affinity


def run(*words):
    return main(["regret", *words, "--quiet", "--json=out.json"])


def result():
    with open("out.json") as file:
        return json.load(file)


def test_the_json_holds_what_the_call_gives(files, capsys):
    table, affinity = files
    for name in ("t.parquet", "t.csv"):
        assert run(name, "--estimate=a.csv", "--budget=2") == 0
        found = result()
        assert found["groups"] == regret(table, affinity, 2).groups
        keys = ("loss", "best", "regret", "normalised_regret", "random")
        for key in keys:
            assert found[key] == regret(table, affinity, 2).to_json()[key]
        assert found["regret"] == pytest.approx(found["loss"] - found["best"])
        assert found["normalised_regret"] == pytest.approx(
            found["regret"] / (found["random"] - found["best"])
        )
    said = capsys.readouterr().out
    for word in ("all together", "each alone", "random", "truth of half", "the best"):
        assert word in said
    turned = affinity.matrix.T
    Affinity(turned, affinity.tasks).to_csv("b.csv")
    assert run("t.csv", "--estimate=b.csv", "--budget=2", "--rows=target") == 0
    assert result()["groups"] == found["groups"]


def test_several_budgets_and_scores(files):
    table, affinity = files
    words = ("--score=sum", "--singletons=stl_zero", "--serving=truth")
    assert run("t.parquet", "--estimate=a.csv", "--budget=1,2,3", *words) == 0
    found = result()
    fields = {"score": "sum", "singletons": "stl_zero", "serving": "truth"}
    for budget, each in zip((1, 2, 3), found["budgets"], strict=True):
        assert each["budget"] == budget
        assert each["loss"] == regret(table, affinity, budget, **fields).loss
    assert found["area"]["regret"] == pytest.approx(
        np.mean([each["regret"] for each in found["budgets"]])
    )


def test_predictions_per_group_are_an_estimate(files):
    del files
    frame = pd.read_csv("t.csv")
    frame.to_csv("long.csv", columns=["group", "task", "loss"], sep=";", index=False)
    frame["gain"] = 1 - frame["loss"]
    frame[["seed", "group", "task", "gain"]].to_parquet("long.parquet")
    for name in ("long.csv", "long.parquet", "t.parquet"):
        assert run("t.csv", f"--estimate={name}", "--budget=2") == 0
        assert result()["regret"] == pytest.approx(0)
    both = frame.assign(seed=0, loss=frame.loss + 1, regime="b")
    pd.concat([frame.assign(regime="a"), both]).to_csv("two.csv", index=False)
    assert run("two.csv", "--estimate=a.csv", "--budget=2", "--regime=a") == 2


def test_a_table_without_seeds_of_some_groups_only(files):
    frame = pd.read_csv("t.csv")
    frame = frame[(frame.seed == 0) & ~frame.group.isin(["x+y+z", "x", "y"])]
    frame[["task", "group", "loss"]].sample(frac=1, random_state=0).to_csv("some.csv")
    assert run("some.csv", "--estimate=a.csv", "--budget=2") == 0
    found = result()
    assert found["table"]["groups"] == 4
    assert found["cross_regret"] is None
    assert set(found["baselines"]) >= {"random", "group size alone"}
    assert "all together" not in found["baselines"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "--budget=... is missing"),
        (("--budget=2",), "--estimate=... is missing"),
        (("--budget=0", "--estimate=a.csv"), "at least 1"),
        (("--budget=2,2", "--estimate=a.csv"), "name one twice"),
        (("--budget=1.5", "--estimate=a.csv"), "must be a whole number of groups"),
        (("--budget=2", "--estimate=none.csv"), "there is no file none.csv"),
        (("--budget=2", "--estimate=other.csv"), "unknown task 'w'"),
        (("--budget=2", "--estimate=both.csv"), "one of the columns loss, gain"),
        (("--budget=2", "--estimate=a.csv", "--score=max"), "unknown score 'max'"),
        (("--budget=2", "--estimate=a.csv", "--data=d"), "unknown data 'd'"),
        (("--budget=2", "--estimate=a.csv", "--serving=validation"), "'validation'"),
        (("--budget=2", "--estimate=less.csv"), "says nothing about the task 'z'"),
    ],
)
def test_what_is_wrong_is_one_sentence(files, capsys, words, says):
    Affinity(np.eye(3), ("x", "y", "w")).to_csv("other.csv")
    Affinity(np.eye(2), ("x", "y")).to_csv("less.csv")
    with open("both.csv", "w") as file:
        file.write("group,task,loss,gain\nx,x,1,1\n")
    assert run("t.csv", *words) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
