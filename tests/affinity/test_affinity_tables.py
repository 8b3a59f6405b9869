"""Affinity, its CSV file, and every way in which such a file can be wrong."""

import numpy as np
import pytest

from disentangle.affinity import Affinity
from disentangle.errors import UserError


def test_csv_round_trip_is_bit_equal(tmp_path):
    matrix = np.random.default_rng(0).normal(size=(3, 3)) * [[1e-9], [1.0], [1e12]]
    affinity = Affinity(matrix, ("shape", "x, y", 'the "hue"'))
    affinity.to_csv(tmp_path / "a.csv")
    again = Affinity.from_csv(tmp_path / "a.csv")
    np.testing.assert_array_equal(again.matrix, matrix)
    assert again.tasks == affinity.tasks
    transposed = Affinity.from_csv(tmp_path / "a.csv", rows="target")
    np.testing.assert_array_equal(transposed.matrix, matrix.T)


def test_a_row_is_a_source(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "\ufefffree corner, a , b\n\n b ,3,4\na,1,-2e-1\n", encoding="utf-8"
    )
    affinity = Affinity.from_csv(path)
    assert affinity.tasks == ("a", "b")  # rows are put in the order of the columns
    np.testing.assert_array_equal(affinity.matrix, [[1, -0.2], [3, 4]])


WRONG = {
    "": "is empty",
    " \n\n": "is empty",
    "nothing": "not a comma-separated table",
    "a;b\n1;2\n": "unknown task '1'",
    ",a,b\n": "'a' of the header has no row",
    ",a,b\na,1,2\n": "'b' of the header has no row",
    ",a,b\na,1,2\nb,3\n": "row 'b' has 1 values, the header 2 tasks",
    ",a,b\na,1,2\nb,3,4,5\n": "row 'b' has 3 values",
    ",a,b\na,1,x\nb,3,4\n": "row 'a', column 'b': 'x' is not a number",
    ",a,b\na,1,\nb,3,4\n": "row 'a', column 'b': '' is not a number",
    ",a,b\na,1,2\nb,nan,4\n": "row 'b', column 'a': the value is nan",
    ",a,b\na,1,2\nb,3,-inf\n": "row 'b', column 'b': the value is -inf",
    ",a,a\na,1,2\na,3,4\n": "names the task 'a' twice",
    ",a,b\na,1,2\na,3,4\n": "two rows for the task 'a'",
    ",shape,b\nshpe,1,2\nb,3,4\n": "unknown task 'shpe'. Did you mean 'shape'",
    ",a,\na,1,2\nb,3,4\n": "no task name in column 3",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_file_gets_one_sentence(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        Affinity.from_csv(path)
    assert WRONG[text] in str(error.value)
    assert "a.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_not_a_file_gets_one_sentence(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        Affinity.from_csv(tmp_path / "missing.csv")
    with pytest.raises(UserError, match="is a folder"):
        Affinity.from_csv(tmp_path)
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    with pytest.raises(UserError, match="not a text file"):
        Affinity.from_csv(tmp_path / "binary.csv")
    with pytest.raises(UserError, match="rows must be"):
        Affinity.from_csv(tmp_path / "binary.csv", rows="sources")


def test_the_type_checks_itself():
    with pytest.raises(UserError, match="source 'a' on target 'b' is nan"):
        Affinity(np.array([[0, np.nan], [0, 0]]), ("a", "b"))
    with pytest.raises(UserError, match=r"must be \(2, 2\), got \(2, 3\)"):
        Affinity(np.zeros((2, 3)), ("a", "b"))
    with pytest.raises(UserError, match="'a' is used more than once"):
        Affinity(np.zeros((2, 2)), ("a", "a"))
    with pytest.raises(UserError, match="no tasks"):
        Affinity(np.zeros((0, 0)), ())
    with pytest.raises(UserError, match="standard_error"):
        Affinity(np.zeros((2, 2)), ("a", "b"), standard_error=np.zeros(2))
    with pytest.raises(UserError, match="number 2 has an empty name"):
        Affinity(np.zeros((2, 2)), ("a", ""))


def test_the_matrix_is_a_read_only_copy_and_says_its_orientation():
    matrix = np.zeros((2, 2), np.float32)
    affinity = Affinity(matrix, ("a", "b"), "lookahead", samples=7)
    matrix[0, 0] = 1
    assert affinity.matrix[0, 0] == 0
    assert affinity.matrix.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        affinity.matrix[0, 0] = 1
    assert "matrix[source, target] > 0: a step on source lowers" in repr(affinity)
