"""What is done in a workdir, and from what: a finished stage is not done again."""

import hashlib
import json
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from disentangle.errors import UserError
from disentangle.files import read_json, write_json
from disentangle.records import JsonRecord
from disentangle.training.checkpoint import Checkpoints
from disentangle.training.workdir import difference, filled


@dataclass(frozen=True)
class Begun(JsonRecord):
    """study.json: the study that a workdir is of, a name in STUDIES."""

    FILE: ClassVar[str] = "study.json"
    study: str


def begin(folder: Path, study: str, config: dict[str, Any]) -> None:
    """Writes the (checked) config of a study into its workdir, and the study's name."""
    write_json(folder / "config.json", config)
    Begun(study).save(folder)


@dataclass(frozen=True)
class Done:
    """One finished stage.

    Attributes:
      source: a digest of all that it was computed from.
      files: the CRC-32 of every file that it wrote.
    """

    source: str
    files: dict[str, int]


class Stages:
    """stages.json of a workdir: name of a stage -> its Done."""

    def __init__(self, folder: Path):
        self.folder, self._path = folder, folder / "stages.json"
        self._held: dict[str, Done] = {}
        if self._path.exists():
            try:
                self._held = read_json(self._path, dict[str, Done])
            except UserError as error:
                warnings.warn(f"{error}; its stages are done again", stacklevel=2)

    def is_done(self, stage: str, source: Any) -> bool:
        """Whether the stage was finished from this source and its files are whole."""
        held = self._held.get(stage)
        if held is None or held.source != digest(source):
            return False
        return all(crc(self.folder / name) == sum for name, sum in held.files.items())

    def once(
        self,
        stage: str,
        source: Callable[[], Any],
        work: Callable[[], Sequence[str]],
    ) -> None:
        """Does the work of a stage, unless it was finished from the same source.

        Args:
          stage: its name.
          source: gives all that it is computed from, as plain data; asked again when
            the work is done, which may have mended what it read.
          work: does it; gives the names of the files it wrote, within the workdir.
        """
        if not self.is_done(stage, source()):
            files = work()
            self.keep(stage, source(), files)

    def keep(self, stage: str, source: Any, files: Sequence[str]) -> None:
        """Records a finished stage and the files it wrote (those that exist)."""
        sums = {name: crc(self.folder / name) for name in files}
        written = {name: sum for name, sum in sums.items() if sum is not None}
        self._held[stage] = Done(digest(source), written)
        write_json(
            self._path, {name: asdict(held) for name, held in self._held.items()}
        )


def digest(source: Any) -> str:
    """SHA-256 of plain data."""
    return hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()


def crc(path: Path) -> int | None:
    """CRC-32 of a file, None without one."""
    try:
        return zlib.crc32(path.read_bytes())
    except OSError:
        return None


def data_source(config: Mapping[str, Any]) -> list[Any]:
    """What the images of a job's `data` section come from: the section, its file."""
    path = Path(config["path"]).expanduser() if config["path"] else None
    stat = path.stat() if path and path.exists() else None
    return [dict(config), stat and [stat.st_size, stat.st_mtime_ns]]


def run_source(path: Path) -> list[Any]:
    """What a trained run is: a peer's file, or its results, last step and batches."""
    if not path.is_dir():
        return [crc(path)]
    return [crc(path / "final.json"), *_steps(path)]


def trained_source(path: Path) -> list[Any]:
    """What the networks of a run are, whatever they are tested on."""
    return [crc(path / "members.json"), *_steps(path)]


def _steps(path: Path) -> list[Any]:
    """The last step that has a checkpoint, and the further batches of a run."""
    folder = path / "checkpoints"
    further = sorted(batch.name for batch in folder.glob("batch-*"))
    return [max(Checkpoints(folder).steps(), default=None), *further]


def allow_changes(
    folder: Path,
    config: dict[str, Any],
    reference: Mapping[str, Any],
    *,
    free: Sequence[str],
    own: Sequence[str],
) -> None:
    """Raises UserError for a config that cannot go on in a workdir.

    Args:
      folder: the workdir; without a config.json everything goes.
      config: the config that is wanted.
      reference: the job's defaults, for fields that a config.json of an older version
        lacks.
      free: prefixes of the fields that may change: what depends on them is done again.
      own: prefixes of the fields that the training runs inside check themselves.
    """
    path = folder / "config.json"
    if not path.exists():
        return
    known = {name: held for name, held in reference.items() if name not in own}
    held = filled(read_json(path), known)
    fixed = [
        (name, old, new)
        for name, old, new in difference(held, config)
        if not any(f"{name}.".startswith(f"{prefix}.") for prefix in (*free, *own))
    ]
    if fixed:
        lines = ", ".join(f"{k}: {old!r} -> {new!r}" for k, old, new in fixed)
        raise UserError(
            f"workdir {folder} holds a run of another config ({lines}): its networks "
            "were trained and measured with that; take another --workdir, or change "
            f"only {', '.join(free)}"
        )
