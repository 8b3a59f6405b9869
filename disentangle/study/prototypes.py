"""The prototypes of a run: what an edit puts in place for each value."""

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.samplers import take
from disentangle.errors import UserError
from disentangle.records import ArrayRecord
from disentangle.training.run import Run


@dataclasses.dataclass(frozen=True, eq=False)
class Prototypes(ArrayRecord):
    """prototypes.npz: those of the first member of a run.

    Attributes:
      table: (S, D), a row per value of the A attributes, those of the first attribute
        first: M transposed (Hou et al. 2021, Eq. 2).
      names, sizes: (A,) of the attributes.
      ordered: (A,) bool, whether the values have an order.
      rings: (A,) bool, whether the last value is next to the first one.
    """

    FILE: ClassVar[str] = "prototypes.npz"
    table: np.ndarray
    names: np.ndarray
    sizes: np.ndarray
    ordered: np.ndarray
    rings: np.ndarray

    def __post_init__(self) -> None:
        lengths = {len(self.names), len(self.sizes), len(self.ordered), len(self.rings)}
        if (
            len(lengths) > 1
            or self.table.ndim != 2
            or len(self.table) != sum(self.sizes)
        ):
            raise UserError("its arrays do not belong together")

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """Attribute -> (K, D), its values' prototypes."""
        ends = np.cumsum(self.sizes)[:-1]
        names = map(str, self.names)
        return dict(zip(names, np.split(self.table, ends), strict=True))


def prototypes_of(run: Run, data: Dataset) -> Prototypes | None:
    """The prototypes of the first member; None where the method edits by none.

    A code of zeros in which one attribute is replaced is a prototype.
    """
    known = run.method.subspaces
    if known is None or known.edit is None:
        return None
    images = take(data, jnp.zeros((1,), jnp.int32))["images"]
    width = run.encode(images).shape[-1]
    rows = [
        run.edit_codes(
            np.zeros((size, width), np.float32), name, np.arange(size), mode="replace"
        )[0]
        for name, size in zip(known.names, known.sizes, strict=True)
    ]
    kinds = {factor.name: factor.kind for factor in data.space.items}
    found = [kinds.get(name, "categorical") for name in known.names]
    return Prototypes(
        np.concatenate(rows),
        np.array(known.names),
        np.array(known.sizes),
        np.array([kind != "categorical" for kind in found]),
        np.array([kind == "circular" for kind in found]),
    )
