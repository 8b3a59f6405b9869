"""A data set from a folder: the label is in a file's name, and sometimes is not.

`red-3.png` is a red tile of size 3; of `red-.png` the size is not known.
"""

from pathlib import Path

from disentangle.data import folder
from disentangle.data.dataset import Dataset, Recipe
from disentangle.data.own import assemble
from disentangle.data.stream import EachFile


def read(path: Path) -> Dataset:
    """The tiles of a folder."""
    files = folder.scan(path.absolute(), labels=None)
    words = [file.stem.split("-") for file in files.paths]
    columns = {"colour": [w[0] for w in words], "size": [w[1] for w in words]}
    reader, count = EachFile(files.decode, files.identity), len(words)
    table = reader.table(count, files.shape, "read the tiles")
    where = str(path.absolute())
    return assemble(table, files.shape, 255, columns, count, name="tiles", path=where)


RECIPE = Recipe(read=read, network="padded", about="coloured tiles: path= their folder")
