"""What is asked of a run's codes: other values of some attributes, checked."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.errors import UserError, as_list, shown, unknown
from disentangle.methods.base import EDIT_MODES, Params, Subspaces

PREDICTED = "predicted"


class Edit(NamedTuple):
    """What B codes are to become, as `Subspaces.edit` takes it."""

    old: np.ndarray  # (B, A) int32, -1 where it is not known
    new: np.ndarray  # (B, A) int32, -1 where an attribute stays
    alpha: np.ndarray  # (B,) float32


def asked(
    known: Subspaces, attribute: Any, value: Any, old: Any, alpha: Any, count: int
) -> Edit:
    """The edit of `count` codes; see `Run.edit_codes`.

    Raises:
      UserError: an attribute or a value that there is not, or other shapes.
    """
    if isinstance(attribute, str):
        attribute, value = [attribute], [value]
    names = as_list(attribute, "attribute must be a name or a list of names")
    values = as_list(value, "value must be a list, one per attribute")
    if len(names) != len(values) or len({*map(str, names)}) != len(names):
        raise UserError(
            f"attribute must be different names, and value one per name, got "
            f"{shown(names)} and {len(values)} values"
        )
    new = np.full((count, len(known.names)), -1, np.int32)
    for name, wanted in zip(names, values, strict=True):
        if name not in known.names:
            raise unknown("attribute", name, known.names)
        place = known.names.index(name)
        new[:, place] = whole_numbers(f"value of {name!r}", wanted, (count,))
        in_range(f"value of {name!r}", new[:, place], 0, known.sizes[place])
    had = np.full_like(new, -1)
    if not isinstance(old, str):
        had = whole_numbers("old", old, new.shape)
        for place, name in enumerate(known.names):
            in_range(f"old {name!r}", had[:, place], -1, known.sizes[place])
    elif old != PREDICTED:
        raise unknown("old", old, (PREDICTED,))
    far = np.asarray(alpha)
    if far.dtype.kind not in "fiu" or far.shape not in ((), (count,)):
        raise UserError(f"alpha={shown(alpha)} must be a number, or {count} of them")
    if not np.isfinite(far).all():
        raise UserError(f"alpha={shown(alpha)} must be finite")
    return Edit(had, new, np.broadcast_to(far, (count,)).astype(np.float32))


def whole_numbers(what: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The values as int32 of a shape, one number for all; UserError on others."""
    found = np.asarray(values)
    if found.dtype.kind not in "iu" or found.shape not in ((), shape):
        raise UserError(f"{what} must be a whole number, or {shape} of them")
    return np.broadcast_to(found, shape).astype(np.int32)


def in_range(what: str, values: np.ndarray, least: int, size: int) -> None:
    """Raises UserError unless all values are in least .. size - 1."""
    bad = values[(values < least) | (values >= size)]
    if bad.size:
        raise UserError(f"{what} is {bad[0]}, not in {least} .. {size - 1}")


@functools.lru_cache(64)
def editing(known: Subspaces, mode: str, predicts: bool) -> Callable:
    """(params, (codes, old, new, alpha)) -> codes: one object per kind of edit.

    Args:
      known: of the method.
      mode: one of EDIT_MODES.
      predicts: take the classifiers' values for old ones.

    Raises:
      UserError: another mode.
    """
    if mode not in EDIT_MODES:
        raise unknown("mode", mode, EDIT_MODES)
    assert known.edit is not None
    edit, sizes = known.edit, known.sizes

    def function(params: Params, given: tuple[jax.Array, ...]) -> jax.Array:
        codes, old, new, alpha = given
        if predicts and known.classify is not None:
            parts = jnp.split(
                known.classify(params, codes), np.cumsum(sizes)[:-1].tolist(), axis=1
            )
            seen = [part.argmax(1).astype(jnp.int32) for part in parts]
            old = jnp.stack(seen, axis=1)
        return edit(params, codes, old, new, alpha, mode=mode)

    return function
