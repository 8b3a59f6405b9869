"""The latents of generated pictures as an oracle sees them (`metrics.LatentSpaces`)."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.precision import float32
from disentangle.errors import UserError
from disentangle.methods.ways import Latents
from disentangle.metrics.base import LatentSpaces
from disentangle.metrics.latent_spaces import Steps
from disentangle.study.judged import reader
from disentangle.training.run import Run, compare_data

EPSILON = 1e-4
BATCH = 250  # pictures drawn at a time


def between(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Points on straight lines: a + t (b - a); t (n,), the others (n, D)."""
    return a + t[:, None] * (b - a)


def on_circle(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Points on great circles, slerp(a, b; t), of latents of any length (n, D).

    The direction turns evenly, the length changes evenly: as of latents of one length
    in the paper, whose mapping does not look at it.
    """
    first, last = np.sqrt((a**2).sum(1)), np.sqrt((b**2).sum(1))
    a, b = a / first[:, None], b / last[:, None]
    inner = (a * b).sum(1, keepdims=True)
    across = b - inner * a
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    angle = t[:, None] * np.arccos(np.clip(inner, -1.0, 1.0))
    size = first + t * (last - first)
    return size[:, None] * (np.cos(angle) * a + np.sin(angle) * across)


def latents_of(run: Run) -> Latents:
    """What a run offers of its latents; UserError where its method has none."""
    found = run.method.latents
    if found is None:
        name = run.config["method"]["name"]
        raise UserError(f"method {name!r} does not say what its pictures are drawn of")
    return found


@functools.lru_cache(16)
def _style(ways: Latents) -> Callable:
    return jax.jit(ways.mapped)


@functools.lru_cache(16)
def _picture(ways: Latents) -> Callable:
    return jax.jit(ways.draw)


@float32()
def styles_of(
    run: Run, z: np.ndarray, factors: np.ndarray, member: int = 0
) -> np.ndarray:
    """w (n, W) of rows z (n, size); the same numbers however many rows there are."""
    ways = latents_of(run)
    parts = _in_batches(z, factors)
    found = [_style(ways)(run.member(member), *part) for part in parts]
    whole: np.ndarray = np.concatenate([np.asarray(part) for part in found])
    return whole[: len(z)]


@float32()
def pictures_of(
    run: Run, styles: np.ndarray, z: np.ndarray, member: int = 0
) -> np.ndarray:
    """(n, H, W, C) in [0, 1] of styles (n, L, W), or (n, W) for all layers alike.

    Products are not rounded to TF32, so that small steps are seen on a GPU too.
    """
    ways = latents_of(run)
    if styles.ndim == 2:
        styles = np.repeat(styles[:, None], ways.layers, axis=1)
    with jax.default_matmul_precision("highest"):
        parts = _in_batches(styles, z)
        found = [_picture(ways)(run.member(member), *part) for part in parts]
    whole: np.ndarray = np.concatenate([np.asarray(part) for part in found])
    return whole[: len(z)]


def _in_batches(*arrays: np.ndarray) -> list[list[jax.Array]]:
    """Parts of `BATCH` rows, the last one filled up with the first rows."""
    count = -(-len(arrays[0]) // BATCH) * BATCH
    filled = [np.resize(x, (count, *x.shape[1:])) for x in arrays]
    whole = lambda x: np.issubdtype(x.dtype, np.integer)
    kinds = [x if whole(x) else x.astype(np.float32) for x in filled]
    return [
        [jnp.asarray(x[start : start + BATCH]) for x in kinds]
        for start in range(0, count, BATCH)
    ]


def spaces_of(
    run: Run, oracle: Run, data: Dataset, count: int, *, seed: int
) -> list[Callable[[], LatentSpaces]]:
    """For each member what its latents do, `count` pictures and as many steps each.

    Nothing is drawn before one is called.

    Args:
      run: of a method that says what its pictures are drawn of.
      oracle: reads them; see study/judged.py.
      data: what both were trained on.
      count: pictures, and steps of every kind.
      seed: of all that is drawn.

    Raises:
      UserError: the oracle is of other data, or does not classify every factor.
    """
    compare_data(oracle, data)
    read = reader(oracle, data)
    return [
        functools.partial(_spaces, run, member, read, data, count, seed)
        for member in range(len(run.members))
    ]


def _spaces(
    run: Run, member: int, read: Any, data: Dataset, count: int, seed: int
) -> LatentSpaces:
    """One member's."""
    ways, rng = latents_of(run), np.random.default_rng(seed)
    sizes = np.asarray(data.space.sizes)
    factors = rng.integers(0, sizes, (count, len(sizes))).astype(np.int32)
    first = rng.normal(size=(count, ways.size))
    second = first.copy()  # with the same noise
    second[:, : ways.latent] = rng.normal(size=(count, ways.latent))
    styles = lambda z: styles_of(run, z, factors, member)
    draw = lambda w, z: pictures_of(run, w, z, member)
    start, end = (styles(z).astype(np.float64) for z in (first, second))

    def in_w(t: np.ndarray) -> np.ndarray:
        return draw(between(start, end, t), first)

    def in_z(t: np.ndarray) -> np.ndarray:
        z = first.copy()
        parts = first[:, : ways.latent], second[:, : ways.latent]
        z[:, : ways.latent] = on_circle(*parts, t)
        return draw(styles(z), z)

    def features(images: np.ndarray) -> np.ndarray:
        with jax.default_matmul_precision("highest"):
            found = read(images)[0].astype(np.float64)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)

    def steps(way: Callable, t: np.ndarray) -> Steps:
        return Steps(features(way(t)), features(way(t + EPSILON)))

    anywhere, at_ends = rng.random(count), rng.integers(0, 2, count) * 1.0
    along = {"z": in_z, "w": in_w}
    _, logs = read(draw(start, first))
    return LatentSpaces(
        {"z": first[:, : ways.latent], "w": start},
        tuple(logs),
        {name: steps(way, anywhere) for name, way in along.items()},
        {name: steps(way, at_ends) for name, way in along.items()},
        EPSILON,
        tuple(data.space.names),
    )
