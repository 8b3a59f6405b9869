"""What a metric of one model is given, of a table of codes and what comes with it."""

from collections.abc import Callable
from typing import Any

from disentangle.errors import UserError
from disentangle.metrics.base import (
    Ask,
    Generated,
    LatentSpaces,
    Representation,
    Retrieval,
)
from disentangle.metrics.leakage import Blocks


def _images(name: str, table: Representation) -> Representation:
    """The table, which must have a source of more images."""
    if table.images is None:
        raise UserError(
            f"{name} draws images of its own, and this is one table of codes: evaluate "
            "a run instead"
        )
    return table


def _retrieval(name: str, table: Representation) -> Retrieval:
    """The test rows of the table to search with, its training rows to search in."""
    table.need_test_rows(name)
    return Retrieval(
        table.test_codes,
        table.test_factors,
        table.codes,
        table.factors,
        table.factor_names,
    )


def _ask(name: str, table: Representation) -> Ask:
    """How the model of the table is asked what its data set can be asked."""
    if table.ask is None:
        raise UserError(
            f"{name} asks for pictures of a data set, and this is one table of codes: "
            "evaluate a run instead"
        )
    return table.ask


def _drawn(name: str, table: Representation) -> Generated:
    """The images that the model of the table draws, and what an oracle reads there."""
    if table.drawn is None:
        raise UserError(
            f"{name} judges images that a model draws: evaluate a run, with oracle= a "
            "run that reads the factors"
        )
    return table.drawn()


def _blocks(name: str, table: Representation) -> Blocks:
    """The table of a method that fixes whose its columns are."""
    if not table.attributes:
        raise UserError(
            f"{name} is of methods whose codes have columns for single factors: "
            "evaluate a run of one"
        )
    return Blocks(table, table.attributes)


def _spaces(name: str, table: Representation) -> LatentSpaces:
    """What the model of the table draws images of, and what an oracle reads there."""
    if table.spaces is None:
        raise UserError(
            f"{name} judges the latents that a model draws images of: evaluate a run, "
            "with oracle= a run that reads the factors"
        )
    return table.spaces()


# What a metric of one model needs -> what it is given, from its name and a table.
INPUTS: dict[str, Callable[[str, Representation], Any]] = {
    "representation": lambda name, table: table,
    "data set": _images,
    "retrieval": _retrieval,
    "queries": _ask,
    "generator": _drawn,
    "blocks": _blocks,
    "latents": _spaces,
}
