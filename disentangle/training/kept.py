"""Images that were given as arrays: kept in the workdir, to be found again."""

import warnings
from pathlib import Path

import numpy as np

from disentangle.data.dataset import Dataset, draw_rows
from disentangle.data.labels import MISSING, Table
from disentangle.data.own import NAME
from disentangle.files import read_arrays, write_arrays
from disentangle.training.data_spec import FILE, read_spec

IMAGES = "images.npz"
MOST = 2**31  # bytes; more is not kept a second time


def keep_data(folder: Path, data: Dataset) -> None:
    """Writes images.npz of one's own data that was read from no path.

    Data of more than 2 GiB, or streamed, is not kept: a warning says so.
    """
    if data.name != NAME or data.path or (folder / IMAGES).exists():
        return
    if data.is_streamed or data.arrays.nbytes > MOST:
        warnings.warn(
            f"the images are not kept in {folder}: evaluate and report need them again",
            stacklevel=3,
        )
        return
    rows = {} if data.labels is None else {"rows": np.asarray(data.labels.rows)}
    write_arrays(folder / IMAGES, {"images": np.asarray(data.arrays)} | rows)


def kept_data(folder: Path) -> Dataset | None:
    """The data that `keep_data` wrote, or None; UserError where it is damaged."""
    if not (folder / IMAGES).exists():
        return None
    spec, held = read_spec(folder / FILE), read_arrays(folder / IMAGES)
    labels = None
    if "rows" in held:
        labels = Table(held["rows"], bool((held["rows"] != MISSING).all()))
    return Dataset(
        arrays=held["images"],
        name=spec.name,
        space=spec.space,
        shape=spec.shape,
        max_value=spec.max_value,
        draw=draw_rows,
        labels=labels,
    )
