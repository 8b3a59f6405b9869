"""FactorVAE, RF-VAE and RF-VAE-0, both players of each."""

import jax
import numpy as np

from equations.reference import Case, Inputs, kl64, nll64


def relevance64(inputs: Inputs) -> np.ndarray:
    """r: all of FactorVAE's latents, those given, or the sigmoid of the parameters."""
    latents = inputs.settings.latents
    if "relevance" not in inputs.method.nets:
        return np.ones(latents)
    if hasattr(inputs.hyper, "eta_s"):
        return 1 / (1 + np.exp(-np.float64(inputs.params["relevance"]["logits"])))
    given = inputs.settings.relevance  # else the four factors of the toy data
    return np.float64(given if given else np.arange(latents) < 4)


def parts(inputs: Inputs):
    """The VAE's images and the images of the second batch, if there is one."""
    images = inputs.batch["images"]
    if inputs.settings.batches == 1:
        return images, images
    return np.split(images, 2)


def probability(inputs: Inputs, z: np.ndarray) -> np.ndarray:
    """D(z), that z is of q(z): class 0 of the softmax, clipped as Locatello's."""
    odds = np.exp(inputs.net("discriminator", z))
    return np.clip(odds[:, 0] / odds.sum(1), 1e-6, 1 - 1e-6)


def shuffled(z: np.ndarray, key) -> np.ndarray:
    """Every dimension in the order the key gives it, one after the other."""
    rows = np.broadcast_to(np.arange(len(z))[:, None], z.shape)
    order = np.asarray(jax.random.permutation(key, rows, axis=0, independent=True))
    return np.stack([z[order[:, d], d] for d in range(z.shape[1])], 1)


def cross_entropy(inputs: Inputs, z: np.ndarray, other: np.ndarray) -> float:
    """-(1 / 2m) [sum log D(z) + sum log(1 - D(z_perm))] (Kim & Mnih, Alg. 2)."""
    permuted = shuffled(other, jax.random.fold_in(inputs.key, 2))
    real, fake = probability(inputs, z), probability(inputs, permuted)
    return -0.5 * (np.log(real).mean() + np.log(1 - fake).mean())


def vae_terms(inputs: Inputs):
    """(-log p(x|z), KL by latent, r, TC of r z) of the first batch."""
    x, _ = parts(inputs)
    mean, logvar = inputs.posterior(x)
    z = inputs.sample(mean, logvar, inputs.key)
    nll = nll64(inputs.settings.likelihood, inputs.net("decoder", z), x)
    r = relevance64(inputs)
    d = probability(inputs, r * z)
    return nll, kl64(mean, logvar).mean(0), r, (np.log(d) - np.log(1 - d)).mean()


def factor_vae(inputs: Inputs) -> dict[str, float]:
    """Kim & Mnih 2018, Eq. 2, and Alg. 2 for the discriminator."""
    first, second = parts(inputs)
    z = other = inputs.sample(*inputs.posterior(first), inputs.key)
    if inputs.settings.batches == 2:
        own = jax.random.fold_in(inputs.key, 1)
        other = inputs.sample(*inputs.posterior(second), own)
    nll, kl, _, tc = vae_terms(inputs)
    return {
        "vae": nll + kl.sum() + inputs.hyper.gamma * tc,
        "discriminator": cross_entropy(inputs, z, other),
    }


def rf_vae(inputs: Inputs) -> dict[str, float]:
    """The RF-VAE authors' loss; of RF-VAE-0 the part without etas."""
    _, last = parts(inputs)
    hyper = inputs.hyper
    nll, kl, r, tc = vae_terms(inputs)
    z = r * inputs.sample(*inputs.posterior(last), inputs.key)
    total = nll + hyper.gamma * tc
    for each, weight in zip(kl, r, strict=True):
        total += (hyper.lambda_max * (1 - weight) + hyper.lambda_min * weight) * each
    if hasattr(hyper, "eta_s"):
        entropy = -(r * np.log(r) + (1 - r) * np.log(1 - r))
        total += hyper.eta_s * r.sum() + hyper.eta_h * entropy.sum()
    return {"vae": total, "discriminator": cross_entropy(inputs, z, z)}


CASES = {
    "factor_vae": [
        Case({"batches": 2}, factor_vae),
        Case({"batches": 1, "gamma": 10.0}, factor_vae),
        Case({"likelihood": "gaussian"}, factor_vae),
    ],
    "rf_vae": [
        Case({"batches": 2, "gamma": 35.0}, rf_vae),
        Case({"batches": 1, "eta_s": 2.0, "eta_h": 40.0}, rf_vae),
        Case({"lambda_min": 0.5, "lambda_max": 4.0}, rf_vae),
    ],
    "rf_vae_0": [
        Case({"batches": 2}, rf_vae),
        Case({"batches": 1, "lambda_max": 7.0}, rf_vae),
        Case({"relevance": [0, 1] * 5, "gamma": 35.0}, rf_vae),
    ],
}
