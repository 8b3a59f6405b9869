"""Scores on disk: scores.json and the matrices beside it, one format for all jobs."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from disentangle.errors import UserError
from disentangle.files import read_arrays, reading, write_arrays
from disentangle.metrics.base import Result
from disentangle.metrics.score import flatten
from disentangle.records import JsonRecord
from disentangle.training.run import Run

# file -> (metric, array): matrices (D, F) of the first seed of a representation
MATRICES = {
    "importance.npz": ("dci", "importance"),
    "information.npz": ("mig", "mutual_information"),
}
OWN = ("representation", "seed")  # of a row of scores.json; the others are scores
NOT_SHARED = ("codes", "categorical")  # of how a score was computed: its own table


@dataclasses.dataclass(frozen=True)
class Scores(JsonRecord):
    """scores.json: every score of every representation and seed.

    Attributes:
      rows: "representation", "seed", and "<metric>/<part>" -> value, None for none.
      ran: metric -> how it was computed, or under "why_not" why it could not be.
    """

    FILE: ClassVar[str] = "scores.json"
    rows: list[dict[str, int | float | str | None]]
    ran: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """ "<metric>/<part>" of every score."""
        return list(dict.fromkeys(k for row in self.rows for k in row if k not in OWN))

    def tables(self) -> dict[str, np.ndarray]:
        """representation -> its scores (seeds, columns), NaN for none.

        Raises:
          UserError: a row that names no representation, or a score that is no number.
        """
        found: dict[str, list[np.ndarray]] = {}
        for row in self.rows:
            if not isinstance(row.get("representation"), str):
                raise UserError("a row names no representation")
            try:
                values = np.array([row.get(k) for k in self.columns], np.float64)
            except (OverflowError, ValueError):
                raise UserError("a score is not a number") from None
            found.setdefault(str(row["representation"]), []).append(values)
        return {name: np.array(rows) for name, rows in found.items()}

    def differences(self, one: str, other: str) -> np.ndarray:
        """(n, columns) scores of a representation less another's, seed by seed.

        Of the seeds that both have: networks of one seed share their data and start.
        """
        held = {
            (row["representation"], row.get("seed")): np.array(
                [row.get(k) for k in self.columns], np.float64
            )
            for row in self.rows
        }
        seeds = [seed for name, seed in held if name == one and (other, seed) in held]
        found = [held[one, seed] - held[other, seed] for seed in seeds]
        return np.array(found).reshape(len(found), len(self.columns))


class Matrix(NamedTuple):
    """What every code of a representation has to do with every factor."""

    matrix: np.ndarray  # (D, F)
    factors: list[str]
    codes: list[str]
    shuffled: np.ndarray | None = None  # (F,) what no code has, of shuffled factors


@dataclasses.dataclass(frozen=True, eq=False)
class Matrices:
    """importance.npz or information.npz: the matrices of the representations.

    Attributes:
      tables: representation -> its Matrix.
      entropy: (F,) nats of the factors, beside information in nats.
    """

    tables: dict[str, Matrix]
    entropy: np.ndarray | None = None

    def shares(self) -> dict[str, Matrix]:
        """The matrices over the entropy: shares I(z; y) / H(y) of each factor."""
        if self.entropy is None:
            raise UserError("it has no 'entropy'")
        return {
            name: table._replace(
                matrix=table.matrix / self.entropy,
                shuffled=None
                if table.shuffled is None
                else table.shuffled / self.entropy,
            )
            for name, table in self.tables.items()
        }

    def save(self, path: Path) -> None:
        """Writes "<representation>", "...:codes", "...:shuffled" and the rest."""
        arrays: dict[str, Any] = {}
        for name, table in self.tables.items():
            arrays |= {name: table.matrix, f"{name}:codes": np.asarray(table.codes)}
            arrays["factors"] = np.asarray(table.factors)
            if table.shuffled is not None:
                arrays[f"{name}:shuffled"] = table.shuffled
        if self.entropy is not None:
            arrays["entropy"] = self.entropy
        write_arrays(path, arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote; UserError naming the file where it is damaged."""
        arrays = read_arrays(path)
        with reading(path):
            names = [name for name in arrays if f"{name}:codes" in arrays]
            if not names:
                raise UserError("it holds no matrix with the names of its codes")
            factors = [str(name) for name in arrays["factors"]]
            tables = {
                name: Matrix(
                    arrays[name],
                    factors,
                    [str(code) for code in arrays[f"{name}:codes"]],
                    arrays.get(f"{name}:shuffled"),
                )
                for name in names
            }
            return cls(tables, arrays.get("entropy"))


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What is kept of the Result of one metric.

    Attributes:
      scores: "<metric>/<part>" -> value.
      ran: how it was computed.
      why_not: why it could not be, or "".
      arrays: the matrices of MATRICES and what is shown beside them.
    """

    scores: dict[str, float]
    ran: dict[str, Any] = dataclasses.field(default_factory=dict)
    why_not: str = ""
    arrays: dict[str, list[Any]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Scored(JsonRecord):
    """The outcomes of one representation and seed, metric by metric.

    Attributes:
      codes: D names.
    """

    representation: str
    seed: int
    codes: list[str]
    outcomes: dict[str, Outcome]

    @classmethod
    def of(
        cls,
        representation: str,
        seed: int,
        codes: Sequence[str],
        results: dict[str, Result],
    ) -> Self:
        """What is kept of the results of `score_details`."""
        kept = {metric: _kept(metric, result) for metric, result in results.items()}
        return cls(representation, seed, list(codes), kept)


def _kept(metric: str, result: Result) -> Outcome:
    wanted = {array for name, array in MATRICES.values() if name == metric}
    beside = {"entropy", "shuffled"} if wanted else set()
    arrays = {k: v.tolist() for k, v in result.arrays.items() if k in wanted | beside}
    return Outcome(flatten({metric: result}), result.metadata, result.why_not, arrays)


def scored_members(run: Run, results: Sequence[dict[str, Result]]) -> list[Scored]:
    """A Scored per living member; those that differ in the seed alone share a name."""
    return [
        Scored.of(
            member_label(run, member),
            int(run.swept[member]["seed"]),
            _code_names(run, found),
            found,
        )
        for member, found in enumerate(results)
        if run.alive[member]
    ]


def member_label(run: Run, member: int) -> str:
    """ "beta=4,seed=1" -> "beta=4"; the method's name where nothing is swept."""
    return run.population[member].label or str(run.config["method"]["name"])


def _code_names(run: Run, results: dict[str, Result]) -> list[str]:
    """z1, z2, ...; or the task of each code dimension and its number there."""
    if run.method.attributes is None:
        widths = [result.metadata.get("codes") for result in results.values()]
        width = next((width for width in widths if isinstance(width, int)), 0)
        return [f"z{i + 1}" for i in range(width)]
    seen: Counter[str] = Counter()
    names = []
    for attribute in run.method.attributes:
        seen[attribute] += 1
        names.append(f"{attribute} {seen[attribute]}")
    return names


def _matrix_rows(scored: Scored, outcome: Outcome, rows: int) -> list[str]:
    """Names of a matrix's rows: codes, or latents ("c1" a categorical one)."""
    groups = outcome.ran.get("categorical")
    if len(scored.codes) == rows or not isinstance(groups, list):
        return scored.codes
    first = {group[0]: f"c{i + 1}" for i, group in enumerate(groups)}
    inner = {column for group in groups for column in group[1:]}
    return [first.get(i, z) for i, z in enumerate(scored.codes) if i not in inner]


def keep_scores(
    folder: Path, scored: Sequence[Scored], factor_names: Sequence[str]
) -> list[str]:
    """Writes scores.json, importance.npz and information.npz into `folder`.

    The matrices are those of DCI (importance) and MIG (mutual information in nats), of
    the first seed, for whichever of the two was asked for. Those of scores that were
    replaced here are removed.

    Returns:
      The names of the files that were written.
    """
    rows: list[dict[str, Any]] = []
    ran: dict[str, dict[str, Any]] = {}
    for each in scored:
        row = {"representation": each.representation, "seed": each.seed}
        for metric, outcome in each.outcomes.items():
            row |= outcome.scores
            why = {"why_not": outcome.why_not} if outcome.why_not else {}
            if not why or metric not in ran:  # of one member, another may have it
                shared = {k: v for k, v in outcome.ran.items() if k not in NOT_SHARED}
                ran[metric] = shared | why
        rows.append(row)
    matrices = {
        file: _matrices(scored, *source, factor_names)
        for file, source in MATRICES.items()
    }
    for file, found in matrices.items():
        if found:
            found.save(folder / file)
    Scores(rows, ran).save(folder)
    for file, found in matrices.items():
        if not found:
            (folder / file).unlink(missing_ok=True)
    return [Scores.FILE, *(file for file, found in matrices.items() if found)]


def _matrices(
    scored: Sequence[Scored], metric: str, array: str, factor_names: Sequence[str]
) -> Matrices | None:
    """The matrices of one metric, the first of every representation."""
    tables: dict[str, Matrix] = {}
    entropy = None
    for each in scored:
        outcome = each.outcomes.get(metric)
        if outcome and array in outcome.arrays and each.representation not in tables:
            arrays = {k: np.asarray(rows) for k, rows in outcome.arrays.items()}
            tables[each.representation] = Matrix(
                arrays[array],
                list(outcome.ran.get("factor_names", factor_names)),
                _matrix_rows(each, outcome, len(arrays[array])),
                arrays.get("shuffled"),
            )
            entropy = arrays.get("entropy", entropy)
    return Matrices(tables, entropy) if tables else None
