"""The words at the top of the page: what was run, and what came out of it."""

import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from disentangle.files import DAMAGE
from disentangle.report import files, ranking, runs, verdict
from disentangle.report.blocks import listed, number, over_seeds, plural
from disentangle.report.scores import SCORE_DECIMALS

T = TypeVar("T")
# Of more representations than MOST, the result sentence names the BEST.
MOST, BEST = 6, 3
# What the result sentence says of each way of sharing.
NETWORKS = {
    "grouped": "grouped networks",
    "single-task": "single-task networks",
    "all-together": "one network on all tasks",
}


def is_pipeline(config: Mapping[str, Any]) -> bool:
    """Whether a config is the main job's, not one training run's."""
    return "supervised" in config


def is_impossibility(config: Mapping[str, Any]) -> bool:
    """Whether a config is the impossibility experiment's."""
    return "angles" in config


def is_comparison(config: Mapping[str, Any]) -> bool:
    """Whether a config is a study's, of several training runs."""
    return isinstance(config.get("runs"), dict)


def title(config: Mapping[str, Any]) -> str:
    """The page's heading."""
    data = _get(config, "data", "name", missing="an unnamed data set")
    if is_pipeline(config):
        return f"Task groups and disentanglement on {data}"
    if is_impossibility(config):
        return f"Rotated latents of {data}: what data alone cannot tell"
    if is_comparison(config):
        return f"{plural(len(config['runs']), 'method')} on {data}"
    return f"{_get(config, 'method', 'name', missing='A run')} on {data}"


class Result(NamedTuple):
    """What came out, computed from the files; each part may be empty.

    Attributes:
      answer: a sentence or two, to be read in ten seconds.
      parts: what it rests on, each under its name.
      command: what would say more, run in the folder of the page.
    """

    answer: str
    parts: list[tuple[str, str]]
    command: str


def result(workdir: Path) -> Result:
    """What came out of a job, for the top of its page."""
    said = {
        say: _unless_damaged(say, workdir) or ""
        for say in (_rotation_sentence, _losses_sentence, _scores_sentence)
    }
    found = _unless_damaged(verdict.verdict, workdir)
    if not found:
        run = _unless_damaged(_run_sentence, workdir)
        return Result(" ".join(filter(None, [*said.values(), run])), [], "")
    parts = [
        *found.parts,
        ("Test losses", said[_losses_sentence]),
        ("Scores", said[_scores_sentence]),
    ]
    command = _unless_damaged(verdict.next_run, workdir) or ""
    return Result(found.answer, [part for part in parts if part[1]], command)


def _unless_damaged(say: Callable[[Path], T], workdir: Path) -> T | None:
    """None where a file is damaged: its own section says what is wrong with it."""
    try:
        return say(workdir)
    except DAMAGE:  # UserError among them
        return None


def _rotation_sentence(workdir: Path) -> str:
    found, key = files.impossibility(workdir), "dci/disentanglement"
    sentences = []
    for code, rows in (found or {}).items():
        if key in rows[0]:
            ends = [f"{float(row[key]):.{SCORE_DECIMALS}f}" for row in rows]
            sentences.append(
                f"{code[0].upper() + code[1:]}: turned by {rows[-1]['angle']:g}°, DCI "
                f"disentanglement goes from {ends[0]} to {ends[-1]}."
            )
    return " ".join(sentences)


def _losses_sentence(workdir: Path) -> str:
    found = files.task_losses(workdir)
    if found is None:
        return ""
    parts = [
        f"{NETWORKS.get(name, name)} {number(float(found.networks[name].mean()))}"
        for name in _ordered(found.networks)
    ]
    return f"Mean test loss: {', '.join(parts)}; 1 is the trivial predictor."


def _ordered(names: Iterable[str]) -> list[str]:
    """What the job is about first."""
    return sorted(names, key=lambda n: list(NETWORKS).index(n) if n in NETWORKS else 99)


def _scores_sentence(workdir: Path) -> str:
    ranked = ranking.sentence(workdir)
    found, key = files.scores(workdir), "dci/disentanglement"
    if ranked or is_comparison(files.json_or_nothing(workdir / "config.json")):
        return ranked
    if found is None or key not in found.columns:
        return ""
    column = found.columns.index(key)
    values = {name: rows[:, column] for name, rows in found.rows.items()}
    names, of = _ordered(values), ""
    if len(names) > MOST:
        names = sorted(names, key=lambda name: -float(values[name].mean()))[:BEST]
        of = f", best {BEST} of {len(values)}"
    parts = [f"{n} {over_seeds(values[n], SCORE_DECIMALS).text}" for n in names]
    return f"DCI disentanglement{of}: {', '.join(parts)}; 1 is perfect."


def _run_sentence(workdir: Path) -> str:
    found = runs.ended(workdir)
    if found is None:
        return ""
    split, last = found.split, found.rows
    ends = [row.get("loss") for row in last.values()]
    losses = [float(loss) for loss in ends if isinstance(loss, int | float)]
    if not losses:
        return ""
    step = max(row["step"] for row in last.values())
    low, high = number(min(losses)), number(max(losses))
    span = low if low == high else f"{low} to {high}"
    models = "" if len(last) == 1 else f" over {len(losses)} models"
    return f"After {plural(step, 'step')} the {split} loss is {span}{models}."


def what_ran(workdir: Path, config: Mapping[str, Any]) -> str:
    """Data, tasks, budget, steps, seeds and versions in one paragraph."""
    sentences = [_data_sentence(workdir, config)]
    if is_pipeline(config):
        sentences += [
            _part(config, "supervised", "Supervised networks"),
            _part(config, "unsupervised", _method(config, "unsupervised")),
        ]
        budget = config.get("budget")
        sentences.append(f"Budget: {plural(budget, 'network')}." if budget else "")
    elif is_comparison(config):
        place = workdir / "runs"
        done = [n for n in config["runs"] if (place / n / "scores.json").exists()]
        sentences.append(f"{len(done)} of {plural(len(config['runs']), 'run')} done.")
        alike: dict[str, list[str]] = {}
        for name in done:
            alike.setdefault(_part(config["runs"], name, ""), []).append(name)
        sentences += [listed(names) + part for part, names in alike.items()]
    elif "weights" in config:
        sentences.append(f"Not trained here: weights of {config['weights']}.")
    else:
        sentences.append(_part({"run": config}, "run", "Trained"))
    versions = files.json_or_nothing(workdir / "summary.json").get("versions")
    if isinstance(versions, dict):
        named = ", ".join(f"{name} {version}" for name, version in versions.items())
        sentences.append(f"Versions: {named}.")
    return " ".join(filter(None, sentences))


def _data_sentence(workdir: Path, config: Mapping[str, Any]) -> str:
    """The data set, its factors and the label budget."""
    name = _get(config, "data", "name", missing="unnamed")
    for folder in ("multitask", "."):
        spec = files.json_or_nothing(workdir / folder / "data.json")
        items = _get(spec, "space", "items", missing=[])
        items = [item for item in items if {"name", "size"} <= set(item)]
        if items:
            break
    sentence = f"Data: {name}"
    if items:
        count = int(np.prod([item["size"] for item in items]))
        factors = listed([f"{item['name']} ({item['size']})" for item in items])
        sentence += f", {count:,} images of the factors {factors}"
    labelled = _get(config, "data", "train_size", missing=0)
    if labelled:
        sentence += f"; trained on {labelled:,} of them"
    return sentence + "."


def _part(config: Mapping[str, Any], name: str, subject: str) -> str:
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


def _method(config: Mapping[str, Any], part: str) -> str:
    return str(_get(config, part, "method", "name", missing=part))


def _get(tree: Any, *path: str, missing: Any) -> Any:
    """The value at a path of nested dicts, or `missing`."""
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            return missing
        tree = tree[key]
    return tree


def command(config: Mapping[str, Any], folder: Path) -> str:
    """The command that does a job anew with its very config, beside its page.

    It names no folder of this machine, so that the page stays what it is elsewhere;
    weights are named as they are found from the page's folder.
    """
    program = "python -m disentangle"
    if "weights" in config:
        weights = os.path.relpath(str(config["weights"]), folder)
        return f"{program} report {shlex.quote(weights)} --out=again"
    jobs = {
        "pipeline": is_pipeline,
        "impossibility": is_impossibility,
        "compare": is_comparison,
    }
    job = next((name for name, fits in jobs.items() if fits(config)), "train")
    return f"{program} {job} --config=config.json --workdir=again"
