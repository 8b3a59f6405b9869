"""Do groups help: scores of the grouped networks less those of others, by seed."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from disentangle.oracle.seeds import interval
from disentangle.report import files, scores
from disentangle.report.blocks import Block, Cell, Number, Table, plural
from disentangle.report.scores import COLUMNS, SCORE_DECIMALS, head_of
from disentangle.study.scores import Scores

GROUPED = "grouped"
OTHERS = ("single-task", "all-together")
SAYS = (
    "Grouped networks less others, seed by seed; ± is half of the 95 % interval over "
    "{seeds} (Student's t). Every network has the same steps, so that more networks "
    "are more training in all."
)


def differences(held: Scores) -> dict[str, np.ndarray]:
    """ "grouped - single-task" -> (seeds, columns), where two seeds and more have both.

    Also of the ADDEs of the groups, "adde-grouped - adde-single-task".
    """
    names = dict.fromkeys(str(row["representation"]) for row in held.rows)
    found = {}
    for own in (name for name in names if name.endswith(GROUPED)):
        for end in OTHERS:
            other = own.removesuffix(GROUPED) + end
            apart = held.differences(own, other)
            if len(apart) > 1:
                found[f"{own} - {other}"] = apart
    return found


def of_seeds(values: np.ndarray) -> Number:
    """The mean, and half of its 95 % interval."""
    ends = interval(values) if np.isfinite(values).all() else None
    half = (ends[1] - ends[0]) / 2 if ends else None
    return Number(float(values.mean()), half, SCORE_DECIMALS)


def paired(workdir: Path) -> list[Block]:
    """The table of differences of a job with groups; nothing of one seed."""
    held = files.found(Scores, workdir)
    if held is None:
        return []
    with files.reading(workdir / held.FILE):
        found = differences(held)
    if not found:
        return []
    every = range(len(held.columns))
    parts = [every[start : start + COLUMNS] for start in every[::COLUMNS]]
    return [_table(held.columns, found, part) for part in parts]


def scores_and_differences(workdir: Path) -> list[Block]:
    """The section on scores, and the differences of groups below it."""
    return [*scores.scores(workdir), *paired(workdir)]


def _table(columns: list[str], found: Mapping[str, np.ndarray], chosen: range) -> Table:
    lines: list[list[Cell]] = [
        [name, *(of_seeds(values[:, k]) for k in chosen)]
        for name, values in found.items()
    ]
    heads = ["difference", *(head_of(columns[k]) for k in chosen)]
    return Table(_says(found), heads, lines)


def _says(found: Mapping[str, np.ndarray]) -> str:
    return SAYS.format(seeds=plural(min(map(len, found.values())), "seed"))


def paired_text(workdir: Path) -> str:
    """The same as text, a row per score; "" where there is none."""
    held = Scores.load(workdir)
    found = differences(held)
    if not found:
        return ""
    cells = {
        name: [of_seeds(v).text for v in values.T] for name, values in found.items()
    }
    return f"\n{_says(found)}\n" + pd.DataFrame(cells, index=held.columns).to_string()
