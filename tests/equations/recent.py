"""ControlVAE and the methods beside it that came after Locatello et al. 2019."""

from math import erf, exp, pi, sqrt

import numpy as np

from equations.objectives import parts
from equations.reference import Case, Inputs, kl64, nll64


def control(inputs: Inputs) -> dict[str, float]:
    """beta(1) of Shao et al. 2020, Alg. 1, from I(0) = 0 and beta(0) = 0."""
    reconstruction, mean, logvar, _ = parts(inputs)
    h, kl = inputs.hyper, kl64(mean, logvar).sum(1).mean()
    wanted = h.kl_start + min(1, inputs.step / h.ramp) * (h.kl - h.kl_start)
    error = wanted - kl
    integral = -h.integral * error if error < 0 else 0.0  # beta(0) is below the least
    beta = h.proportional / (1 + np.exp(error)) + integral + h.beta_min
    beta = min(max(beta, h.beta_min), h.beta_max)
    return {"vae": reconstruction + beta * kl}


def slow(inputs: Inputs) -> dict[str, float]:
    """Klindt et al. 2021, Eq. 8, half of it; pair by pair and latent by latent."""
    reconstruction, mean, logvar, _ = parts(inputs)
    h, b = inputs.hyper, len(mean) // 2
    total = kl64(mean[:b], logvar[:b]).sum()
    for i, d in np.ndindex(b, mean.shape[1]):
        m = mean[b + i, d] - mean[i, d]
        s = sqrt(exp(logvar[i, d]) + exp(logvar[b + i, d]))
        distance = s * sqrt(2 / pi) * exp(-((m / s) ** 2) / 2) + m * erf(
            m / s / sqrt(2)
        )
        entropy = 0.5 * np.log(2 * pi * np.e * exp(logvar[b + i, d]))
        cross = h.rate * distance - np.log(h.rate / 2)
        total += h.gamma * (cross - entropy)
    return {"vae": reconstruction + total / b / 2}


def pcl(inputs: Inputs) -> dict[str, float]:
    """Hyvarinen & Morioka 2017: each pair, and each first with the pair before's."""
    before, now = np.split(inputs.net("encoder", inputs.batch["images"]), 2)
    p = {k: np.float64(v) for k, v in inputs.params["regression"].items()}

    def r(i, j):
        both = abs(p["now"] * now[i] + p["before"] * before[j] + p["offset"])
        own = (p["scale"] * now[i] + p["shift"]) ** 2
        return p["constant"] + own.sum() - both.sum()

    total = 0.0
    for i in range(len(now)):
        total += np.log(1 + exp(-r(i, i))) + np.log(1 + exp(r(i, i - 1)))
    return {"regression": total / (2 * len(now))}


def ivae(inputs: Inputs) -> dict[str, float]:
    """Khemakhem et al. 2020, Eq. 8 with the KL to p(z|u) image by image."""
    x, net = inputs.batch["images"], inputs.net
    names = inputs.settings.condition or ("shape",)
    sizes = {"shape": (0, 2), "size": (1, 3), "x": (3, 4)}
    f = np.asarray(inputs.batch["factors"])
    u = np.concatenate([np.eye(k)[f[:, c]] for c, k in map(sizes.get, names)], 1)
    mean, logvar = np.split(net("posterior", np.c_[net("encoder", x), u]), 2, 1)
    at, wide = np.split(net("prior", u), 2, 1)
    z = inputs.sample(mean, logvar, inputs.key)
    kl = (wide - logvar) / 2 + (np.exp(logvar) + (mean - at) ** 2) / 2 / np.exp(wide)
    kl = (kl - 0.5).sum(1).mean()
    nll = nll64(inputs.settings.likelihood, net("decoder", z), x)
    return {"vae": nll + inputs.hyper.beta * kl}


CASES = {
    "control_vae": [
        Case({"kl": 5.0}, control, step=50_000),
        Case({"kl": 0.01, "kl_start": 0.0, "proportional": 9.0}, control, 10**6),
        Case({"kl_start": 0.01, "integral": 700.0, "beta_max": 3.0}, control),
    ],
    "slow_vae": [
        Case({}, slow),
        Case({"transitions": "uniform", "gamma": 2.0, "rate": 0.7}, slow),
        Case({"likelihood": "gaussian", "data_rate": 0.1}, slow),
    ],
    "pcl": [Case({}, pcl), Case({"transitions": "uniform", "latents": 3}, pcl)],
    "ivae": [
        Case({}, ivae),
        Case({"condition": ("x", "size"), "beta": 3.0, "prior": (7,)}, ivae),
        Case({"likelihood": "gaussian", "latents": 3, "prior": ()}, ivae),
    ],
}
