"""Host memory that JAX takes on the CPU as it is."""

from typing import Any

import numpy as np


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialised NumPy array that JAX can take on the CPU without a copy.

    JAX aliases host memory only where it starts on a multiple of 64 bytes, which
    `np.empty` does not promise; for a table of 5.9 GB the second copy matters.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = np.empty(size + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(dtype).reshape(shape)
