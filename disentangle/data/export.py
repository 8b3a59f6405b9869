"""Writes a data set in the published file formats, or as a tfds data set.

So that other people's code can use the rendered images; `load(path=...)` and
`load(source="tfds")` read them back.
"""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import jax.numpy as jnp
import numpy as np

from disentangle import errors, progress
from disentangle.data import DATASETS, cache, tfds
from disentangle.data.dataset import Dataset
from disentangle.data.files import CHUNK, Layout, write_npy
from disentangle.files import whole

FORMATS = {"npz": "npz", "h5": "hdf5", "hdf5": "hdf5", "tfds": "tfds"}
_LEVEL = 4  # of compression


def export(data: Dataset, out_dir: str | os.PathLike, format: str) -> Path:
    """Writes all images of `data`, with a progress bar on a terminal.

    Args:
      data: what to write.
      out_dir: folder to write into; made if missing.
      format: "npz", "h5" (or "hdf5") for the published file of that kind, under its
        published name; "tfds" for `<out_dir>/<name>/2.0.0`.

    Returns:
      The file, or for tfds the folder, written. It appears when it is complete.

    Raises:
      UserError: unknown format, a format this data set is not published in, something
        is there already, or it cannot be written.
    """
    if format not in FORMATS:
        raise errors.unknown("format", format, FORMATS)
    kind = FORMATS[format]
    layout = DATASETS[data.name].layout
    if layout is None or (kind != "tfds" and kind not in layout.names):
        names = ["tfds", *(layout.names if layout else ())]
        raise errors.UserError(
            f"data set {data.name!r} is not published as {format}; choose from: "
            f"{', '.join(names)}."
        )
    folder = cache.writable_folder(Path(out_dir).expanduser())
    target = (
        tfds.folder(data, folder) if kind == "tfds" else folder / layout.names[kind]
    )
    if target.exists():
        raise errors.UserError(f"{target} exists; it is not overwritten.")
    factors = data.space.factors(np.arange(data.space.size))
    try:
        if kind == "tfds":
            values = layout.values(factors, data.space)
            return tfds.write(data, values, folder, _images(data))
        tables = layout.tables(factors, data.space, kind)
        with whole(target) as temporary:
            (_write_npz if kind == "npz" else _write_hdf5)(
                temporary, data, layout, tables
            )
    except OSError as error:
        raise errors.UserError(f"cannot write {target}: {error}.") from error
    return target


def _images(data: Dataset) -> Iterator[np.ndarray]:
    """All images in index order, in chunks (B, H, W, C) uint8."""
    for start in progress.over(
        range(0, data.space.size, CHUNK), f"writing {data.name}"
    ):
        stop = min(start + CHUNK, data.space.size)
        yield np.asarray(data.images(jnp.arange(start, stop)))


def _stored_shape(data: Dataset, layout: Layout) -> tuple[int, ...]:
    """Shape of the image table in the file: no channel axis for one channel."""
    return (data.space.size, 64, 64, *layout.channels)


def _write_npz(
    path: Path, data: Dataset, layout: Layout, tables: dict[str, np.ndarray]
) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as out:
        with out.open(f"{layout.images}.npy", "w", force_zip64=True) as member:
            write_npy(member, _stored_shape(data, layout), _images(data))
        for key, table in tables.items():
            with out.open(f"{key}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, table)


def _write_hdf5(
    path: Path, data: Dataset, layout: Layout, tables: dict[str, np.ndarray]
) -> None:
    shape = _stored_shape(data, layout)
    with h5py.File(path, "w") as out:
        table = out.create_dataset(
            layout.images,
            shape=shape,
            dtype=np.uint8,
            # A patch of many images: neighbours in the grid share most patches, and
            # gzip sees only 32 KB back. Half the size of whole images.
            chunks=(min(128, shape[0]), 16, 16, *layout.channels),
            compression="gzip",  # every HDF5 library reads it; LZF only h5py
            compression_opts=_LEVEL,
        )
        start = 0
        for chunk in _images(data):
            table[start : start + len(chunk)] = chunk.reshape(-1, *shape[1:])
            start += len(chunk)
        for key, values in tables.items():
            out.create_dataset(key, data=values, compression="gzip")
