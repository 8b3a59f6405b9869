"""The results of a table of trainings, a line each: what was stopped goes on.

A line is a dict with "key", which says what it depends on and ends in ", seed N",
"row", the name of what was trained, and "versions". Lines go to results/, which is kept
in the repository: a table goes on from there, and another machine adds what is missing.
--results=FILE starts from nothing.
"""

import argparse
import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from disentangle.statistics import Interval, intervals
from disentangle.versions import versions

Line = dict[str, Any]
RESULTS = Path(__file__).parent / "results"
PACKAGES = ("jax", "numpy", "scikit-learn")


def results_flag(parser: argparse.ArgumentParser, name: str) -> None:
    """Adds --results, the file of a table's lines."""
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS / f"{name}.jsonl",
        help="what is there is not done again",
    )


def held(path: Path) -> list[Line]:
    """The lines that are there; one that a killed program left half is none."""
    if not path.exists():
        return []
    lines = path.read_text().splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def keep(path: Path, line: Line) -> None:
    """Adds a line, on a line of its own also behind a torn one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_torn = path.exists() and not path.read_bytes().endswith(b"\n")
    with path.open("a") as file:
        file.write("\n" * (is_torn and path.stat().st_size > 0))
        file.write(json.dumps(line | {"versions": versions(PACKAGES)}) + "\n")


def known(path: Path, key: str) -> dict[str, Line]:
    """The rows that are there for a key."""
    return {line["row"]: line for line in held(path) if line["key"] == key}


def by_setting(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """The lines of each setting, seeds together."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line["key"].rpartition(", seed")[0], []).append(line)
    return found


def interval_of(values: Collection[float]) -> Interval:
    """The mean over seeds with its 95 % interval, NaN for one seed."""
    held = np.array(list(values))
    mean = lambda rows: held[rows].mean()
    (found,) = intervals(mean, np.zeros(len(held)), draws=10_000)
    return found


def shown(values: Collection[float], sign: str = "") -> str:
    """A mean and its interval, which one seed has not."""
    if not values:
        return "-"
    found, form = interval_of(values), f"{sign}.2f"
    half = f" ({found.low:{form}} to {found.high:{form}})" if len(values) > 1 else ""
    return f"{found.value:{form}}{half}"


def spread(values: Collection[float]) -> str:
    """The mean, and the standard deviation where there are several."""
    half = f"±{np.std(list(values), ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(list(values)):7.3f}{half:>6s}"


def chosen(
    parser: argparse.ArgumentParser, words: str, rows: Collection[str]
) -> list[str]:
    """The rows that --rows names, all for ""; ends the program at an unknown one."""
    names = [name.strip() for name in words.split(",") if name.strip()]
    for name in names:
        if name not in rows:
            parser.error(f"unknown row {name!r}: choose from {', '.join(rows)}")
    return names or list(rows)
