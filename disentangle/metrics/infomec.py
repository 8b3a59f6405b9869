"""InfoMEC: modularity, explicitness and compactness by information (Hsu 2023)."""

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.discretize import dense_labels
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.mutual_information import entropy, mutual_information
from disentangle.metrics.parallel import in_threads
from disentangle.metrics.protocols import NOT_THERE, Protocols
from disentangle.metrics.refusals import few_rows, refusals


def infomec(
    table: Representation, settings: Settings, *, neighbors: int = 10, levels: int = 64
) -> Result:
    r"""InfoM, InfoE and InfoC of Hsu et al. 2023 (QLAE), App. D, with two prunings.

    N_ij = I(z_i; s_j) / H(s_j) of code i and factor j; M factors, D active codes:

    $$
    \mathrm{InfoM} = \frac{\mathrm{mean}_i \frac{\max_j N_{ij}}{\sum_j N_{ij}}
    - \frac{1}{M}}{1 - \frac{1}{M}}, \quad
    \mathrm{InfoC} = \frac{\mathrm{mean}_j \frac{\max_i N_{ij}}{\sum_i N_{ij}}
    - \frac{1}{D}}{1 - \frac{1}{D}}, \quad
    \mathrm{InfoE} = \mathrm{mean}_j \frac{CE_0 - CE_j}{CE_0}
    $$

    A code is discrete if it has at most `levels` values, and four rows or more to
    each, or is a categorical latent's most probable value; the authors say so by hand
    for all codes at once. Its I is the plug-in
    estimate; a continuous code's is Ross's 2014 nearest-neighbour estimate on the
    standardised code, which draws noise of 1e-10 against ties. CE_j is the
    cross-entropy of an unpenalised, class-balanced softmax regression of the factor
    on all codes (continuous standardised, discrete one-hot) after at most 100 steps
    of L-BFGS, measured on the very rows it was fitted to; CE0 = log of the number of
    values, which is what the same regression reaches without codes.

    Which codes are active differs between the authors' two papers, so both are here:
    QLAE's: discrete codes with a range above 0, continuous ones with a range above a
    20th of the widest. Tripod's (Hsu et al. 2024), parts `..._iqr`: interquartile
    range above 0.1, or above a tenth of the widest.

    Args:
      table: training rows.
      settings: reads `seed`, `threads`, `progress`.
      neighbors: of the nearest-neighbour estimate.
      levels: see above.

    Returns:
      parts `modularity`, `compactness`, `modularity_iqr`, `compactness_iqr` in
      [0, 1], and `explicitness`, at most 1 and not cut at 0. Where the formulas
      divide by 0: a code or factor without information counts as chance, 0; where
      there is one factor, or one active code, nothing can be spread and any
      information counts 1; without active codes these four are 0. Per factor
      `explicitness` and `compactness`, per code `modularity` (QLAE's pruning, dead
      codes too).
      Arrays `normalised_information` (D, M), `active`, `active_iqr` (D,).
    """
    for name, column in zip(table.factor_names, table.factors.T, strict=True):
        if len(np.unique(column)) == len(column):
            raise UserError(
                f"infomec needs rows that share values, but each of the {len(column):,}"
                f" training rows has its own value of {name!r}"
            )
    table = table.by_latent()
    discrete = _are_discrete(table.codes, levels)
    for (column,) in table.categorical:
        discrete[column] = True
    normalised = _normalised_information(table, discrete, neighbors, settings)
    actives = _active(table.codes, discrete)
    explicit = _explicitness(table, discrete, settings)
    parts = {"explicitness": float(np.mean(explicit))}
    for rule, active in actives.items():
        parts[f"modularity{rule}"] = _mean(concentration(normalised[active]))
        parts[f"compactness{rule}"] = _mean(concentration(normalised[active].T))
    return Result(
        values=parts,
        per_factor={
            "explicitness": tuple(explicit.tolist()),
            "compactness": tuple(concentration(normalised[actives[""]].T).tolist()),
        },
        per_code={"modularity": tuple(concentration(normalised).tolist())},
        arrays={
            "normalised_information": normalised,
            **{f"active{rule}": active for rule, active in actives.items()},
        },
        metadata={
            "definition": "Hsu et al. 2023: share of the largest normalised "
            "information, (CE0 - CE) / CE0; _iqr: pruned as in Hsu et al. 2024",
            "estimator": "plug-in (discrete codes), nearest neighbours (continuous), "
            "unpenalised LogisticRegression, fitted and measured on the same rows",
            "neighbors": neighbors,
            "discrete_codes": int(discrete.sum()),
            "active_codes": int(actives[""].sum()),
            "active_codes_iqr": int(actives["_iqr"].sum()),
        },
    )


def concentration(information: np.ndarray) -> np.ndarray:
    """(max / sum - 1/B) / (1 - 1/B) of each row: 1 on one entry, 0 spread evenly.

    Args:
      information: (A, B) >= 0.

    Returns:
      (A,) in [0, 1]; a zero row, or B = 0, has 0; with B = 1 any other has 1.
    """
    choices = information.shape[1]
    total = information.sum(axis=1)
    if choices < 2:
        return (total > 0).astype(np.float64)
    share = information.max(axis=1) / np.where(total > 0, total, 1.0)
    spread = (share - 1.0 / choices) / (1.0 - 1.0 / choices)
    return np.where(total > 0, np.clip(spread, 0.0, 1.0), 0.0)


def _mean(values: np.ndarray) -> float:
    """The mean, 0 of nothing."""
    return float(values.mean()) if len(values) else 0.0


def _are_discrete(codes: np.ndarray, levels: int) -> np.ndarray:
    """(D,) bool: few different values, and rows enough to each."""
    most = min(levels, len(codes) // 4)
    return np.array([len(np.unique(column)) <= most for column in codes.T])


def _active(codes: np.ndarray, discrete: np.ndarray) -> dict[str, np.ndarray]:
    """(D,) bool under QLAE's rule "" and Tripod's "_iqr"."""
    wide = np.ptp(codes, axis=0)
    low, high = np.quantile(codes, [0.25, 0.75], axis=0)
    quartiles = high - low
    widest = max(wide[~discrete], default=0.0)
    widest_iqr = max(quartiles[~discrete], default=0.0)
    return {
        "": np.where(discrete, wide > 0, wide > widest / 20),
        "_iqr": np.where(discrete, quartiles > 0.1, quartiles > widest_iqr / 10),
    }


def _normalised_information(
    table: Representation, discrete: np.ndarray, neighbors: int, settings: Settings
) -> np.ndarray:
    """N (D, M) >= 0."""
    from sklearn.feature_selection import mutual_info_classif

    labels = dense_labels(table.factors)
    information = np.zeros((len(discrete), labels.shape[1]))
    if discrete.any():
        values = [np.unique(c, return_inverse=True)[1] for c in table.codes.T[discrete]]
        information[discrete] = mutual_information(np.stack(values, axis=1), labels)
    scaled = standardised(table.codes)

    def neighbour_information(pair: tuple[int, int]) -> float:
        i, j = pair
        with refusals("scikit-learn's mutual_info_classif"):
            found = mutual_info_classif(
                scaled[:, i : i + 1],
                labels[:, j],
                discrete_features=False,
                n_neighbors=neighbors,
                random_state=settings.seed,
            )
        return float(found[0])

    smooth = np.flatnonzero(~discrete).tolist()
    pairs = [(i, j) for i in smooth for j in range(labels.shape[1])]
    with few_rows():
        found = in_threads(neighbour_information, pairs, settings, "infomec")
    for pair, value in zip(pairs, found, strict=True):
        information[pair] = value
    return information / entropy(labels)


def standardised(codes: np.ndarray) -> np.ndarray:
    """(N, D) float64 less the mean, over the standard deviation; constants are 0."""
    codes = codes.astype(np.float64)
    spread = codes.std(axis=0)
    alive = (np.ptp(codes, axis=0) > 0) & (spread > 0)
    return np.where(alive, (codes - codes.mean(axis=0)) / np.where(alive, spread, 1), 0)


def _explicitness(
    table: Representation, discrete: np.ndarray, settings: Settings
) -> np.ndarray:
    """(M,): each factor's share of CE0 that the codes explain."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    one_hot = [c[:, None] == np.unique(c) for c in table.codes.T[discrete]]
    features = np.hstack([standardised(table.codes[:, ~discrete]), *one_hot])

    def explained(j: int) -> float:
        values = table.factors[:, j]
        model = LogisticRegression(C=np.inf, class_weight="balanced", max_iter=100)
        with refusals("scikit-learn's LogisticRegression"):
            found = model.fit(features, values).predict_proba(features)
            loss = log_loss(values, found, labels=model.classes_)
        nothing = np.log(len(model.classes_))
        return float((nothing - loss) / nothing)

    with few_rows():
        factors = range(table.factors.shape[1])
        return np.array(in_threads(explained, factors, settings, "infomec"))


METRIC = Metric(
    infomec,
    {
        "explicitness": Part(
            "InfoE",
            "Explicitness, at most 1: how much of the factors a linear classifier "
            "reads from the code, on the rows it was fitted to.",
        ),
        "modularity": Part(
            "InfoM",
            "Modularity by information, 0 to 1: each active code dimension tells of "
            "one factor only.",
        ),
        "compactness": Part(
            "InfoC",
            "Compactness by information, 0 to 1: each factor is in one active code "
            "dimension only.",
        ),
        "modularity_iqr": Part(
            "InfoM iqr", "InfoM of the dimensions that are active by Tripod's rule."
        ),
        "compactness_iqr": Part(
            "InfoC iqr", "InfoC of the dimensions that are active by Tripod's rule."
        ),
    },
    protocols=Protocols(("paper",), NOT_THERE),
)
