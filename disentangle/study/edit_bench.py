"""The edit bench for the models of a run: pictures through editors and oracles."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import numpy as np

from disentangle import progress as bars
from disentangle.editing import (
    REFERENCES,
    Judged,
    Question,
    leakage,
    rows,
)
from disentangle.editing.counterfactual import is_nearest, psnr
from disentangle.editing.scores import agreed, counts, fooled
from disentangle.metrics.frechet import gaussian_distance
from disentangle.retrieval.outcome import Row
from disentangle.study.edit_asked import Asked
from disentangle.study.editors import EDITORS, SEED, Editor, editor_of, ways_of
from disentangle.study.judges import pictures
from disentangle.study.own_codes import one_model
from disentangle.training.run import Run

SHOWN = 2  # examples of each attribute
OWN = " of its own"  # behind a way's name: the sources are pictures of the model's own


class Done(NamedTuple):
    """One way to edit.

    Attributes:
      rows: the numbers: `editing.SCORES` of every attribute and of all; "frechet", the
        distance of edited and true pictures on the first oracle's features; "asked",
        the share of the requests that could be asked.
      leak: (A, A), see `leakage`.
      captions: (E,) what the examples were asked.
      asked, truth, edited: (E, H, W, C) uint8, the examples.
      right: (E,) bool, whether all oracles call them exact.
      notes: what is to be known.
    """

    rows: list[Row]
    leak: np.ndarray
    captions: np.ndarray
    asked: np.ndarray
    truth: np.ndarray
    edited: np.ndarray
    right: np.ndarray
    notes: tuple[str, ...]


def reference(asked: Asked, way: str) -> Done:
    """A row known in advance; a source is rebuilt as it is."""
    edit = REFERENCES[way]
    editor = Editor(lambda q: edit(q, asked.known), lambda q: q.images)
    return edited_rows(asked, way, editor)


def edited_rows(
    asked: Asked,
    way: str,
    editor: Editor,
    source: Callable[[Question], tuple[Question, np.ndarray]] | None = None,
) -> Done:
    """How a way to edit does.

    Args:
      asked: the requests and the oracles.
      way: its name.
      editor: it.
      source: question -> (the same of sources of the model's own, (n,) bool those that
        can be asked about); None asks about the pictures of the data set.

    Returns:
      Of sources none of which can be asked about, "asked" alone.
    """
    parts: dict[int, Judged] = {}
    features: list[tuple[np.ndarray, np.ndarray]] = []
    shown: list[tuple[Any, ...]] = []
    share: list[float] = []
    for column in asked.bench.columns:
        question = asked.question(column)
        good = np.ones(len(question.images), bool)
        if source is not None:
            question, good = source(question)
        share.append(float(good.mean()))
        if not good.any():
            continue
        edited = np.clip(editor.edit(question), 0.0, 1.0)[good]
        rebuilt = np.clip(editor.rebuild(question), 0.0, 1.0)[good]
        question = kept(question, good)
        parts[column] = _judged(asked, question, edited, rebuilt)
        right = counts(asked.bench, parts[column], column)[:, 2] > 0
        shown.append(_examples(asked, question, edited, right))
        read = asked.judges.each[0].features
        features.append((read(edited), read(question.truth)))
    there = Row(way, "", "asked", float(np.mean(share)))
    if not parts:
        note = "oracles read no picture of the model's own alike"
        return _nothing(asked, there, (*editor.notes, note))
    found = rows(way, asked.bench, parts, asked.asking.bootstrap)
    found += [Row(way, "", "frechet", _frechet(features)), there]
    captions, sources, truths, edits, right = (
        np.concatenate(part) for part in zip(*shown, strict=True)
    )
    doubt = "" if way in REFERENCES else fooled(found)
    notes = (*editor.notes, *filter(None, [doubt]))
    leak = leakage(asked.bench, parts)
    return Done(found, leak, captions, sources, truths, edits, right, notes)


def _nothing(asked: Asked, row: Row, notes: tuple[str, ...]) -> Done:
    """What is said of sources that cannot be asked about."""
    count = len(asked.bench.columns)
    images, words = np.empty((0, *asked.data.shape), np.uint8), np.empty(0, "<U1")
    leak = np.full((count, count), np.nan)
    none = np.empty(0, bool)
    return Done([row], leak, words, images, images, images, none, notes)


def kept(question: Question, good: np.ndarray) -> Question:
    """Some of the requests of a question, (n,) bool."""
    parts = {
        name: value[good]
        for name, value in question._asdict().items()
        if isinstance(value, np.ndarray)
    }
    return question._replace(**parts)


def _examples(
    asked: Asked, question: Question, edited: np.ndarray, right: np.ndarray
) -> tuple[Any, ...]:
    """(captions, sources, true answers, edited, right) of some, evenly spread."""
    some = np.unique(np.arange(1, SHOWN + 1) * len(right) // (SHOWN + 1))
    factor = asked.data.space.items[question.column]
    word = lambda value: factor.words[value] if factor.words else str(value)
    pairs = zip(
        question.factors[some, question.column], question.value[some], strict=True
    )
    captions = [f"{factor.name}: {word(old)} to {word(new)}" for old, new in pairs]
    as_bytes = lambda part: np.round(255 * np.clip(part[some], 0, 1)).astype(np.uint8)
    images = [as_bytes(part) for part in (question.images, question.truth, edited)]
    return (np.array(captions), *images, right[some])


def _judged(
    asked: Asked, question: Question, edited: np.ndarray, rebuilt: np.ndarray
) -> Judged:
    """What the oracles read of edited pictures, and how near they are to the truth."""
    draw = lambda index: pictures(asked.data, index)
    return Judged(
        asked.judges.read(edited),
        asked.judges.read(rebuilt),
        question.target,
        question.factors,
        psnr(edited, question.truth),
        is_nearest(edited, question.target, asked.data.space, draw),
    )


def _frechet(features: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """The Frechet distance of edited and true pictures, on the first oracle's."""
    edited, truth = (
        np.concatenate(part).astype(np.float64) for part in zip(*features, strict=True)
    )
    if len(edited) < 2:
        return float("nan")
    fit = lambda x: (x.mean(axis=0), np.atleast_2d(np.cov(x, rowvar=False)))
    return gaussian_distance(*fit(edited), *fit(truth))


def of_its_own(
    asked: Asked, run: Run
) -> Callable[[Question], tuple[Question, np.ndarray]]:
    """Sources that a model draws itself, of the factors that oracles read there.

    Asked about are those of which all oracles read the same, and not yet the wanted
    value. A model that is told factors is told those of the real sources.
    """
    space = asked.data.space

    def source(question: Question) -> tuple[Question, np.ndarray]:
        count, told = len(question.images), None
        if run.method.generate is not None:
            told = question.factors
            images = run.generate(told, seed=SEED)[0]
        else:
            images = run.sample(count, seed=SEED)[0]
        readings = asked.judges.read(np.clip(images, 0.0, 1.0))
        factors, column = readings[0], question.column
        target = factors.copy()
        target[:, column] = question.value
        good = agreed(space, readings, factors).all(1)
        good &= ~agreed(space, factors[None], target)[:, column]
        truth = pictures(asked.data, np.asarray(space.index(target)))
        own = question._replace(images=images, factors=factors, target=target)
        return own._replace(truth=truth, given=told), good

    return source


def run_way(asked: Asked, run: Run, member: int, way: str) -> Done:
    """A way to edit of one model; its name may say that sources are its own."""
    name = way.removesuffix(OWN)
    one = one_model(run, member)
    editor = editor_of(name, run, member, asked.known, asked.data.space)
    own = way.endswith(OWN) or EDITORS[name].generates
    return edited_rows(asked, way, editor, of_its_own(asked, one) if own else None)


def all_ways(
    run: Run, editors: Sequence[str], sources: Sequence[str]
) -> tuple[str, ...]:
    """The names of all that is asked of each model."""
    found = []
    can_draw = run.method.sample is not None or run.method.generate is not None
    for name in ways_of(run, tuple(editors)):
        if EDITORS[name].generates or "real" in sources:
            found.append(name)
        if "generated" in sources and can_draw and not EDITORS[name].generates:
            found.append(name + OWN)
    return tuple(found)


def bench(
    asked: Asked,
    run: Run,
    ways: Sequence[str],
    *,
    done: Collection[tuple[str, str]] = (),
    keep: Callable[[str, str, Done], None] = lambda member, way, found: None,
    references: Collection[str] = tuple(REFERENCES),
    progress: bool = True,
) -> dict[tuple[str, str], Done]:
    """(member, way) -> how it did, of every living model; of rows known, member "".

    Args:
      asked: the requests and the oracles.
      run: the models.
      ways: from `all_ways`.
      done: (member, way) that are there already, and left out.
      keep: called with each as soon as it is there.
      references: of the rows known in advance those that are asked too.
      progress: whether to show it.
    """
    units = [("", -1, way) for way in references]
    for member in np.flatnonzero(run.alive).tolist():
        units += [(run.members[member], member, way) for way in ways]
    units = [unit for unit in units if (unit[0], unit[2]) not in done]
    found = {}
    for name, member, way in bars.over(units, "edit", unit="way", shown=progress):
        if member < 0:
            found[name, way] = reference(asked, way)
        else:
            found[name, way] = run_way(asked, run, member, way)
        keep(name, way, found[name, way])
    return found
