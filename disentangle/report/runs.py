"""The section on training runs: losses over steps, and where they ended."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from disentangle.errors import UserError
from disentangle.report import files, summary
from disentangle.report.blocks import (
    Block,
    Cell,
    Drawing,
    Number,
    Problem,
    Row,
    Table,
    Text,
    listed,
    number,
    plural,
)
from disentangle.report.losses import Curve, curves_figure, curves_of, parts_of
from disentangle.report.models import (
    Models,
    label,
    learned,
    mean_task_loss,
    models,
    weights_of,
)
from disentangle.report.studies import Config, Page, Result
from disentangle.study.gain import NO_REFERENCE, beside_members

FOLDERS = {
    ".": "The run",
    "multitask": "One network on all tasks",
    "networks": "Networks on some tasks",
    "vae": "The unsupervised model",
}
Rows = list[dict[str, Any]]


class Plot(NamedTuple):
    """One figure of a run."""

    name: str
    ylabel: str
    curves: list[Curve]
    note: str
    log: bool = True


def curves(workdir: Path) -> list[Block]:
    """Learning curves of the workdir's own run, or of a pipeline's runs."""
    drawings: list[Drawing] = []
    problems: list[Block] = []
    for folder, title in FOLDERS.items():
        try:
            found, lost = _run(workdir / folder, folder, title)
            drawings += found
            problems += [Text(f"{title}: {lost}")] if lost else []
        except UserError as error:
            problems.append(Problem(f"{title}: {error}"))
    if not drawings:
        return problems
    intro = (
        "Thin lines: training, each point the mean since the one before. Dots: test "
        "images. Logarithmic where the values span a factor of 4 or more."
    )
    return [Text(intro), Row(drawings), *problems]


def _run(folder: Path, name: str, title: str) -> tuple[list[Drawing], str]:
    """The figures of one run, and a sentence on models that diverged."""
    rows = files.metrics(folder)
    if rows is None:
        return [], ""
    drawings = []
    with files.reading(folder / "metrics.jsonl"):
        tasks = files.task_names(folder) if "task_losses" in rows[0] else []
        for plot in plots(rows, tasks, models(folder)):
            figure = curves_figure(plot.curves, plot.ylabel, log=plot.log)
            alt = f"{title}: {plot.ylabel} over training steps."
            anchor = f"curves-{name}-{plot.name}"
            caption = f"{title}: {plot.note}"
            drawings.append(Drawing.of(figure, anchor, alt, caption))
    return drawings, diverged(rows)


def plots(rows: Rows, tasks: Sequence[str], known: Models) -> list[Plot]:
    """What there is to draw in the rows of a run."""
    members = list(dict.fromkeys(row["member"] for row in rows))
    labels = {member: label(member, known.get(member), tasks) for member in members}
    count = plural(len(members), "model")
    one = f", {members[0]}" if len(members) > 1 else ""
    found = []
    if "task_losses" in rows[0]:
        found += _task_plots(rows, labels, known)
        if weights_of(known.get(members[0])) is None:
            parts, note = (
                parts_of(rows, "task_losses", tasks),
                f"loss of each task{one}.",
            )
            found.append(Plot("tasks", "task loss", parts, note))
    else:
        for key in [k for k in rows[0] if k == "loss" or k.endswith("/loss")]:
            curves = curves_of(rows, key, labels)
            found.append(Plot(key, key, curves, f"the {key} it lowers; {count}."))
    if "kl_by_latent" in rows[0]:
        names = [f"z{i + 1}" for i in range(len(rows[0]["kl_by_latent"]))]
        parts = parts_of(rows, "kl_by_latent", names)
        note = f"KL to the prior of each latent{one}."
        found.append(Plot("kl", "KL (nats)", parts, note, log=False))
    if "relevance" in rows[0]:
        names = [f"z{i + 1}" for i in range(len(rows[0]["relevance"]))]
        parts = parts_of(rows, "relevance", names)
        note = f"relevance of each latent, 0 to 1{one}."
        found.append(Plot("relevance", "relevance", parts, note, log=False))
    return found


def _task_plots(rows: Rows, labels: dict[str, str], known: Models) -> list[Plot]:
    """The mean loss of the tasks a network learns: of one task, and of several."""
    found = []
    for name, ylabel, one, note in (
        ("single", "task loss", True, "each learns one task"),
        ("mean", "mean task loss", False, "mean loss of the tasks it learns"),
    ):
        own = [row for row in rows if (_learned(row, known) == 1) == one]
        means = [
            row | {"mean": mean_task_loss(row, known.get(row["member"]))} for row in own
        ]
        curves = curves_of(means, "mean", labels)
        if curves:
            count = plural(len({row["member"] for row in own}), "model")
            found.append(Plot(name, ylabel, curves, f"{note}; {count}."))
    return found


def _learned(row: dict[str, Any], known: Models) -> int:
    """How many tasks the model of a row learns."""
    weights = weights_of(known.get(row["member"])) or [1.0] * len(row["task_losses"])
    return sum(weight != 0 for weight in weights)


def diverged(rows: Rows) -> str:
    """A sentence that names the models whose last loss is not finite, or ""."""
    last = {row["member"]: row for row in rows}
    lost = [name for name, row in last.items() if None in row.values()]
    if not lost:
        return ""
    return f"{plural(len(lost), 'model')} of {len(last)} diverged: {listed(lost)}."


def ends(workdir: Path) -> list[Block]:
    """What every model of a train workdir ended at."""
    found = ended(workdir)
    if found is None:
        return []
    with files.reading(workdir / found.file):
        first = next(iter(found.rows.values()))
        columns = [k for k, v in first.items() if is_scalar(k, v)]
        tasks = files.task_names(workdir) if "task_losses" in first else []
        table: list[list[Cell]] = []
        known = models(workdir)
        for member, row in found.rows.items():
            values = [row.get(k) for k in columns] + learned(row, known.get(member))
            table.append([member, f"{row['step']:,}", *map(cell, values)])
        test = bool(tasks) and found.split == "test"
        said = _add_gain(found.rows, known, table) if test else ""
    header = ["model", "step", *columns, *tasks]
    header += ["Δm"] * (len(table[0]) - len(header))
    return [Table(f"{found.words} –: not trained on.{said}", header, table)]


def _add_gain(
    rows: Mapping[str, Mapping[str, Any]], known: Models, table: list[list[Cell]]
) -> str:
    """A column for Delta_m, where the run has single-task models; a sentence on it."""
    losses = {member: row["task_losses"] for member, row in rows.items()}
    swept = {member: known[member].swept for member in losses if member in known}
    gains = beside_members(losses, swept)
    if all(gain is None for gain in gains.values()):
        return f" Δm: {NO_REFERENCE} in this run."
    for line, gain in zip(table, gains.values(), strict=True):
        line.append(cell(gain))
    return " Δm: mean relative gain over the tasks' single-task models."


class Ended(NamedTuple):
    """Where the models of a run are: one row per member, and what the rows are."""

    file: str  # that they are from
    split: str  # "test" or "train"
    rows: dict[str, dict[str, Any]]

    @property
    def words(self) -> str:
        """What a table of the rows shows."""
        on = "test images" if self.split == "test" else "training batches"
        if self.file == "final.json":
            return f"Every model at the step it ended at, on {on}."
        return f"The last line of the log of every model, on {on}."


def ended(workdir: Path) -> Ended | None:
    """The values of final.json; the log's last rows where it is later, or none is.

    A log may be cut, and its last line is then an earlier step's; final.json is of one
    step. The log is later while a run trains, and of runs that look at no test image.
    """
    final, rows = files.final(workdir), None
    try:
        rows = files.metrics(workdir)
    except UserError:
        if final is None:
            raise
    logged = Ended("metrics.jsonl", *last_rows(rows)) if rows else None
    if final is None:
        return logged
    if logged and max(row["step"] for row in logged.rows.values()) > final.step:
        return logged
    named = {
        member: {"step": final.step, "split": "test", "member": member} | values
        for member, values in final.rows.items()
    }
    return Ended("final.json", "test", named)


def last_rows(rows: Rows) -> tuple[str, dict[str, dict[str, Any]]]:
    """The last row of every member, and its split: test, or train if there is none."""
    split = "test" if any(row["split"] == "test" for row in rows) else "train"
    return split, {row["member"]: row for row in rows if row["split"] == split}


def is_scalar(key: str, value: Any) -> bool:
    """Whether an entry of a row is a logged scalar (null is a NaN)."""
    return key != "step" and (value is None or isinstance(value, int | float))


def cell(value: float | None) -> Number:
    """A logged scalar as a cell."""
    return Number(float("nan") if value is None else float(value))


def told(workdir: Path, config: Config) -> list[str]:
    """How long the run was trained, or whose weights they are."""
    del workdir
    if "weights" in config:
        return [f"Not trained here: weights of {config['weights']}."]
    return [summary.part({"run": config}, "run", "Trained")]


def result(workdir: Path) -> Result:
    """The scores, and the loss that the run ended at."""
    said = [
        summary.unless_damaged(say, workdir) or ""
        for say in (summary.scores_sentence, loss_sentence)
    ]
    return Result(" ".join(filter(None, said)))


def loss_sentence(workdir: Path) -> str:
    """The loss of the models at the run's last step; "" without any."""
    found = ended(workdir)
    if found is None:
        return ""
    ends = [row.get("loss") for row in found.rows.values()]
    losses = [float(loss) for loss in ends if isinstance(loss, int | float)]
    if not losses:
        return ""
    step = max(row["step"] for row in found.rows.values())
    low, high = number(min(losses)), number(max(losses))
    span = low if low == high else f"{low} to {high}"
    models = "" if len(found.rows) == 1 else f" over {len(losses)} models"
    return f"After {plural(step, 'step')} the {found.split} loss is {span}{models}."


PAGE = Page(  # of a folder that is of no study
    lambda config: (
        f"{summary.method_name(config, missing='A run')} on {summary.data_name(config)}"
    ),
    {},
    told,
    result,
)
