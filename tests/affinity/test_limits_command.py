"""`disentangle group` with limits."""

import json

import numpy as np
import pytest

from disentangle.__main__ import main
from disentangle.affinity import Affinity, group_tasks

TASKS = tuple("abcd")


@pytest.fixture
def affinity(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = Affinity(np.random.default_rng(0).normal(size=(4, 4)), TASKS)
    found.to_csv("a.csv")
    return found


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (("--largest=2",), {"largest": 2}),
        (
            ("--together=a+b", "--apart=a+c,b+d"),
            {"together": ["ab"], "apart": ["ac", "bd"]},
        ),
        (
            ("--memory=3", "--needs=a=1,b=2,c=1.5,d=.5", "--disjoint"),
            {
                "memory": 3,
                "needs": {"a": 1, "b": 2, "c": 1.5, "d": 0.5},
                "disjoint": True,
            },
        ),
        (("--objective=worst",), {"objective": "worst"}),
        (
            ("--costs=a=1,b=1,c=.5,d=.5",),
            {"costs": {"a": 1, "b": 1, "c": 0.5, "d": 0.5}},
        ),
    ],
)
def test_flags_are_the_arguments(affinity, words, options, capsys):
    for name in ("together", "apart"):
        options[name] = [list(names) for names in options.get(name, [])]
    assert main(["group", "a.csv", "--budget=3", "--json=out.json", *words]) == 0
    with open("out.json") as file:
        found = json.load(file)
    expected = group_tasks(affinity, 3, **options)
    assert found == expected.to_json()
    said = capsys.readouterr().out
    assert expected.method in said
    assert ("worst task" in said) == ("objective" in options)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("--together=a", "--together takes tasks joined by +"),
        ("--apart=a+,b", "--apart takes tasks joined by +"),
        ("--apart=a+e", "unknown task in apart 'e'"),
        ("--needs=a:1", "--needs takes numbers such as a=1,b=2.5, got 'a:1'"),
        ("--costs=a=1,a=2", "--costs names 'a' twice"),
        ("--costs=a=x", "--costs takes numbers"),
        ("--memory=2", "go together"),
        ("--largest=1", "loosen a limit"),
        ("--objective=best", "unknown objective 'best'"),
    ],
)
def test_what_is_wrong_is_one_sentence(affinity, word, says, capsys):
    assert main(["group", "a.csv", "--budget=2", word]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
