"""How a field is defined, and what is known of it."""

import dataclasses
import math
from collections.abc import Collection
from typing import Any, get_args, get_origin

LARGEST = 2**31 - 1  # counts are int32 on the device
WIDEST = 10_000  # of what has a size: latents, hidden widths, ...

Field = dataclasses.Field


@dataclasses.dataclass(frozen=True)
class Spec:
    """What may stand in a field, and what it means; of a list, in each item.

    Attributes:
      meaning: in words, with the unit.
      source: whose default or range it is; "" is a choice of ours.
      least, most: the range, both ends included.
      above, below: ends that are not included, as float32 holds them.
      choices: the names, or numbers, there are: a table that may grow, or a tuple.
      filled: a list of at least one item.
      distinct: a list without an item twice.
      share: a number that says when in training, see `in_steps`.
      is_swept: swept, not static.
    """

    meaning: str
    source: str = ""
    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    choices: Collection[Any] = ()
    filled: bool = False
    distinct: bool = False
    share: bool = False
    is_swept: bool = False


class Swept:
    """Stands in the swept fields of settings that are read for their static ones.

    Networks and programs are built from such settings, once for all models. It is no
    number: a method that reads a swept field while it is built fails at once, where
    the default would train all models of a sweep alike.
    """

    def __repr__(self) -> str:
        return "(swept: a loss has its value)"

    def __bool__(self) -> bool:
        raise TypeError(f"a swept field has no value here: {self!r}")


SWEPT = Swept()


def swept(
    default: Any,
    meaning: str,
    *,
    source: str = "",
    least: float = 0.0,
    most: float = math.inf,
    above: float = -math.inf,
    share: bool = False,
) -> Any:
    """A number, or a tuple of numbers, that a population may be swept over.

    Args:
      default: a float or a tuple of floats.
      meaning, source, least, most, above, share: see `Spec`.
    """
    spec = Spec(meaning, source, least, most, above, share=share, is_swept=True)
    return _field(default, spec)


def static(
    default: Any,
    meaning: str,
    *,
    source: str = "",
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
    choices: Collection[Any] = (),
    filled: bool = False,
    distinct: bool = False,
    share: bool = False,
) -> Any:
    """A value that all models of a run have in common.

    Args:
      default: of the field's type.
      meaning, source, least, ...: see `Spec`. A whole number is at most 2**31 - 1
        unless `most` says otherwise.
    """
    is_whole = isinstance(default, int) and not isinstance(default, bool)
    if is_whole and math.isinf(most):
        most = LARGEST
    limits = (least, most, above, below)
    spec = Spec(meaning, source, *limits, choices, filled, distinct, share)
    return _field(default, spec)


def _field(default: Any, spec: Spec) -> Any:
    metadata = {"static": not spec.is_swept, "spec": spec}  # "static" is read by JAX
    return dataclasses.field(default=default, metadata=metadata)


def fields_of(kind: Any) -> dict[str, Field]:
    """The fields of settings by name, static ones first."""
    found = dataclasses.fields(kind)
    ordered = sorted(found, key=lambda field: spec_of(field).is_swept)
    return {field.name: field for field in ordered}


def spec_of(field: Field) -> Spec:
    """What is said about a field where it is defined."""
    return field.metadata["spec"]


def swept_names(kind: Any) -> tuple[str, ...]:
    """The names of the swept fields."""
    return tuple(n for n, field in fields_of(kind).items() if spec_of(field).is_swept)


def defaults(kind: Any) -> dict[str, Any]:
    """Field -> its default."""
    return {name: field.default for name, field in fields_of(kind).items()}


def item_type(field: Field) -> Any:
    """int for a field that is tuple[int, ...]; None for a single value."""
    is_list = get_origin(field.type) is tuple
    return get_args(field.type)[0] if is_list else None


def single_type(field: Field) -> tuple[Any, bool]:
    """(float, True) for a field that is float | None, (float, False) for a float."""
    parts = get_args(field.type)
    if type(None) in parts:
        return next(part for part in parts if part is not type(None)), True
    return field.type, False


def in_steps(field: Field, value: Any, steps: int) -> Any:
    """A value as training sees it: of a `share`, up to 1 is that share of `steps`.

    Above 1 it is a number of steps already.
    """
    return value * steps if spec_of(field).share and value <= 1 else value
