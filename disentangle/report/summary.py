"""The words at the top of the page, and the command at its end, that all jobs share."""

import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from disentangle.errors import UserError
from disentangle.files import DAMAGE
from disentangle.report import files
from disentangle.report.blocks import listed, over_seeds, plural
from disentangle.report.scores import SCORE_DECIMALS
from disentangle.study.stage_timer import Summary

T = TypeVar("T")
# Of more representations than MOST, the sentence on scores names the BEST.
MOST, BEST = 8, 3
# What a sentence says of each way of sharing; the order is that of every sentence.
NETWORKS = {
    "grouped": "grouped networks",
    "single-task": "single-task networks",
    "all-together": "one network on all tasks",
}


def unless_damaged(say: Callable[[Path], T], workdir: Path) -> T | None:
    """None where a file is damaged: its own section says what is wrong with it."""
    try:
        return say(workdir)
    except DAMAGE:  # UserError among them
        return None


def ordered(names: Iterable[str]) -> list[str]:
    """What the main job is about first."""
    return sorted(names, key=lambda n: list(NETWORKS).index(n) if n in NETWORKS else 99)


def scores_sentence(workdir: Path) -> str:
    """DCI disentanglement of every representation; "" without it."""
    found, key = files.scores(workdir), "dci/disentanglement"
    if found is None or key not in found.columns:
        return ""
    column = found.columns.index(key)
    values = {name: rows[:, column] for name, rows in found.rows.items()}
    names, of = ordered(values), ""
    if len(names) > MOST:
        names = sorted(names, key=lambda name: -float(values[name].mean()))[:BEST]
        of = f", best {BEST} of {len(values)}"
    parts = [f"{n} {over_seeds(values[n], SCORE_DECIMALS).text}" for n in names]
    return f"DCI disentanglement{of}: {', '.join(parts)}; 1 is perfect."


def what_ran(workdir: Path, config: Mapping[str, Any], told: Iterable[str]) -> str:
    """Data, what the job tells of itself, and versions in one paragraph."""
    sentences = [_data_sentence(workdir, config), *told]
    times = timed(workdir)
    if times and times.versions:
        named = ", ".join(f"{name} {v}" for name, v in times.versions.items())
        sentences.append(f"Versions: {named}.")
    return " ".join(filter(None, sentences))


def timed(workdir: Path) -> Summary | None:
    """summary.json, which only adds to the page: None where missing or damaged."""
    try:
        return files.found(Summary, workdir)
    except UserError:
        return None


def _data_sentence(workdir: Path, config: Mapping[str, Any]) -> str:
    """The data set, its factors and the label budget; "" of a job without one."""
    if "data" not in config and not (workdir / "data.json").exists():
        return ""
    for folder in ("multitask", "."):
        view = files.json_or_nothing(workdir / folder / "data.json")
        items = get(view, "space", "items", missing=[])
        items = [item for item in items if {"name", "size"} <= set(item)]
        if items:
            break
    sentence = f"Data: {data_name(config, 'unnamed')}"
    if items:
        grid = int(np.prod([item["size"] for item in items]))
        rows = get(view, "space", "rows", missing=None)  # of a table
        count = rows if isinstance(rows, int) else grid
        factors = listed([f"{item['name']} ({item['size']})" for item in items])
        sentence += f", {count:,} images of the factors {factors}"
    labelled = get(config, "data", "train_size", missing=0)
    if labelled:
        sentence += f"; trained on {labelled:,} of them"
    return sentence + "."


def part(config: Mapping[str, Any], name: str, subject: str) -> str:
    """ "Supervised networks: 600 steps of 64 images, 1 seed, from 0." """
    section = config.get(name)
    if not isinstance(section, dict) or "steps" not in section:
        return ""
    words = [f"{subject}: {plural(section['steps'], 'step')}"]
    if "batch_size" in section:
        words.append(f" of {section['batch_size']:,} images")
    if "seeds" in section:
        words.append(f", {plural(section['seeds'], 'seed')} from {section['seed']} on")
    return "".join(words) + "."


def data_name(config: Mapping[str, Any], missing: str = "an unnamed data set") -> str:
    """The name of a config's data set."""
    return str(get(config, "data", "name", missing=missing))


def method_name(config: Mapping[str, Any], *path: str, missing: str) -> str:
    """The name of the method at a path of a config."""
    return str(get(config, *path, "method", "name", missing=missing))


def get(tree: Any, *path: str, missing: Any) -> Any:
    """The value at a path of nested dicts, or `missing`."""
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            return missing
        tree = tree[key]
    return tree


def command(config: Mapping[str, Any], folder: Path, job: str) -> str:
    """The command that does a job anew with its very config, beside its page.

    It names no folder of this machine, so that the page stays what it is elsewhere;
    weights are named as they are found from the page's folder.
    """
    program = "python -m disentangle"
    if "weights" in config:
        weights = os.path.relpath(str(config["weights"]), folder)
        return f"{program} report {shlex.quote(weights)} --out=again"
    return f"{program} {job} --config=config.json --workdir=again"
