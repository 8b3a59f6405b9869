"""The three retrieval tasks for the models of a run: what is encoded, and once only."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.errors import UserError, unknown
from disentangle.metrics.base import Ask, Progress, Settings
from disentangle.metrics.discretize import histogram_bins
from disentangle.metrics.mutual_information import entropy, mutual_information
from disentangle.metrics.shuffled import shuffled_floor
from disentangle.retrieval import TASKS, Asking, Outcome
from disentangle.retrieval.encoder import (
    Encoder,
    check_labels,
    from_labels,
    unlabelled,
)
from disentangle.study.columns import fixed_columns
from disentangle.study.encoding import encode_images
from disentangle.study.own_codes import with_own
from disentangle.study.subjects import Subject, subject_of
from disentangle.training.run import Run

Columns = Mapping[str, Sequence[int]] | str
# (encoder, member, names and sizes of attributes) -> it with what its method says
Own = Callable[[Encoder, int, Sequence[str], Sequence[int]], Encoder]
ALL = "all"  # every column is of every attribute
# How METRICS ask: fewer queries than a paper needs, enough for an error of .01.
SCORED = Asking(queries=500, triplets=2_000, searches=200, sets=2_000)


class Models(NamedTuple):
    """What is searched with: P encoders of the same images.

    Attributes:
      names: (P,).
      swept: (P,) what each differs in.
      alive: (P,) bool.
      encode: images -> (P, n, D) codes.
      attributes: (D,) the factor of each column, where the method fixes that.
      run: whose training pictures the labelled ones are, and whose rule of sets is
        asked by; None where nothing was trained.
      own: adds what the method itself says of its codes; None where it says nothing.
    """

    names: tuple[str, ...]
    swept: tuple[dict[str, Any], ...]
    alive: np.ndarray
    encode: Callable[[Any], np.ndarray]
    attributes: tuple[str, ...] | None = None
    run: Run | None = None
    own: Own | None = None


def models_of(given: Run | Callable[[Any], Any]) -> Models:
    """The models of a run, or a function of images alone.

    Args:
      given: a Run, or images (n, H, W, C) uint8 -> codes (n, D), such as pixels.
    """
    if isinstance(given, Run):
        return Models(
            given.members,
            given.swept,
            given.alive,
            given.encode,
            given.method.attributes,
            given,
            functools.partial(with_own, given),
        )
    name = str(getattr(given, "__name__", type(given).__name__))

    def encode(images: Any) -> np.ndarray:
        codes = np.asarray(given(images), np.float32)
        if codes.ndim != 2 or len(codes) != len(images):
            raise UserError(
                f"{name} gives codes of shape {codes.shape} for {len(images)} images: "
                "it must be (n, D)"
            )
        return codes[None]

    return Models((name,), ({},), np.ones(1, bool), encode)


class Searches:
    """The tasks of a data set for some models; images are encoded once for all.

    Args:
      models: that are asked.
      data: a data set with queries, or a table of labels.
      asking: how.
      columns: attribute -> the columns of the code that are of it; "all": every column
        is of every attribute; "": what the method says, or else the attribute of which
        a column tells most, see `assigned`.
      progress: told about images encoded.
    """

    def __init__(
        self,
        models: Models,
        data: Dataset,
        asking: Asking,
        *,
        columns: Columns = "",
        progress: Progress | None = None,
    ):
        self.models, self.data, self.asking = models, data, asking
        self._columns, self._progress = columns, progress
        self._index = np.empty(0, np.int64)
        self._codes: np.ndarray | None = None
        self._questions: dict[str, Any] = {}
        self._subjects: dict[str, Subject] = {}
        self._encoders: dict[tuple[int, tuple[str, ...]], Encoder] = {}

    def subject(self, task: str) -> Subject:
        """What the task asks about."""
        if task not in self._subjects:
            run = self.models.run
            self._subjects[task] = subject_of(task, self.data, self.asking, run)
        return self._subjects[task]

    def check(self, tasks: Sequence[str]) -> None:
        """Raises UserError for what cannot be asked, before anything is encoded."""
        for task in tasks:
            if task not in TASKS:
                raise unknown("retrieval task", task, TASKS)
            found = self.subject(task)
            self._chosen_columns(found)
            values = found.values(found.labelled)
            if found.sizes:
                check_labels(values, found.sizes)
            found.check(self.questions(task), values)

    def outcome(self, member: int, task: str) -> Outcome:
        """The result of a task for one model."""
        asked = self.questions(task)
        self.prepare([task])
        encoder = self.encoder(member, self.subject(task))
        return self.subject(task).answer(asked, encoder, self.asking)

    def questions(self, task: str) -> Any:
        """What a task asks, the same for every model."""
        if task not in self._questions:
            self._questions[task] = self.subject(task).questions()
        return self._questions[task]

    def prepare(self, tasks: Sequence[str]) -> None:
        """Encodes what is needed and not there, for all models at once."""
        wanted = [self.questions(task).images for task in tasks]
        wanted += [self.subject(task).labelled for task in tasks]
        missing = np.setdiff1d(np.concatenate(wanted), self._index)
        if not len(missing):
            return
        found = encode_images(self.models, self.data, missing, self._progress)
        alive = np.asarray(self.models.alive)
        if not np.isfinite(found[alive]).all():
            raise UserError("codes hold numbers that are not finite")
        index = np.concatenate([self._index, missing])
        order = np.argsort(index)
        if self._codes is not None:
            found = np.concatenate([self._codes, found], axis=1)
        self._index, self._codes = index[order], found[:, order]

    def codes(self, member: int, images: np.ndarray) -> np.ndarray:
        """(n, D) of images that `prepare` has encoded."""
        assert self._codes is not None
        return np.asarray(self._codes[member][np.searchsorted(self._index, images)])

    def encoder(self, member: int, subject: Subject) -> Encoder:
        """One model with what labelled images say of its codes."""
        key = (member, subject.names)
        if key not in self._encoders:
            images = subject.labelled
            encode = functools.partial(self.codes, member)
            values, codes = subject.values(images), encode(images)
            chunks = self._chosen_columns(subject, codes, values)
            if subject.sizes:
                made = from_labels(encode, images, values, subject.sizes, chunks)
                pairs = zip(subject.names, chunks, strict=True)
                empty = [name for name, of in pairs if not len(of)]
                made = replace(made, notes=_notes(empty))
            else:
                made = unlabelled(encode, chunks)
            own = self.models.own
            if own is not None and not self._columns:
                made = own(made, member, subject.names, subject.sizes)
            self._encoders[key] = made
        return self._encoders[key]

    def _chosen_columns(
        self,
        subject: Subject,
        codes: np.ndarray | None = None,
        values: np.ndarray | None = None,
    ) -> list[np.ndarray]:
        """(A,) the columns of each attribute; checks alone without codes."""
        names, given = subject.names, self._columns
        if not isinstance(given, str):
            for name in given:
                if name not in names:
                    raise unknown("attribute", name, names)
            width = np.inf if codes is None else codes.shape[1]
            for name, columns in given.items():
                if any(not 0 <= c < width for c in columns):
                    raise UserError(
                        f"columns of {name!r} are {list(columns)}, but codes have "
                        f"{width} columns"
                    )
            return [np.asarray(given.get(name, ()), np.int64) for name in names]
        if given not in ("", ALL):
            raise unknown("choice of columns", given, (ALL,))
        if codes is None or values is None:
            return []
        if given == ALL:
            return [np.arange(codes.shape[1]) for _ in names]
        if not subject.sizes:  # no label says which columns are of what
            return [np.empty(0, np.int64) for _ in names]
        if self.models.attributes is not None:
            find = lambda free, some: assigned(codes[:, free], values[:, some])
            return fixed_columns(self.models.attributes, names, find)
        return assigned(codes, values)


def assigned(codes: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    """(A,) the columns of each attribute: those that tell more of it than of others.

    A column d is of the attribute with the largest I(z_d; y_a) / H(y_a), over 20
    equal-width bins, if that is more than it would tell of shuffled labels
    (`shuffled_floor`); else of none. So an attribute of which no column tells has none.

    Args:
      codes: (n, D).
      values: (n, A), -1 where a label is missing; such images say nothing of it.
    """
    bins, above = histogram_bins(codes), np.zeros((codes.shape[1], values.shape[1]))
    for a, column in enumerate(values.T):
        known = column >= 0
        own, labels = bins[known], column[known, None]
        share, floor = mutual_information(own, labels), shuffled_floor(own, labels)
        above[:, a] = np.where(share > floor, share, 0.0)[:, 0] / entropy(labels)
    owner = np.where(above.max(1) > 0, above.argmax(1), -1)
    return [np.flatnonzero(owner == a) for a in range(values.shape[1])]


def _notes(empty: Sequence[str]) -> tuple[str, ...]:
    if not empty:
        return ()
    return (
        f"no column of the code is of {', '.join(empty)}: an edit of it changes "
        "nothing, and all images are alike in it",
    )


def questions_of(run: Run, data: Dataset, settings: Settings) -> list[Ask]:
    """How every model of a run is asked, see `Representation.ask`."""
    split = str(run.config["data"].get("split") or "rand")

    @functools.cache
    def searches(seed: int, bootstrap: int) -> Searches:
        asking = replace(SCORED, split=split, seed=seed, bootstrap=bootstrap)
        return Searches(models_of(run), data, asking, progress=settings.progress)

    def ask(member: int, task: str, seed: int, bootstrap: int) -> Outcome:
        return searches(seed, bootstrap).outcome(member, task)

    return [functools.partial(ask, member) for member in range(len(run.members))]
