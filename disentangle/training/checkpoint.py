"""Checkpoints: one folder a step, whole or not there, newest valid one wins."""

import shutil
import warnings
import zlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from orbax.checkpoint import v1 as ocp

KEEP = 3


class Checkpoints:
    """The checkpoints of one run.

    Orbax writes a folder beside and renames it, so a killed save leaves no
    checkpoint of that name. A CRC-32 over all leaves is stored with them: a
    file damaged later is found on restore, not trained on.
    """

    def __init__(self, folder: Path):
        self.folder = folder.resolve()

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(int(p.name) for p in self.folder.iterdir() if p.name.isdigit())

    def save(self, step: int, tree: Any) -> None:
        """Writes the pytree (typed keys allowed) and drops all but the newest."""
        arrays = jax.device_get(_plain(tree))
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / str(step)
        ocp.save(target, {"tree": arrays, "crc": _crc(arrays)}, overwrite=True)
        for old in self.steps()[:-KEEP]:
            shutil.rmtree(self.folder / str(old), ignore_errors=True)

    def restore(self, like: Any) -> tuple[int, Any] | None:
        """The newest checkpoint that is whole, as (step, tree); None without one.

        Args:
          like: a pytree of the same structure, shapes and dtypes.

        A damaged checkpoint is reported by a warning, moved aside as
        `damaged-<step>`, and the one before is tried.
        """
        for step in reversed(self.steps()):
            try:
                return step, self._load(step, like)
            except Exception as error:  # orbax raises many kinds on damaged files
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                warnings.warn(
                    f"checkpoint {step} in {self.folder} is damaged "
                    f"({reason[:200]}); going back to the one before",
                    stacklevel=2,
                )
                aside = self.folder / f"damaged-{step}"
                shutil.rmtree(aside, ignore_errors=True)
                (self.folder / str(step)).rename(aside)
        return None

    def _load(self, step: int, like: Any) -> Any:
        plain = _plain(like)
        abstract = jax.tree.map(lambda x: np.empty(x.shape, x.dtype), plain)
        loaded = ocp.load(
            self.folder / str(step), {"tree": abstract, "crc": np.uint32(0)}
        )
        arrays = jax.tree.map(np.asarray, loaded["tree"])
        for new, old in zip(
            jax.tree.leaves(arrays), jax.tree.leaves(plain), strict=True
        ):
            if new.shape != old.shape or new.dtype != old.dtype:
                raise ValueError(f"has an array {new.shape} where {old.shape} belongs")
        if _crc(arrays) != np.uint32(loaded["crc"]):
            raise ValueError("its checksum does not match")
        return jax.tree.map(_as_key_like, like, jax.tree.map(jnp.array, arrays))


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _plain(tree: Any) -> Any:
    """Typed PRNG keys as their uint32 data."""
    return jax.tree.map(lambda x: jax.random.key_data(x) if _is_key(x) else x, tree)


def _as_key_like(like: Any, data: jax.Array) -> jax.Array:
    if not _is_key(like):
        return data
    return jax.random.wrap_key_data(data, impl=jax.random.key_impl(like))


def _crc(tree: Any) -> np.uint32:
    crc = 0
    for leaf in jax.tree.leaves(tree):
        crc = zlib.crc32(np.ascontiguousarray(leaf).tobytes(), crc)
    return np.uint32(crc)
