"""Float64 NumPy pieces of the papers' equations, and what a case is given."""

from typing import Any, NamedTuple

import jax
import numpy as np

from disentangle.methods.base import Method


class Inputs(NamedTuple):
    """The fixed inputs on which a method's losses are evaluated both ways."""

    method: Method
    params: dict[str, Any]
    hyper: Any  # the Settings of the case, arrays in the swept fields
    settings: Any  # the Settings of the case
    batch: Any  # what `method.collate` gave: images float32 in [0, 1], factors
    key: jax.Array  # the key the player's loss is given
    step: int

    def net(self, name: str, x: Any) -> np.ndarray:
        """Float64 outputs of a network."""
        out = self.method.nets[name].apply(self.params[name], jax.numpy.float32(x))
        return np.float64(out)

    def hidden(self, z: Any) -> list[np.ndarray]:
        """Float64 hidden layers of a smooth decoder."""
        decoder = self.method.nets["decoder"]
        assert decoder.layers is not None
        found = decoder.layers(self.params["decoder"], jax.numpy.float32(z))
        return [np.float64(layer) for layer in found[:-1]]

    def posterior(self, images: Any) -> tuple[np.ndarray, np.ndarray]:
        """Means and log-variances of the Gaussian encoder, (B, D) each."""
        out = self.net("encoder", images)
        return out[:, : out.shape[1] // 2], out[:, out.shape[1] // 2 :]

    def sample(self, mean: np.ndarray, logvar: np.ndarray, key: Any) -> np.ndarray:
        """z = mean + sigma eps with the noise that the key gives."""
        noise = np.float64(jax.random.normal(key, mean.shape))
        return mean + np.exp(logvar / 2) * noise


class Case(NamedTuple):
    """Fields of the method, and what each player's loss then must be.

    `expected(inputs) -> {player: float64 loss}`.
    """

    fields: dict[str, Any]
    expected: Any
    step: int = 0


def nll64(likelihood: str, logits: Any, images: Any) -> float:
    """-log p(x|z): nats per image, sum over pixels, mean over the batch."""
    logits, images = np.float64(logits), np.float64(images)
    mean = 1 / (1 + np.exp(-logits))
    if likelihood == "bernoulli":
        pixels = -(images * np.log(mean) + (1 - images) * np.log1p(-mean))
    else:
        pixels = 0.5 * (images - mean) ** 2 + 0.5 * np.log(2 * np.pi)
    return pixels.sum((1, 2, 3)).mean()


def kl64(mean: np.ndarray, logvar: np.ndarray) -> np.ndarray:
    """KL(N(mean, exp(logvar)) || N(0, 1)) of each entry, nats."""
    variance = np.exp(logvar)
    return -0.5 * (1 + np.log(variance) - mean**2 - variance)
