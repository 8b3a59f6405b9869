"""Unsupervised scores of Locatello et al. 2019: how far codes are from independent."""

import numpy as np

from disentangle.metrics.base import Representation, Result, Settings
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.mutual_information import mutual_information
from disentangle.metrics.protocols import BOTH, Protocols
from disentangle.metrics.refusals import refusals


def unsupervised(table: Representation, settings: Settings) -> Result:
    r"""Dependence among the codes; no factor is looked at. Lower is more independent.

    $$
    \mathrm{TC} = \frac{1}{2} \Big(\sum_d \log S_{dd} - \log \det S\Big), \qquad
    W = 2 \, \mathrm{tr} \, S - 2 \, \mathrm{tr} \, (V S)^{1/2}
    $$

    With S the covariance of the training codes and V its diagonal part:

    - `gaussian_total_correlation`: KL(N(0, S) || N(0, V)) = TC, in nats;
    - `wasserstein_correlation`: W_2^2(N(0, S), N(0, V)) = W;
    - `wasserstein_correlation_norm`: W / tr S;
    - `mutual_information`: the mean over pairs of different codes of their mutual
      information, in nats, each cut into `settings.bins` equal-width bins.

    A constant code is independent of the others: it adds nothing to the first two,
    whose formulas would divide 0 by 0. A categorical latent is one code, the number
    of its most probable value. Where codes determine each other (a
    duplicate), the total correlation is infinite; it comes out as a large finite
    number that rounding decides. One code, or none that varies, gives 0.

    Args:
      table: training rows.
      settings: reads `bins`.

    Returns:
      the four parts, >= 0; the normalised one <= 2. Arrays `covariance` (D, D) and
      `mutual_information` (D, D), its diagonal the entropies of the binned codes.
    """
    table = table.by_latent()
    covariance = np.atleast_2d(np.cov(table.codes, rowvar=False))
    alive = np.ptp(table.codes, axis=0) > 0
    alive &= np.diag(covariance) > 0
    moving = covariance[np.ix_(alive, alive)]
    total = np.trace(moving)
    distance = _wasserstein(table.codes[:, alive])
    bins = table.binned(settings.bins)
    information = mutual_information(bins, bins)
    codes = len(information)
    between = np.sum(information) - np.trace(information)
    return Result(
        values={
            "gaussian_total_correlation": _total_correlation(moving),
            "wasserstein_correlation": distance,
            "wasserstein_correlation_norm": float(distance / total)
            if total > 0
            else 0.0,
            "mutual_information": float(between / max(1, codes * (codes - 1))),
        },
        arrays={"covariance": covariance, "mutual_information": information},
        metadata={
            "definition": "total correlation and Wasserstein distance of a Gaussian "
            "with the codes' covariance from independence, mean mutual information "
            "of two codes; lower is more independent",
            "estimator": "sample covariance; plug-in on equal-width bins",
            "bins": settings.bins,
        },
    )


def _total_correlation(covariance: np.ndarray) -> float:
    """(sum_d log S_dd - log det S) / 2 of S (D, D), S_dd > 0.

    A determinant that rounds to 0 is taken from the correlations' eigenvalues, each
    at least as large as the rounding of the largest.
    """
    scale = np.sqrt(np.diag(covariance))
    log_det = np.linalg.slogdet(covariance)[1]
    if np.isfinite(log_det):
        return float(np.sum(np.log(scale)) - 0.5 * log_det)
    with refusals("numpy's eigenvalues"):
        values = np.linalg.eigvalsh(covariance / scale / scale[:, None])
    least = np.finfo(np.float64).eps * values.max()
    return float(-0.5 * np.sum(np.log(np.maximum(values, least))))


def _wasserstein(codes: np.ndarray) -> float:
    """2 tr S - 2 tr (V S)^(1/2), S the covariance of codes (N, D), V its diagonal.

    V S has the eigenvalues of V^(1/2) S V^(1/2), and their roots are the singular
    values of X V^(1/2) / (N - 1)^(1/2), X the centred codes. So no eigenvalue is lost
    in the rounding of a much larger one, and S may be singular.
    """
    centred = np.float64(codes) - np.mean(codes, axis=0, dtype=np.float64)
    scaled = centred / np.sqrt(len(codes) - 1)
    deviation = np.linalg.norm(scaled, axis=0)
    with refusals("numpy's singular values"):
        roots = np.linalg.svd(scaled * deviation, compute_uv=False)
    return float(max(0.0, 2 * np.sum(deviation**2) - 2 * np.sum(roots)))


METRIC = Metric(
    unsupervised,
    {
        "gaussian_total_correlation": Part(
            "TC",
            "Total correlation of a Gaussian with the code's covariance, in nats: 0 "
            "where code dimensions are independent. No factor is looked at.",
            "lower",
        ),
        "wasserstein_correlation": Part(
            "W",
            "Squared Wasserstein distance of that Gaussian from independence.",
            "lower",
        ),
        "wasserstein_correlation_norm": Part(
            "W norm", "The same over the code's total variance.", "lower"
        ),
        "mutual_information": Part(
            "MI of codes",
            "Mean mutual information of two code dimensions, in nats.",
            "lower",
        ),
    },
    uses_factors=False,
    protocols=Protocols(BOTH, "Locatello et al. 2019 proposed these scores"),
)
