"""Ada-GVAE, Ada-ML-VAE, ML-VAE, GVAE: pairs and groups of images."""

import numpy as np

from equations.reference import Case, Inputs, kl64, nll64


def merged(average: str, means: np.ndarray, variances: np.ndarray):
    """One Gaussian out of n, (n, D) each."""
    if average == "arithmetic":
        return means.mean(0), variances.mean(0)
    precision = (1 / variances).sum(0)
    mean = (means / variances).sum(0) / precision
    return mean, (1 if average == "product" else len(means)) / precision


def loss(inputs: Inputs, mean, variance, weight) -> dict[str, float]:
    """-E log p(x|z) + beta sum_d weight_d KL_d over all rows."""
    z = inputs.sample(mean, np.log(variance), inputs.key)
    x = inputs.batch["images"]
    reconstruction = nll64(inputs.settings.likelihood, inputs.net("decoder", z), x)
    kl = (kl64(mean, np.log(variance)) * weight).sum(1).mean()
    return {"vae": reconstruction + inputs.hyper.beta * kl}


def adaptive(inputs: Inputs) -> dict[str, float]:
    """Pair by pair: two equal bins of the KLs, the lower one's latents merged."""
    mean, logvar = inputs.posterior(inputs.batch["images"])
    variance, pairs = np.exp(logvar), len(mean) // 2
    for i in range(pairs):
        rows = [i, i + pairs]
        (m1, m2), (v1, v2) = mean[rows], variance[rows]
        twice_kl = v1 / v2 + (m2 - m1) ** 2 / v2 - 1 + np.log(v2) - np.log(v1)
        low, high = twice_kl.min(), twice_kl.max()
        same = twice_kl - low < (high - low) / 2  # none where x1 and x2 are equal
        m, v = merged(inputs.settings.average, mean[rows], variance[rows])
        mean[rows] = np.where(same, m, mean[rows])
        variance[rows] = np.where(same, v, variance[rows])
    return loss(inputs, mean, variance, 1.0)


def grouped(inputs: Inputs) -> dict[str, float]:
    """Group by group: one posterior of the content, its KL paid once."""
    mean, logvar = inputs.posterior(inputs.batch["images"])
    variance, n = np.exp(logvar), inputs.settings.members
    content, size = inputs.settings.content, len(mean) // n
    for i in range(size):
        rows = np.arange(n) * size + i
        m, v = merged(inputs.settings.average, mean[rows], variance[rows])
        mean[rows, :content], variance[rows, :content] = m[:content], v[:content]
    weight = np.where(np.arange(mean.shape[1]) < content, 1 / n, 1.0)
    return loss(inputs, mean, variance, weight)


CASES = {
    "ada_gvae": [
        Case({"beta": 4.0}, adaptive),
        Case({"changed": 0, "distinct": True, "likelihood": "gaussian"}, adaptive),
    ],
    "ada_ml_vae": [
        Case({}, adaptive),
        Case({"average": "product", "changed": -1}, adaptive),
    ],
    "ml_vae": [
        Case({"beta": 2.0}, grouped),
        Case({"members": 4, "content": 3, "shared": ["size", "x"]}, grouped),
    ],
    "gvae": [Case({"members": 3}, grouped)],
}
