"""The results of a table of trainings, a line each: what was stopped goes on.

A line is a dict with "key", which says what it depends on and ends in ", seed N",
"row", the name of what was trained, "data", the digest of the pictures, "device" and
"versions". Lines go to results/, which is kept
in the repository: a table goes on from there, and another machine adds what is missing.
--results=FILE starts from nothing.
"""

import argparse
import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.oracle.seeds import interval
from disentangle.versions import versions

Line = dict[str, Any]
RESULTS = Path(__file__).parent / "results"
DIGITS = 12  # of a digest
CPU = "cpu"  # a device, as JAX names it
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


def keep(path: Path, line: Line, data: Dataset) -> None:
    """Adds a line of a data set, on a line of its own also behind a torn one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_torn = path.exists() and not path.read_bytes().endswith(b"\n")
    with path.open("a") as file:
        file.write("\n" * (is_torn and path.stat().st_size > 0))
        own = {"data": data.digest[:DIGITS], "device": jax.devices()[0].device_kind}
        file.write(json.dumps(line | own | {"versions": versions(PACKAGES)}) + "\n")


def known(path: Path, key: str) -> dict[str, Line]:
    """The rows that are there for a key."""
    return {line["row"]: line for line in held(path) if line["key"] == key}


def by_setting(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """The lines of each setting, seeds together."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line["key"].rpartition(", seed")[0], []).append(line)
    return found


def heading(setting: str, lines: Iterable[Line]) -> str:
    """What stands above a block; names GPUs, and digests where pictures differ.

    Those that an older version drew may differ in a grey level here and there. Of lines
    without a digest nothing is known.
    """
    lines = list(lines)
    found = dict.fromkeys(str(line["data"]) for line in lines if "data" in line)
    drawn = f" (pictures of {len(found)} digests: {', '.join(found)})"
    others = sorted({line.get("device", CPU) for line in lines} - {CPU})
    where = f" (GPU: {', '.join(others)})"
    return setting + drawn * (len(found) > 1) + where * bool(others)


def cpu_seconds(lines: Collection[Line]) -> str:
    """CPU seconds of a training, a mean; "GPU" where one was not on the CPU."""
    if any(line.get("device", CPU) != CPU for line in lines):
        return "   GPU"
    return f"{np.mean([line['seconds'] for line in lines]):6.0f}"


def half_of(values: Collection[float]) -> float | None:
    """Half of the 95 % interval of a mean over seeds; None for one seed."""
    ends = interval(np.array(list(values)))
    return (ends[1] - ends[0]) / 2 if ends else None


def shown(
    values: Collection[float],
    sign: str = "",
    span: tuple[float, float] = (-np.inf, np.inf),
) -> str:
    """A mean and its interval, which one seed has not: "82.61 (70.62 to 94.60)".

    Args:
      values: of each seed.
      sign: "+" shows signs.
      span: what the values are in; the interval is cut there.
    """
    if not values:
        return "-"
    held, form = np.array(list(values)), f"{sign}.2f"
    ends = interval(held)
    low, high = np.clip(ends or (np.nan, np.nan), *span)
    says = f" ({low:{form}} to {high:{form}})" if ends else ""
    return f"{held.mean():{form}}{says}"


def plus_minus(values: Collection[float], alone: float | None = None) -> str:
    """The same for tables with many columns: "0.853 ±0.010".

    Args:
      values: of each seed.
      alone: half of the interval that a single seed has of another kind, if it has.
    """
    half = alone if len(values) < 2 else half_of(values)
    says = "" if half is None else f" ±{half:.3f}"
    return f"{np.mean(list(values)):.3f}{says}"


def chosen(
    parser: argparse.ArgumentParser, words: str, rows: Collection[str]
) -> list[str]:
    """The rows that --rows names, all for ""; ends the program at an unknown one."""
    names = [name.strip() for name in words.split(",") if name.strip()]
    for name in names:
        if name not in rows:
            parser.error(f"unknown row {name!r}: choose from {', '.join(rows)}")
    return names or list(rows)
