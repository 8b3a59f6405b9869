"""Pictures of a generator's own: by the values it is told, and how they grew."""

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np

from disentangle.data.factor import Factor
from disentangle.errors import UserError
from disentangle.records import ArrayRecord
from disentangle.training.load import load_run
from disentangle.training.run import Run
from disentangle.training.stages import stage_folder

NOISES, MOST = 4, 10  # draws of each value; values of a factor that are shown
SIDE = 6  # values a side of the table of two factors
PICTURES = 8  # that every stage draws
SEED = 7


@dataclasses.dataclass(frozen=True, eq=False)
class Drawn(ArrayRecord):
    """drawn.npz: pictures that the first member of a run draws.

    The noise is the same for every value and every stage.

    Attributes:
      pictures: (R, V, H, W, C), a column per value of the factor `name`, a row per
        noise with the other factors as they were drawn; of a model that is told
        nothing, draws.
      values: (V,) of the columns, "" each where the model is told nothing.
      name: () the factor, "".
      table: (V1, V2, H, W, C), the values of the first told factor from top to bottom
        and of the second from left to right; None where there is one.
      table_names: (2,); rows: (V1,) and columns: (V2,) their values.
      grown: (S, n, H, W, C), the same n pictures by every stage of the job, the first
        on top, small ones with each pixel repeated; None of a job of one stage.
      stages: (S,) what each was trained for.
    """

    FILE: ClassVar[str] = "drawn.npz"
    pictures: np.ndarray
    values: np.ndarray
    name: np.ndarray
    table: np.ndarray | None = None
    table_names: np.ndarray | None = None
    rows: np.ndarray | None = None
    columns: np.ndarray | None = None
    grown: np.ndarray | None = None
    stages: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.pictures.ndim != 5 or self.pictures.shape[1] != len(self.values):
            raise UserError("its pictures are not (R, V, H, W, C)")


def drawn_of(run: Run, workdir: Path | None = None) -> Drawn | None:
    """What the first member draws; None of a method that rebuilds pictures instead.

    Args:
      run: of the last stage.
      workdir: of the job, whose earlier stages are drawn beside it; None: the run's.
    """
    method = run.method
    if method.generate is None and (method.sample is None or method.decode):
        return None
    grown, stages = growth(run, workdir or run.workdir)
    own = {"grown": grown, "stages": stages}
    if method.generate is None:
        count = 8
        pictures = run.sample(NOISES * count, seed=SEED)[0]
        rows = pictures.reshape(NOISES, count, *pictures.shape[1:])
        return Drawn(rows, np.full(count, ""), np.asarray(""), **own)
    told = [f for f in run.spec.space.items if f.name in method.given and f.size > 1]
    if not told:
        return None
    first = told[0]
    values = shown_values(first, MOST)
    factors = _factors(run, NOISES)
    found = _over(run, factors, first.name, values)
    table = _by_two(run, factors[:1], told[0], told[1]) if len(told) > 1 else {}
    names = np.array([said(first, v) for v in values])
    return Drawn(found, names, np.asarray(first.name), **table, **own)


def _by_two(run: Run, factors: np.ndarray, up: Factor, across: Factor) -> dict:
    """The fields of Drawn that are on two factors."""
    rows, columns = shown_values(up, SIDE), shown_values(across, SIDE)
    held, cells = np.array(factors), []
    for value in rows:
        held[:, run.spec.space.position(up.name)] = value
        cells.append(_over(run, held, across.name, columns)[0])
    return {
        "table": np.stack(cells),
        "table_names": np.array([up.name, across.name]),
        "rows": np.array([said(up, v) for v in rows]),
        "columns": np.array([said(across, v) for v in columns]),
    }


def growth(
    run: Run, workdir: Path | None
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The same pictures by every stage of a job, and what the stages are called."""
    stages = run.config.get("stages") or ()
    if workdir is None or len(stages) < 2:
        return None, None
    runs = []
    for number in range(1, len(stages)):
        folder = stage_folder(workdir, number, len(stages))
        if folder.is_dir():
            runs.append((number, load_run(folder)))
    runs.append((len(stages), run))
    asked = [(n, one, _asked(one)) for n, one in runs]
    found = [(n, one, drawn) for n, one, drawn in asked if drawn is not None]
    if len(found) < 2:
        return None, None
    side = max(drawn.shape[1] for _, _, drawn in found)
    names = [f"stage {n}, {one.step:,} steps" for n, one, _ in found]
    return np.stack([_enlarged(d, side) for _, _, d in found]), np.array(names)


def shown_values(factor: Factor, most: int) -> np.ndarray:
    """At most so many values of a factor, from the first to the last."""
    count = min(most, factor.size)
    return np.unique(np.round(np.linspace(0, factor.size - 1, count)).astype(int))


def said(factor: Factor, value: int) -> str:
    """What a value is called: its word, or its number."""
    return factor.words[value] if factor.words else f"{factor.values[value]:.3g}"


def _factors(run: Run, count: int) -> np.ndarray:
    """(count, F) values drawn at random, the same at every call."""
    rng = np.random.default_rng(SEED)
    sizes = np.asarray(run.spec.space.sizes)
    return rng.integers(0, sizes, (count, len(sizes)))


def _over(run: Run, factors: np.ndarray, name: str, values: np.ndarray) -> np.ndarray:
    """(R, V, ...) pictures with one factor at each of the values, a noise per row."""
    wanted, columns = np.array(factors), []
    for value in values:
        wanted[:, run.spec.space.position(name)] = value
        columns.append(run.generate(wanted, seed=SEED)[0])
    return np.stack(columns, axis=1)


def _asked(run: Run) -> np.ndarray | None:
    """(n, H, W, C) by one stage; None where it draws nothing."""
    if run.method.generate is not None:
        return run.generate(_factors(run, PICTURES), seed=SEED)[0]
    if run.method.sample is not None:
        return run.sample(PICTURES, seed=SEED)[0]
    return None


def _enlarged(pictures: np.ndarray, side: int) -> np.ndarray:
    """Pictures whose pixels are repeated up to a height."""
    times = max(1, side // pictures.shape[1])
    return pictures.repeat(times, axis=1).repeat(times, axis=2)
