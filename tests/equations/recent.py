"""ControlVAE and the methods beside it that came after Locatello et al. 2019."""

from math import erf, exp, pi, sqrt

import jax
import numpy as np
from scipy.linalg import expm

from equations.critics import parts as batches
from equations.critics import shuffled
from equations.discrete import softmax64
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


def jacobian(inputs: Inputs) -> dict[str, float]:
    """Rhodes & Lee 2021: every derivative of the dense decoder of the tests."""
    reconstruction, mean, logvar, z = parts(inputs)
    first, last = (inputs.params["decoder"][f"Dense_{i}"] for i in (0, 1))
    into, out = (np.float64(layer["kernel"]) for layer in (first, last))
    before = z @ into + np.float64(first["bias"])
    image = 1 / (1 + np.exp(-(np.maximum(before, 0) @ out + np.float64(last["bias"]))))
    d, columns = z.shape[1], range(z.shape[1])
    total = 0.0
    if inputs.settings.columns:  # the latents that the key draws
        size = (inputs.settings.columns, len(z))
        own = jax.random.fold_in(inputs.key, 1)
        columns = np.asarray(jax.random.randint(own, size, 0, d))
    for column in columns:
        slope = into[np.broadcast_to(column, len(z))] * (before > 0) @ out
        total += np.abs(slope * image * (1 - image)).sum() / len(z)
    h, share = inputs.hyper, d / len(columns)
    kl = kl64(mean, logvar).sum(1).mean()
    grown = min(1, inputs.step / h.ramp)
    more = h.beta * kl + h.gamma * share * total
    return {"vae": reconstruction + grown * more}


def lie(inputs: Inputs) -> dict[str, float]:
    """Zhu et al. 2021 by SciPy's exponential, image by image and pair by pair."""
    x, h, net = inputs.batch["images"], inputs.hyper, inputs.net
    element = net("encoder", x)
    mean, logvar = np.split(net("coordinates", element), 2, 1)
    t = inputs.sample(mean, logvar, inputs.key)
    bases = np.float64(inputs.params["algebra"]["bases"])
    group = np.stack([expm(np.tensordot(row, bases, 1)) for row in t])
    flat = group.reshape(len(x), -1)
    direct = float(jax.random.uniform(jax.random.fold_in(inputs.key, 1))) < h.direct
    told = element if direct else flat
    reconstruction = nll64(inputs.settings.likelihood, net("decoder", told), x)
    loss = reconstruction + h.beta * kl64(mean, logvar).sum(1).mean()
    loss += h.group * ((element - flat) ** 2).sum(1).mean()
    pairs = [(a, b) for i, a in enumerate(bases) for j, b in enumerate(bases) if i != j]
    for a, b in pairs:
        loss += h.hessian * ((a @ b) ** 2).sum() / len(bases) ** 2
        loss += h.commutator * ((a @ b - b @ a) ** 2).sum() / len(bases) ** 2
    return {"vae": loss}


def qvae(inputs: Inputs) -> dict[str, float]:
    """FactorQVAE: codes drawn with the key's noise, the critic on one-hot vectors."""
    h, s = inputs.hyper, inputs.settings
    e = np.float64(inputs.params["codebook"]["values"])
    images, others = batches(inputs)
    critic = inputs.method.nets["discriminator"]

    def codes(x, key):
        z = np.tanh(inputs.net("encoder", x))
        p = softmax64(-((z[..., None] - e) ** 2) / (2 * s.spread**2))
        noise = np.float64(jax.random.gumbel(key, p.shape))
        return p, (np.log(np.maximum(p, 1e-300)) + noise).argmax(-1)

    def logit(k):
        out = critic.apply(inputs.params["discriminator"], np.float32(k))
        return np.float64(out[:, 0] - out[:, 1])

    p, k = codes(images, inputs.key)
    second = codes(others, jax.random.fold_in(inputs.key, 1))[1]
    second = k if s.batches == 1 else second
    logs = np.where(p > 0, p * np.log(np.maximum(p, 1e-300) * len(e)), 0.0)
    kl, tc = logs.sum((1, 2)).mean(), logit(k).mean()
    reconstruction = nll64(s.likelihood, inputs.net("decoder", e[k]), images)
    numbers = images[0].size
    fake = logit(shuffled(second, jax.random.fold_in(inputs.key, 2)))
    cross = np.log1p(np.exp(-logit(k))).mean() + np.log1p(np.exp(fake)).mean()
    return {
        "vae": reconstruction + numbers / 2 * (h.kl * kl + h.gamma * tc),
        "discriminator": cross / 2,
    }


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
    "jacobian_l1_vae": [
        Case({"gamma": 0.5}, jacobian, step=20_000),
        Case({"columns": 2, "gamma": 3.0, "latents": 4}, jacobian, step=10**6),
    ],
    "lie_group_vae": [
        Case({"start": 0.3, "size": 4, "direct": 0.0}, lie),
        Case({"start": 0.3, "size": 4, "direct": 1.0, "commutator": 9.0}, lie),
        Case({"start": 0.5, "size": 3, "latents": 3, "group": 2.0}, lie),
        Case({"likelihood": "gaussian", "start": 0.1, "hessian": 0.0}, lie),
    ],
    "factor_qvae": [
        Case({"batches": 2, "values": 8}, qvae),
        Case({"batches": 1, "kl": 0.1, "gamma": 0.02, "spread": 0.5}, qvae),
        Case({"likelihood": "gaussian", "latents": 3, "gamma": 1.0}, qvae),
    ],
}
