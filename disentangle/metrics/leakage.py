"""Leakage: is a factor also in the part of the code that is not meant for it?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.class_probe import SAYS, probe_accuracy
from disentangle.metrics.explicitness import standardised
from disentangle.metrics.labels import matched
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.parallel import in_threads
from disentangle.metrics.protocols import NOT_THERE, Protocols


def owned(attributes: Sequence[str], factor: str) -> np.ndarray:
    """(D,) bool, the columns that are of a factor, also together with others.

    Args:
      attributes: (D,) as in `Blocks`.
      factor: its name.
    """
    owners = [[one.partition(":")[0] for one in name.split("+")] for name in attributes]
    return np.array([factor in own for own in owners], bool)


@dataclass(frozen=True)
class Blocks:
    """Codes of a method that fixes which of their columns are of which factor.

    Attributes:
      table: the codes.
      attributes: D names, "shape", "shape:2" (bins of neighbouring values) or
        "shape+size" (several together); others are of no factor.
    """

    table: Representation
    attributes: tuple[str, ...]

    def columns(self, factor: str) -> np.ndarray:
        """(D,) bool, the columns that are of a factor, also together with others."""
        return owned(self.attributes, factor)


def leakage(blocks: Blocks, settings: Settings) -> Result:
    r"""Test accuracy of naming a factor from its own columns, and from all the others.

    $$
    \mathrm{own}_j = P[f_j(z_{S_j}) = y_j], \qquad
    \mathrm{rest}_j = P[g_j(z_{\setminus S_j}) = y_j]
    $$

    Of every factor j that has columns of its own (`Method.attributes`) a perceptron
    (`class_probe.py`) is fitted to these, and two to the rest of the code: "rest", the
    codes as they are, which is the convention (Jha et al. 2018, whose z is the mean);
    "rest_standardised", every column over its deviation. What a perceptron finds
    depends on the scale of the columns: a class that is in columns of a small deviation
    is read from standardised codes alone. "chance" is the share of the test rows with
    the commonest value. `benchmarks/class_leakage.py` also asks a draw of the
    posterior, which hides what the decoder does not see.

    Args:
      blocks: a table and whose its columns are.
      settings: reads `seed`, `threads`, `progress`.

    Returns:
      the parts as means over the factors with columns of their own, each per factor
      too, NaN for a factor without. Both protocols are this one.

    Raises:
      UserError: no test rows, or no factor with columns of its own and others.
    """
    table = blocks.table
    table.need_test_rows("leakage")
    own = [blocks.columns(name) for name in table.factor_names]
    asked = [j for j, mask in enumerate(own) if mask.any() and not mask.all()]
    if not asked:
        raise UserError(
            "leakage asks whether a factor is in the columns of others, and no factor "
            "has some columns of the code for its own: " + ", ".join(table.factor_names)
        )
    plain = (table.codes, table.test_codes)
    codes = {"own": plain, "rest": plain, "rest_standardised": standardised(*plain)}

    def accuracy(piece: tuple[str, int]) -> float:
        way, j = piece
        classes, test_classes = matched(table.factors[:, j], table.test_factors[:, j])
        kept = own[j] if way == "own" else ~own[j]
        train, test = codes[way]
        return probe_accuracy(
            train[:, kept], classes, test[:, kept], test_classes, seed=settings.seed
        )

    pieces = [(way, j) for j in asked for way in codes]
    done = dict(
        zip(pieces, in_threads(accuracy, pieces, settings, "leakage"), strict=True)
    )
    per_factor = {
        way: tuple(done.get((way, j), float("nan")) for j in range(len(own)))
        for way in codes
    }
    per_factor["chance"] = tuple(
        float(np.unique(table.test_factors[:, j], return_counts=True)[1].max())
        / len(table.test_factors)
        if j in asked
        else float("nan")
        for j in range(len(own))
    )
    return Result(
        values={part: float(np.nanmean(each)) for part, each in per_factor.items()},
        per_factor=per_factor,
        metadata={
            "definition": "test accuracy of naming a factor from its own columns of "
            "the code, and from all others",
            "estimator": SAYS,
            "factors": [table.factor_names[j] for j in asked],
        },
    )


METRIC = Metric(
    leakage,
    {
        "own": Part(
            "own", "Accuracy, 0 to 1, of naming a factor from its own columns."
        ),
        "rest": Part(
            "leaked",
            "Accuracy, 0 to 1, of naming a factor from the columns of all else, as "
            "they are.",
            "lower",
        ),
        "rest_standardised": Part(
            "leaked, standardised",
            "The same from columns over their deviation, 0 to 1.",
            "lower",
        ),
        "chance": Part(
            "chance", "Share of the commonest value, 0 to 1: a guess.", "neither"
        ),
    },
    needs="blocks",
    protocols=Protocols(("paper",), NOT_THERE),
)
