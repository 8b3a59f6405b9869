"""Checkpoints: one folder a step, whole or not there, newest valid one wins."""

import errno
import os
import shutil
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from orbax.checkpoint import v1 as ocp

from disentangle.errors import UserError
from disentangle.files import read_json, write_json

KEEP = 3


class Checkpoints:
    """The checkpoints of one run, as flat tables {path of the leaf: array}.

    Orbax writes a folder beside and renames it, so a killed save leaves no
    checkpoint of that name. A list of its files with their CRC-32, written
    last, stands beside it: a file damaged later, or a save killed before the
    list, is found on restore, not trained on.
    """

    def __init__(self, folder: Path):
        self.folder = folder.resolve()

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(int(p.name) for p in self.folder.iterdir() if p.name.isdigit())

    def save(self, step: int, tree: Any) -> None:
        """Writes the pytree (typed keys allowed) and drops all but the newest.

        Raises:
          OSError: ENOSPC if the disk is full; the older checkpoints stay.
        """
        leaves = jax.device_get(_leaves(tree))
        self.folder.mkdir(parents=True, exist_ok=True)
        size = sum(leaf.nbytes for leaf in leaves.values())
        if shutil.disk_usage(self.folder).free < size:  # orbax would fail untidily
            full = os.strerror(errno.ENOSPC)
            raise OSError(errno.ENOSPC, full, str(self.folder / str(step)))
        target = self.folder / str(step)
        self._list(step).unlink(missing_ok=True)
        ocp.save(target, leaves, overwrite=True)
        write_json(self._list(step), _sums(target))
        for old in self.steps()[:-KEEP]:
            shutil.rmtree(self.folder / str(old), ignore_errors=True)
            self._list(old).unlink(missing_ok=True)

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
            path = self.folder / str(step)
            damage = self._damage(step)
            if not damage:
                return step, _rebuild(like, ocp.load(path), path)
            warnings.warn(
                f"checkpoint {step} in {self.folder} is damaged ({damage}); going "
                "back to the one before",
                stacklevel=2,
            )
            if mend:
                aside = self.folder / f"damaged-{step}"
                shutil.rmtree(aside, ignore_errors=True)
                path.rename(aside)
        return None

    def _list(self, step: int) -> Path:
        return self.folder / f"{step}.files.json"

    def _damage(self, step: int) -> str:
        """What is wrong with a checkpoint's files; "" for nothing."""
        try:
            expected = read_json(self._list(step))
        except UserError:
            return "its list of files is missing or damaged"
        found = _sums(self.folder / str(step))
        for name, crc in expected.items():
            if found.get(name) != crc:
                return f"its file {name} is {'changed' if name in found else 'missing'}"
        return ""


def _sums(folder: Path) -> dict[str, int]:
    """{file: CRC-32 of its bytes} of everything below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): zlib.crc32(p.read_bytes()) for p in files}


def _leaves(tree: Any) -> dict[str, Any]:
    """{path: leaf}, typed PRNG keys as their uint32 data."""
    return {_name(p): _raw(x) for p, x in jax.tree_util.tree_leaves_with_path(tree)}


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _raw(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _rebuild(like: Any, leaves: Mapping[str, Any], path: Path) -> Any:
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
