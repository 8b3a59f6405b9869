"""What of a data set models are asked about: a world's attributes, or a table's labels.

Of a data set with a world (data/worlds.py) the edited picture exists and all three
tasks can be asked. Of a table of labelled images of one's own, such as photographs of
clothes, edits can be asked among its test images (retrieval/tables.py); with the split
"published" among those it was published with, and the published ones where it has any.
Of UT-Zappos50k its test triplets are asked ("similar"), of Polyvore Outfits its test
questions ("complete"), see retrieval/published.py.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from disentangle.data import counted
from disentangle.data.dataset import Dataset
from disentangle.data.fashion import polyvore, zappos
from disentangle.data.fashion.splits import queries_of
from disentangle.data.samplers import PUBLISHED, split_data, split_published
from disentangle.data.space import FactorSpace
from disentangle.data.worlds import WORLDS
from disentangle.errors import UserError
from disentangle.retrieval import TASKS, Asking, Outcome, published
from disentangle.retrieval.asking import labelled, world_of
from disentangle.retrieval.edit import Questions
from disentangle.retrieval.tables import published_edits, table_edits
from disentangle.training.run import Run, prepare


class Subject(NamedTuple):
    """What is asked about.

    Attributes:
      names: (A,) attributes.
      sizes: (A,) how many values each has.
      widths: (A,) neighbouring values of the factor in one of the attribute.
      space: of the factors.
      values: (n,) images -> (n, A) int labels, -1 where one is missing.
      labelled: images whose labels are known to prototypes and classifiers.
      questions: () -> what the task asks.
      answer: (questions, encoder, asking) -> Outcome.
      check: (questions, values of the labelled images); UserError if these do not
        suffice.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    widths: tuple[int, ...]
    space: FactorSpace
    values: Callable[[np.ndarray], np.ndarray]
    labelled: np.ndarray
    questions: Callable[[], Any]
    answer: Callable[..., Outcome]
    check: Callable[[Any, Any], None] = lambda questions, values: None

    def column(self, name: str) -> int:
        """The place of an attribute."""
        return self.names.index(name)


def subject_of(task: str, data: Dataset, asking: Asking, run: Run | None) -> Subject:
    """What a task asks of a data set.

    Args:
      task: a name in TASKS.
      data: the data set.
      asking: how.
      run: whose training images the labelled ones are, if it is a run.

    Raises:
      UserError: a data set that cannot be asked this.
    """
    if (data.name, task) in PUBLISHED_QUESTIONS and data.path:
        return _published_questions(task, data, asking)
    if not data.space.is_grid and data.space.items and data.name not in WORLDS:
        return _of_table(task, data, asking, run)
    if task == "complete" and asking.gallery == "full":
        asking = replace(asking, gallery="tuples")  # sets are of tuples
    if run is not None and not asking.rule:  # sets as the method was told of them
        asking = replace(asking, rule=str(run.config["method"].get("rule", "")))
    world = world_of(data.name, data.space, asking)
    of = world.attributes
    return Subject(
        of.names,
        of.sizes,
        of.widths,
        of.space,
        lambda images: np.asarray(of.labels(np.asarray(images))),
        labelled(data.name, asking, _trained(data, run)),
        lambda: TASKS[task].questions(world, asking),
        TASKS[task].answer,
        TASKS[task].check,
    )


def _published_questions(task: str, data: Dataset, asking: Asking) -> Subject:
    """The questions of the published test part; no image is labelled."""
    if asking.split not in ("rand", PUBLISHED) or asking.gallery != "tuples":
        raise UserError(
            f"{task!r} of {data.name} is asked of its published test part, without a "
            f"gallery: the split is 'rand' or {PUBLISHED!r} and the gallery 'tuples', "
            f"not {asking.split!r} and {asking.gallery!r}"
        )
    names, questions, answer = PUBLISHED_QUESTIONS[data.name, task]
    none = np.empty(0, np.int64)
    return Subject(
        names,
        (),
        (1,) * len(names),
        data.space,
        lambda images: np.empty((len(images), 0), np.int64),
        none,
        lambda: questions(data, asking),
        answer,
    )


def _triplets(data: Dataset, asking: Asking) -> published.Triplets:
    found = {name: zappos.triplets(Path(data.path), name, "test") for name in SHOES}
    of = {
        name: np.stack([one.anchor, one.positive, one.negative])
        for name, one in found.items()
    }
    return published.some_triplets(of, asking)


def _sets(split: str, data: Dataset, asking: Asking) -> published.Sets:
    found = polyvore.outfits(Path(data.path), "test", split=split)
    return published.some_sets(published.Sets(found.blanks, found.judged), asking)


SHOES = zappos.CONDITIONS
# (data set, task) -> names of what is asked about, its questions, and their answer.
PUBLISHED_QUESTIONS: dict[
    tuple[str, str], tuple[tuple[str, ...], Callable[..., Any], Callable[..., Outcome]]
] = {
    ("zappos50k", "similar"): (SHOES, _triplets, published.similar),
    ("polyvore", "complete"): ((), partial(_sets, "nondisjoint"), published.complete),
    ("polyvore_disjoint", "complete"): (
        (),
        partial(_sets, "disjoint"),
        published.complete,
    ),
}


def _trained(data: Dataset, run: Run | None) -> np.ndarray | None:
    """(n,) images that a run was trained on, in their order; None is all."""
    subset = None if run is None else prepare(run.config, data)[2].subset
    return None if subset is None else np.asarray(subset)


def _of_table(task: str, data: Dataset, asking: Asking, run: Run | None) -> Subject:
    """Edits among the test images of a table, prototypes of its training images."""
    if task != "edit":
        others = [name for name, own in PUBLISHED_QUESTIONS if own == task]
        raise UserError(
            f"{task!r} is asked of {', '.join([*WORLDS, *others])}: of a table of "
            f"labels such as {data.name} 'edit' alone can be asked"
        )
    if asking.split not in ("rand", PUBLISHED) or asking.gallery != "tuples":
        raise UserError(
            f"of a table of labels the split is 'rand' or {PUBLISHED!r} and the "
            f"gallery 'tuples', not {asking.split!r} and {asking.gallery!r}"
        )
    chosen = [i for i, factor in enumerate(data.space.items) if factor.kind != "real"]
    if not chosen:
        raise UserError(
            f"{data.name} has no attribute: all its labels are real numbers"
        )
    names = tuple(data.space.names[i] for i in chosen)
    sizes = tuple(data.space.sizes[i] for i in chosen)

    def values(images: np.ndarray) -> np.ndarray:
        rows, known = np.asarray(data.factors(images)), data.known(images)
        found = rows if known is None else np.where(np.asarray(known), rows, -1)
        return np.asarray(found[:, chosen])

    asked = None
    if asking.split == PUBLISHED:
        training, test = _published(data, run)
        asked = queries_of(data)
    else:
        training, test = _parts(data, run)
    order = np.argsort(counted.numbers("labels", 0, (len(training),)), kind="stable")
    if asking.labels > len(training):
        raise UserError(
            f"labels={asking.labels:,} are more than the {len(training):,} training "
            "images"
        )

    def questions() -> Questions:
        given = names, sizes, test, values(test)
        if asked is None:
            return table_edits(*given, asking)
        told = (asked.new[:, chosen], asked.wanted[:, chosen])
        return published_edits(*given, (asked.reference, *told), asking)

    return Subject(
        names,
        sizes,
        (1,) * len(names),
        data.space,
        values,
        training[order[: asking.labels or None]],
        questions,
        TASKS[task].answer,
    )


def _published(data: Dataset, run: Run | None) -> tuple[np.ndarray, np.ndarray]:
    """Training images, a run's own of the published ones; all published test images."""
    split, _ = split_published(data, 0, 1, seed=0)
    own = _trained(data, run)
    training = np.asarray(split.subset) if own is None else own
    return training[training < data.parts[0]], np.arange(data.parts[1], len(data))


def _parts(data: Dataset, run: Run | None) -> tuple[np.ndarray, np.ndarray]:
    """Training and test images: a run's own, else a fifth of all are test images."""
    if run is not None:
        _, _, split, test = prepare(run.config, data)
    else:
        split, test = split_data(data, None, max(1, len(data) // 5), seed=0)
    subset = np.arange(len(data)) if split.subset is None else np.asarray(split.subset)
    return np.setdiff1d(subset, test), np.asarray(test)
