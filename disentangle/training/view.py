"""What a run remembers of its data set: enough to encode and to decode."""

import dataclasses
from pathlib import Path

from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.files import read_json

LARGEST = 2**16  # pixels a side


@dataclasses.dataclass(frozen=True)
class View:
    """The factors, image shape and pixel range a run was trained on."""

    name: str
    space: FactorSpace
    shape: tuple[int, int, int]
    peak: int

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or max(self.shape) > LARGEST or self.peak < 1:
            raise UserError(f"images of {self.shape} up to {self.peak} are none")


def read_view(path: Path) -> View:
    """The View that was written as JSON by `dataclasses.asdict`.

    Raises:
      UserError: naming the file, if there is none or it is damaged.
    """
    return read_json(path, View)
