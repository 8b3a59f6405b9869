"""What a run remembers of its data set: enough to encode and to decode."""

import dataclasses
from typing import Any

from disentangle.data.space import Factor, FactorSpace, Symmetry


@dataclasses.dataclass(frozen=True)
class View:
    """The factors, image shape and pixel range a run was trained on."""

    name: str
    space: FactorSpace
    shape: tuple[int, int, int]
    peak: int


def view_of(tree: dict[str, Any]) -> View:
    """The inverse of `dataclasses.asdict` through JSON."""
    items = []
    for item in tree["space"]["items"]:
        symmetry = item["symmetry"]
        if symmetry:
            symmetry = Symmetry(symmetry["by"], tuple(symmetry["orders"]))
        items.append(
            Factor(**item | {"values": tuple(item["values"]), "symmetry": symmetry})
        )
    space = FactorSpace(tuple(items))
    return View(tree["name"], space, tuple(tree["shape"]), tree["peak"])
