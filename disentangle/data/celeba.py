"""CelebA: 202,599 photographs of faces with 40 attributes (Liu et al. 2015).

From the published folder: `img_align_celeba/` and `list_attr_celeba.txt`. The largest
square in the middle of each photograph (178x178 of 218x178) is brought to 64x64, RGB,
as Larsen et al. 2016 and many after them do. An attribute is no (0) or yes (1).
"""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from disentangle.data import folder as folders
from disentangle.data import tfds
from disentangle.data.aligned import aligned
from disentangle.data.dataset import Dataset, Recipe
from disentangle.data.own import assemble
from disentangle.data.stream import EachFile
from disentangle.errors import UserError
from disentangle.files import reading

IMAGES, ATTRIBUTES = "img_align_celeba", "list_attr_celeba.txt"
SIDE = 64
SHAPE = (SIDE, SIDE, 3)


def read(path: Path, *, stream: bool = False) -> Dataset:
    """The images that the list names, in its order.

    Args:
      path: of the folder that holds both.
      stream: whether images are read when a step needs them, and not kept.

    Raises:
      UserError: what is not there, or is not what it should be.
    """
    path = path.absolute()
    files, columns = _attributes(path / ATTRIBUTES)
    places = [path / IMAGES / name for name in files]
    missing = next((place for place in places if not place.exists()), None)
    if missing is not None:
        raise UserError(f"{path / ATTRIBUTES} names {missing}, which is not there")

    def decode(index: int) -> np.ndarray:
        return folders.opened(places[index], face)

    digest = hashlib.blake2b(repr(files).encode(), digest_size=16)
    images, count = EachFile(decode, digest.hexdigest()), len(files)
    held = images if stream else images.table(count, SHAPE, "read celeba")
    return assemble(held, SHAPE, 255, columns, count, name="celeba", path=str(path))


def read_tfds(data_dir: Path | None) -> Dataset:
    """The images of a prepared copy of tfds: training, validation, test ones."""
    splits = ("train", "validation", "test")
    count, found = tfds.examples("celeb_a", data_dir, ["image", "attributes"], splits)
    images, rows = aligned((count, *SHAPE), np.uint8), []
    for number, example in enumerate(found):
        images[number] = face(Image.fromarray(example["image"]))
        rows.append(example["attributes"])
    columns = {n: np.array([int(row[n]) for row in rows]) for n in rows[0]}
    return assemble(images, SHAPE, 255, columns, count, name="celeba")


def face(image: Image.Image) -> np.ndarray:
    """The middle square of a photograph, (64, 64, 3) uint8."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = (left, top, left + side, top + side)
    cut = image.convert("RGB").crop(square)
    small = cut.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(small)


def _attributes(path: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    """File names, and attribute -> (N,) 0 or 1."""
    with reading(path):
        if not path.is_file():
            raise FileNotFoundError(2, "there is no such file")
        _, head, *lines = path.read_text(encoding="utf-8").splitlines()
        names, rows = head.split(), [line.split() for line in lines if line.strip()]
        if any(len(row) != len(names) + 1 for row in rows) or not rows:
            raise UserError(f"a line does not hold a file and {len(names)} attributes")
        signs = np.array([[int(sign) for sign in row[1:]] for row in rows])
        if not (np.abs(signs) == 1).all():
            raise UserError("an attribute is neither -1 nor 1")
    values = (signs + 1) // 2
    return [row[0] for row in rows], {n: values[:, j] for j, n in enumerate(names)}


RECIPE = Recipe(
    read=read,
    read_tfds=read_tfds,
    stream=lambda path: read(path, stream=True),
    network="padded",
    about="202,599 photographs of faces, 64x64: path= the folder of its files",
)
