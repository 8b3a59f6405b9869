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

from disentangle.errors import UserError

KEEP = 3


class Checkpoints:
    """The checkpoints of one run, as flat tables {path of the leaf: array}.

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
        leaves = jax.device_get(_leaves(tree))
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / str(step)
        ocp.save(target, {"leaves": leaves, "crc": _crc(leaves)}, overwrite=True)
        for old in self.steps()[:-KEEP]:
            shutil.rmtree(self.folder / str(old), ignore_errors=True)

    def restore(self, like: Any, *, mend: bool) -> tuple[int, Any] | None:
        """The newest checkpoint that is whole, as (step, tree); None without one.

        Args:
          like: a pytree of arrays or shapes; it may be a part of what was saved,
            under the same names.
          mend: move damaged checkpoints aside as `damaged-<step>` (the owner of
            the run does; a reader must not).

        A damaged checkpoint is reported by a warning and the one before tried.

        Raises:
          UserError: if a whole checkpoint holds other arrays than `like`.
        """
        for step in reversed(self.steps()):
            try:
                leaves = self._load(step)
            except Exception as error:  # orbax raises many kinds on damaged files
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                warnings.warn(
                    f"checkpoint {step} in {self.folder} is damaged "
                    f"({reason[:200]}); going back to the one before",
                    stacklevel=2,
                )
                if mend:
                    self._set_aside(step)
            else:
                return step, _rebuild(like, leaves, self.folder / str(step))
        return None

    def _load(self, step: int) -> dict[str, np.ndarray]:
        loaded = ocp.load(self.folder / str(step))
        leaves = {name: np.asarray(leaf) for name, leaf in loaded["leaves"].items()}
        if _crc(leaves) != np.asarray(loaded["crc"]):
            raise ValueError("its checksum does not match")
        return leaves

    def _set_aside(self, step: int) -> None:
        aside = self.folder / f"damaged-{step}"
        shutil.rmtree(aside, ignore_errors=True)
        (self.folder / str(step)).rename(aside)


def _leaves(tree: Any) -> dict[str, Any]:
    """{path: leaf}, typed PRNG keys as their uint32 data."""
    return {_name(p): _raw(x) for p, x in jax.tree_util.tree_leaves_with_path(tree)}


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _raw(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _rebuild(like: Any, leaves: dict[str, np.ndarray], path: Path) -> Any:
    """`leaves` in the structure of `like`."""

    def leaf(where: Any, expected: Any) -> jax.Array:
        found, shape = leaves.get(_name(where)), jax.eval_shape(_raw, expected)
        if found is None or (found.shape, found.dtype) != (shape.shape, shape.dtype):
            held = "nothing" if found is None else f"{found.dtype} {found.shape}"
            raise UserError(
                f"checkpoint {path} is of another program: it holds {held} where "
                f"{_name(where)} is {shape.dtype} {shape.shape}"
            )
        data = jnp.array(found)
        return jax.random.wrap_key_data(data) if _is_key(expected) else data

    return jax.tree_util.tree_map_with_path(leaf, like)


def _crc(leaves: dict[str, np.ndarray]) -> np.ndarray:
    crc = 0
    for name in sorted(leaves):
        crc = zlib.crc32(name.encode(), crc)
        crc = zlib.crc32(np.ascontiguousarray(leaves[name]).tobytes(), crc)
    return np.asarray(crc, np.uint32)
