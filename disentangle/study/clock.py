"""The stages of a job: announced, timed, and kept beside the versions."""

import importlib.metadata
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from disentangle.files import write_json

Say = Callable[[str], None]
PACKAGES = ("disentangle", "jax", "flax", "optax", "numpy", "scipy", "scikit-learn")


def versions() -> dict[str, str]:
    """What the numbers were computed with."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version()} | found


class Clock:
    """Says which stage runs and keeps its seconds in summary.json."""

    def __init__(self, folder: Path, say: Say):
        self._path, self._say, self._stage = folder / "summary.json", say, ""
        self._started = 0.0

    def __call__(self, stage: str) -> "Clock":
        """Names the stage about to start."""
        self._stage = stage
        return self

    def __enter__(self) -> None:
        self._say(f"== {self._stage}")
        self._started = time.monotonic()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:
            return
        held = json.loads(self._path.read_text()) if self._path.exists() else {}
        seconds = held.get("seconds", {})
        spent = time.monotonic() - self._started
        seconds[self._stage] = round(seconds.get(self._stage, 0.0) + spent, 1)
        write_json(self._path, {"seconds": seconds, "versions": versions()})
