"""Autoencoder, VAE, beta-VAE, supervised."""

import numpy as np

from equations.adde import semi_hard, unit
from equations.reference import Case, Inputs, kl64, nll64


def vae(inputs: Inputs) -> dict[str, float]:
    """-E log p(x|z) + beta KL (Higgins et al. 2017, Eq. 4); beta is 1 for the VAE."""
    x = inputs.batch["images"]
    mean, logvar = inputs.posterior(x)
    z = inputs.sample(mean, logvar, inputs.key)
    reconstruction = nll64(inputs.settings.likelihood, inputs.net("decoder", z), x)
    beta = getattr(inputs.hyper, "beta", 1.0)
    return {"vae": reconstruction + beta * kl64(mean, logvar).sum(1).mean()}


def autoencoder(inputs: Inputs) -> dict[str, float]:
    x = inputs.batch["images"]
    logits = inputs.net("decoder", inputs.net("encoder", x))
    return {"autoencoder": nll64(inputs.settings.likelihood, logits, x)}


def supervised(inputs: Inputs) -> dict[str, float]:
    """sum_t w_t L_t, each L_t divided by that of the trivial predictor."""
    features = inputs.net("encoder", inputs.batch["images"])
    heads = inputs.method.nets["heads"].apply(
        inputs.params["heads"], np.float32(features)
    )
    shape, size, turn, x = (np.float64(p) for p in heads.predictions)
    f = np.asarray(inputs.batch["factors"])
    log_p = shape - np.log(np.exp(shape).sum(1, keepdims=True))
    losses = [-log_p[np.arange(len(f)), f[:, 0]].mean() / np.log(2)]
    for prediction, column, values in ((size, 1, [1, 2, 4]), (x, 3, [0, 1, 2, 3])):
        standard = (np.asarray(values) - np.mean(values)) / np.std(values)
        losses.append(((prediction[:, 0] - standard[f[:, column]]) ** 2).mean())
    angle = np.pi / 2 * f[:, 2] * np.where(f[:, 0] == 0, 1, 2)
    target = np.stack([np.cos(angle), np.sin(angle)], 1)
    losses.insert(2, ((turn - target) ** 2).sum(1).mean())  # its variance is 1
    codes = np.float64(heads.codes)
    alike = [semi_hard(f[:, t], unit(codes[:, t]), 0.5, "ignore") for t in range(4)]
    losses = np.array(losses) + inputs.settings.triplet * np.array(alike)
    return {"multitask": float(np.dot(np.ravel(inputs.hyper.weights), losses))}


CASES = {
    "autoencoder": [
        Case({"likelihood": k}, autoencoder) for k in ("bernoulli", "gaussian")
    ],
    "vae": [Case({"likelihood": k}, vae) for k in ("bernoulli", "gaussian")],
    "beta_vae": [Case({"beta": 6.5}, vae), Case({"likelihood": "gaussian"}, vae)],
    "supervised": [
        Case({"weights": [1.0, 0.0, 2.0, 0.5]}, supervised),
        Case({"weights": [1.0, 0.0, 2.0, 0.5], "triplet": 0.7}, supervised),
    ],
}
