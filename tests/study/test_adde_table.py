"""What benchmarks print and draw of lines of the ADDE table, by hand."""

import re

import pytest

from benchmarks.adde_table import table
from benchmarks.figures import of_most_budgets


def line(data, labels, seed, row, **values):
    key = f"{data} rand {labels} labels, steps 6 + 3, seed {seed}"
    return {"key": key, "row": row, "values": values}


def test_a_figure_mixes_no_settings():
    lines = [
        line("shapes3d", 100, 0, "stage 1", replace=1.0),
        line("shapes3d", 1000, 0, "stage 1", replace=2.0),
        line("shapes3d", 1000, 1, "stage 1", replace=3.0),
        line("shapes3d", 1000, 1, "stage 2", replace=5.0),
        line("fashion_sprites", 1000, 0, "stage 1", replace=9.0),
        line("shapes3d", 0, 0, "stage 1", replace=8.0),
    ]
    found = of_most_budgets(lines)
    every = {480_000: lines[5:]}  # 0 is no budget: all pictures have labels
    assert found == {100: lines[:1], 1000: lines[1:3]} | every
    assert of_most_budgets([]) == {}


def test_differences_are_of_the_same_seed():
    """70 - 80 and 60 - 90: -20 +- 12.71 10; the mean 65 +- 12.71 5 (Student's t).

    A share ends at 100, a difference does not.
    """
    lines = [
        *(line("shapes3d", 9, s, "less a", less=x) for s, x in ((0, 70.0), (1, 60.0))),
        *(
            line("shapes3d", 9, s, "stage 2", **{"stage 2, replace": x})
            for s, x in ((1, 90.0), (0, 80.0))
        ),
    ]
    found = next(text for text in table(lines) if text.startswith("  less"))
    numbers = [float(n) for n in re.findall(r"[+-]?\d+\.\d+", found)]
    half = 5 * 12.706
    expected = [65, 65 - half, 100, -20, -20 - 2 * half, -20 + 2 * half]
    assert numbers == pytest.approx(expected, abs=0.01)
    assert found.endswith("(2 seeds)")


def test_one_seed_has_no_interval():
    (_, found) = table([line("shapes3d", 9, 0, "less a", less=70.0)])
    assert found.split() == ["less", "70.00", "-", "(1", "seeds)"]
