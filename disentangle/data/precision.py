"""One precision for every program, whatever JAX_ENABLE_X64 says."""

import contextlib
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def float32() -> Iterator[None]:
    """Programs traced in its body are those of JAX's default, 32 bits wide.

    With JAX_ENABLE_X64=1 the same model would otherwise be another program, with
    other bits, and some of its parts would mix precisions. Also a decorator.
    """
    with jax.enable_x64(False):
        yield
