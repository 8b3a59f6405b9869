"""Tables and progress for the terminal, read from a job's files."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from disentangle.affinity import FROM_GROUPS
from disentangle.progress import Progress
from disentangle.report.blocks import over_seeds, plural
from disentangle.report.paired import paired_text
from disentangle.study.affinity import load_affinities
from disentangle.study.gain import NO_REFERENCE
from disentangle.study.groups import Groups
from disentangle.study.representations import Losses
from disentangle.study.scores import Scores
from disentangle.study.truth import Truth


def affinity_table(workdir: Path) -> str:
    """affinity.json as text, each estimator with its orientation."""
    parts = []
    for name, found in load_affinities(workdir).items():
        frame = pd.DataFrame(found.matrix, found.tasks, found.tasks)
        parts.append(
            f"\n{name} affinity, {found.samples} samples (row: the task that takes "
            f"the step, column: the task whose loss moves; > 0 helps)\n"
            + frame.to_string(float_format="{:+.4f}".format)
        )
    return "\n".join(parts)


def result_tables(workdir: Path) -> str:
    """Affinity, groups, test losses and scores of a finished job."""
    parts = [affinity_table(workdir), _groups(workdir), *_truth(workdir)]
    parts.append(_losses(workdir))
    return "\n".join([*parts, score_table(workdir), paired_text(workdir)])


def _groups(workdir: Path) -> str:
    groups = Groups.load(workdir)
    by = f", by the {chooser_words(groups.affinity)}" if groups.affinity else ""
    title = f"\nbest groups for a budget of {groups.budget} networks{by}\n"
    return title + grouping_text(groups)


def chooser_words(name: str) -> str:
    """What chose a job's groups, in words: an affinity, or what trained pairs say."""
    if name not in FROM_GROUPS:
        return f"{name} affinity"
    return name if "pairs" in name else f"{name} over pairs"


def _truth(workdir: Path) -> list[str]:
    """truth.json as a table; nothing of a job that did not train every group."""
    if not (workdir / Truth.FILE).exists():
        return []
    found = Truth.load(workdir)
    rows = {
        way.name: [
            f"{way.loss:.4f}",
            f"{way.regret:+.4f}",
            "-" if way.normalised is None else f"{way.normalised:.2f}",
            ", ".join("+".join(group) for group in way.groups) or "-",
        ]
        for way in found.ways
    }
    best = ", ".join("+".join(group) for group in found.best_groups)
    rows["the best"] = [f"{found.best:.4f}", "0", "0", best]
    columns = ["loss", "regret", "normalised", "groups"]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    title = (
        f"\nthe truth: {plural(found.trained, 'group')} of tasks trained, "
        f"{plural(len(found.seeds), 'seed')}; at most "
        f"{plural(found.budget, 'network')} (normalised: 0 the best, 1 chance)\n"
    )
    return [title + frame.to_string()]


def grouping_text(groups: Groups) -> str:
    """Groups, what they serve, and the certificate."""
    rows = []
    for i, members in enumerate(groups.groups):
        served = [task for task, group in groups.serves.items() if group == i]
        rows.append(f"  {' + '.join(members)}  serves {', '.join(served)}")
    second = "none" if groups.runner_up is None else f"{groups.runner_up:.6g}"
    of = "mean over tasks" if groups.goal == "mean" else "of the worst task"
    rows.append(
        f"  objective {groups.objective:.6g} ({of}), bound {groups.bound:.6g}, gap "
        f"{groups.gap:.2g}, runner-up {second}"
    )
    if groups.method:
        rows.append(f"  found by {groups.method}")
    rows.append(f"  how sure: {stability_words(groups)}")
    return "\n".join(rows)


def stability_words(groups: Groups) -> str:
    """How often the groups come back when they are chosen anew, in a sentence."""
    found = groups.stability
    if found is None:
        return f"not known, {groups.unsure or 'it was not computed'}"
    if found.of == "seeds":
        return (
            f"these groups in {found.share:.0%} of {found.redraws} redraws of the "
            f"seeds, {plural(found.answers, 'different answer')}"
        )
    return (
        f"these groups in {found.share:.0%} of {found.redraws} redraws within "
        f"standard errors, {found.answers} different answers; {found.clear} of "
        f"{found.cells} affinities beyond two standard errors"
    )


def _losses(workdir: Path) -> str:
    table = Losses.load(workdir)
    means = {k: np.asarray(v, float).mean(0) for k, v in table.networks.items()}
    frame = pd.DataFrame(means, index=table.tasks)
    frame.loc["mean"] = frame.mean()
    title = "\ntest loss, mean over seeds (1 is the trivial predictor)\n"
    parts = [
        f"{name} {value:+.1%}"
        for name, row in table.delta_m.items()
        if (value := np.asarray(row, float).mean()) == value
    ]
    gains = f"mean relative gain over single-task (Δm): {', '.join(parts)}"
    rows = frame.to_string(float_format="{:.4f}".format)
    return f"{title}{rows}\n{gains if parts else f'Δm: {NO_REFERENCE}'}"


def score_table(workdir: Path) -> str:
    """scores.json as text: one row per score, one column per representation."""
    held = Scores.load(workdir)
    tables = held.tables()
    ran = next(iter(held.ran.values()))
    rows = f"{ran['num_train']}/{ran['num_test']} train/test rows"
    seeds = max(map(len, tables.values()))
    spread = " ± standard deviation" if seeds > 1 else ""
    title = f"\nscores, mean{spread} over {plural(seeds, 'seed')} ({rows})\n"
    cells = {
        name: [over_seeds(column, 3).text for column in table.T]
        for name, table in tables.items()
    }
    return title + pd.DataFrame(cells, index=held.columns).to_string()


def member_table(table: pd.DataFrame) -> str:
    """What `evaluate` returns, a row a score and a column a model, by rising values.

    Of several seeds there is a table of means and standard deviations before it, a
    column for what the models differ in besides. "diverged" stands for a model that
    has no score, "-" for a score that cannot be had.
    """
    known = list(table.columns[: list(table.columns).index("alive")])
    swept = [name for name in known if name not in ("member", "metric", "value")]
    order = {row["member"]: row for row in table.to_dict("records")}
    members = sorted(order, key=lambda name: [_rank(order[name][k]) for k in swept])
    wide = table.pivot(index="metric", columns="member", values="value")
    wide = wide.loc[list(dict.fromkeys(table["metric"])), members]
    cell = lambda value, name: (
        f"{value:.4f}"
        if value == value
        else "-"
        if order[name]["alive"]
        else "diverged"
    )
    shown = {name: [cell(value, name) for value in wide[name]] for name in members}
    text = pd.DataFrame(shown, index=wide.index).to_string()
    alike: dict[str, list[str]] = {}
    for name in members:
        values = {k: order[name][k] for k in swept if k != "seed"}
        setting = [
            f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}"
            for k, v in values.items()
        ]
        alike.setdefault(",".join(setting) or "all models", []).append(name)
    seeds = max(map(len, alike.values()))
    if seeds == 1:
        return text
    cells = {
        setting: [over_seeds(row, 4).text for row in wide[names].to_numpy(float)]
        for setting, names in alike.items()
    }
    means = pd.DataFrame(cells, index=wide.index).to_string()
    title = f"mean ± standard deviation over {plural(seeds, 'seed')}"
    return f"{title}\n{means}\n\neach model\n{text}"


def _rank(value: Any) -> tuple[int, Any]:
    """Sorts numbers as numbers, and what is none after them."""
    number = isinstance(value, int | float | np.number)
    return (0, float(value)) if number else (1, str(value))


def rotation_table(workdir: Path) -> str:
    """impossibility.csv as text, a column an angle."""
    frame = pd.read_csv(workdir / "impossibility.csv")
    parts = [
        f"\n{code}\n"
        + rows.drop(columns="code")
        .set_index("angle")
        .dropna(axis=1)
        .T.to_string(float_format="{:.4f}".format)
        for code, rows in frame.groupby("code", sort=False)
    ]
    return "\n".join(parts)


@contextlib.contextmanager
def work_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Progress with an ETA, fed as progress(done, total)."""
    with Progress(title, unit="fit") as bar:
        yield bar.to
