"""The section on groups.json: which network learns what, and how sure that is."""

from pathlib import Path

from disentangle.affinity import FROM_GROUPS
from disentangle.report import files
from disentangle.report.blocks import (
    Block,
    Cell,
    Drawing,
    Number,
    Row,
    Table,
    Text,
    number,
    plural,
)
from disentangle.report.matrices import budget_figure
from disentangle.report.text import chooser_words
from disentangle.study.groups import Groups


def groups(workdir: Path) -> list[Block]:
    """Which network learns what and serves whom, with the certificate."""
    found = files.found(Groups, workdir)
    if found is None:
        return []
    tasks = list(found.serves)
    rows: list[list[Cell]] = []
    for place, group in enumerate(found.groups):
        role = lambda task, place=place, group=group: (
            "●\u00a0serves"
            if found.serves[task] == place
            else "○\u00a0helps"
            if task in group
            else ""
        )
        rows.append([f"network {place + 1}", *map(role, tasks)])
    proof: list[list[Cell]] = [
        [name, Number(value), meaning]
        for name, (value, meaning) in _certificate(found).items()
        if value is not None
    ]
    by = f" Chosen by the {chooser_words(found.affinity)}." if found.affinity else ""
    budget = found.budget
    allowed = "" if budget is None else f" The budget allows {budget:g}."
    sure, table = _how_sure(found)
    on = "this matrix" if found.sense == "max" else "these predictions"
    return [
        *([Text(sure)] if sure else []),
        Text(
            f"{plural(len(found.groups), 'network')}.{allowed}{by}{cost_words(found)} "
            "Every task is served by one network (●); in others it may only help to "
            "train the shared part (○)."
        ),
        Table("Rows: networks. Columns: tasks.", ["", *tasks], rows),
        *table,
        Table(f"How good the grouping is on {on}.", ["", "value", ""], proof),
        *_by_budget(found),
    ]


def cost_words(found: Groups) -> str:
    """What the choice was made from, where that is a few trained groups."""
    if found.affinity not in FROM_GROUPS or found.trained is None:
        return ""
    return (
        f" It predicts every group of tasks from {found.trained} networks per seed "
        "(each task alone, all pairs, all together) by their losses on validation "
        "images, which are neither training nor test images."
    )


def _certificate(found: Groups) -> dict[str, tuple[float | None, str]]:
    """The numbers that say how good a grouping is, and what each means."""
    of = (
        "the affinity that a task receives from the others"
        if found.sense == "max"
        else "the loss that a task is predicted to have"
    )
    return {
        "objective": (
            found.objective,
            f"Mean over tasks of {of} in the network that serves it.",
        ),
        "bound": (found.bound, "No grouping within the budget does better."),
        "gap": (
            found.gap,
            "Between bound and objective; 0 means that the grouping is proven best.",
        ),
        "runner-up": (found.runner_up, "The objective of the best different answer."),
        "margin": (
            found.margin,
            "Objective against runner-up; 0 means that a tie was broken.",
        ),
    }


def _how_sure(found: Groups) -> tuple[str, list[Block]]:
    """A sentence on the redraws, and how often pairs of tasks are together."""
    sure = found.stability
    if sure is None:
        why = found.unsure
        return (f"How sure the groups are is not known: {why}." if why else "", [])
    redrawn = "every affinity is redrawn within its standard error"
    clear = (
        f"; {sure.clear} of {sure.cells} affinities between tasks are two standard "
        "errors or more from 0"
    )
    if sure.of == "seeds":
        redrawn, clear = "the seeds are drawn anew, with replacement", ""
    words = (
        f"How sure: when {redrawn}, these groups come back in {sure.share:.0%} of "
        f"{sure.redraws:,} redraws, among {plural(sure.answers, 'different answer')}"
        f"{clear}."
    )
    tasks = list(found.serves)
    rows: list[list[Cell]] = [
        [task, *(Number(value, decimals=2) for value in row)]
        for task, row in zip(tasks, sure.together, strict=True)
    ]
    caption = "In which share of the redraws a network learns both tasks."
    return words, [Table(caption, ["", *tasks], rows, folded="Pairs in the redraws")]


def _by_budget(found: Groups) -> list[Block]:
    """The objective over the budget, where there is more than one."""
    values = found.by_budget
    if len(values) < 2:
        return []
    figure = budget_figure(values, found.budget or 0)
    said = ", ".join(f"{i}: {number(v)}" for i, v in enumerate(values, 1))
    alt = f"The best objective for a budget of networks. {said}."
    caption = "The best objective for every budget of networks; ring: this job's."
    return [Row([Drawing.of(figure, "by-budget", alt, caption)])]
