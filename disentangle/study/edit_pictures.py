"""`dt.edit`: pictures of one's own with one attribute changed."""

from pathlib import Path
from typing import Any

import numpy as np

from disentangle.data import as_dataset
from disentangle.data.dataset import Dataset
from disentangle.data.precision import float32
from disentangle.editing import Asking, Question
from disentangle.errors import UserError, shown
from disentangle.study.edit_asked import known_of, training_images
from disentangle.study.editors import EDITORS, editor_of, ways_of
from disentangle.study.judges import pictures
from disentangle.study.sample import data_of
from disentangle.training.encode import checked_factors
from disentangle.training.run import Run, as_run, compare_data


@float32()
def edit(
    run: Run | str | Path,
    images: Any,
    attribute: str,
    value: Any,
    *,
    factors: Any = None,
    data: Dataset | str | None = None,
    editor: str = "",
    labels: int | None = None,
    gallery: int = 5_000,
) -> np.ndarray:
    """Pictures with one attribute changed and all else kept, of every model of a run.

    How a picture is edited depends on the method: `list` has EDITORS, and
    study/editors.py says what each does.

    Args:
      run: from `train` or `load_run`, or the path of its workdir.
      images: (n, H, W, C), uint8 as the data set gives them or float in [0, 1]; or (n,)
        numbers of images of the data set.
      attribute: the factor that changes.
      value: what it becomes, a whole number or (n,) of them.
      factors: (n, F) what the pictures show, for methods that must be told; of numbers
        of images they are known.
      data: the data set whose training images an editor may read; None is the run's.
      editor: a name in EDITORS; "" is what the method is made for.
      labels: labelled training images that an editor may read; None is 500, or all
        where there are fewer.
      gallery: training images that the editor "retrieval" may give back; 0 is all.

    Returns:
      (P, n, H, W, C) float32 in [0, 1]; NaN of a model that diverged.

    Raises:
      UserError: a wrong argument, an editor that the method cannot, one that edits
        pictures of its own alone, or an attribute that it leaves as it is.
    """
    run = as_run(run)
    data = data_of(run) if data is None else as_dataset(data)
    compare_data(run, data)
    space = data.space
    space.require_grid("an edit of pictures")
    if labels is None:
        labels = min(Asking().labels, len(training_images(run, data)))
    asking = Asking(labels=labels, gallery=gallery)
    name = ways_of(run, (editor,) if editor else ())[0]
    way = EDITORS[name]
    if way.exemplar or way.generates:
        raise UserError(
            f"editor {name!r} takes no pictures: {way.summary}"
            + "; see Run.generate" * way.generates
        )
    question = _question(data, images, space.position(attribute), value, factors, name)
    known = known_of(run, data, asking)
    editors = {
        member: editor_of(name, run, int(member), known, space)
        for member in np.flatnonzero(run.alive)
    }
    for own in editors.values():
        if attribute in own.limits.cannot:
            raise UserError(
                f"editor {name!r} leaves {attribute!r} as it is: {own.notes[0]}"
            )
    found = np.full((len(run.members), *question.images.shape), np.nan, np.float32)
    for member, own in editors.items():
        found[member] = np.clip(own.edit(question), 0.0, 1.0)
    return found


def _question(
    data: Dataset, images: Any, column: int, value: Any, factors: Any, editor: str
) -> Question:
    """Pictures of one's own as the requests of one attribute."""
    given, space = np.asarray(images), data.space
    if given.ndim == 1 and given.dtype.kind in "iu":
        factors = space.factors(given) if factors is None else factors
        given = pictures(data, given)
    if given.ndim != 4 or given.shape[1:] != data.shape:
        raise UserError(
            f"images have shape {given.shape}: they must be (n, {data.shape[0]}, "
            f"{data.shape[1]}, {data.shape[2]}), or (n,) numbers of images"
        )
    if given.dtype == np.uint8:
        given = np.asarray(given, np.float32) / np.float32(data.max_value)
    size, new = space.sizes[column], np.asarray(value)
    whole = new.dtype.kind in "iu" and new.shape in ((), (len(given),))
    if not whole or (new < 0).any() or (new >= size).any():
        raise UserError(
            f"value={shown(value)} of {space.names[column]!r} must be a whole number "
            f"in 0 .. {size - 1}, or {len(given)} of them"
        )
    if factors is None:
        if EDITORS[editor].told:
            raise UserError(
                f"editor {editor!r} must be told what pictures show: give factors=, "
                "or numbers of images of the data set"
            )
        factors = np.zeros((len(given), len(space.items)), np.int32)
    had = checked_factors(factors, space, len(given))
    target = np.array(had)
    target[:, column] = new
    return Question(column, given, had, target, given, given)
