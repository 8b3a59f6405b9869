"""What a run remembers of its data set: enough to encode, and to know it again."""

import dataclasses
import warnings
from collections.abc import Iterator
from pathlib import Path

from disentangle.data.dataset import Dataset
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.files import read_json, write_json

FILE = "data.json"
LARGEST = 2**16  # pixels a side


@dataclasses.dataclass(frozen=True)
class DataSpec:
    """The data set a run was trained on.

    Attributes:
      name: its name.
      space: its factors.
      shape: (H, W, C) of an image.
      max_value: largest pixel value, in 1 .. 255.
      digest: hash of its content, `Dataset.digest`; "" where it is not known.
      others: the data sets beside it, by name.
    """

    name: str
    space: FactorSpace
    shape: tuple[int, int, int]
    max_value: int
    digest: str = ""
    others: dict[str, "DataSpec"] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        sides_are_whole = min(self.shape) >= 1 and max(self.shape) <= LARGEST
        if not sides_are_whole or not 1 <= self.max_value <= 255:
            raise UserError(f"images of {self.shape} up to {self.max_value} are none")


@dataclasses.dataclass(frozen=True)
class SpecFile:
    """A DataSpec as data.json holds it, its `max_value` as "peak"."""

    name: str
    space: FactorSpace
    shape: tuple[int, int, int]
    peak: int
    digest: str = ""
    others: dict[str, "SpecFile"] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.spec()

    def spec(self) -> DataSpec:
        """What it says."""
        others = {name: other.spec() for name, other in self.others.items()}
        return DataSpec(
            self.name, self.space, self.shape, self.peak, self.digest, others
        )


def data_spec(data: Dataset) -> DataSpec:
    """What a run on this data set remembers."""
    others = {name: data_spec(other) for name, other in data.others.items()}
    return DataSpec(
        data.name, data.space, data.shape, data.max_value, data.digest, others
    )


def read_spec(path: Path) -> DataSpec:
    """The DataSpec that `write_spec` wrote.

    Raises:
      UserError: naming the file, if there is none or it is damaged.
    """
    return read_json(path, SpecFile).spec()


def refuse_other_data(folder: Path, new: DataSpec) -> None:
    """Raises UserError if the workdir was started with other data; writes nothing.

    A data.json of an older version has no hash: that is said by a warning, and the
    rest is compared.
    """
    if not (folder / FILE).exists():
        return
    held = read_spec(folder / FILE)
    changes = "; ".join(differences(held, new))
    if changes:
        raise UserError(
            f"workdir {folder} holds a run on other data ({changes}): give another "
            "workdir"
        )
    if not held.digest:
        warnings.warn(
            f"{folder / FILE} is of an older version and does not say what the "
            "images were: they are taken to be these",
            stacklevel=3,
        )


def write_spec(path: Path, spec: DataSpec) -> None:
    """Writes it as JSON; errors as `files.write_text`."""
    write_json(path, dataclasses.asdict(spec_file(spec)))


def spec_file(spec: DataSpec) -> SpecFile:
    """The same as data.json holds it."""
    others = {name: spec_file(other) for name, other in spec.others.items()}
    return SpecFile(
        spec.name, spec.space, spec.shape, spec.max_value, spec.digest, others
    )


def keep_spec(folder: Path, new: DataSpec) -> None:
    """Writes data.json, unless it says this already."""
    if not (folder / FILE).exists() or read_spec(folder / FILE) != new:
        write_spec(folder / FILE, new)


def differences(held: DataSpec, new: DataSpec) -> Iterator[str]:
    """In what two data sets differ, as "what: old -> new"; nothing if they are one."""
    pairs = {
        "name": (held.name, new.name),
        "factors": (_factors(held.space), _factors(new.space)),
        "image shape": (held.shape, new.shape),
        "largest pixel value": (held.max_value, new.max_value),
    }
    changed = {what: pair for what, pair in pairs.items() if pair[0] != pair[1]}
    if not changed and held.space != new.space:
        changed = {"factors": ("others", "with other values, turns or symmetries")}
    if not changed and held.digest and new.digest and held.digest != new.digest:
        changed = {"hash of the images": (held.digest[:8], new.digest[:8])}
    if not changed and held.others != new.others:
        names = (", ".join(held.others) or "none", ", ".join(new.others) or "none")
        changed = {"data sets beside it": names}
    for what, (old, now) in changed.items():
        yield f"{what}: {old} -> {now}"


def _factors(space: FactorSpace) -> str:
    named = (f"{f.name} ({f.size}, {f.kind})" for f in space.items)
    return ", ".join(named)
