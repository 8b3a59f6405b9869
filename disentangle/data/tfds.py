"""TensorFlow Datasets: reads a prepared copy, writes one. TensorFlow is not needed.

The package is an extra and is imported inside the functions, here and nowhere else.
Examples have the keys of the stock `dsprites` and `shapes3d` builders, 2.0.0: `image`
(PNG), `label_<factor>` (index) and `value_<factor>` (float32). Their stored order is
hashed: row i is NOT image i, the labels say which it is.
"""

import contextlib
import io
import os
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from disentangle import errors, progress
from disentangle.data.dataset import Dataset
from disentangle.data.files import ImageChunks
from disentangle.data.space import FactorSpace

VERSION = "2.0.0"
_CHUNK = 1024  # examples decoded at a time


def read(name: str, data_dir: Path | None, space: FactorSpace) -> ImageChunks:
    """Yields (image indices (B,), images (B, H, W, C)) of a prepared copy.

    Args:
      name: name of the data set in TensorFlow Datasets.
      data_dir: its folder of data sets; None for its default.
      space: the factors; every image must be there exactly once.

    Raises:
      UserError: the package is missing, nothing is prepared there, it is in a format
        that cannot be read without TensorFlow, or it is not this data set.
    """
    keys = [f"label_{factor}" for factor in space.names]
    source = _source(_package(), name, data_dir, ["image", *keys])
    if len(source) != space.size:
        raise errors.UserError(
            f"the tfds copy of {name} has {len(source):,} examples; the full data set "
            f"has {space.size:,}."
        )
    seen = np.zeros(space.size, bool)
    for start in progress.over(range(0, space.size, _CHUNK), f"reading tfds {name}"):
        examples = source.__getitems__(range(start, min(start + _CHUNK, space.size)))
        labels = np.array([[example[key] for key in keys] for example in examples])
        index = space.index(labels)
        seen[index] = True
        yield index, np.stack([example["image"] for example in examples])
    if not seen.all():
        raise errors.UserError(
            f"the tfds copy of {name} lacks {space.size - seen.sum():,} of the "
            f"{space.size:,} images (others are there twice)."
        )


def examples(
    name: str, data_dir: Path | None, keys: list[str], splits: tuple[str, ...]
) -> tuple[int, Iterator[dict[str, Any]]]:
    """(number of examples, the examples) of a prepared copy, split after split.

    Args:
      name: name of the data set in TensorFlow Datasets.
      data_dir: its folder of data sets; None for its default.
      keys: features that an example must have.
      splits: their names.

    Raises:
      UserError: as `read`.
    """
    package = _package()
    sources = [_source(package, name, data_dir, keys, split) for split in splits]

    def each() -> Iterator[dict[str, Any]]:
        for source, split in zip(sources, splits, strict=True):
            parts = range(0, len(source), _CHUNK)
            for start in progress.over(parts, f"reading tfds {name}, {split}"):
                rows = range(start, min(start + _CHUNK, len(source)))
                yield from source.__getitems__(rows)

    return sum(map(len, sources)), each()


def _package() -> Any:
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise errors.UserError(
            "source 'tfds' needs TensorFlow Datasets: pip install -e '.[tfds]' "
            f"({error})."
        ) from error
    return tensorflow_datasets


def _source(
    package: Any,
    name: str,
    data_dir: Path | None,
    keys: list[str],
    split: str = "train",
) -> Any:
    """The random-access examples, with `keys`, of a prepared split."""
    place = f"in {data_dir}" if data_dir else "in the default tfds folder"
    try:
        builder = package.builder(name, data_dir=data_dir and os.fspath(data_dir))
    except (package.core.DatasetNotFoundError, ValueError, OSError) as error:
        raise errors.UserError(f"tfds finds no {name!r} {place}: {error}.") from error
    if split not in builder.info.splits:
        raise errors.UserError(
            f"no prepared tfds copy of {name!r} {place} with a split {split!r}; "
            "`python -m disentangle export` writes one of a data set that is drawn."
        )
    missing = [key for key in keys if key not in builder.info.features]
    if missing:
        raise errors.UserError(
            f"the tfds copy of {name!r} {place} has no {missing[0]}."
        )
    try:
        return builder.as_data_source(split=split)
    except NotImplementedError as error:
        raise errors.UserError(
            f"the tfds copy of {name!r} {place} is stored as "
            f"{builder.info.file_format.value}, which only TensorFlow reads: prepare "
            "it with file_format='array_record'."
        ) from error


def folder(data: Dataset, out_dir: Path) -> Path:
    """Where `write` puts a data set."""
    return out_dir / data.name / VERSION


def write(data: Dataset, values: np.ndarray, out_dir: Path, images: Iterator) -> Path:
    """Writes a data set as `<out_dir>/<name>/2.0.0` in array_record format.

    tfds itself writes beside the final folder and renames, so an interrupted export
    leaves no half data set.

    Args:
      data: what to write.
      values: (N, F) published values of the factors.
      out_dir: folder of data sets (`data_dir`).
      images: chunks (B, H, W, C) uint8 in index order.

    Returns:
      The folder written.
    """
    package = _package()
    package.display_progress_bar(sys.stderr.isatty())
    with package.core.registered.skip_registration():  # the stock one has the name
        builder = _builder(package, data, values, images)(
            data_dir=os.fspath(out_dir), file_format="array_record"
        )
    with contextlib.redirect_stdout(io.StringIO()):  # it speaks of a download
        builder.download_and_prepare()
    return Path(builder.data_dir)


def _builder(package: Any, data: Dataset, table: np.ndarray, images: Iterator) -> Any:
    """A tfds builder class for `data`, with the features of the stock builder."""
    features: dict[str, Any] = {"image": package.features.Image(shape=data.shape)}
    for factor in data.space.items:
        label = package.features.ClassLabel(num_classes=factor.size)
        features[f"label_{factor.name}"] = label
        features[f"value_{factor.name}"] = np.float32

    class Builder(package.core.GeneratorBasedBuilder):
        """Images of a full factor grid, rendered by disentangle."""

        name = data.name
        VERSION = package.core.Version(VERSION)

        def _info(self) -> Any:
            return package.core.DatasetInfo(
                builder=self, features=package.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            del dl_manager  # nothing to download
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
            i = 0
            for chunk in images:
                factors = data.space.factors(np.arange(i, i + len(chunk)))
                for image, labels in zip(chunk, factors.tolist(), strict=True):
                    example: dict[str, Any] = {"image": io.BytesIO(png(image))}
                    for column, name in enumerate(data.space.names):
                        example[f"label_{name}"] = labels[column]
                        example[f"value_{name}"] = table[i, column]
                    yield i, example
                    i += 1

    return Builder


def png(image: np.ndarray) -> bytes:
    """An image (H, W, 1) or (H, W, 3) uint8 as a PNG file.

    tfds would need TensorFlow to encode one, but takes a file as it is.
    """
    height, width, channels = image.shape
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # 0: no line filter
    lines[:, 1:] = image.reshape(height, -1)
    colour = {1: 0, 3: 2}[channels]  # grey, RGB
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"IDAT", zlib.compress(lines.tobytes())),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body))
        + name
        + body
        + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
