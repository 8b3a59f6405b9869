r"""What is counted of edited pictures, by oracles that read factors off images.

Of edits of attribute j, with o_k what an oracle reads of factor k, v the wanted value
and y the source's factors; an event counts only where all oracles see it:

$$
\mathrm{hit}_j = P[o_j \equiv v], \quad
\mathrm{pres}_j = \frac{1}{K-1} \sum_{k \ne j} P[o_k \equiv y_k], \quad
\mathrm{exact}_j = P[o_j \equiv v \wedge \forall k \ne j: o_k \equiv y_k]
$$

With a the oracles' accuracy on real pictures and c what two random pictures agree in,

$$
\tilde h_j = \mathrm{clip}\Big(\frac{\mathrm{hit}_j - c_j}{a_j - c_j}, 0, 1\Big), \quad
\mathrm{EDIT}_j = \frac{2 \tilde h_j \tilde p_j}{\tilde h_j + \tilde p_j}
$$

p~ likewise, of pres and the means of a and c over k != j. A picture that is left as it
is has h~ = 0, another one that has the value p~ = 0: both have EDIT 0. Means over
attributes; 95 % intervals are the value -+ 1.96 standard deviations over resamples of
the requests of each attribute. They do not say what another model would do.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from disentangle.data.space import FactorSpace
from disentangle.editing.equality import chance, equal
from disentangle.retrieval.outcome import EVERY, Row
from disentangle.retrieval.scores import weights

COUNTED = ("hit", "pres", "exact", "rec", "psnr", "nn")
SCORES = ("edit", *COUNTED, "pres_of_rec")
FOOLED = 0.10  # edits that oracles call exact beyond those nearest to the true picture


class Judged(NamedTuple):
    """The edits of one attribute, n of them, as J oracles read them.

    Attributes:
      found: (J, n, F) readings of the edited pictures.
      rebuilt: (J, n, F) readings of the sources rebuilt without an edit.
      target: (n, F) the factors of the true answers: y but for v in the column that
        changes.
      source: (n, F) y.
      psnr: (n,) dB, of the edited against the true picture; see counterfactual.py.
      nearest: (n,) bool, whether of all pictures around it the true one is nearest.
    """

    found: np.ndarray
    rebuilt: np.ndarray
    target: np.ndarray
    source: np.ndarray
    psnr: np.ndarray
    nearest: np.ndarray


class Bench(NamedTuple):
    """What edits are judged by.

    Attributes:
      space: the factors.
      columns: (A,) those that are judged.
      accuracy: (F,) a, how often all oracles are right on real pictures.
    """

    space: FactorSpace
    columns: tuple[int, ...]
    accuracy: np.ndarray


def agreed(space: FactorSpace, readings: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(n, F) bool: which values all oracles read as those of `target` (n, F)."""
    return np.asarray(
        equal(space, readings, np.broadcast_to(target[None], readings.shape)).all(0)
    )


def corrected(share: np.ndarray, floor: np.ndarray, most: np.ndarray) -> np.ndarray:
    """clip((share - c) / (a - c), 0, 1): 0 at chance, 1 at the oracles' accuracy."""
    room = np.maximum(np.asarray(most) - floor, 1e-9)
    return np.clip((share - floor) / room, 0.0, 1.0)


def harmonic(hit: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """2 h p / (h + p), 0 where both are 0."""
    total = np.asarray(hit + kept)
    return np.where(total > 0, 2 * hit * kept / np.where(total > 0, total, 1.0), 0.0)


def counts(bench: Bench, judged: Judged, column: int) -> np.ndarray:
    """(n, 8) what is counted of each edit: COUNTED, then kept and rebuilt, and rebuilt.

    The last two are how many k != j are kept and were rebuilt, and were rebuilt.
    """
    others = [k for k in bench.columns if k != column]
    right = agreed(bench.space, judged.found, judged.target)
    rebuilt = agreed(bench.space, judged.rebuilt, judged.source)
    kept = right[:, others]
    parts = (
        right[:, column],
        kept.mean(1),
        right[:, column] & kept.all(1),
        rebuilt[:, list(bench.columns)].mean(1),
        judged.psnr,
        judged.nearest,
        (kept & rebuilt[:, others]).sum(1),
        rebuilt[:, others].sum(1),
    )
    return np.stack([np.asarray(part, np.float64) for part in parts], axis=1)


def derived(bench: Bench, means: np.ndarray, column: int) -> np.ndarray:
    """(..., 8) SCORES of one attribute, of the means of `counts` (..., 8)."""
    others = [k for k in bench.columns if k != column]
    floor, most = chance(bench.space), np.asarray(bench.accuracy)
    hit = corrected(means[..., 0], floor[column], most[column])
    kept = corrected(means[..., 1], floor[others].mean(), most[others].mean())
    share = np.where(
        means[..., 7] > 0, means[..., 6] / np.maximum(means[..., 7], 1e-9), np.nan
    )
    edit = harmonic(hit, kept)
    return np.concatenate([edit[..., None], means[..., :6], share[..., None]], axis=-1)


def rows(
    way: str, bench: Bench, judged: Mapping[int, Judged], draws: int, *, seed: int = 0
) -> list[Row]:
    """SCORES of a way to edit, of each attribute and their means.

    Args:
      way: its name.
      bench: what edits are judged by.
      judged: column -> its edits; a column without any has no row.
      draws: resamples of the requests for intervals, at least 2, or 0 for none.
      seed: of the resamples, which are the same for every way.
    """
    values, spreads = [], []
    names = [bench.space.names[column] for column in judged]
    for number, (column, own) in enumerate(judged.items()):
        table = counts(bench, own, column)
        values.append(derived(bench, table.mean(0), column))
        if draws:
            means = weights(len(table), draws, seed, number) @ table
            spreads.append(derived(bench, means, column))
    drawn = np.mean(spreads, 0) if draws else np.empty(0)
    found = _rows(way, EVERY, np.mean(values, 0), drawn, draws)
    for number, name in enumerate(names):
        drawn = spreads[number] if draws else np.empty(0)
        found += _rows(way, name, values[number], drawn, draws)
    return found


def _rows(
    way: str, name: str, value: np.ndarray, drawn: np.ndarray, draws: int
) -> list[Row]:
    """A row per score, with the interval of resamples (draws, 8)."""
    half = 1.96 * drawn.std(0, ddof=1) if draws else np.full(len(value), np.nan)
    return [
        Row(way, name, score, float(v), float(v - h), float(v + h))
        for score, v, h in zip(SCORES, value, half, strict=True)
    ]


def leakage(bench: Bench, judged: Mapping[int, Judged]) -> np.ndarray:
    """(A, A) of edits of attribute i, the share that changed attribute j.

    A change is one against the source rebuilt by the same model, and counts where all
    oracles read it. The diagonal is what moved. NaN in a row without edits.
    """
    columns = list(bench.columns)
    found = np.full((len(columns), len(columns)), np.nan)
    for i, column in enumerate(columns):
        if column in judged:
            own = judged[column]
            same = equal(bench.space, own.found, own.rebuilt)
            found[i] = 1.0 - same[..., columns].any(0).mean(0)
    return found


def fooled(found: Sequence[Row]) -> str:
    """A sentence where oracles call many more edits exact than are near the truth."""
    named = {(row.attribute, row.score): row.value for row in found}
    exact, near = named[EVERY, "exact"], named[EVERY, "nn"]
    if not exact - near > FOOLED:
        return ""
    return (
        f"the oracles call {exact:.0%} of the edits exact, but of {near:.0%} alone the "
        "true picture is the nearest: look at the pictures"
    )
