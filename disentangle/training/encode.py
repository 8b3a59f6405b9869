"""Images and codes through all members of a run: checked, then batch by batch."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import scaled
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError, shown
from disentangle.methods.base import Params
from disentangle.training.data_spec import DataSpec
from disentangle.training.population import over_members

BATCH = 250  # images encoded at a time
DECODE_BATCH = 1000  # codes decoded at a time
AT_ONCE = 16  # members whose images an accelerator holds together
ROUNDING = 1e-5  # a float image may leave [0, 1] by this much


def checked_images(images: Any, spec: DataSpec) -> Any:
    """`images` as a NumPy or JAX array that a run on `spec` can take; not copied.

    Raises:
      UserError: not (B, H, W, C) of the run's images, masked, neither uint8 in
        0..max_value nor float in [0, 1], or not finite.
    """
    images = array_of(images, "images")
    if images.ndim != 4 or images.shape[1:] != spec.shape:
        raise UserError(
            f"images have shape {images.shape}, the run takes (B, "
            f"{', '.join(map(str, spec.shape))})"
        )
    is_raw = images.dtype == np.uint8
    takes = f"the run takes uint8 in 0..{spec.max_value} or float in [0, 1]"
    if not is_raw and not jnp.issubdtype(images.dtype, np.floating):
        raise UserError(f"images are {images.dtype}, {takes}")
    if images.shape[0] == 0 or (is_raw and spec.max_value == 255):
        return images
    low, high = _range(images)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UserError(f"images have pixels that are NaN or infinite, {takes}")
    most, slack = (spec.max_value, 0) if is_raw else (1, ROUNDING)
    if low < -slack or high > most + slack:
        value = high if high > most + slack else low
        raise UserError(f"images have pixels of {value:g} ({images.dtype}), {takes}")
    return images


def checked_codes(codes: Any, members: int, latents: int) -> Any:
    """`codes` as float32 (P, B, D) or (B, D), on the host where they were.

    Raises:
      UserError: another shape, masked, not numbers, or not finite.
    """
    codes = array_of(codes, "codes")
    if not (
        jnp.issubdtype(codes.dtype, np.floating)
        or jnp.issubdtype(codes.dtype, np.integer)
    ):
        raise UserError(f"codes are {codes.dtype}, not float")
    if (
        codes.ndim not in (2, 3)
        or codes.shape[-1] != latents
        or (codes.ndim == 3 and codes.shape[0] != members)
    ):
        raise UserError(
            f"codes have shape {codes.shape}, the run takes (B, {latents}) or "
            f"({members}, B, {latents})"
        )
    if codes.size and not np.isfinite(_range(codes)).all():
        raise UserError("codes have values that are NaN or infinite")
    return codes


def array_of(values: Any, what: str) -> Any:
    """`values` as an array of its own library; UserError where they are none."""
    if isinstance(values, jax.Array):
        return values
    if isinstance(values, np.ma.MaskedArray):
        if np.ma.is_masked(values):
            count = int(np.ma.count_masked(values))
            raise UserError(f"{what} have {count:,} masked values: fill them first")
        values = values.data
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of other lengths
        raise UserError(f"{what} are no array: {error}") from None
    if array.dtype == object:
        raise UserError(f"{what} are {type(values).__name__} of objects, no array")
    return array


def _range(array: Any) -> tuple[float, float]:
    """Smallest and largest value; NaN where there is one."""
    if isinstance(array, jax.Array):
        finite, low, high = _device_range(array)
        return (float(low), float(high)) if finite else (np.nan, np.nan)
    return float(array.min()), float(array.max())


@jax.jit
def _device_range(array: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    # XLA's min and max on a CPU may pass over a NaN; NumPy's do not.
    return jnp.isfinite(array).all(), array.min(), array.max()


def batched(function: Callable, params: Params, inputs: Any, max_value: int) -> Any:
    """function(params, inputs) of every member, `BATCH` images at a time.

    Args:
      function: of one member; (params, (b, ...) float32) -> arrays (b, ...).
      params: leading axis P.
      inputs: (B, ...), the same for all members; uint8 images are scaled.
        Only a batch at a time is copied.
      max_value: of uint8 images, which becomes 1.

    Returns:
      The function's arrays, (P, B, ...), on the host.
    """
    count = inputs.shape[0]
    size = max(1, min(BATCH, count))
    part = jax.ShapeDtypeStruct((1, size, *inputs.shape[1:]), _kept(inputs.dtype))
    shapes = jax.eval_shape(_each_batch, function, max_value, params, part)
    new = lambda s: np.empty((s.shape[0], count, *s.shape[3:]), s.dtype)
    found = jax.tree.map(new, shapes)
    for start in range(0, count, size):
        rows = jnp.asarray(inputs[start : start + size], part.dtype)
        stop = start + rows.shape[0]
        if rows.shape[0] < size:
            padding = rows[:1].repeat(size - rows.shape[0], 0)
            rows = jnp.concatenate([rows, padding])
        got = _each_batch(function, max_value, params, rows[None])
        for held, values in zip(
            jax.tree.leaves(found), jax.tree.leaves(got), strict=True
        ):
            held[:, start:stop] = np.asarray(values)[:, 0, : stop - start]
    return found


def _kept(dtype: Any) -> Any:
    return np.uint8 if dtype == np.uint8 else np.float32


# Compiled once for a method's function and a shape, not once a call.
@functools.partial(jax.jit, static_argnums=(0, 1))
def _each_batch(
    function: Callable, max_value: int, params: Params, parts: jax.Array
) -> Any:
    """function(params, images) of every member (P) and batch of `parts`."""

    def part(params: Params, x: jax.Array) -> Any:
        is_raw = x.dtype == jnp.uint8
        return function(params, scaled(x, max_value) if is_raw else x)

    def one(params: Params) -> Any:
        return jax.lax.map(lambda x: part(params, x), parts)

    return over_members(one, AT_ONCE)(params)


@functools.partial(jax.jit, static_argnums=0)
def _each_member(function: Callable, params: Params, inputs: jax.Array) -> Any:
    """function(params, inputs) of every member, both with the leading axis P."""
    return over_members(function, AT_ONCE)(params, inputs)


def decoded(
    function: Callable, params: Params, codes: Any, members: int, *rows: np.ndarray
) -> np.ndarray:
    """function(params, codes (B, D)) of every member, `DECODE_BATCH` codes at a time.

    Args:
      function: of one member.
      params: leading axis P.
      codes: (B, D), the same for all members, or (P, B, D).
      members: P.
      *rows: (B, ...) what else there is of each code, the same for all members: with
        them it is function(params, (codes, *rows)).

    Returns:
      (P, B, ...) on the host.
    """
    count, latents = codes.shape[-2:]
    size = max(1, min(DECODE_BATCH, count))
    part = jax.ShapeDtypeStruct((members, size, latents), np.float32)
    more = [jax.ShapeDtypeStruct((members, size, *x.shape[1:]), x.dtype) for x in rows]
    given = lambda codes, more: (codes, *more) if rows else codes
    shape = jax.eval_shape(_each_member, function, params, given(part, more))
    found = np.empty((members, count, *shape.shape[2:]), shape.dtype)
    for start in range(0, count, size):
        own = jnp.asarray(codes[..., start : start + size, :], jnp.float32)
        further = [
            _filled(jnp.asarray(x[start : start + size])[None], like, 1)
            for x, like in zip(rows, more, strict=True)
        ]
        filled = _filled(own[None] if own.ndim == 2 else own, part, 1)
        got = _each_member(function, params, given(filled, further))
        missing = size - own.shape[-2]
        found[:, start : start + size] = np.asarray(got)[:, : size - missing]
    return found


def _filled(array: jax.Array, like: Any, axis: int) -> jax.Array:
    """The array with zeros behind it, and for every member."""
    missing = like.shape[axis] - array.shape[axis]
    padding = [(0, missing if i == axis else 0) for i in range(array.ndim)]
    return jnp.broadcast_to(jnp.pad(array, padding), like.shape)


def width(function: Callable, params: Params, shape: tuple[int, int, int]) -> int:
    """D, the codes of one image of `shape` through `function` (nothing computed)."""
    image = jax.ShapeDtypeStruct((1, 1, *shape), np.float32)
    return jax.eval_shape(_each_batch, function, 1, params, image).shape[-1]


def whole_number(value: Any, name: str) -> int:
    """`value` as an int; UserError unless it is a whole number from 0 on."""
    if not isinstance(value, int | np.integer) or value < 0:
        raise UserError(f"{name}={shown(value)} must be a whole number >= 0")
    return int(value)


def checked_factors(factors: Any, space: FactorSpace, count: int) -> np.ndarray:
    """`factors` as (count, F) int32; UserError unless they are in the space."""
    found = np.asarray(array_of(factors, "factors"))
    shape = (count, len(space.sizes))
    if found.shape != shape or not np.issubdtype(found.dtype, np.integer):
        raise UserError(f"factors are {found.dtype} {found.shape}, not int {shape}")
    outside = (found < 0) | (found >= np.asarray(space.sizes))
    if outside.any():
        row, column = np.argwhere(outside)[0]
        raise UserError(
            f"factor {space.names[column]!r} of image {row} is {found[row, column]}, "
            f"not in 0 .. {space.sizes[column] - 1}"
        )
    return found.astype(np.int32)


@functools.lru_cache(64)
def seeded(function: Callable, seed: int) -> Callable:
    """`function` of (params, inputs) with the key of a seed: one object per pair."""
    return lambda params, inputs: function(params, inputs, key=jax.random.key(seed))


@functools.lru_cache(64)
def alike(function: Callable, attribute: int) -> Callable:
    """`function` of (params, codes) for one attribute: one object per pair."""
    return lambda params, codes: function(params, codes, attribute)


@functools.lru_cache(64)
def redrawing(function: Callable) -> Callable:
    """`Method.redraw` of (params, (codes, images)): one object per function."""
    return lambda params, given: function(params, *given)


@functools.partial(jax.jit, static_argnums=0)
def _sample_batch(function: Callable, params: Params, key: jax.Array) -> jax.Array:
    """`BATCH` samples of every member, all with one key: (P, BATCH, ...)."""
    return over_members(lambda params: function(params, key=key, n=BATCH))(params)


def sampled(function: Callable, params: Params, n: int, seed: int) -> np.ndarray:
    """n samples of every member, drawn `BATCH` at a time: (P, n, ...) on the host."""
    key = jax.random.key(seed)
    shape = jax.eval_shape(_sample_batch, function, params, key)
    found = np.empty((shape.shape[0], n, *shape.shape[2:]), shape.dtype)
    for start in range(0, n, BATCH):
        got = _sample_batch(function, params, jax.random.fold_in(key, start))
        part = found[:, start : start + BATCH]
        part[:] = np.asarray(got)[:, : part.shape[1]]
    return found


@functools.partial(jax.jit, static_argnums=0)
def _generate_batch(
    function: Callable, params: Params, factors: jax.Array, key: jax.Array
) -> jax.Array:
    """Every member's images of `BATCH` factors, all with one key: (P, BATCH, ...)."""
    return over_members(lambda params: function(params, factors, key=key))(params)


def generated(
    function: Callable, params: Params, factors: np.ndarray, seed: int
) -> np.ndarray:
    """function(params, factors, key=...) of every member, `BATCH` rows at a time.

    Returns:
      (P, n, ...) on the host; the images of the first rows do not depend on the rest.
    """
    key, count = jax.random.key(seed), len(factors)
    rows = -(-max(count, 1) // BATCH) * BATCH
    filled = np.zeros((rows, factors.shape[1]), np.int32)
    filled[:count] = factors
    parts = [
        np.asarray(
            _generate_batch(
                function,
                params,
                jnp.asarray(filled[start : start + BATCH]),
                jax.random.fold_in(key, start),
            )
        )
        for start in range(0, rows, BATCH)
    ]
    return np.concatenate(parts, axis=1)[:, :count]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _edit_batch(
    function: Callable, max_value: int, params: Params, batch: tuple[jax.Array, ...]
) -> jax.Array:
    """Every member's edit of (images, factors, wanted)."""
    images, *factors = batch
    if images.dtype == jnp.uint8:
        images = scaled(images, max_value)
    return over_members(lambda params: function(params, images, *factors))(params)


def edited(
    function: Callable,
    params: Params,
    images: Any,
    factors: np.ndarray,
    wanted: np.ndarray,
    max_value: int,
) -> np.ndarray:
    """function(params, images, factors, wanted) of every member, batch by batch.

    Returns:
      (P, B, H, W, C) on the host.
    """
    parts = []
    for start in range(0, max(images.shape[0], 1), BATCH):
        rows = slice(start, start + BATCH)
        own = jnp.asarray(images[rows], _kept(images.dtype))
        batch = (own, jnp.asarray(factors[rows]), jnp.asarray(wanted[rows]))
        parts.append(np.asarray(_edit_batch(function, max_value, params, batch)))
    return np.concatenate(parts, axis=1)
