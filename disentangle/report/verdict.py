"""Whether grouping helped, at the top of the page: per task, on average, how sure.

The mean relative gain, Delta_m, is that of `study.gain`.
"""

import shlex
from pathlib import Path
from typing import NamedTuple

import numpy as np

from disentangle.oracle.seeds import interval
from disentangle.report import files
from disentangle.report.blocks import listed, plural
from disentangle.report.files import TaskLosses
from disentangle.report.text import stability_words
from disentangle.study.gain import NO_REFERENCE, SINGLE, relative_gain
from disentangle.study.groups import Groups

TRIVIAL = 0.9  # a loss from here on: hardly better than a constant


class Verdict(NamedTuple):
    """What a job says of grouping: the answer, and its parts by name."""

    answer: str
    parts: list[tuple[str, str]]


def verdict(workdir: Path) -> Verdict | None:
    """The verdict of a job; None without single-task and grouped losses."""
    found = files.task_losses(workdir)
    if found is None or not {SINGLE, "grouped"} <= set(found.networks):
        return None
    single, grouped = found.networks[SINGLE], found.networks["grouped"]
    if len(single) != len(grouped):
        return None
    gain = relative_gain(grouped, single)
    lower = single.mean(axis=1) - grouped.mean(axis=1)
    average = [_lower(lower), _gain("Mean relative gain over tasks (Δm)", gain)]
    average += [_trivial(found), _together(found, single)]
    sure = [_size(workdir, len(single)), _stability(workdir)]
    return Verdict(
        _helped(_sign(gain), _sign(lower)),
        [
            ("Per task", _tasks(found, single, grouped, _networks(workdir, found))),
            ("On average", " ".join(filter(None, average))),
            ("How sure", " ".join(filter(None, sure))),
        ],
    )


def _sign(values: np.ndarray) -> int | None:
    """1 where the mean is above 0 beyond noise, -1 below, 0 neither; None of one."""
    found = interval(values)
    return None if found is None else int(found[0] > 0) - int(found[1] < 0)


def _helped(relative: int | None, absolute: int | None) -> str:
    """The answer, by Delta_m and by the mean loss, which may differ."""
    if relative is None or absolute is None:
        return "Whether grouping helps is not known yet: one seed has no interval."
    if relative == absolute:
        return {
            1: "Grouping helped on average, beyond the noise of the seeds.",
            -1: "Grouping hurt on average, beyond the noise of the seeds.",
            0: "No effect of grouping beyond the noise of the seeds.",
        }[relative]
    mean = {1: "lowered", -1: "raised", 0: "did not move"}[absolute]
    gain = {1: "helped", -1: "hurt", 0: "made no difference"}[relative]
    return (
        f"Grouping {mean} the mean loss; by the tasks' relative losses it {gain} "
        "(beyond the noise of the seeds)."
    )


def _lower(values: np.ndarray) -> str:
    """ "Mean test loss 0.0200 lower, 95 % interval 0.0100 to 0.0300 lower"."""
    mean, found = float(values.mean()), interval(values)
    text = f"Mean test loss {abs(mean):.3g} {'lower' if mean >= 0 else 'higher'}"
    if found:
        text += (
            f", 95 % interval of the difference {-found[1]:+.3g} to {-found[0]:+.3g}"
        )
    return f"{text}.".replace("-", "−")


def _tasks(
    found: TaskLosses, single: np.ndarray, grouped: np.ndarray, networks: int
) -> str:
    """Which tasks do better in groups, which alone; beyond noise where seeds allow."""
    better: list[str] = []
    worse: list[str] = []
    open_: list[str] = []
    for i, task in enumerate(found.tasks):
        change = single[:, i] - grouped[:, i]
        low, high = interval(change) or (change.mean(), change.mean())
        names = better if low > 0 else worse if high < 0 else open_
        names.append(task)
    parts = [
        f"{words} on {listed(names)}"
        for words, names in (
            ("lower", better),
            ("higher", worse),
            ("no different beyond noise" if len(single) > 1 else "the same", open_),
        )
        if names
    ]
    count = len(found.tasks)
    return (
        f"In grouped training ({plural(networks, 'network')}) the test loss is "
        f"{', '.join(parts)}, beside a network per task ({count})."
    )


def _networks(workdir: Path, found: TaskLosses) -> int:
    chosen = files.found(Groups, workdir)
    return 0 if chosen is None else len(chosen.groups)


def _gain(words: str, gain: np.ndarray) -> str:
    """ "Δm +3.1 %, 95 % interval −1.0 to +7.2 %"."""
    text = f"{words}: {percent(float(gain.mean()))}"
    found = interval(gain)
    if found:
        text += f", 95 % interval {percent(found[0])} to {percent(found[1])}"
    return f"{text}."


def percent(value: float) -> str:
    """ "+3.1 %", "−12.0 %"."""
    return f"{100 * value:+.1f} %".replace("-", "−")


def gain_row(found: TaskLosses) -> list[str]:
    """The last row of the table of losses: Delta_m of every way of sharing."""
    single = found.networks.get(SINGLE)

    def cell(name: str, losses: np.ndarray) -> str:
        if name == SINGLE:
            return "reference"
        if single is None or len(losses) != len(single):
            return NO_REFERENCE
        return percent(float(relative_gain(losses, single).mean()))

    return ["Δm", *(cell(name, losses) for name, losses in found.networks.items())]


def _trivial(found: TaskLosses) -> str:
    """Which tasks a network has not begun to learn, and the gain without them."""
    single, grouped = found.networks[SINGLE], found.networks["grouped"]
    still = {
        name: [t for i, t in enumerate(found.tasks) if rows.mean(0)[i] >= TRIVIAL]
        for name, rows in found.networks.items()
    }
    parts = [f"{name} on {listed(tasks)}" for name, tasks in still.items() if tasks]
    if not parts:
        return ""
    text = f"Not yet better than a constant (loss of {TRIVIAL} or more): "
    text += f"{'; '.join(parts)}."
    begun = [i for i, t in enumerate(found.tasks) if t not in still[SINGLE]]
    if still[SINGLE] and begun:
        rest = relative_gain(grouped[:, begun], single[:, begun])
        text += f" Without {listed(still[SINGLE])} Δm is {percent(float(rest.mean()))}."
    return text


def _together(found: TaskLosses, single: np.ndarray) -> str:
    rows = found.networks.get("all-together")
    if rows is None or len(rows) != len(single):
        return ""
    return _gain("One network on all tasks: Δm", relative_gain(rows, single))


def _size(workdir: Path, seeds: int) -> str:
    section = files.json_or_nothing(workdir / "config.json").get("supervised")
    steps = section.get("steps") if isinstance(section, dict) else None
    ran = f"Losses of {plural(seeds, 'seed')}"
    return f"{ran}, {plural(steps, 'step')} each." if isinstance(steps, int) else ran


def _stability(workdir: Path) -> str:
    """How often these groups come back within the noise of the affinity."""
    groups = files.found(Groups, workdir)
    return f"The choice of groups: {stability_words(groups)}." if groups else ""


def next_run(workdir: Path) -> str:
    """The command whose result would say more, or "" for a job of no grouping."""
    config = files.json_or_nothing(workdir / "config.json")
    found, section = files.task_losses(workdir), config.get("supervised")
    if found is None or not isinstance(section, dict):
        return ""
    seeds = max(int(section.get("seeds", 1)), 1)
    steps = int(section.get("steps", 1000))
    fields = {"supervised.seeds": max(3, seeds)}
    if any(rows.mean(0).max() >= TRIVIAL for rows in found.networks.values()):
        fields["supervised.steps"] = 4 * steps
    elif seeds >= 3:
        fields["supervised.seeds"] = 2 * seeds
    words = ["--config=config.json"]  # the page is the same wherever its folder is
    words += [f"--config.{name}={value}" for name, value in fields.items()]
    words.append("--workdir=../next")
    # A line a field: no browser breaks it within "--".
    return " \\\n  ".join(["python -m disentangle pipeline", *map(shlex.quote, words)])
