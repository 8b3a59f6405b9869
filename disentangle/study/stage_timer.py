"""The stages of a job: announced, timed, and kept beside the versions."""

import dataclasses
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from disentangle.errors import UserError
from disentangle.files import read_json, write_json
from disentangle.versions import versions

Log = Callable[[str], None]
PACKAGES = ("jax", "flax", "optax", "numpy", "scipy", "scikit-learn")


@dataclasses.dataclass(frozen=True)
class Summary:
    """What summary.json holds."""

    seconds: dict[str, float]
    versions: dict[str, str]


class StageTimer:
    """Says which stage runs and keeps its seconds in summary.json."""

    def __init__(self, folder: Path, log: Log):
        self._path, self._log, self._stage = folder / "summary.json", log, ""
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
        seconds = self._held()
        spent = time.monotonic() - self._started
        seconds[self._stage] = round(seconds.get(self._stage, 0.0) + spent, 1)
        write_json(self._path, {"seconds": seconds, "versions": versions(PACKAGES)})

    def _held(self) -> dict[str, float]:
        """The seconds kept so far; a damaged file is reported and begun anew."""
        if not self._path.exists():
            return {}
        try:
            return read_json(self._path, Summary).seconds
        except UserError as error:
            warnings.warn(f"{error}; its times begin anew", stacklevel=3)
            return {}
