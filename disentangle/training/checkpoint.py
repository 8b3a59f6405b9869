"""Checkpoints: one folder per step, proved before it counts, newest whole one wins."""

import errno
import math
import os
import re
import shutil
import threading
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from orbax.checkpoint import v1 as ocp

from disentangle.errors import UserError
from disentangle.files import clear_leftovers, read_json, write_json
from disentangle.training.orbax_context import alone, meet, plain

KEEP = 3
STEP = re.compile(r"0|[1-9][0-9]{0,17}")
LIST = re.compile(rf"({STEP.pattern})\.files\.json")
ASIDE = "damaged-"
TMP = ".orbax-checkpoint-tmp"
ORBAX = threading.Lock()  # two saves at once, of two threads, hear each other's signals


class Found(NamedTuple):
    """What there is of one checkpoint."""

    leaves: dict[str, Any]
    damage: str  # "" for none


class Checkpoints:
    """The checkpoints of one run, as flat tables {path of the leaf: array}.

    A save is made beside, loaded back and compared bit for bit; then a list of its
    files with their CRC-32 is written, and last it gets its name. So a step that has
    a folder has a list, a killed save leaves no checkpoint, and a file damaged later
    is found on restore, not trained on.

    Raises:
      UserError: the path holds characters that the library underneath takes for a
        pattern, and no link without them can be made.
    """

    def __init__(self, folder: Path):
        self.folder = Path(os.path.abspath(folder))
        with plain(self.folder):
            pass

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, oldest first."""
        if not self.folder.is_dir():
            return []
        names = [path.name for path in self.folder.iterdir()]
        return sorted(int(name) for name in names if STEP.fullmatch(name))

    def save(self, step: int, tree: Any) -> None:
        """Writes the pytree (typed keys allowed) and drops all but the newest.

        Processes that were joined all call it, and process 0 does the rest.

        Raises:
          OSError: ENOSPC if the disk is full; the older checkpoints stay.
          UserError: it could not be written, or does not come back as it was.
        """
        leads = jax.process_index() == 0
        leaves = jax.device_get(_leaves(tree))
        leaves = {name: leaf for name, leaf in leaves.items() if leaf.size}
        staged, target = self.folder / f"saving-{step}", self.folder / str(step)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            size = sum(leaf.nbytes for leaf in leaves.values())
            if shutil.disk_usage(self.folder).free < size:  # orbax fails untidily
                full = os.strerror(errno.ENOSPC)
                raise OSError(errno.ENOSPC, full, str(target))
            if leads:
                _remove(staged)
            with ORBAX, plain(self.folder) as folder:
                ocp.save(folder / staged.name, leaves)
                with alone():
                    refuse_change(leaves, ocp.load(folder / staged.name))
            meet(f"saved-{step}")
            if not leads:
                return
            if target.exists():
                _remove(target.rename(self.folder / f"saving-{step}-before"))
            if self._list(step).is_dir():
                _remove(self._list(step))
            write_json(self._list(step), _sums(staged))
            staged.rename(target)
        except OSError as error:
            error.filename = error.filename or str(target)
            raise
        except Exception as error:  # whatever the libraries underneath raise
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"cannot save checkpoint {target}: {reason}") from error
        finally:
            if leads:
                _remove(staged)
        self._drop(step)

    def restore(
        self, like: Any, *, mend: bool, grows: tuple[str, ...] = ()
    ) -> tuple[int, Any] | None:
        """The newest checkpoint that is whole, as (step, tree); None without one.

        Args:
          like: a pytree of arrays or shapes; it may be a part of what was saved,
            under the same names.
          mend: remove what killed saves left, and move damaged checkpoints aside as
            `damaged-<step>`, to be removed when a later one is saved (the owner of
            the run does; a reader must not).
          grows: paths of subtrees whose arrays may be larger in `like` than they were
            saved, or not there: the rest is zeros.

        Damaged checkpoints are reported by one warning that says what happens.

        Raises:
          UserError: a whole checkpoint holds other arrays than `like`; a reader finds
            damaged ones only.
        """
        if mend:
            self._sweep()
        damaged: dict[int, str] = {}
        step, found = self._newest(damaged, mend)
        while not mend and damaged and self.steps()[-1:] != [max([*damaged, step])]:
            damaged.clear()  # the owner saved and dropped meanwhile: look again
            step, found = self._newest(damaged, mend)
        if damaged:
            self._report(damaged, step if found else None, mend)
        if mend:
            self._drop(step)
        if not found:
            return None
        return step, _rebuild(like, found, self.folder / str(step), grows)

    def follow(self, step: int) -> None:
        """Reads what process 0 restored: joined processes are to do the same with
        orbax, which counts what is done."""
        with ORBAX, alone(), plain(self.folder) as folder:
            ocp.load(folder / str(step))

    def _newest(
        self, damaged: dict[int, str], mend: bool
    ) -> tuple[int, dict[str, Any] | None]:
        """The newest whole step and its leaves, or (-1, None); fills `damaged`."""
        for step in reversed(self.steps()):
            found = self._load(step)
            if not found.damage:
                return step, found.leaves
            damaged[step] = found.damage
            if mend:
                aside = self.folder / f"{ASIDE}{step}"
                _remove(aside)
                (self.folder / str(step)).rename(aside)
                _remove(self._list(step))
        return -1, None

    def _report(self, damaged: dict[int, str], step: int | None, mend: bool) -> None:
        """Warns of damage and says what happens now."""
        what = "; ".join(
            f"checkpoint {number} in {self.folder} is damaged ({damage})"
            for number, damage in damaged.items()
        )
        if step is not None:
            warnings.warn(f"{what}; going back to the one before, {step}", stacklevel=3)
        elif mend:
            warnings.warn(
                f"{what}; there is no other, training begins again at step 0",
                stacklevel=3,
            )
        else:
            raise UserError(f"{what}; there is no other")

    def _load(self, step: int) -> Found:
        """The leaves of a checkpoint whose files are as they were saved."""
        path = self.folder / str(step)
        try:
            expected = read_json(self._list(step), dict[str, int])
        except UserError:
            return Found({}, "its list of files is missing or damaged")
        try:
            found = _sums(path)
            for name in expected.keys() | found.keys():
                if found.get(name) != expected.get(name):
                    lost = "missing" if name not in found else "changed"
                    return Found({}, f"its file {name} is {lost}")
            if not found:
                return Found({}, "it has no files")
            with ORBAX, alone(), plain(self.folder) as folder:
                return Found(ocp.load(folder / str(step)), "")
        except Exception as error:  # whatever the libraries underneath raise
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            return Found({}, reason)

    def _drop(self, newest: int) -> None:
        """Removes checkpoints beyond KEEP, and damaged ones that `newest` replaces."""
        for old in self.steps()[:-KEEP]:
            (self.folder / str(old)).rename(self.folder / f"saving-{old}-before")
            _remove(self.folder / f"saving-{old}-before")
            _remove(self._list(old))
        for path in self.folder.glob(f"{ASIDE}*"):
            number = path.name.removeprefix(ASIDE)
            if STEP.fullmatch(number) and int(number) <= newest:
                _remove(path)

    def _sweep(self) -> None:
        """Removes what killed saves left; only the owner of the run may."""
        if not self.folder.is_dir():
            return
        clear_leftovers(self.folder)
        steps = self.steps()
        for path in list(self.folder.iterdir()):
            listed = LIST.fullmatch(path.name)
            is_unfinished = path.name.startswith("saving-") or TMP in path.name
            if is_unfinished or (listed and int(listed[1]) not in steps):
                _remove(path)

    def _list(self, step: int) -> Path:
        return self.folder / f"{step}.files.json"


def refuse_change(saved: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Raises ValueError unless both tables hold the same arrays, bit for bit."""
    for name, leaf in saved.items():
        back = found.get(name)
        if back is None:
            raise ValueError(f"{name} was not kept")
        back = np.asarray(back)
        if (back.shape, back.dtype) != (leaf.shape, leaf.dtype):
            raise ValueError(f"{name} came back as {back.dtype} {back.shape}")
        if back.tobytes() != np.asarray(leaf).tobytes():
            raise ValueError(f"{name} came back with other values")


def _remove(path: Path) -> None:
    """Removes a file or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sums(folder: Path) -> dict[str, int]:
    """{file: CRC-32 of its bytes} of everything below a folder, hidden files apart."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    files = [path for path in files if not path.name.startswith(".")]
    return {
        path.relative_to(folder).as_posix(): zlib.crc32(path.read_bytes())
        for path in files
    }


def _leaves(tree: Any) -> dict[str, Any]:
    """{path: leaf}, typed PRNG keys as their uint32 data."""
    return {leaf_name(p): _raw(x) for p, x in jax.tree_util.tree_leaves_with_path(tree)}


def leaf_name(path: Any) -> str:
    """The name of a leaf by its path, such as "state.params.encoder.kernel"."""
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _raw(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _rebuild(
    like: Any, leaves: Mapping[str, Any], path: Path, grows: tuple[str, ...]
) -> Any:
    """`leaves` in the structure of `like`; below `grows` zeros are put behind them."""

    def leaf(where: Any, expected: Any) -> jax.Array:
        found, shape = leaves.get(leaf_name(where)), jax.eval_shape(_raw, expected)
        if found is None and not math.prod(shape.shape):  # orbax keeps no empty array
            found = np.zeros(shape.shape, shape.dtype)
        if f"{leaf_name(where)}.".startswith(tuple(f"{name}." for name in grows)):
            found = _grown(found, shape)
        if found is None or (found.shape, found.dtype) != (shape.shape, shape.dtype):
            held = "nothing" if found is None else f"{found.dtype} {found.shape}"
            raise UserError(
                f"checkpoint {path} is of another program: it holds {held} where "
                f"{leaf_name(where)} is {shape.dtype} {shape.shape}"
            )
        data = jnp.array(found)
        return jax.random.wrap_key_data(data) if _is_key(expected) else data

    return jax.tree_util.tree_map_with_path(leaf, like)


def _grown(found: Any, shape: Any) -> Any:
    """`found` with zeros behind it up to a shape, if it fits into that at all."""
    found = np.zeros((0,) * len(shape.shape)) if found is None else np.asarray(found)
    room = [b - a for a, b in zip(found.shape, shape.shape, strict=False)]
    if found.ndim != len(shape.shape) or min(room, default=0) < 0:
        return found
    return np.pad(found, [(0, more) for more in room]).astype(shape.dtype)
