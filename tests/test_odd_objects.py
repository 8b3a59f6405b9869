"""Every public function with objects of every kind: it works, or says one sentence."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import disentangle as dt
from disentangle.data import DATASETS
from disentangle.data.dataset import Recipe

CODES = np.random.default_rng(0).normal(size=(60, 2))
FACTORS = np.random.default_rng(1).integers(0, 3, (60, 2))
AFFINITY = dt.Affinity(np.eye(3) + 0.1, ("a", "b", "c"))
ODD = {
    "None": None,
    "whole": -7,
    "huge": 10**100,
    "number": 2.5,
    "nan": float("nan"),
    "word": "no such",
    "empty": "",
    "bytes": b"no",
    "path": Path("nowhere"),
    "frame": pd.DataFrame({"a": [1.0, 2], "b": [3.0, 4]}),
    "affinity": AFFINITY,
    "grouping": dt.group_tasks(AFFINITY, 2),
    "list": [None],
    "words": ["x"],
    "dict": {"a": 1},
    "set": {1},
    "object": object(),
    "array": np.zeros(3),
    "scalar": np.array(2),
    "class": dict,
}
MORE = [
    "num_train",
    "num_test",
    "seed",
    "backend",
    "bins",
    "protocol",
    "bootstrap",
    "factor_names",
]
MORE += ["logvars", "categorical", "jobs", "progress"]
SCORED = {"codes": CODES, "factors": FACTORS, "metrics": "mig"}
# name -> the function, good arguments by name, and those that are made odd.
CALLS = {
    "load": (dt.load, {"name": "toy"}, ("name", "path", "source")),
    "score": (
        dt.score,
        SCORED,
        [*SCORED, *MORE],
    ),
    "group_tasks": (
        dt.group_tasks,
        {"scores": AFFINITY, "budget": 2, "redraws": 0},
        [
            "scores",
            "budget",
            "tasks",
            "singletons",
            "singleton_value",
            "redraws",
            "seed",
        ],
    ),
    "summary": (dt.summary, {}, ("table",)),
    "load_run": (dt.load_run, {}, ("path",)),
    "Affinity": (
        dt.Affinity,
        {"matrix": np.eye(3), "tasks": ("a", "b", "c")},
        ("matrix", "tasks", "standard_error"),
    ),
    "Affinity.load": (dt.Affinity.load, {}, ("path",)),
    "evaluate": (dt.evaluate, {}, ("run",)),
    "train": (dt.train, {"method": 3, "data": 3}, ("method", "data")),
    "measure_affinity": (dt.measure_affinity, {}, ("data",)),
}


@pytest.fixture(autouse=True)
def toys(toy, monkeypatch, tmp_path):
    monkeypatch.setitem(DATASETS, "toy", Recipe(toy.space, lambda cache_dir: toy))
    monkeypatch.chdir(tmp_path)


def answered(function, **given):
    """Runs it; what it says against the arguments is one short sentence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            function(**given)
        except dt.UserError as error:
            assert 5 < len(str(error)) < 1_200 and "\n" not in str(error)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", CALLS)
def test_an_odd_object_is_one_sentence(toy, name, odd):
    function, good, arguments = CALLS[name]
    for argument in arguments:
        if argument == "progress" and callable(ODD[odd]):
            continue  # a function is a function
        answered(function, **(good | {argument: ODD[odd]}))
        if argument in ("run", "scores", "codes", "table", "method"):
            answered(function, **(good | {argument: toy}))


def test_a_data_set_is_named_wherever_one_is_taken(toy):
    small = {"steps": 0, "progress": False}
    for data in ("toy", toy):  # no steps: refused, but by what comes after the data
        with pytest.raises(dt.UserError, match="steps"):
            dt.measure_affinity(data, **small)
        with pytest.raises(dt.UserError, match="steps"):
            dt.train("vae", data, **small)
    with pytest.raises(dt.UserError, match=r"unknown data set 'toi'.* 'toy'"):
        dt.measure_affinity("toi")
    with pytest.raises(dt.UserError, match="data is a Affinity, not a data set"):
        dt.measure_affinity(AFFINITY)


def test_what_is_swapped_is_said(toy):
    with pytest.raises(dt.UserError, match="the method comes first"):
        dt.train(toy, "vae")
    with pytest.raises(dt.UserError, match="no run at runs/a"):
        dt.evaluate("runs/a")
    frame = pd.DataFrame(np.eye(3), list("abc"), list("abc"))
    assert dt.group_tasks(frame, 2).tasks == ("a", "b", "c")
    assert len(repr(toy)) < 200 and "toy" in repr(toy)
