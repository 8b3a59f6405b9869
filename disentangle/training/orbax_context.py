"""How orbax is called: with paths that it takes as they are, by one process or all."""

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
from jax.experimental import multihost_utils
from orbax.checkpoint import v1 as ocp

from disentangle.errors import UserError

# Paths that orbax and TensorStore take as they are: [...] is a pattern to the one, a
# backslash a folder to the other.
PLAIN = re.compile(r"[\w\s./@+=,:~-]*")


def meet(where: str) -> None:
    """Waits for the processes that this one is joined with."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(where)


def alone() -> contextlib.AbstractContextManager[Any]:
    """Where orbax does not wait for the processes that this one is joined with."""
    if jax.process_count() == 1:
        return contextlib.nullcontext()
    context, own = ocp.Context(), jax.process_index()
    context.multiprocessing.primary_host = own
    context.multiprocessing.active_processes = {own}
    context.multiprocessing.barrier_sync_key_prefix = f"of-{own}"
    return context


@contextlib.contextmanager
def plain(folder: Path) -> Iterator[Path]:
    """The folder by a path that nothing takes for a pattern; a link where it has none.

    Raises:
      UserError: no such link can be made.
    """
    if PLAIN.fullmatch(folder.as_posix()):
        yield folder
        return
    if jax.process_count() > 1:  # whose links would have other names
        raise UserError(
            f"joined processes cannot keep checkpoints in {folder}: its path has a "
            "character other than letters, digits, spaces and ./@+=,:~-_"
        )
    places = [p for p in (tempfile.gettempdir(), "/tmp") if PLAIN.fullmatch(p)]
    with contextlib.ExitStack() as stack:
        try:
            made = tempfile.TemporaryDirectory(dir=places[0], prefix="disentangle-")
            link = Path(stack.enter_context(made)) / "checkpoints"
            link.symlink_to(folder, target_is_directory=True)
        except (OSError, IndexError):
            raise UserError(
                f"checkpoints cannot be kept in {folder}: its path has a character "
                "other than letters, digits, spaces and ./@+=,:~-_"
            ) from None
        yield link
