"""VAEs whose loss is one objective of one batch: annealed, TC, DIP, Info, HFS."""

import itertools

import jax
import numpy as np

from equations.reference import Case, Inputs, kl64, nll64


def parts(inputs: Inputs):
    """Reconstruction, mean, logvar, z: what every loss below starts from."""
    x = inputs.batch["images"]
    mean, logvar = inputs.posterior(x)
    z = inputs.sample(mean, logvar, inputs.key)
    logits = inputs.net("decoder", z)
    return nll64(inputs.settings.likelihood, logits, x), mean, logvar, z


def annealed(inputs: Inputs) -> dict[str, float]:
    """gamma |KL - C|, C linear in the step up to c_max (Burgess et al. 2018, Eq. 8)."""
    reconstruction, mean, logvar, _ = parts(inputs)
    h = inputs.hyper
    c = h.c_max if inputs.step > h.threshold else h.c_max / h.threshold * inputs.step
    kl = kl64(mean, logvar).sum(1).mean()
    return {"vae": reconstruction + h.gamma * abs(kl - c)}


def normal64(z, mean, logvar):
    """Density of one Gaussian."""
    return np.exp(-((z - mean) ** 2) / (2 * np.exp(logvar))) / np.sqrt(
        2 * np.pi * np.exp(logvar)
    )


def weights64(estimator: str, b: int, n: int) -> np.ndarray:
    """What stands before q(z_i | x_j) in the sum for q(z_i), entry by entry."""
    w = np.zeros((b, b))
    for i, j in itertools.product(range(b), range(b)):
        if estimator == "mws":
            w[i, j] = 1 / (n * b)
        elif estimator == "locatello":
            w[i, j] = 1
        elif i == j:
            w[i, j] = 1 / n
        elif j == (i + 1) % b:
            w[i, j] = (n - (b - 1)) / (n * (b - 1))
        else:
            w[i, j] = 1 / (b - 1)
    return w


def tcvae(inputs: Inputs) -> dict[str, float]:
    """MI + beta TC + dimension-wise KL (Chen et al. 2018, Eq. 4), image by image.

    "locatello": KL + (beta - 1) TC with the KL in closed form.
    """
    reconstruction, mean, logvar, z = parts(inputs)
    s, beta, b = inputs.settings, inputs.hyper.beta, len(z)
    w = weights64(s.estimator, b, s.dataset_size or 96)  # the toy grid has 96
    total = 0.0
    for i in range(b):
        q = np.stack([normal64(z[i], mean[j], logvar[j]) for j in range(b)])
        log_joint = np.log(sum(w[i, j] * q[j].prod() for j in range(b)))
        log_product = np.log(w[i] @ q).sum()
        tc = log_joint - log_product
        if s.estimator == "locatello":
            total += kl64(mean[i], logvar[i]).sum() + (beta - 1) * tc
        else:
            log_prior = np.log(normal64(z[i], 0.0, 0.0)).sum()
            mutual = np.log(q[i]).sum() - log_joint
            total += mutual + beta * tc + log_product - log_prior
    return {"vae": reconstruction + total / b}


def dip(inputs: Inputs, kind: str) -> dict[str, float]:
    """Kumar et al. 2018, Eq. 6 and 7, from E[mu mu^T] - E[mu] E[mu]^T."""
    reconstruction, mean, logvar, _ = parts(inputs)
    b, d = mean.shape
    second = sum(np.outer(m, m) for m in mean) / b
    c = second - np.outer(mean.mean(0), mean.mean(0))
    if kind == "ii":
        c = c + np.diag(np.exp(logvar).mean(0))
    off = sum(c[i, j] ** 2 for i in range(d) for j in range(d) if i != j)
    on = sum((c[i, i] - 1) ** 2 for i in range(d))
    h = inputs.hyper
    penalty = h.lambda_od * off + h.lambda_od * h.lambda_d_factor * on
    return {"vae": reconstruction + kl64(mean, logvar).sum(1).mean() + penalty}


def info(inputs: Inputs) -> dict[str, float]:
    """(1 - a) KL + (a + l - 1) MMD (Zhao et al. 2019, Eq. 6), pair by pair."""
    reconstruction, mean, logvar, z = parts(inputs)
    h, s = inputs.hyper, inputs.settings
    b, d = z.shape
    prior = np.float64(jax.random.normal(jax.random.fold_in(inputs.key, 1), z.shape))

    def k(u, v):
        squares = ((u - v) ** 2).sum()
        if s.kernel == "rbf":
            return np.exp(-squares / d**2 / h.bandwidth)
        return 1 / (1 + squares / (2 * d * h.bandwidth))

    def own(sample):
        pairs = itertools.product(range(b), range(b))
        if s.statistic == "unbiased":
            pairs = itertools.permutations(range(b), 2)
        return np.mean([k(sample[i], sample[j]) for i, j in pairs])

    cross = np.mean([k(u, v) for u in z for v in prior])
    mmd = own(z) + own(prior) - 2 * cross
    kl = kl64(mean, logvar).sum(1).mean()
    loss = reconstruction + (1 - h.alpha) * kl + (h.alpha + h.lambda_ - 1) * mmd
    return {"vae": loss}


def hfs(inputs: Inputs) -> dict[str, float]:
    """gamma sum_{a<b} d_H(Z_a x Z_b, Z_ab)^2, over all pairs, by plain loops."""
    reconstruction, mean, logvar, _ = parts(inputs)
    distance = 0.0
    for a, b in itertools.combinations(range(mean.shape[1]), 2):
        points = mean[:, [a, b]]
        distance += max(
            ((points - [u, v]) ** 2).sum(1).min()
            for u in mean[:, a]
            for v in mean[:, b]
        )
    h, kl = inputs.hyper, kl64(mean, logvar).sum(1).mean()
    return {"vae": reconstruction + h.beta * kl + h.gamma * distance}


CASES = {
    "annealed_vae": [
        Case({}, annealed),  # C is 0
        Case({"c_max": 50.0, "gamma": 3.0}, annealed, step=70_000),
        Case({"threshold": 100.0, "likelihood": "gaussian"}, annealed, step=10_000),
    ],
    "beta_tcvae": [
        Case({"estimator": "mws"}, tcvae),
        Case({"estimator": "mss", "dataset_size": 5000, "beta": 50.0}, tcvae),
        Case({"estimator": "mss", "latents": 3}, tcvae),
        Case({"estimator": "locatello", "beta": 10.0}, tcvae),
    ],
    "dip_vae_i": [
        Case({}, lambda inputs: dip(inputs, "i")),
        Case({"lambda_od": 50.0, "lambda_d_factor": 3.0}, lambda i: dip(i, "i")),
    ],
    "dip_vae_ii": [
        Case({}, lambda inputs: dip(inputs, "ii")),
        Case({"lambda_od": 50.0, "lambda_d_factor": 3.0}, lambda i: dip(i, "ii")),
    ],
    "info_vae": [
        Case({}, info),
        Case({"alpha": 0.9, "kernel": "imq", "statistic": "unbiased"}, info),
        Case({"alpha": -2.0, "bandwidth": 0.3, "statistic": "unbiased"}, info),
        Case({"kernel": "imq", "bandwidth": 2.0, "latents": 3}, info),
    ],
    "hfs_vae": [
        Case({"pairs": 0}, hfs),
        Case({"pairs": 45, "beta": 4.0, "gamma": 10_000.0}, hfs),
        Case({"latents": 4, "pairs": 7}, hfs),
    ],
}
