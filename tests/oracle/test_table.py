"""A table of groups comes back from its files bit for bit; a wrong cell is named."""

import numpy as np
import pandas as pd
import pytest

from disentangle.errors import UserError
from disentangle.oracle import TaskTable, load_tables, save_tables

GROUPS = np.array([[1, 1, 0], [0, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 1]], bool)


def table(seed=0, seeds=(3, 1), groups=GROUPS, data="", regime="", extra=True):
    rng = np.random.default_rng(seed)
    draw = lambda: np.where(
        groups, rng.normal(size=(len(seeds), *groups.shape)), np.nan
    )
    return TaskTable(
        ("c", "a", "b"),
        groups,
        seeds,
        draw(),
        draw() if extra else None,
        np.round(100 * draw()) if extra else None,
        data,
        regime,
    )


def same(one, other):
    """Equal up to the order of groups and seeds, which a file gives its own."""
    at = [one.names.index(name) for name in other.names]
    seeds = [one.seeds.index(seed) for seed in other.seeds]
    assert one.tasks == other.tasks
    assert (one.data, one.regime) == (other.data, other.regime)
    for name in ("loss", "validation", "steps"):
        a, b = getattr(one, name), getattr(other, name)
        if a is None:
            assert b is None
        else:
            np.testing.assert_array_equal(a[np.ix_(seeds, at)], b)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("extra", [True, False])
def test_a_table_comes_back_bit_for_bit(tmp_path, suffix, extra):
    first = table(extra=extra)
    first.save(tmp_path / f"t{suffix}")
    again = TaskTable.load(tmp_path / f"t{suffix}")
    same(first, again)
    assert again.seeds == (1, 3)
    assert again.names == ("c", "a", "b", "c+a", "c+a+b")
    again.save(tmp_path / f"u{suffix}")
    twice = TaskTable.load(tmp_path / f"u{suffix}")
    assert twice.names == again.names
    frame = (pd.read_parquet if suffix == ".parquet" else pd.read_csv)(
        tmp_path / f"t{suffix}"
    )
    names = "data regime seed group task validation loss steps"
    assert list(frame.columns) == names.split()


def test_several_tables_in_one_file_are_named(tmp_path):
    path = tmp_path / "t.parquet"
    tables = [
        table(0, data="dsprites", regime="a"),
        table(1, data="dsprites", regime="b", groups=GROUPS[:2][:, [0, 1, 1]]),
        table(2, data="shapes3d", regime="a"),
    ]
    tables[1] = table(1, data="dsprites", regime="b")
    save_tables(path, tables)
    for one, other in zip(tables, load_tables(path), strict=True):
        same(one, other)
    same(tables[1], TaskTable.load(path, regime="b"))
    same(tables[2], TaskTable.load(path, data="shapes3d"))
    with pytest.raises(UserError, match=r"several.*\(dsprites, a\), \(dsprites, b\)"):
        TaskTable.load(path, data="dsprites")
    with pytest.raises(UserError, match="Did you mean 'dsprites'"):
        TaskTable.load(path, data="dsprite")
    with pytest.raises(UserError, match="no table fits both"):
        TaskTable.load(path, data="shapes3d", regime="b")
    with pytest.raises(UserError, match="another data and regime"):
        save_tables(path, [tables[0], tables[0]])


def test_gains_are_the_loss_alone_less_the_loss_together():
    given = table()
    at = {name: i for i, name in enumerate(given.names)}
    for s in range(2):
        alone = given.loss[s, at["a"], 1]
        assert given.gains[s, at["c+a+b"], 1] == alone - given.loss[s, at["c+a+b"], 1]
    assert (given.gains[:, at["a"], 1] == 0).all()
    assert np.isnan(given.gains[:, at["a"], 0]).all()
    less = TaskTable(given.tasks, GROUPS[:4], (0,), given.loss[:1, :4])
    with pytest.raises(UserError, match="no group of 'b' alone"):
        less.gains  # noqa: B018


PLAIN = """group,task,loss
b,b,1
a,a,2
a+b,b,0.5
b + a,a,3
"""


def test_text_as_it_is_exported(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(PLAIN)
    plain = TaskTable.load(path)
    assert (plain.tasks, plain.names, plain.seeds) == (
        ("b", "a"),
        ("b", "a", "b+a"),
        (0,),
    )
    np.testing.assert_array_equal(plain.loss[0, 2], [0.5, 3])
    path.write_text(PLAIN.replace(",", ";").replace("0.5", "0,5").upper().lower())
    np.testing.assert_array_equal(TaskTable.load(path).loss, plain.loss)
    frame = pd.read_csv(path, sep=";", decimal=",")
    frame["seed"] = 7
    frame["note"] = "x"
    frame.astype({"loss": "float32"}).to_parquet(tmp_path / "t.bin")
    again = TaskTable.load(tmp_path / "t.bin")
    assert again.seeds == (7,)
    np.testing.assert_array_equal(again.loss, plain.loss)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("group,task\na,a\n", r"no column 'loss' \(there is: group, task\)"),
        ("group,task,loss\n", "no rows"),
        (PLAIN.replace("0.5", "nan"), r"row 3, column 'loss': 'nan' is not a finite"),
        (PLAIN.replace("0.5", "x"), r"row 3, column 'loss': 'x' is not a number"),
        (PLAIN.replace("0.5", ""), r"row 3, column 'loss': it is empty"),
        (PLAIN.replace("a,a", "c+a,a"), r"row 2.*'c\+a'.*unknown task 'c'"),
        (PLAIN.replace("a,a", "b,a"), r"row 2.*'a' is not in the group 'b'"),
        (PLAIN.replace("a,a,2", "a+a,a,2"), r"row 2.*'a\+a' names a task twice"),
        (PLAIN + "b+a,a,2\n", r"rows 4 and 5 are both of seed 0, group 'b\+a'"),
        (PLAIN[: PLAIN.index("b + a")], r"no row for the task 'a' in the group 'a\+b'"),
        (PLAIN.replace("a,a,2", ",a,2"), r"row 2, column 'group': it is empty"),
        (PLAIN.replace("a,a,2", "a,x+y,2"), r"row 2.*'x\+y' holds a \+"),
        ("seed,group,task,loss\n1.5,a,a,1\n", r"row 1, column 'seed': '1.5' is not a"),
        ("seed,group,task,loss\n0,a,a,1\n1,b,b,1\n", "no row for.*'b'.*of seed 0"),
        ("", "empty"),
    ],
)
def test_a_wrong_file_gets_a_sentence(tmp_path, text, says):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=f"t.csv.*{says}|{says}") as found:
        TaskTable.load(path)
    assert "t.csv" in str(found.value)


def test_wrong_arrays_get_a_sentence(tmp_path):
    good = table()
    loss = np.array(good.loss)
    for place, value, says in (
        ((0, 0, 0), np.nan, r"'c' in group 'c\+a', seed 3, is nan, not a finite"),
        ((1, 3, 2), np.inf, r"'b' in group 'c\+a\+b', seed 1, is inf"),
        ((0, 1, 0), 1.0, r"'c' in group 'a', seed 3, is 1.0, but is not in"),
    ):
        wrong = loss.copy()
        wrong[place] = value
        with pytest.raises(UserError, match=says):
            TaskTable(good.tasks, good.groups, good.seeds, wrong)
    with pytest.raises(UserError, match="seeds by groups"):
        TaskTable(good.tasks, good.groups, (0,), loss)
    with pytest.raises(UserError, match="one is there twice"):
        TaskTable(good.tasks, GROUPS[[0, 0]], (0,), loss[:1, :2])
    with pytest.raises(UserError, match="each with a member"):
        TaskTable(good.tasks, GROUPS & False, (0,), loss[:1])
    with pytest.raises(UserError, match=r"'x\+y' holds a \+"):
        TaskTable(("x+y", "a", "b"), good.groups, good.seeds, loss)
    with pytest.raises(UserError, match="must end in"):
        good.save(tmp_path / "t.txt")
    (tmp_path / "t.parquet").write_bytes(b"PAR1" + bytes(40))
    with pytest.raises(UserError, match=r"t\.parquet cannot be read"):
        TaskTable.load(tmp_path / "t.parquet")
    with pytest.raises(UserError, match="there is no file"):
        TaskTable.load(tmp_path / "none.parquet")
