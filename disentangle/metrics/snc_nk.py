"""SNC and NK: single-neuron classification, neuron knockout (Mahon et al. 2023)."""

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.dci_regression import standardise
from disentangle.metrics.labels import by_appearance, by_content
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.mutual_information import mutual_information
from disentangle.metrics.parallel import in_threads
from disentangle.metrics.protocols import NOT_THERE, Protocols
from disentangle.metrics.refusals import few_rows, refusals

HIDDEN, LEARNING_RATE, EPOCHS = 256, 1e-2, 15


def snc_nk(table: Representation, settings: Settings) -> Result:
    r"""SNC_j: how well one code alone names factor j; NK_j: what is lost without it.

    $$
    \mathrm{SNC}_j = \mathrm{acc}\big(y_j \mid z_{a(j)}\big), \qquad
    \mathrm{NK}_j = \mathrm{acc}\big(y_j \mid z\big)
    - \mathrm{acc}\big(y_j \mid z_{-a(j)}\big)
    $$

    Each factor j gets a code a(j) of its own, by the assignment with the largest sum
    of mutual informations I(b_i; y_j), b_i being code i in K_j bins of equally many
    rows, K_j the number of j's values.

    SNC_j is the test accuracy of naming y_j by the bin of code a(j), bins and values
    matched one to one so that the training accuracy is largest; NK_j is the test
    accuracy of an MLP from all codes, less that of one without code a(j).

    SNC asks that a code show its factor plainly: no two bins stand for one value. NK
    asks that no other code hold the factor too. The definitions are those of the
    authors' published code; the text of their paper was not checked. A cut between
    bins is moved to the nearest place between two different values of the code, so
    that a code of few values is not cut through the middle of one. Their MLP, one
    hidden layer of 256 trained by Adam at 1e-2, is scikit-learn's here and makes at
    most 15 passes over standardised codes. With fewer codes than factors, the factors
    left without a code count 0 in both. A categorical latent is one code, the number of
    its most probable value.

    Args:
      table: training rows to fit, test rows to measure; two codes or more.
      settings: reads `seed`, `threads`, `progress`.

    Returns:
      parts `snc` in [0, 1], 1 / K_j is chance; `nk` in [-1, 1]; `mlp` in [0, 1], the
      accuracy of the MLP from all codes; higher is better. Per factor the same. Array
      `mutual_information` (D, F), in nats. `metadata` has each factor's code, -1 for
      none.

    Raises:
      UserError: no test rows, or one code only.
    """
    table.need_test_rows("snc_nk")
    table = table.by_latent()
    if table.codes.shape[1] < 2:
        raise UserError(
            "snc_nk knocks out a factor's code, but codes has one column and nothing "
            "would be left"
        )
    factors = range(table.factors.shape[1])
    kinds = [_classes(table, j) for j in factors]
    information = np.hstack([_information(table.codes, train) for train, _ in kinds])
    assigned = _assigned(information)
    single = np.array([_single(table, assigned[j], *kinds[j]) for j in factors])
    whole, without = _knockout(table, assigned, kinds, settings)
    values = {"snc": single, "nk": whole - without, "mlp": whole}
    return Result(
        values={part: float(np.mean(each)) for part, each in values.items()},
        per_factor={part: tuple(each.tolist()) for part, each in values.items()},
        arrays={"mutual_information": information},
        metadata={
            "definition": "snc: test accuracy of naming a factor by the bin of its one "
            "code; nk: accuracy from all codes less that without its code",
            "estimator": "bins of equally many rows, matched one to one to the values; "
            f"MLP with {HIDDEN} hidden units, Adam at {LEARNING_RATE}, "
            f"{EPOCHS} epochs at most",
            "assigned_codes": assigned.tolist(),
        },
    )


def quantile_bins(
    values: np.ndarray, test_values: np.ndarray, bins: int
) -> tuple[np.ndarray, np.ndarray]:
    """Bins of (about) equally many of `values` (N,), and the bins of test values.

    Returns:
      (N,) and (N',) int, 0 to bins - 1.
    """
    ordered = np.sort(values)
    # Where a cut can be: before the first row of each value but the smallest.
    places = np.flatnonzero(np.diff(ordered) > 0) + 1
    if not len(places):
        return np.zeros(len(values), int), np.zeros(len(test_values), int)
    wanted = np.arange(1, bins) * len(values) / bins
    after = np.minimum(np.searchsorted(places, wanted), len(places) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(places[before] - wanted) <= np.abs(places[after] - wanted)
    cut = places[np.where(nearer, before, after)]
    edges = (ordered[cut - 1].astype(np.float64) + ordered[cut]) / 2
    # A midpoint can round down to the value below it.
    edges = np.where(edges > ordered[cut - 1], edges, ordered[cut])
    return (
        np.searchsorted(edges, values, side="right"),
        np.searchsorted(edges, test_values, side="right"),
    )


def _classes(table: Representation, j: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes of factor j in training and test rows, in order of appearance."""
    values = table.factors[:, j]
    return by_appearance(values, values), by_appearance(
        values, table.test_factors[:, j]
    )


def _information(codes: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """I of every code, in as many bins as there are classes, and the factor: (D, 1)."""
    bins = int(classes.max()) + 1
    columns = [quantile_bins(column, column[:0], bins)[0] for column in codes.T]
    return mutual_information(np.stack(columns, axis=1), classes[:, None])


def _assigned(information: np.ndarray) -> np.ndarray:
    """Each factor's code, (F,); -1 for those that are left without one."""
    from scipy.optimize import linear_sum_assignment

    codes, factors = linear_sum_assignment(information, maximize=True)
    found = np.full(information.shape[1], -1)
    found[factors] = codes
    return found


def _single(
    table: Representation, code: int, classes: np.ndarray, test_classes: np.ndarray
) -> float:
    """SNC of one factor."""
    from scipy.optimize import linear_sum_assignment

    if code < 0:
        return 0.0
    kinds = int(classes.max()) + 1
    bins, test_bins = quantile_bins(
        table.codes[:, code], table.test_codes[:, code], kinds
    )
    counts = np.zeros((kinds, kinds), int)
    np.add.at(counts, (bins, classes), 1)
    names = linear_sum_assignment(counts, maximize=True)[1]
    return float(np.mean(names[test_bins] == test_classes))


def _knockout(
    table: Representation,
    assigned: np.ndarray,
    kinds: list[tuple[np.ndarray, np.ndarray]],
    settings: Settings,
) -> tuple[np.ndarray, np.ndarray]:
    """Test accuracies (F,) of MLPs from all codes, and without each factor's code."""
    rows = standardise(table)
    order = by_content(table.codes)
    batch = int(np.clip(len(rows.codes) // 32, 16, 512))

    def accuracy(piece: tuple[int, int]) -> float:
        """Of factor j on the test rows, from all codes but the one that is gone."""
        from sklearn.neural_network import MLPClassifier

        j, gone = piece
        kept = [i for i in order if i != gone]
        classes, test_classes = kinds[j]
        model = MLPClassifier(
            (HIDDEN,),
            batch_size=min(batch, len(classes)),
            learning_rate_init=LEARNING_RATE,
            max_iter=EPOCHS,
            random_state=settings.seed,
        )
        with refusals("scikit-learn's MLPClassifier"):
            model.fit(rows.codes[:, kept], classes)
            guesses = model.predict(rows.test_codes[:, kept])
        return float(np.mean(guesses == test_classes))

    pieces = [(j, gone) for j, code in enumerate(assigned) for gone in {-1, int(code)}]
    with few_rows():
        found = in_threads(accuracy, pieces, settings, "snc_nk")
    done = dict(zip(pieces, found, strict=True))
    whole = [done[j, -1] for j in range(len(assigned))]
    without = [done[j, int(code)] for j, code in enumerate(assigned)]
    return np.array(whole), np.array(without)


METRIC = Metric(
    snc_nk,
    {
        "snc": Part(
            "SNC",
            "Single-neuron classification, 0 to 1: accuracy of naming a factor by the "
            "bin of its one code dimension.",
        ),
        "nk": Part(
            "NK",
            "Neuron knockout, −1 to 1: accuracy of naming a factor from the code less "
            "that without its one code dimension.",
        ),
        "mlp": Part("MLP", "Accuracy, 0 to 1, of naming it from the whole code."),
    },
    protocols=Protocols(("paper",), NOT_THERE),
)
