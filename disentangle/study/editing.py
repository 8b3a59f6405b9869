"""Edits for every model of a run: `dt.edit` for pictures, files for its page.

edit_requests.npz   what was asked
edit.json           every number of every model, and of the rows known in advance
edit.npz            leakage and example pictures of the first living model

Results are written after every way to edit, and a call that asks the same goes on with
what is missing.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from disentangle.data.dataset import Dataset
from disentangle.editing import REFERENCES, Asking
from disentangle.errors import UserError, unknown
from disentangle.records import ArrayRecord, JsonRecord
from disentangle.study.edit_asked import Asked, asked_of, check
from disentangle.study.edit_bench import Done, all_ways, bench
from disentangle.study.judges import STEPS, Judges, judges_of
from disentangle.study.retrieval import Answered
from disentangle.training.run import Run

EVERY = "all"  # in a table, the attribute of a mean over attributes
SOURCES = ("real", "generated")


@dataclasses.dataclass(frozen=True)
class Told:
    """One way to edit of one model.

    Attributes:
      member: the model's name; "" of a row that is known in advance.
      way: in EDITORS, " of its own" behind it where the sources are the model's own
        pictures; or in REFERENCES.
      rows: its numbers.
      notes: what else is to be known.
    """

    member: str
    way: str
    rows: list[Answered]
    notes: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Edits(JsonRecord):
    """edit.json: what was asked, by whom it is judged, and how models do.

    Attributes:
      asking: the fields of `editing.Asking`; step, of the run; digest, of the images;
        oracle_steps.
      attributes: A names.
      oracles: name -> the accuracies (A,) of the attributes on held-out images.
      supervision: what the method was told besides images, see methods/base.py.
      told: everything that is done.
    """

    FILE: ClassVar[str] = "edit.json"
    asking: dict[str, Any]
    attributes: list[str]
    oracles: dict[str, list[float]]
    supervision: str
    told: list[Told]


@dataclasses.dataclass(frozen=True, eq=False)
class EditExamples(ArrayRecord):
    """edit.npz: pictures and leakage of the rows known in advance and a first model.

    Attributes:
      leak_ways: (W,) ways; leak: (W, A, A), see `editing.leakage`.
      ways: (N,) the way of each example; captions: (N,) what was asked.
      asked, truth, edited: (N, H, W, C) uint8.
      right: (N,) bool, whether all oracles call the edit exact.
    """

    FILE: ClassVar[str] = "edit.npz"
    leak_ways: np.ndarray
    leak: np.ndarray
    ways: np.ndarray
    captions: np.ndarray
    asked: np.ndarray
    truth: np.ndarray
    edited: np.ndarray
    right: np.ndarray

    def with_way(self, way: str, done: Done) -> "EditExamples":
        """With one more way, in place of one of the same name."""
        stays, there = self.ways != way, self.leak_ways != way
        join = lambda old, new: np.concatenate([old[stays], new])
        return EditExamples(
            np.concatenate([self.leak_ways[there], np.array([way])]),
            np.concatenate([self.leak[there], done.leak[None]]),
            join(self.ways, np.full(len(done.captions), way)),
            join(self.captions, done.captions),
            join(self.asked, done.asked),
            join(self.truth, done.truth),
            join(self.edited, done.edited),
            join(self.right, done.right),
        )


def no_examples(shape: tuple[int, ...], attributes: int) -> EditExamples:
    """A file without any way."""
    words, images = np.empty(0, "<U1"), np.empty((0, *shape), np.uint8)
    leak = np.empty((0, attributes, attributes))
    right = np.empty(0, bool)
    return EditExamples(words, leak, words, words, images, images, images, right)


class Kept:
    """The results of a bench in a folder, those of an earlier call of the same.

    Args:
      folder: where; None keeps nothing.
      asked: what is asked.
      run: whose models.
      oracle_steps: updates of the oracles.
    """

    def __init__(self, folder: Path | None, asked: Asked, run: Run, oracle_steps: int):
        self._folder, names = folder, asked.data.space.names
        columns = list(asked.bench.columns)
        asking = dataclasses.asdict(asked.asking)
        asking["attributes"] = list(asked.asking.attributes)
        asking |= {"step": run.step, "digest": asked.data.digest}
        self.record = Edits(
            asking | {"oracle_steps": oracle_steps},
            [names[column] for column in columns],
            {j.name: j.accuracy[columns].tolist() for j in asked.judges.each},
            run.supervision,
            [],
        )
        self._examples = no_examples(asked.data.shape, len(columns))
        living = np.flatnonzero(run.alive)
        first = [run.members[living[0]]] if len(living) else []
        self._drawn = ("", *first)
        if folder is not None:
            self._read(folder)
            asked.requests.save(folder)

    def _read(self, folder: Path) -> None:
        """What an earlier call with the same questions and oracles has done."""
        held = Edits.held(folder, "its edits are judged anew")
        pictures_ = EditExamples.held(folder, "its edits are judged anew")
        same = held is not None and dataclasses.replace(held, told=[]) == self.record
        if held is None or pictures_ is None or not same:
            return
        self.record, self._examples = held, pictures_

    @property
    def done(self) -> set[tuple[str, str]]:
        """(member, way) that are there."""
        return {(one.member, one.way) for one in self.record.told}

    def keep(self, member: str, way: str, found: Done) -> None:
        """Adds one, and writes the files."""
        one = Told(member, way, answered(found), list(found.notes))
        self.record = dataclasses.replace(self.record, told=[*self.record.told, one])
        if member in self._drawn:
            self._examples = self._examples.with_way(way, found)
        if self._folder is not None:
            self._examples.save(self._folder)
            self.record.save(self._folder)


def answered(found: Done) -> list[Answered]:
    """The numbers as a file has them."""
    number = lambda value: None if value != value else float(value)
    return [
        Answered(
            r.way, r.attribute, r.score, number(r.value), number(r.low), number(r.high)
        )
        for r in found.rows
    ]


def judge_edits(
    run: Run,
    data: Dataset,
    asking: Asking,
    *,
    editors: Sequence[str] = (),
    sources: Sequence[str] = SOURCES,
    oracle_steps: int = STEPS,
    judges: Judges | None = None,
    folder: Path | None = None,
    references: bool = True,
    progress: bool = True,
) -> Edits:
    """Asks every living model of a run, and keeps the answers where its page is.

    Args:
      run: the models.
      data: a full grid; the run's.
      asking: how much is asked.
      editors: names in EDITORS; () is what the method is made for.
      sources: "real", pictures of the data set, and "generated", of the model's own
        where it draws any.
      oracle_steps: updates of each oracle, where they are not there yet.
      judges: the oracles; None has them trained, or read from the cache.
      folder: where results are kept; None keeps nothing.
      references: whether the rows known in advance are asked too.
      progress: whether to show it.

    Raises:
      UserError: what cannot be asked, before anything is computed; an oracle that reads
        an attribute with an accuracy below 0.99.
    """
    check_sources(sources)
    check(run, data, asking, editors)
    if judges is None:
        judges = judges_of(data, steps=oracle_steps, progress=progress)
    asked = asked_of(run, data, asking, judges)
    judges.require(asked.bench.columns, data.space.names)
    kept = Kept(folder, asked, run, oracle_steps)
    ways = all_ways(run, editors, sources)
    bench(
        asked,
        run,
        ways,
        done=kept.done,
        keep=kept.keep,
        references=tuple(REFERENCES) if references else (),
        progress=progress,
    )
    return kept.record


def check_sources(sources: Sequence[str]) -> None:
    """Raises UserError for a kind of source that is not there, or none."""
    if not sources:
        raise UserError(f"no sources given: choose from {', '.join(SOURCES)}")
    for name in sources:
        if name not in SOURCES:
            raise unknown("kind of source", name, SOURCES)


def table(found: Edits) -> pd.DataFrame:
    """A row per number; the attribute "all" is the mean of all attributes."""
    lines = [
        {"member": one.member}
        | dataclasses.asdict(row)
        | {"attribute": row.attribute or EVERY}
        for one in found.told
        for row in one.rows
    ]
    return pd.DataFrame(lines)
