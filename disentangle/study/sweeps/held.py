"""What the workdir of a large study holds: which units are trained, which scored.

It is read from the files themselves, each of which says what it has: there is no second
record that could say otherwise.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from disentangle.errors import UserError
from disentangle.metrics import METRICS
from disentangle.metrics.score import choose_metrics
from disentangle.study.stages import digest
from disentangle.study.sweeps import table
from disentangle.study.sweeps.models import model_file
from disentangle.study.sweeps.plan import DIGITS, Unit

LOSSES = "training"  # the metric of the losses on the test images, at the last step


def scores_digest(section: Mapping[str, Any]) -> str:
    """How a section `score` has its metrics computed, whichever they are."""
    return digest({k: v for k, v in section.items() if k != "metrics"})[:DIGITS]


def single_metrics(section: Mapping[str, Any]) -> tuple[str, ...]:
    """The metrics of a section `score` that are of one model."""
    names = choose_metrics(section["metrics"], alone="")
    return tuple(name for name in names if METRICS[name].needs != "population")


def peer_metrics(section: Mapping[str, Any]) -> tuple[str, ...]:
    """The metrics of a section `score` that compare models."""
    names = choose_metrics(section["metrics"], alone="")
    return tuple(name for name in names if METRICS[name].needs == "population")


def losses_file(folder: Path, unit: str) -> Path:
    """Where the losses of a unit are."""
    return folder / table.FOLDER / f"{unit}.parquet"


def scores_file(folder: Path, unit: str, scores: str, metrics: Sequence[str]) -> Path:
    """Where these scores of a unit are."""
    name = digest([scores, sorted(metrics)])[:8]
    return folder / table.FOLDER / f"{unit}-{name}.parquet"


class Held:
    """What there is, as far as it has been read.

    Attributes:
      damaged: file -> what is wrong with it.
    """

    def __init__(self, folder: Path, paths: Iterable[Path]):
        self.folder = folder
        self.damaged: dict[Path, str] = {}
        self._has: dict[Path, table.About] = {}
        for path in paths:
            self.look(path)

    @classmethod
    def of(cls, folder: Path, unit: str = "") -> Self:
        """What there is of a unit; of all of them, without one."""
        found = table.results(folder)
        return cls(folder, [path for path in found if path.name.startswith(unit)])

    def look(self, path: Path) -> None:
        """Reads one file, which may be new."""
        self._has.pop(path, None)
        self.damaged.pop(path, None)
        if not path.exists():
            return
        try:
            self._has[path], _ = table.read_file(path)
        except UserError as error:
            if path.exists():
                self.damaged[path] = str(error)

    def about(self) -> Mapping[Path, table.About]:
        """File -> what it has, of those that are whole."""
        return self._has

    def is_trained(self, unit: str, held: Unit) -> bool:
        """Whether a unit's losses and parameters are there."""
        about = self._has.get(losses_file(self.folder, unit))
        ids = tuple(model.id for model in held.models)
        is_there = about is not None and about.models == ids
        return is_there and model_file(self.folder, unit).exists()

    def lacking(
        self, unit: str, models: Sequence[str], scores: str, metrics: Sequence[str]
    ) -> list[str]:
        """The metrics that no file has of these models, computed in this way."""
        has: set[str] = set()
        for about in self._has.values():
            if (about.unit, about.scores) == (unit, scores):
                has |= set(about.metrics) if about.models == tuple(models) else set()
        return [name for name in metrics if name not in has]

    def is_done(self, unit: str, held: Unit, section: Mapping[str, Any]) -> bool:
        """Whether a unit is trained and has all scores that are of one model."""
        ids = [model.id for model in held.models]
        scores, metrics = scores_digest(section), single_metrics(section)
        lacks = self.lacking(unit, ids, scores, metrics)
        return self.is_trained(unit, held) and not lacks
