"""Values of a config against the fields they stand in: each is refused by name.

Everything here is asked before any compute.
"""

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, dataclass_transform

import jax
import numpy as np

from disentangle.errors import UserError, unknown
from disentangle.fields.define import (
    LARGEST,
    SWEPT,
    Field,
    Spec,
    fields_of,
    item_type,
    single_type,
    spec_of,
)

FLOAT32 = float(np.finfo(np.float32).max)
STRONGEST = 1e30  # of a swept number: far below what float32 holds
ITEMS = 100  # of a list that is not swept, such as the widths of a network
NOUNS = {
    int: "a whole number",
    float: "a number",
    str: "a string",
    bool: "true or false",
    dict: "a table of fields",
}
LISTS = {
    int: "a list of whole numbers",
    float: "a list of numbers",
    str: "a list of strings",
    dict: "a list of tables of fields",
}
T = TypeVar("T")


@dataclass_transform(frozen_default=True)  # a field has what stands behind its "="
def settings(cls: type[T]) -> type[T]:
    """A frozen dataclass of `static` and `swept` fields, a pytree of the swept ones.

    Making one checks its static fields, as does `read`; a `__post_init__` of the class
    looks at several together.

    Raises:
      TypeError: a field is neither.
    """
    if "__post_init__" in cls.__dict__ or not hasattr(cls, "__post_init__"):
        cls.__post_init__ = _checked(cls.__dict__.get("__post_init__"))  # type: ignore[attr-defined]
    made = dataclasses.dataclass(frozen=True)(cls)
    for field in dataclasses.fields(made):  # type: ignore[arg-type]
        if "spec" not in field.metadata:
            raise TypeError(
                f"field {field.name} of {cls.__qualname__} must be static(...) or "
                "swept(...), with its meaning"
            )
    return jax.tree_util.register_dataclass(made)


def _checked(also: Callable[[Any], None] | None) -> Callable[[Any], None]:
    """The `__post_init__` that checks static fields, and then what the class asks."""

    def check(self: Any) -> None:
        for name, field in fields_of(self).items():
            if not spec_of(field).is_swept:
                value = getattr(self, name, None)
                value_of(name, field, list(value) if type(value) is tuple else value)
        if also:
            also(self)

    return check


def read(
    kind: type[T], section: Mapping[str, Any], prefix: str = ""
) -> tuple[T, dict[str, list[Any]]]:
    """The settings that a section of a config stands for.

    Args:
      kind: a class made by `settings`.
      section: field -> value, plain data as JSON gives it (lists, no tuples). A list
        of numbers in a swept field, or of lists where its default is a tuple, is a
        sweep. Fields that `kind` does not have are not looked at.
      prefix: of the names in errors, such as "method.".

    Returns:
      The settings, SWEPT in the swept fields; and for each of those its values, one
      or those of a sweep.

    Raises:
      UserError: a field is missing, of another type, or out of its range.
    """
    chosen: dict[str, Any] = {}
    sweeps: dict[str, list[Any]] = {}
    for name, field in fields_of(kind).items():
        if name not in section:
            raise UserError(f"the config has no field {prefix + name!r}")
        if spec_of(field).is_swept:
            sweeps[name] = values_of(prefix + name, field, section[name])
            chosen[name] = SWEPT
        else:
            chosen[name] = value_of(prefix + name, field, section[name])
    return kind(**chosen), sweeps


def values_of(name: str, field: Field, value: Any) -> list[Any]:
    """The values of a swept field: floats, or lists of floats of one length."""
    spec, rows = spec_of(field), value if isinstance(value, list) else [value]
    if item_type(field) is None:
        found = [_one(name, float, spec, item) for item in rows]
    else:
        if not isinstance(value, list):
            raise UserError(f"{name}={short(value)} must be a list of numbers")
        is_sweep = bool(value) and all(isinstance(row, list) for row in value)
        rows = value if is_sweep else [value]
        if len({len(row) for row in rows}) > 1:
            raise UserError(f"{name}={short(value)} has rows of other lengths")
        found = [[_one(name, float, spec, item) for item in row] for row in rows]
    if not found:
        raise UserError(f"{name} is an empty list")
    return found


def value_of(name: str, field: Field, value: Any) -> Any:
    """The value of a static field, with a tuple for a list; UserError if it is none."""
    spec, item = spec_of(field), item_type(field)
    if item is not None:
        return _many(name, item, spec, value)
    kind, may_be_none = single_type(field)
    if value is None and may_be_none:
        return None
    if isinstance(value, list):
        raise UserError(
            f"{name}={short(value)} must be {NOUNS[kind]}: it is static and cannot be "
            "swept"
        )
    return _one(name, kind, spec, value)


def _many(name: str, item: Any, spec: Spec, value: Any) -> tuple[Any, ...]:
    types = (int, float) if item is float else (item,)
    if not isinstance(value, list) or any(type(x) not in types for x in value):
        raise UserError(f"{name}={short(value)} must be {LISTS[item]}")
    if spec.filled and not value:
        raise UserError(f"{name} is an empty list and must have at least one item")
    if len(value) > ITEMS:
        raise UserError(f"{name} has {len(value):,} items, more than {ITEMS:,}")
    found = tuple(_one(name, item, spec, x, " each") for x in value)
    if spec.distinct:
        for place, x in enumerate(found):
            if x in found[:place]:
                raise UserError(f"{name}={short(value)}: {short(x)} is named twice")
    return found


def _one(name: str, kind: Any, spec: Spec, value: Any, each: str = "") -> Any:
    """One value of the type `kind`, in its range."""
    if kind is bool and not isinstance(value, bool):
        raise UserError(f"{name}={short(value)} must be {NOUNS[bool]}")
    if kind is str:
        text(name, value)
    elif kind is int:
        whole_number(name, value, spec.least, spec.most, each)
    elif kind is float:
        value = number(name, value)
        _check_range(name, spec, value, each)
    if spec.choices and value not in spec.choices:
        if kind is str:
            what = name.rpartition(".")[2].replace("_", " ")
            raise unknown(what, value, spec.choices)
        raise UserError(f"{name}={short(value)} must be {_either(spec.choices)}{each}")
    return value


def _check_range(name: str, spec: Spec, value: float, each: str) -> None:
    inside = spec.least <= value <= spec.most
    if not inside or not spec.above < np.float32(value) < spec.below:
        raise UserError(f"{name}={value:g} must be {range_of(spec)}{each}")
    if spec.is_swept and abs(value) > STRONGEST:
        raise UserError(f"{name}={value:g} must be within +-{STRONGEST:g}{each}")


def range_of(spec: Spec) -> str:
    """The range in words, such as "at least 0 and below 1"; "" where there is none."""
    ends = {
        "above": spec.above,
        "at least": spec.least if spec.least > spec.above else -math.inf,
        "at most": spec.most if spec.most != LARGEST else math.inf,
        "below": spec.below,
    }
    said = [
        f"{side} {_digits(end)}" for side, end in ends.items() if abs(end) < math.inf
    ]
    return " and ".join(said)


def _digits(end: float) -> str:
    return f"{end:,}" if isinstance(end, int) else f"{end:g}"


def _either(choices: Collection[Any]) -> str:
    *others, last = map(str, choices)
    return f"{', '.join(others)} or {last}" if others else last


def whole_number(
    name: str,
    value: Any,
    least: float = -math.inf,
    most: float = LARGEST,
    each: str = "",
) -> int:
    """`value`, a whole number in least .. most; UserError otherwise."""
    low = f"at least {least}" if math.isfinite(least) else ""
    if not isinstance(value, int) or isinstance(value, bool):
        end = f", {low}{each}" if low else ""
        raise UserError(f"{name}={short(value)} must be a whole number{end}")
    if value < least:
        raise UserError(f"{name}={short(value)} must be {low}{each}")
    if value > most:
        raise UserError(f"{name}={short(value)} must be at most {most:,}{each}")
    return value


def number(name: str, value: Any) -> float:
    """`value` as a float that float32 can hold; UserError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{name}={short(value)} must be a number")
    if not abs(value) <= FLOAT32:  # also NaN, and integers of 400 digits
        finite = isinstance(value, int) or math.isfinite(value)
        beyond = "within +-3.4e38, as float32 holds it" if finite else "finite"
        raise UserError(f"{name}={short(value)} must be {beyond}")
    return float(value)


def text(name: str, value: Any) -> str:
    """`value`, a string; UserError otherwise."""
    if not isinstance(value, str):
        raise UserError(f"{name}={short(value)} must be a string")
    return value


def names(name: str, value: Any) -> list[str]:
    """`value`, a list of strings that is not empty; UserError otherwise."""
    if not isinstance(value, list) or not value:
        raise UserError(f"{name}={short(value)} must be a list of names")
    return [text(name, item) for item in value]


def short(value: Any) -> str:
    """The value as it would be written, cut after 60 characters."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**30:
        digits = int(abs(value).bit_length() * math.log10(2)) + 1
        return f"{'-' * (value < 0)}(a number of {digits} digits)"
    written = repr(value)
    return written if len(written) <= 60 else f"{written[:57]}..."
