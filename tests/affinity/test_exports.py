"""One matrix as three dozen programs and locales export it, and what cannot be read."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disentangle.affinity import Affinity, Grouping, group_tasks, read_group_input
from disentangle.errors import UserError

MATRIX = np.array([[1.5, -0.25, 0.125], [0.5, 2.0, -3.0], [0.0625, 4.0, 0.75]])
NAMES = ("a", "b c", "d")
EMPTY = MATRIX.copy()
np.fill_diagonal(EMPTY, np.nan)


def table(delimiter=",", mark=".", corner="", end="\n", quote=False, matrix=MATRIX):
    def cell(value):
        text = "" if np.isnan(value) else f"{value:g}".replace(".", mark)
        return f'"{text}"' if mark == "," and delimiter == "," else text

    name = (lambda text: f'"{text}"') if quote else (lambda text: text)
    lines = [delimiter.join([name(corner), *map(name, NAMES)])]
    for task, row in zip(NAMES, matrix, strict=True):
        lines.append(delimiter.join([name(task), *map(cell, row)]))
    return end.join([*lines, ""])


FRAME = pd.DataFrame(MATRIX, list(NAMES), list(NAMES))
BLANKS = '"a" "b c" "d"\n"a" 1.5 -0.25 0.125\n"b c" 0.5 2 -3\n"d" 0.0625 4 0.75\n'
EXPORTS = {
    "pandas": FRAME.to_csv(),
    "pandas ;": FRAME.to_csv(sep=";"),
    "pandas tab": FRAME.to_csv(sep="\t"),
    "pandas |": FRAME.to_csv(sep="|"),
    "pandas ; ,": FRAME.to_csv(sep=";", decimal=","),
    "pandas tab ,": FRAME.to_csv(sep="\t", decimal=","),
    "pandas quoted ,": FRAME.to_csv(decimal=","),
    "pandas index_label": FRAME.to_csv(index_label="task"),
    "pandas no index": FRAME.to_csv(index=False),
    "pandas no index ;": FRAME.to_csv(index=False, sep=";", decimal=","),
    "Excel English": table(end="\r\n"),
    "Excel English UTF-8": "\ufeff" + table(end="\r\n"),
    "Excel German": table(";", ",", end="\r\n"),
    "Excel German UTF-8": "\ufeff" + table(";", ",", end="\r\n"),
    "Excel sep=;": "sep=;\r\n" + table(";", ",", end="\r\n"),
    "Excel sep=, quoted": '"sep=,"\r\n' + table(end="\r\n"),
    "Excel tab": table("\t", end="\r\n"),
    "Excel tab French": table("\t", ",", end="\r\n"),
    "Excel Unicode": ("\ufeff" + table("\t", end="\r\n")).encode("utf-16-le"),
    "Excel Unicode German": ("\ufeff" + table("\t", ",")).encode("utf-16-le"),
    "UTF-16 big": ("\ufeff" + table()).encode("utf-16-be"),
    "UTF-16 without its mark": table().encode("utf-16-le"),
    "Excel Macintosh": table(end="\r"),
    "Excel trailing": table().replace("\n", ",,\n") + ",,,,,\n,,,,,\n",
    "Excel trailing ;": table(";", ",").replace("\n", ";;\n") + ";;;;\n",
    "LibreOffice quoted": table(quote=True),
    "LibreOffice German": table(";", ",", quote=True),
    "LibreOffice comma": table(",", ",", quote=True),
    "Google Sheets": table(end="\r\n"),
    "Google Sheets German": table(",", ",", end="\r\n"),
    "Numbers with a title": "Table 1\n" + table(),
    "Numbers German": table(";", ",", end="\r\n").rstrip("\r\n"),
    "R write.csv": table(quote=True),
    "R write.csv2": table(";", ",", quote=True),
    "R write.table": BLANKS,
    "R tab": table("\t", quote=True).replace('""\t', "", 1),
    "MATLAB writetable": table(corner="Row"),
    "MATLAB ;": table(";", corner="Row"),
    "blanks": table().replace(",", " , "),
    "percent": table(matrix=MATRIX * 100)
    .replace("\n", "%\n")
    .replace("d%\n", "d\n", 1),
    "minus": table().replace("-", "\u2212"),
    "latin": table(corner="T\u00e4tigkeit").encode("cp1252"),
    "blank lines": table().replace("\n", "\n\n"),
}
EXPORTS["percent"] = table().replace("-0.25", "-25%").replace("0.5,", "50 %,")


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_read(tmp_path, name):
    path, content = tmp_path / "a.csv", EXPORTS[name]
    data = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(data)
    found = Affinity.from_csv(path)
    assert found.tasks == NAMES
    np.testing.assert_array_equal(found.matrix, MATRIX)


def test_numbers_without_names_get_names(tmp_path):
    path = tmp_path / "a.csv"
    np.savetxt(path, MATRIX, delimiter=",")
    found = Affinity.from_csv(path)
    assert found.tasks == ("task 1", "task 2", "task 3")
    np.testing.assert_array_equal(found.matrix, MATRIX)


@pytest.mark.parametrize("fill", ["", "NA", "NaN", "-"])
def test_an_empty_diagonal_is_read_where_it_is_not_used(tmp_path, fill):
    path = tmp_path / "a.csv"
    lines = [",a,b", f"a,{fill},1", f"b,2,{fill}"]
    path.write_text("\n".join(lines) + "\n")
    found = Affinity.from_csv(path)
    assert group_tasks(found, 1).objective == 1.5
    assert group_tasks(found, 2, singletons="stl_zero").objective == 1.5
    with pytest.raises(UserError, match="'a' with itself, which is not known"):
        group_tasks(found, 1, singletons="diagonal")
    found.to_csv(tmp_path / "b.csv")
    again = Affinity.from_csv(tmp_path / "b.csv")
    np.testing.assert_array_equal(again.matrix, found.matrix)


REFUSED = {
    ';a;b\na;0;"1,234"\nb;5,678;0\n': "decimal comma or with grouped thousands",
    ";a;b\na;0;0,5\nb;0.25;0\n": "is not a number beside decimal points",
    ",a,b\na,0,NA\nb,1,0\n": "'NA' is not a number",
    ",a,b\na,0,1e400\nb,1,0\n": "not a finite number",
    ",a,b\na,0,1e301\nb,1,0\n": "beyond 1e300",
    ",a,b\na,0,1_000\nb,1,0\n": "is not a number",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_means_two_things_or_nothing_is_one_sentence(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        Affinity.from_csv(path)
    assert REFUSED[text] in str(error.value)


def test_what_plainly_means_an_affinity_is_taken(tmp_path):
    square = np.array([[0, 2.0], [3.0, 0]])
    expected = group_tasks(Affinity(square, ("task 1", "task 2")), 1)
    assert group_tasks(square, 1) == expected
    assert group_tasks(square.tolist(), 1) == expected
    named = group_tasks(square, 1, tasks=["x", "y"])
    frame = pd.DataFrame(square, ["x", "y"], ["x", "y"])
    assert group_tasks(frame, 1) == named
    assert group_tasks(frame.loc[["y", "x"]], 1) == named
    frame.to_csv(tmp_path / "a.csv")
    assert group_tasks(tmp_path / "a.csv", 1) == named
    assert group_tasks(str(tmp_path / "a.csv"), 1) == named
    saved = Affinity(square, ("x", "y"), standard_error=np.ones((2, 2)))
    saved.save(tmp_path / "a.json")
    assert group_tasks(tmp_path / "a.json", 1).stability.share == 1.0
    one = {"members": ["x"], "scores": {"x": 1}}
    group_tasks({"tasks": ["x"], "sense": "min", "groups": [one]}, 1)


SQUARE = np.zeros((2, 2))
WRONG = {
    "a Grouping": (group_tasks(SQUARE, 1), 1, "this is a Grouping"),
    "not square": (np.zeros((2, 3)), 1, "must be square"),
    "one axis": (np.zeros(3), 1, "must be square"),
    "words": ([["a", "b"], ["c", "d"]], 1, "real numbers"),
    "ragged": ([[1, 2], [3]], 1, "real numbers"),
    "complex": (SQUARE + 1j, 1, "real numbers"),
    "NaN": (SQUARE * np.nan, 1, "not a finite number"),
    "masked": (np.ma.masked_equal(np.eye(2), 0), 1, "not a finite number"),
    "None": (None, 1, "takes an Affinity"),
    "a number": (3, 1, "takes an Affinity"),
    "names twice": (pd.DataFrame(SQUARE, ["a", "a"], ["a", "b"]), 1, "more than once"),
    "other rows": (pd.DataFrame(SQUARE, ["a", "c"], ["a", "b"]), 1, "in one only"),
    "budget None": (SQUARE, None, "whole number"),
    "budget word": (SQUARE, "2", "whole number"),
    "budget 0": (SQUARE, 0, "whole number"),
    "budget 1.5": (SQUARE, 1.5, "whole number"),
    "budget True": (SQUARE, True, "whole number"),
    "budget inf": (SQUARE, float("inf"), "whole number"),
    "no file": ("nowhere.csv", 1, "there is no file"),
    "a path too long": ("x" * 5000, 1, "cannot read"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_is_one_sentence(name):
    scores, budget, sentence = WRONG[name]
    with pytest.raises(UserError) as error:
        group_tasks(scores, budget)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


NUMBERS = st.one_of(
    st.floats(),
    st.floats(1e300, 1.8e308),
    st.floats(0, 1e-300),
    st.integers(),
    st.integers(10**399, 10**400),
    st.sampled_from([0, 1, -1, None, True, "1", [], {}]),
)
NAMED = st.sampled_from(["a", "b", "c", "", "\x1b[31m", "\ud800", "a" * 300, " "])
JSON = st.recursive(
    NUMBERS | NAMED,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["tasks", "sense", "groups", "members", "scores", "cost", "a"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
GROUP = st.builds(
    lambda members, values, cost: {
        "members": members,
        "scores": dict(zip(members, values, strict=False)),
        "cost": cost,
    },
    st.lists(st.sampled_from("abc"), max_size=3, unique=True),
    st.lists(NUMBERS, min_size=3, max_size=3),
    NUMBERS,
)
TABLE = st.builds(
    lambda groups, sense: {"tasks": list("abc"), "sense": sense, "groups": groups},
    st.lists(GROUP, max_size=4),
    st.sampled_from(["min", "max"]),
)
CELL = st.one_of(
    NUMBERS.map(str),
    st.sampled_from(["", "1,5", "1.5", "%", "1e308", "-1e308", "9" * 400]),
)
LINES = st.lists(
    st.lists(CELL | st.sampled_from("abc"), max_size=4).map(",".join), max_size=5
)
SQUARES = st.lists(CELL, min_size=9, max_size=9).map(
    lambda c: (
        ";a;b;c\n" + "\n".join(f"{n};{';'.join(c[i::3])}" for i, n in enumerate("abc"))
    )
)


def one_sentence(path, budget):
    """A result, or a UserError of one line; anything else fails the test."""
    try:
        found = group_tasks(read_group_input(path), budget, redraws=3)
        assert isinstance(found, Grouping)
        json.dumps(found.to_json(), allow_nan=False)
    except UserError as error:
        assert "\n" not in str(error)


@settings(max_examples=120)
@given(JSON | TABLE, st.sampled_from([1, 2, 0.5, 1e300]))
def test_any_json_is_a_result_or_a_sentence(tmp_path_factory, value, budget):
    path = tmp_path_factory.getbasetemp() / "fuzz.json"
    path.write_text(json.dumps(value))
    one_sentence(path, budget)


@settings(max_examples=120)
@given(LINES.map("\n".join) | SQUARES | st.text(max_size=60) | st.binary(max_size=60))
def test_any_table_is_a_result_or_a_sentence(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    data = content if isinstance(content, bytes) else content.encode(errors="replace")
    path.write_bytes(data)
    one_sentence(path, 2)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 50_000,
        "9" * 5000,
        '{"tasks": 1, "tasks": 2}',
        "{",
        "\x00",
    ],
)
def test_deep_long_and_double_json_is_a_sentence(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError):
        read_group_input(path)
