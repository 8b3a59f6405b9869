"""The files of the oracle: a finished seed, one in the middle, the scores of codes."""

import dataclasses
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.errors import UserError
from disentangle.files import read_arrays, reading, write_arrays
from disentangle.metrics import Settings, flatten, score_details
from disentangle.metrics.base import Result
from disentangle.metrics.importance import disentanglement
from disentangle.oracle import train
from disentangle.progress import Progress
from disentangle.records import ArrayRecord, JsonRecord

PARTIAL = "partial-{}.npz"
OWN = "own/"  # before the scores of a group's own factors


@dataclasses.dataclass(frozen=True, eq=False)
class SeedResult(ArrayRecord):
    """seed-S.npz: what training all groups of one seed left.

    Attributes:
      groups: (G, N) bool.
      validation, test, steps: (G, N) float32, NaN where a task is not in the group:
        the least validation loss, the test loss there, and the step.
      codes: (G, M, z) float32, of the images that are scored, by the encoder with the
        least mean validation loss.

    Raises:
      UserError: the shapes do not go together.
    """

    FILE: ClassVar[str] = "seed-0.npz"
    groups: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    steps: np.ndarray
    codes: np.ndarray

    def __post_init__(self) -> None:
        shape = self.groups.shape
        for values in (self.validation, self.test, self.steps):
            if values.shape != shape:
                raise UserError(f"losses have shape {values.shape}, groups {shape}")
        if self.codes.ndim != 3 or len(self.codes) != len(self.groups):
            raise UserError(f"codes have shape {self.codes.shape}")

    @staticmethod
    def name(seed: int) -> str:
        """The file of a seed."""
        return f"seed-{seed}.npz"


@dataclasses.dataclass(frozen=True)
class GroupScores(JsonRecord):
    """scores-S.json: the scores of the codes of every group.

    Attributes:
      columns: "<metric>/<part>" of all factors, and after "own/" of the factors of the
        group's own tasks.
      rows: a value per column for each of the G groups; None where there is none.
      ran: metric -> how it was computed.

    Raises:
      UserError: rows of another length.
    """

    FILE: ClassVar[str] = "scores-0.json"
    columns: list[str]
    rows: list[list[float | None]]
    ran: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise UserError("a row has more or fewer values than there are columns")

    @staticmethod
    def name(seed: int) -> str:
        """The file of a seed."""
        return f"scores-{seed}.json"

    @property
    def values(self) -> dict[str, np.ndarray]:
        """Column -> (G,) float64, NaN for None."""
        table = np.array(
            [[math.nan if v is None else v for v in row] for row in self.rows], float
        ).reshape(-1, len(self.columns))
        return dict(zip(self.columns, table.T, strict=True))


def write_partial(path: Path, source: str, state: train.State) -> None:
    """Writes the state of a seed in the middle.

    Args:
      path: of the file.
      source: a digest of what it is trained from.
      state: all of it.
    """
    leaves = jax.device_get(jax.tree.leaves(state))
    arrays = {f"leaf-{i}": leaf for i, leaf in enumerate(leaves)}
    write_arrays(path, arrays | {"source": np.array(source)})


def read_partial(
    path: Path, source: str, program: train.Program, groups: jax.Array
) -> train.State | None:
    """The state that `write_partial` wrote; None if there is none of this source.

    A damaged file is reported by a warning.
    """
    if not path.exists():
        return None
    begun = lambda: train.begin(program, groups, jnp.uint32(0))
    wanted, tree = jax.tree.flatten(jax.eval_shape(begun))
    try:
        held = read_arrays(path)
        with reading(path):
            if str(held["source"]) != source:
                return None
            leaves = [held[f"leaf-{i}"] for i in range(len(wanted))]
            for leaf, asked in zip(leaves, wanted, strict=True):
                if (leaf.shape, leaf.dtype) != (asked.shape, asked.dtype):
                    raise UserError("its arrays are of another network")
    except UserError as error:
        warnings.warn(f"{error}; the seed begins anew", stacklevel=2)
        return None
    return jax.tree.unflatten(tree, [jnp.asarray(leaf) for leaf in leaves])


def score_groups(
    held: SeedResult,
    factors: np.ndarray,
    names: Sequence[str],
    columns: Sequence[int],
    score: Mapping[str, Any],
    bar: Progress,
) -> GroupScores:
    """The scores of all groups' codes.

    Args:
      held: the seed.
      factors: (M, F) of the scored images.
      names: the F factors.
      columns: the factor of each of the N tasks.
      score: the section `score` of the config.
      bar: told of each encoder.
    """
    settings = Settings(score["seed"], score["backend"], protocol=score["protocol"])
    found: list[dict[str, float]] = []
    ran: dict[str, dict[str, Any]] = {}
    for group, codes in zip(held.groups, held.codes, strict=True):
        results = score_details(
            codes,
            factors,
            score["metrics"],
            settings,
            num_train=score["num_train"],
            num_test=score["num_test"],
            factor_names=names,
        )
        own = sorted({int(columns[task]) for task in np.flatnonzero(group).tolist()})
        found.append(flatten(results) | own_scores(results, own))
        ran |= {name: dict(result.metadata) for name, result in results.items()}
        bar.advance()
    listed = list(dict.fromkeys(key for one in found for key in one))
    rows = [
        [
            None if math.isnan(v := one.get(key, math.nan)) else float(v)
            for key in listed
        ]
        for one in found
    ]
    return GroupScores(listed, rows, ran)


def own_scores(results: Mapping[str, Result], own: Sequence[int]) -> dict[str, float]:
    """DCI disentanglement and MIG of some factors only, from what was computed.

    A predictor is fitted per factor, so that leaving factors out needs no other fit.
    Of one factor there is no disentanglement.

    Args:
      results: metric -> its result for all factors.
      own: the columns of the factors.
    """
    found = {}
    for name in ("dci", "dci_lasso", "dci_forest"):
        if name in results and "importance" in results[name].arrays and len(own) > 1:
            importance = results[name].arrays["importance"][:, list(own)]
            found[f"{OWN}{name}/disentanglement"] = disentanglement(importance)
    if "mig" in results and "score" in results["mig"].per_factor:
        each = results["mig"].per_factor["score"]
        found[f"{OWN}mig/score"] = float(np.mean([each[column] for column in own]))
    return found
