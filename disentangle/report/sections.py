"""The sections of the page, one function each: a workdir in, blocks out.

A section whose file does not exist is empty; one whose file is damaged raises
the UserError of `files`, which the page prints in its place.
"""

from pathlib import Path

import numpy as np

from disentangle.affinity import Affinity
from disentangle.report import files, verdict
from disentangle.report.blocks import (
    Block,
    Cell,
    Drawing,
    Number,
    Row,
    Table,
    Text,
    common_decimals,
    listed,
    over_seeds,
    plural,
)
from disentangle.report.losses import task_losses_figure, with_mean
from disentangle.report.matrices import (
    affinity_figure,
    display_scale,
    importance_figure,
    information_figure,
    off_diagonal,
    scale_words,
)
from disentangle.report.panels import reconstruction_figure, traversal_figure
from disentangle.report.text import chooser_words
from disentangle.study.code_survey import NAMED
from disentangle.study.groups import Groups
from disentangle.study.visualize import Panels

ORIENTATION = (
    "Row: the task that takes the step. Column: the task whose loss moves. "
    "Above 0 (blue) the step helps, below 0 (red) it hurts."
)
ESTIMATORS = {
    "lookahead": "Lookahead: the fraction by which a gradient step on the row task "
    "alone lowers the column task's loss on the same batch (Fifty et al. 2021, Eq. 1).",
    "cosine": "Cosine: the cosine of the angle between the two tasks' gradients.",
    "first_order": "First order: the lookahead by the gradients alone.",
}


def affinity(workdir: Path) -> list[Block]:
    """Heat maps of affinity.json, and the same as tables."""
    measured = files.affinities(workdir)
    if not measured:
        return []
    chosen = files.grouped_by(workdir)
    measured = dict(sorted(measured.items(), key=lambda item: item[0] != chosen))
    drawings = [_heat_map(name, found) for name, found in measured.items()]
    tables = [_affinity_table(name, found) for name, found in measured.items()]
    intro = (
        f"{ORIENTATION} The diagonal, a task's effect on itself, is left uncoloured."
    )
    if chosen and (workdir / Groups.FILE).exists():
        intro += f" The groups below are chosen by the {chooser_words(chosen)}."
    return [Text(intro), Row(drawings), *tables]


def _heat_map(name: str, found: Affinity) -> Drawing:
    words = [ESTIMATORS.get(name, f"{name}.")]
    units = scale_words(display_scale(off_diagonal(found.matrix))[0])
    words += [f"Values {units}."] if units else []
    if found.samples:
        words.append(f"Mean of {plural(found.samples, 'sampled step')}.")
    if found.standard_error is not None:
        words.append(
            "±: standard error of the mean; faded: less than two of them from 0, not "
            "told from noise."
        )
    alt = (
        f"Heat map of the {name} affinity of {len(found.tasks)} tasks. {ORIENTATION} "
        "The same numbers are in the table that follows."
    )
    figure = affinity_figure(found)
    return Drawing.of(figure, f"affinity-{name}", alt, " ".join(words))


def _affinity_table(name: str, found: Affinity) -> Table:
    error = found.standard_error
    rows: list[list[Cell]] = []
    for i, source in enumerate(found.tasks):
        spreads = [None] * len(found.tasks) if error is None else error[i].tolist()
        cells = zip(found.matrix[i].tolist(), spreads, strict=True)
        rows.append([source, *(Number(value, spread) for value, spread in cells)])
    return Table(
        caption=f"{name}: row, the task that takes the step; column, the task whose "
        "loss moves.",
        header=["source \\ target", *found.tasks],
        rows=rows,
        folded=f"The {name} affinity as a table",
    )


def task_losses(workdir: Path) -> list[Block]:
    """Every task's test loss under each way of sharing."""
    found = files.task_losses(workdir)
    if found is None:
        return []
    tables = {name: with_mean(losses) for name, losses in found.networks.items()}
    decimals = common_decimals(np.concatenate([t.mean(0) for t in tables.values()]))
    rows: list[list[Cell]] = [
        [task, *(over_seeds(table[:, i], decimals) for table in tables.values())]
        for i, task in enumerate([*found.tasks, "mean"])
    ]
    rows.append([*verdict.gain_row(found)])
    seeds = max(len(table) for table in tables.values())
    spread = " Large marks: means; small marks: single seeds." if seeds > 1 else ""
    lost = f" {plural(found.lost, 'seed')} left out: diverged." if found.lost else ""
    figure = task_losses_figure(found.tasks, found.networks)
    alt = "Dot plot of the numbers in the table: test loss of every task."
    caption = f"Test loss of every task; further left is better.{spread}"
    error = " ± is the standard deviation over seeds." if seeds > 1 else ""
    return [
        Text(
            "Loss on test images in the network that serves the task; lower is better, "
            f"1 is the best constant prediction. {plural(seeds, 'seed')}.{error}{lost}"
        ),
        Row(
            [
                Drawing.of(figure, "task-losses", alt, caption),
                Table("The same in numbers.", ["task", *tables], rows),
            ]
        ),
    ]


def importance(workdir: Path) -> list[Block]:
    """DCI importance matrices as Hinton diagrams."""
    found = files.importances(workdir)
    if not found:
        return []
    drawings = []
    for name, table in found.items():
        with files.reading(workdir / "importance.npz"):
            figure = importance_figure(table.matrix, table.factors, table.codes)
        d, f = table.matrix.shape
        alt = f"Hinton diagram of the importance of {d} codes for {f} factors: {name}."
        drawings.append(Drawing.of(figure, f"importance-{name}", alt, f"{name}."))
    return [
        Text(
            "The area of a square is how much a code dimension (row) matters to "
            "predicting a factor (column). Disentangled: one square a row. Complete: "
            "one square a column. First seed; the largest square of a diagram fills "
            "its cell."
        ),
        Row(drawings),
    ]


def information(workdir: Path) -> list[Block]:
    """Mutual information of codes and factors as heat maps."""
    found = files.informations(workdir)
    if not found:
        return []
    drawings = []
    for name, table in found.items():
        with files.reading(workdir / "information.npz"):
            figure = information_figure(*table)
        d, f = table.matrix.shape
        alt = f"Heat map of the information of {d} codes about {f} factors: {name}."
        drawings.append(Drawing.of(figure, f"information-{name}", alt, f"{name}."))
    floor = (
        " The row “shuffled” is what codes seem to know of a factor whose values are "
        "shuffled (mean + 4 standard deviations): grey numbers are no more than that, "
        "and mean nothing."
    ) * any(table.shuffled is not None for table in found.values())
    return [
        Text(
            "The mutual information of a code dimension (row) and a factor (column), "
            "as a share of the factor's entropy: 1 is all there is to know. A factor's "
            f"MIG is the gap between the two largest of its column. First seed.{floor}"
        ),
        Row(drawings),
    ]


def reconstructions(workdir: Path) -> list[Block]:
    """Images and what the model makes of them."""
    held = files.found(Panels, workdir)
    if held is None or held.images is None or held.reconstructions is None:
        return []
    with files.reading(workdir / Panels.FILE):
        figure = reconstruction_figure(held.images, held.reconstructions)
    count = plural(len(held.images), "image")
    alt = f"{count}, each above its reconstruction by the model."
    caption = (
        "Above: images of the data set. Below: their reconstructions by the first "
        f"{files.model_name(workdir)}."
    )
    return [Row([Drawing.of(figure, "reconstructions", alt, caption)])]


def traversals(workdir: Path) -> list[Block]:
    """One latent a column, by falling KL."""
    held = files.found(Panels, workdir)
    if held is None or held.traversals is None or held.traversal_values is None:
        return []
    with files.reading(workdir / Panels.FILE):
        figure = traversal_figure(
            held.traversals,
            held.traversal_values.tolist(),
            held.kl,
            _captions(held),
            columns=True,
        )
    sorted_by = (
        "Columns by falling KL to the prior: the last carry nothing."
        if held.kl is not None and np.any(held.kl)
        else "Columns by falling variance of the code: there is no KL."
    )
    unit = "" if held.traversal_unit is None else str(held.traversal_unit)
    beside = f", in {unit} from the code's mean," if unit else ""
    alt = f"Latent traversals, {plural(len(held.traversals), 'latent')}."
    caption = (
        f"{files.model_name(workdir)}: a column sets one latent of the first image to "
        f"the value on the left{beside} and holds the others. {sorted_by} A column is "
        "named by the factor with which the latent shares most information, and how "
        f"much of the factor's entropy that is.{_unnamed(held)}"
    )
    return [Row([Drawing.of(figure, "traversals", alt, caption)])]


def _captions(held: Panels) -> list[str] | None:
    """Names of the latents; panels of before `shuffled` named dead latents too."""
    if held.captions is None:
        return None
    names = [str(caption) for caption in held.captions]
    if held.shuffled is not None or held.kl is None or not np.any(held.kl):
        return names
    return [
        name if nats >= NAMED else name.partition(":")[0]
        for name, nats in zip(names, held.kl, strict=True)
    ]


def _unnamed(held: Panels) -> str:
    """Which latents have no name; "" for panels that do not say."""
    if held.shuffled is None or held.factors is None:
        return ""
    pairs = zip(held.factors, held.shuffled, strict=True)
    floors = listed([f"{share:.2f} of {factor}" for factor, share in pairs])
    return (
        " No name: the latent tells no more than it would of shuffled factors "
        f"({floors}), or its KL is below {NAMED:g} nat."
    )
