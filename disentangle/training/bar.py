"""The progress bar of a run, and chunks of steps that are short enough for it."""

import time
from collections.abc import Mapping

import numpy as np

from disentangle.progress import Progress

CHUNK_SECONDS = 1.0  # how often the progress bar moves


class Bar:
    """The progress bar of a run, and chunks short enough for it to move.

    Args:
      shown: the bar, which batches of members share; its owner closes it.
      weight: units of the bar that a step of these members is.
    """

    def __init__(self, shown: Progress, weight: int = 1):
        self._bar, self._weight = shown, weight
        self._rate = 8.0  # steps a chunk, adapted to CHUNK_SECONDS
        self._last = time.monotonic()

    def clip(self, n: int) -> int:
        """At most what fits in a chunk."""
        return max(1, min(n, int(self._rate)))

    def advance(self, n: int) -> None:
        """Counts n steps done and adapts the chunk."""
        now = time.monotonic()
        measured = n * CHUNK_SECONDS / max(now - self._last, 1e-6)
        self._rate = min(max(measured, 1.0), 2 * self._rate + 1)
        self._last = now
        self._bar.advance(n * self._weight)

    def note(self, values: Mapping[str, np.ndarray]) -> None:
        """Shows the losses behind the bar, the mean over the members."""
        self._bar.note(
            {k: float(v.mean()) for k, v in values.items() if "loss" in k and v.size}
        )
