"""The table of measured groups, and what the group command reads."""

import copy
import json

import numpy as np
import pytest

from disentangle.affinity import Affinity, GroupTable, group_tasks, read_group_input
from disentangle.errors import UserError

GOOD = {
    "tasks": ["shape", "scale"],
    "sense": "min",
    "groups": [
        {"members": ["scale", "shape"], "scores": {"shape": 0.5, "scale": 1}},
        {"members": ["shape"], "scores": {"shape": 0.2}, "cost": 0.5},
    ],
}


def test_a_good_table_is_read_in_task_order(tmp_path):
    path = tmp_path / "table.json"
    path.write_text(json.dumps(GOOD))
    table = read_group_input(path)
    assert isinstance(table, GroupTable)
    assert table.groups[0] == (("shape", "scale"), (0.5, 1.0), 1.0)
    assert table.groups[1] == (("shape",), (0.2,), 0.5)
    result = group_tasks(table, 1.5)
    assert result.groups == (("shape",), ("shape", "scale"))
    assert result.to_json() == {
        "groups": [["shape"], ["shape", "scale"]],
        "serves": {"shape": 0, "scale": 1},
        "objective": 0.6,
        "bound": 0.6,
        "gap": 0.0,
        "runner_up": 0.75,
        "margin": pytest.approx(0.15),
        "sense": "min",
        "method": "partition dynamic programme (exact)",
        "costs": [0.5, 1.0],
        "by_budget": [],
        "stability": None,
        "unsure": "measured groups have no standard errors",
        "goal": "mean",
    }


def changed(path, value):
    """GOOD with one entry replaced; a value of None removes it."""
    table = copy.deepcopy(GOOD)
    inner = table
    for key in path[:-1]:
        inner = inner[key]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return table


NAN = float("nan")
WRONG = [
    (["sense"], "mim", "unknown sense 'mim'. Did you mean 'min'"),
    (["sense"], None, "the table has no 'sense'"),
    (["sens"], "min", "unknown key 'sens'. Did you mean 'sense'"),
    (["tasks"], [], "there are no tasks"),
    (["tasks"], ["shape", "shape"], "'shape' is used more than once"),
    (["tasks"], "shape", "tasks must be a list of task names"),
    (["tasks"], ["shape", 3], "tasks must be a list of task names"),
    (["groups"], [], "at least one measured group"),
    (["groups"], {}, "at least one measured group"),
    (["groups", 0], "shape", "group 1 must be a JSON object"),
    (["groups", 0, "members"], ["shpe"], "group 1: unknown task 'shpe'. Did you mean"),
    (["groups", 0, "members"], ["shape"], "a score for 'scale', which is not a member"),
    (["groups", 0, "members"], [], "group 1 must have members"),
    (
        ["groups", 0, "members"],
        ["shape", "shape"],
        "group 1 must have members, each once",
    ),
    (["groups", 0, "members"], None, "group 1 has no 'members'"),
    (["groups", 0, "scores"], [1, 2], "the scores of group 1 must be a table"),
    (["groups", 0, "scores", "scale"], None, "no score for its member 'scale'"),
    (["groups", 0, "scores", "size"], 1.0, "group 1: unknown task 'size'"),
    (["groups", 1, "scores", "shape"], NAN, "score of 'shape' in group 2 is nan"),
    (["groups", 1, "scores", "shape"], "1", "must be a number, got '1'"),
    (["groups", 1, "scores", "shape"], True, "must be a number, got True"),
    (["groups", 1, "cost"], 0, "cost of group 2 must be above 0, got 0"),
    (["groups", 1, "cost"], -1.5, "cost of group 2 must be above 0, got -1.5"),
    (["groups", 1, "cost"], float("inf"), "the cost of group 2 is inf"),
    (["groups", 1], GOOD["groups"][0], "groups 1 and 2 have the same members"),
]


@pytest.mark.parametrize(("path", "value", "sentence"), WRONG)
def test_a_wrong_table_gets_one_sentence(tmp_path, path, value, sentence):
    table = changed(path, value)
    file = tmp_path / "table.json"
    file.write_text(json.dumps(table))
    with pytest.raises(UserError) as error:
        GroupTable.from_json(file)
    assert sentence in str(error.value)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)


def test_a_wrong_file_gets_one_sentence(tmp_path):
    file = tmp_path / "table.json"
    with pytest.raises(UserError, match="there is no file"):
        read_group_input(file)
    file.write_text("")
    with pytest.raises(UserError, match="is empty"):
        read_group_input(file)
    file.write_text('{"tasks": ')
    with pytest.raises(UserError, match="is not JSON"):
        read_group_input(file)
    file.write_text("[1, 2]")
    with pytest.raises(UserError, match="must be a JSON object"):
        read_group_input(file)
    file.write_text(json.dumps(GOOD))
    with pytest.raises(UserError, match="is for a CSV matrix"):
        read_group_input(file, rows="target")


def test_a_matrix_is_read_by_what_it_holds(tmp_path):
    file = tmp_path / "matrix.txt"
    file.write_text(",a,b\na,0,1\nb,2,0\n")
    read = read_group_input(file)
    assert isinstance(read, Affinity)
    np.testing.assert_array_equal(read.matrix, [[0, 1], [2, 0]])
    np.testing.assert_array_equal(
        read_group_input(file, "target").matrix, [[0, 2], [1, 0]]
    )


def test_a_budget_too_small_names_the_least():
    table = GroupTable.from_dict(changed(["groups", 0, "cost"], 1.25))
    with pytest.raises(UserError, match=r"takes at least 1\.25"):
        group_tasks(table, 1)
