"""Single models of runs as encoders for retrieval, and several of them side by side."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.methods.base import EDIT_MODES, Subspaces
from disentangle.metrics.base import Ask, Settings
from disentangle.retrieval import Outcome
from disentangle.retrieval.encoder import Edit, Encoder
from disentangle.study.own_codes import classifier, edit_of, one_model
from disentangle.study.searches import SCORED, Models, Searches
from disentangle.training.run import Run


class Part(NamedTuple):
    """Some columns of the codes of one model.

    Attributes:
      run: where it is from.
      member: its place there.
      columns: of its codes.
      attribute: whose they are; "" of none.
    """

    run: Run
    member: int
    columns: Sequence[int]
    attribute: str = ""

    @property
    def model(self) -> tuple[int, int]:
        """The same for all parts of one model, which is encoded by once."""
        return id(self.run), self.member


class Own(NamedTuple):
    """A part whose method edits its columns by themselves.

    Attributes:
      one: its model alone.
      known: the method's view of codes.
      columns: of the model's codes.
      spot: the same columns in the joined codes.
      place: of the attribute among the method's.
    """

    one: Run
    known: Subspaces
    columns: list[int]
    spot: np.ndarray
    place: int

    def alone(self, codes: np.ndarray) -> np.ndarray:
        """Joined codes (n, D) -> codes of the model, 0 in all other columns."""
        width = len(self.one.method.attributes or ())
        found = np.zeros((len(codes), width), np.float32)
        found[:, self.columns] = codes[:, self.spot]
        return found

    def classify(self, codes: np.ndarray) -> np.ndarray:
        """(n, K) log-probabilities of the attribute's values."""
        return classifier(self.one, self.known, [self.place])(self.alone(codes))[0]

    def edited(
        self, codes: np.ndarray, old: np.ndarray, new: np.ndarray, *, mode: str
    ) -> np.ndarray:
        """(n, d) the part after an edit of its attribute; old and new are (n,)."""
        edit = edit_of(self.one, self.known, [self.place], mode)
        found = edit(self.alone(codes), old[:, None], new[:, None])
        return np.asarray(found[:, self.columns])


def joined(parts: Sequence[Part], name: str, seed: int) -> Models:
    """Codes that are columns of several models, one after the other: one encoder.

    The parts were trained on the same pictures, whose labels are the known ones.
    """
    models = {part.model: one_model(part.run, part.member) for part in parts}
    runs = [models[part.model] for part in parts]

    def encode(images: Any) -> np.ndarray:
        found = {model: one.encode(images)[0] for model, one in models.items()}
        codes = [found[part.model][:, list(part.columns)] for part in parts]
        return np.concatenate(codes, axis=1)[None]

    owners = [part.attribute for part in parts for _ in part.columns]
    attributes = tuple(owners) if all(owners) else None
    alive, own = np.ones(1, bool), functools.partial(with_parts, parts, runs)
    known = ((name,), ({"seed": seed},), alive, encode, attributes)
    return Models(*known, parts[0].run, own)


def with_parts(
    parts: Sequence[Part],
    runs: Sequence[Run],
    made: Encoder,
    member: int,
    names: Sequence[str],
    sizes: Sequence[int],
) -> Encoder:
    """The encoder with the edits and classifiers of its parts, on their columns.

    A whole code has length 1 where it is compared, and so has a part where one
    attribute is. Parts of a method that edits nothing, or that was told other
    attributes than `names`, stay as labelled images say.

    Args:
      parts: in the order of the columns.
      runs: their models, one each.
      made: from labelled images.
      member: the only one, 0.
      names, sizes: (A,) the attributes that are asked about.
    """
    del member
    found = _own(parts, runs)
    own = [found.get(name) for name in names]
    if any(
        one is None or one.known.sizes[one.place] != size
        for one, size in zip(own, sizes, strict=True)
    ):
        return made
    each = [one for one in own if one is not None]

    def edit(mode: str) -> Edit:
        def edited(codes: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
            result = np.array(codes, np.float32)
            for a, one in enumerate(each):
                rows = np.flatnonzero(new[:, a] >= 0)
                if len(rows):
                    told = old[rows, a], new[rows, a]
                    part = one.edited(codes[rows], *told, mode=mode)
                    result[np.ix_(rows, one.spot)] = part
            return result

        return edited

    return replace(
        made,
        edits={mode: edit(mode) for mode in EDIT_MODES},
        classify=lambda codes: [one.classify(codes) for one in each],
        whole=unit_rows,
        alike=lambda a: lambda codes: unit_rows(codes[:, each[a].spot]),
    )


def unit_rows(codes: np.ndarray) -> np.ndarray:
    """Rows of length 1; one of zeros stays."""
    length = np.linalg.norm(codes, axis=1, keepdims=True)
    return np.asarray(codes / np.maximum(length, 1e-12), np.float32)


def _own(parts: Sequence[Part], runs: Sequence[Run]) -> dict[str, Own]:
    """Attribute -> the part that is of it, where its method edits."""
    ends = np.cumsum([0, *(len(part.columns) for part in parts)])
    found = {}
    for part, run, start, stop in zip(parts, runs, ends[:-1], ends[1:], strict=True):
        known, name = run.method.subspaces, part.attribute
        if known is not None and known.edit is not None and name in known.names:
            spot, place = np.arange(start, stop), known.names.index(name)
            found[name] = Own(run, known, list(part.columns), spot, place)
    return found


def question_of(models: Models, data: Dataset, settings: Settings) -> Ask:
    """How one encoder is asked, see `Representation.ask`."""

    def ask(task: str, seed: int, bootstrap: int) -> Outcome:
        asking = replace(SCORED, seed=seed, bootstrap=bootstrap)
        searches = Searches(models, data, asking, progress=settings.progress)
        return searches.outcome(0, task)

    return ask
