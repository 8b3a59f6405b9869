"""The stages of a job: announced, timed, and kept beside the versions."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from disentangle.records import JsonRecord
from disentangle.versions import versions

Log = Callable[[str], None]
PACKAGES = ("jax", "flax", "optax", "numpy", "scipy", "scikit-learn")


@dataclasses.dataclass(frozen=True)
class Summary(JsonRecord):
    """summary.json: the seconds of every stage, and what it ran with."""

    FILE: ClassVar[str] = "summary.json"
    seconds: dict[str, float]
    versions: dict[str, str]


class StageTimer:
    """Says which stage runs and keeps its seconds in summary.json."""

    def __init__(self, folder: Path, log: Log):
        self._folder, self._log, self._stage = folder, log, ""
        self._started = 0.0

    def __call__(self, stage: str) -> "StageTimer":
        """Names the stage about to start."""
        self._stage = stage
        return self

    def __enter__(self) -> None:
        self._log(f"== {self._stage}")
        self._started = time.monotonic()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:
            return
        held = Summary.held(self._folder, "its times begin anew")
        seconds = held.seconds if held else {}
        spent = time.monotonic() - self._started
        seconds[self._stage] = round(seconds.get(self._stage, 0.0) + spent, 1)
        Summary(seconds, versions(PACKAGES)).save(self._folder)
