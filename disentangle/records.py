"""The typed record of a file: a class that writes it and reads it back.

A file that a job writes has one such class, in the room that writes it; whoever reads
the file does so by `load`. A field that comes with an update has a default, so that
older files still open; fields that a class does not have are passed over.
"""

import dataclasses
import warnings
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from disentangle.errors import UserError
from disentangle.files import read_arrays, read_json, reading, write_arrays, write_json


@dataclasses.dataclass(frozen=True)
class Record:
    """What JSON and array files have in common.

    Attributes:
      FILE: the name of the file in its folder.
    """

    FILE: ClassVar[str]

    @classmethod
    def load(cls, folder: Path, name: str = "") -> Self:
        """Reads what `save` wrote, in FILE or under another `name`.

        Raises:
          UserError: naming the file, if there is none or it is damaged.
        """
        raise NotImplementedError

    @classmethod
    def held(cls, folder: Path, otherwise: str) -> Self | None:
        """What `load` gives; None where there is no file, or a damaged one.

        A damaged file is reported by a warning that ends in `otherwise`, what is done
        without it.
        """
        if not (folder / cls.FILE).exists():
            return None
        try:
            return cls.load(folder)
        except UserError as error:
            warnings.warn(f"{error}; {otherwise}", stacklevel=3)
            return None


@dataclasses.dataclass(frozen=True)
class JsonRecord(Record):
    """A record in JSON: its fields are numbers, words, lists, tables, records."""

    def save(self, folder: Path, name: str = "") -> None:
        """Writes the file, FILE or another `name`, whole or not at all.

        Raises:
          UserError: it cannot be written.
        """
        write_json(folder / (name or self.FILE), dataclasses.asdict(self))

    @classmethod
    def load(cls, folder: Path, name: str = "") -> Self:
        """As `Record.load`; every field is checked against its type."""
        found: Self = read_json(folder / (name or cls.FILE), cls)
        return found


@dataclasses.dataclass(frozen=True, eq=False)
class ArrayRecord(Record):
    """A record in an .npz: an array per field, none for a field that is None."""

    def save(self, folder: Path, name: str = "") -> None:
        """As `JsonRecord.save`."""
        held = {f.name: getattr(self, f.name, None) for f in dataclasses.fields(self)}
        arrays = {k: np.asarray(v) for k, v in held.items() if v is not None}
        write_arrays(folder / (name or self.FILE), arrays)

    @classmethod
    def load(cls, folder: Path, name: str = "") -> Self:
        """As `Record.load`; arrays of other names are passed over."""
        path = folder / (name or cls.FILE)
        arrays, given = read_arrays(path), {}
        with reading(path):
            for field in dataclasses.fields(cls):
                if field.name in arrays or field.default is dataclasses.MISSING:
                    given[field.name] = arrays[field.name]
            return cls(**given)
