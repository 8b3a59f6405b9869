"""MNIST and Fashion-MNIST: 70,000 grey images of 28x28 (LeCun 1998, Xiao 2017).

From a folder with the four published files (idx, gzipped or not) or from one .npz with
`x_train`, `y_train`, `x_test`, `y_test`. The 60,000 training images come first, then
the 10,000 test images; which are trained on is chosen by the config, as for every
data set. A worked example: a data set of one's own format is one file like this.
"""

import functools
import gzip
import math
from pathlib import Path

import numpy as np

from disentangle.data.dataset import Dataset, Recipe
from disentangle.data.own import assemble
from disentangle.data.pixels import checked
from disentangle.errors import UserError
from disentangle.files import reading

PARTS = ("train", "t10k")
ARTICLES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def read(path: Path, *, name: str, factor: str, words: tuple[str, ...]) -> Dataset:
    """The images of both parts, and the class of each.

    Args:
      path: the folder, or the .npz.
      name: of the data set.
      factor: what the class is called.
      words: what the classes 0, 1, ... are called; () are the numbers.

    Raises:
      UserError: files that are not there, or are not what they should be.
    """
    path = path.absolute()
    if path.is_dir():
        found = [
            (_idx(path, part, "images"), _idx(path, part, "labels")) for part in PARTS
        ]
    else:
        with (
            reading(path),
            open(path, "rb") as file,
            np.load(file, allow_pickle=False) as held,
        ):
            found = [
                (held[f"x_{part}"], held[f"y_{part}"]) for part in ("train", "test")
            ]
    images = np.concatenate([pair[0] for pair in found])
    classes = np.concatenate([pair[1] for pair in found]).astype(np.int64)
    table, max_value = checked(images)
    labels = np.asarray(words)[classes] if words else classes
    columns = {factor: labels}
    return assemble(
        table,
        table.shape[1:],
        max_value,
        columns,
        len(table),
        name=name,
        path=str(path),
    )


def _idx(folder: Path, part: str, kind: str) -> np.ndarray:
    """One idx file: big-endian header (type, axes, lengths), then the bytes."""
    axes = 3 if kind == "images" else 1
    stems = [f"{part}-{kind}{dot}idx{axes}-ubyte" for dot in "-."]
    paths = [folder / f"{stem}{end}" for stem in stems for end in ("", ".gz")]
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        raise UserError(f"{folder} has no file {stems[0]} or {stems[0]}.gz")
    with reading(path):
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        lengths = np.frombuffer(data, ">u4", axes + 1)
        shape = tuple(int(n) for n in lengths[1:])
        if lengths[0] != 0x800 + axes or math.prod(shape) != len(data) - 4 * (axes + 1):
            raise UserError(f"it is no whole idx file of {axes} axes of bytes")
        return np.frombuffer(data, np.uint8, offset=4 * (axes + 1)).reshape(shape)


MNIST = Recipe(
    read=functools.partial(read, name="mnist", factor="digit", words=()),
    network="padded",
    about="70,000 images of digits: path= the folder of its files, or mnist.npz",
)
FASHION = Recipe(
    read=functools.partial(
        read, name="fashion_mnist", factor="article", words=ARTICLES
    ),
    network="padded",
    about="70,000 images of clothes: path= the folder of its files, or an .npz",
)
