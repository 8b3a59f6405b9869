"""Retrieval for every model of a run: a table for notebooks, files for its page.

retrieval.json   what was asked, and every number of every model
retrieval.npz    matrices and example pictures of the first living model
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from disentangle import progress as bars
from disentangle.data import as_dataset
from disentangle.data.dataset import Dataset
from disentangle.data.factor import Factor
from disentangle.errors import UserError, as_list, unknown
from disentangle.records import ArrayRecord, JsonRecord
from disentangle.retrieval import TASKS, Asking, Outcome
from disentangle.retrieval.outcome import Example, Row
from disentangle.study.sample import data_of
from disentangle.study.searches import Columns, Searches, models_of
from disentangle.study.subjects import Subject, subject_of
from disentangle.training.run import Run, as_run, compare_data

EVERY = "all"  # in a table, the attribute of a mean over attributes
Found = list[dict[str, Outcome]]  # of every model, by task; {} of one that diverged


@dataclasses.dataclass(frozen=True)
class Answered:
    """One number of one task, as `retrieval.outcome.Row`; None for no number."""

    way: str
    attribute: str
    score: str
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclasses.dataclass(frozen=True)
class Answers:
    """The numbers of one model.

    Attributes:
      member: its name.
      tasks: task -> its rows.
      notes: what else is to be known.
    """

    member: str
    tasks: dict[str, list[Answered]]
    notes: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Retrievals(JsonRecord):
    """retrieval.json: what models were asked, and how they did.

    Attributes:
      asking: the fields of `retrieval.Asking`.
      attributes: A names.
      members: every living model.
    """

    FILE: ClassVar[str] = "retrieval.json"
    asking: dict[str, Any]
    attributes: list[str]
    members: list[Answers]


@dataclasses.dataclass(frozen=True, eq=False)
class Shown(ArrayRecord):
    """retrieval.npz: matrices and pictures of the first living model.

    Attributes:
      leak: (A, A) of edits of attribute i, the share that changed attribute j.
      map: (A + 1, A) mean average precision by the columns of attribute i, the last
        row by the whole code, for attribute j.
      attention: (slots, slots, A) what of a pair of slots is looked at in attribute a.
      captions: (n,) what was asked; asked, truth: (n, H, W, C) uint8, the picture and
        the edited one that was to be found.
      found: (n, k, H, W, C) uint8, nearest first; right: (n, k) bool.
    """

    FILE: ClassVar[str] = "retrieval.npz"
    leak: np.ndarray | None = None
    map: np.ndarray | None = None
    attention: np.ndarray | None = None
    captions: np.ndarray | None = None
    asked: np.ndarray | None = None
    truth: np.ndarray | None = None
    found: np.ndarray | None = None
    right: np.ndarray | None = None


def retrieve(
    run: Run | str | Path | Callable[[Any], Any],
    data: Dataset | str | None = None,
    tasks: str | Sequence[str] = tuple(TASKS),
    *,
    split: str = "",
    gallery: str = "tuples",
    labels: int = 1_000,
    queries: int = 2_000,
    triplets: int = 10_000,
    searches: int = 1_000,
    sets: int = 10_000,
    columns: Columns = "",
    seed: int = 0,
    bootstrap: int = 200,
    rule: str = "",
    progress: bool = True,
) -> pd.DataFrame:
    """How every living model of a run does in retrieval, beside chance and baselines.

    "edit": this picture in another value; "similar": alike in one respect only;
    "complete": what completes this set. `disentangle.retrieval` says how each is asked
    and counted.

    Args:
      run: from `train` or `load_run`, or the path of its workdir; or a function of
        images (n, H, W, C) uint8 -> codes (n, D), such as the pixels themselves.
      data: a data set with queries (dsprites, shapes3d, fashion_sprites), a table of
        labelled images, of whose test images "edit" alone can be asked, UT-Zappos50k or
        Polyvore Outfits with their own test questions ("similar", "complete"), or a
        name; None loads the one the run was trained on.
      tasks: names in `retrieval.TASKS`; also "edit,similar" or "all".
      split, gallery, labels, queries, triplets, searches, sets, seed, bootstrap, rule:
        see `retrieval.Asking`; split "" is that of the run's data, or "rand", rule ""
        that of the run's method, or the usual one.
      columns: attribute -> the columns of the code that are of it; "all": every column
        is of every attribute; "": what the method says, or else the attribute of which
        a column tells most.
      progress: whether to show it.

    Returns:
      One row per model, task, way, attribute ("all" is their mean) and score: `member`,
      `task`, `way`, `attribute`, `score`, `value`, `low`, `high` (95 % over queries,
      NaN where there is none), and what the model differs in.

    Raises:
      UserError: a wrong argument, or a data set without queries; before anything is
        encoded.
    """
    if not callable(run) or isinstance(run, Run):
        run = as_run(run)
    if data is None:
        if not isinstance(run, Run):
            raise UserError("a function of images needs data=, a data set with queries")
        data = data_of(run)
    own = split or (split_of(run) if isinstance(run, Run) else "rand")
    numbers = labels, queries, triplets, searches, sets, seed, bootstrap
    asking = Asking(own, gallery, *numbers, rule)
    chosen = choose_tasks(tasks)
    found = answers(
        run, as_dataset(data), chosen, asking, columns=columns, progress=progress
    )
    return table(run, found)


def split_of(run: Run) -> str:
    """The split of a world that a run was trained on; "rand" without any."""
    return str(run.config["data"].get("split") or "rand")


def choose_tasks(tasks: str | Sequence[str]) -> tuple[str, ...]:
    """Names of tasks from a list, "edit,similar" or "all", each once.

    Raises:
      UserError: a name that is not there, or none at all.
    """
    says = "tasks must be names such as 'edit,similar', 'all' or a list of names"
    listed = tasks.split(",") if isinstance(tasks, str) else tasks
    names = [str(name).strip() for name in as_list(listed, says)]
    for name in names:
        if name not in (*TASKS, "all"):
            raise unknown("retrieval task", name, [*TASKS, "all"])
    if not names:
        raise UserError(f"no retrieval tasks given: choose from {', '.join(TASKS)}")
    return tuple(TASKS) if "all" in names else tuple(dict.fromkeys(names))


def answers(
    run: Run | Callable[[Any], Any],
    data: Dataset,
    tasks: Sequence[str],
    asking: Asking,
    *,
    columns: Columns = "",
    progress: bool = True,
) -> Found:
    """The outcome of every task for every model; {} for one that diverged.

    Raises:
      UserError: a data set without queries, or another than the run's; before anything
        is encoded.
    """
    if isinstance(run, Run):
        compare_data(run, data)
    models = models_of(run)
    living = int(np.sum(models.alive))
    with bars.steps("retrieve", 1 + living * len(tasks), shown=progress) as tell:
        asked = Searches(models, data, asking, columns=columns, progress=tell)
        asked.check(tasks)
        if living:
            asked.prepare(tasks)
        found: Found = []
        for member, alive in enumerate(models.alive):
            outcomes: dict[str, Outcome] = {}
            for task in tasks if alive else ():
                tell(f"{task}, {models.names[member]}", 0, 1)
                outcomes[task] = asked.outcome(member, task)
            found.append(outcomes)
    return found


def table(run: Run | Callable[[Any], Any], found: Found) -> pd.DataFrame:
    """What `retrieve` returns, of what `answers` gives."""
    models = models_of(run)
    lines: list[dict[str, Any]] = []
    for name, swept, outcomes in zip(models.names, models.swept, found, strict=True):
        for task, outcome in outcomes.items():
            for row in outcome.rows:
                own = row._asdict() | {"attribute": row.attribute or EVERY}
                lines.append({"member": name, "task": task} | own | swept)
    columns = ["member", "task", *Row._fields]
    return pd.DataFrame(lines, columns=None if lines else columns)


def keep(folder: Path, run: Run, data: Dataset, found: Found, asking: Asking) -> None:
    """Writes retrieval.json and retrieval.npz."""
    living = [m for m, outcomes in enumerate(found) if outcomes]
    members = [
        Answers(
            run.members[m],
            {task: _answered(outcome) for task, outcome in found[m].items()},
            list(dict.fromkeys(n for o in found[m].values() for n in o.notes)),
        )
        for m in living
    ]
    first = next(iter(found[living[0]])) if living else "edit"
    subject = subject_of(first, data, asking, run)
    if living:
        shown(found[living[0]], data, subject).save(folder)
    names = list(subject.names)
    Retrievals(dataclasses.asdict(asking), names, members).save(folder)


def _answered(outcome: Outcome) -> list[Answered]:
    number = lambda value: None if value != value else float(value)
    return [
        Answered(
            row.way,
            row.attribute,
            row.score,
            number(row.value),
            number(row.low),
            number(row.high),
        )
        for row in outcome.rows
    ]


def shown(outcomes: Mapping[str, Outcome], data: Dataset, subject: Subject) -> Shown:
    """The matrices of a model's outcomes, and pictures of its examples."""
    arrays = {
        array: outcomes[task].arrays[name]
        for array, task, name in (
            ("leak", "edit", "leak replace"),
            ("map", "similar", "map"),
            ("attention", "complete", "attention learned"),
        )
        if task in outcomes and name in outcomes[task].arrays
    }
    examples = outcomes["edit"].examples if "edit" in outcomes else []
    if examples:
        pictures = lambda index: np.asarray(data.images(np.asarray(index)))
        arrays |= {
            "captions": np.array([caption(one, subject) for one in examples]),
            "asked": pictures([one.asked for one in examples]),
            "truth": pictures([one.truth for one in examples]),
            "found": pictures(np.stack([one.found for one in examples])),
            "right": np.stack([one.right for one in examples]),
        }
    return Shown(
        arrays.get("leak"),
        arrays.get("map"),
        arrays.get("attention"),
        arrays.get("captions"),
        arrays.get("asked"),
        arrays.get("truth"),
        arrays.get("found"),
        arrays.get("right"),
    )


def caption(example: Example, subject: Subject) -> str:
    """ "colour: red to sky"."""
    factor = subject.space[example.attribute]
    width = subject.widths[subject.column(example.attribute)]
    old, new = (_word(factor, value, width) for value in (example.old, example.new))
    return f"{example.attribute}: {old} to {new}"


def _word(factor: Factor, value: int, width: int) -> str:
    """A value of an attribute as people call it."""
    if value < 0:
        return "unknown"
    if factor.words and width == 1:
        return factor.words[value]
    return str(value)
