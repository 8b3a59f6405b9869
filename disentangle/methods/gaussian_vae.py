"""What every VAE with a diagonal Gaussian posterior shares.

A method of this family is one objective: a function of the terms below.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError, unknown
from disentangle.methods.base import Logs, Method, Params, Player
from disentangle.methods.likelihood import LIKELIHOODS
from disentangle.nn import decoder, encoder


@dataclass(frozen=True)
class Settings:
    """Static choices of an autoencoding method."""

    latents: int = 10
    encoder: str = "locatello"
    decoder: str = "locatello"
    likelihood: str = "bernoulli"

    def __post_init__(self):
        if self.latents < 1:
            raise UserError(f"method.latents={self.latents} must be at least 1")
        if self.likelihood not in LIKELIHOODS:
            raise unknown("likelihood", self.likelihood, LIKELIHOODS)


class Terms(NamedTuple):
    """One batch through the model; sums over pixels, means over the batch."""

    reconstruction: jax.Array  # (), -log p(x|z), nats per image
    kl: jax.Array  # (D,), KL(q(z_d|x) || N(0,1)), nats per image
    mean: jax.Array  # (B, D)
    logvar: jax.Array  # (B, D)
    z: jax.Array  # (B, D), one sample of q(z|x)


# objective(terms, hyper, step) -> (loss, logs)
Objective = Callable[[Terms, Any, Any], tuple[jax.Array, Logs]]


def kl_to_prior(mean: jax.Array, logvar: jax.Array) -> jax.Array:
    """KL(N(mean, exp(logvar)) || N(0, 1)) per dimension (Kingma & Welling 2014).

    Args:
      mean: (B, D).
      logvar: (B, D).

    Returns:
      (D,), `(mu^2 + exp(lv) - lv - 1) / 2`, mean over the batch, in nats.
    """
    return 0.5 * (jnp.square(mean) + jnp.exp(logvar) - logvar - 1.0).mean(0)


def sample_posterior(
    mean: jax.Array, logvar: jax.Array, *, key: jax.Array
) -> jax.Array:
    """z = mean + sigma * eps, eps ~ N(0, I): (B, D)."""
    return mean + jnp.exp(0.5 * logvar) * jax.random.normal(key, mean.shape)


def gaussian_vae(
    settings: Settings,
    space: FactorSpace,
    shape: tuple[int, int, int],
    objective: Objective,
) -> Method:
    """The method whose only player lowers `objective`.

    The encoder's last layer is (mean, logvar), D each; codes are the means.
    """
    del space
    nets = {
        "encoder": encoder(settings.encoder, shape, 2 * settings.latents),
        "decoder": decoder(settings.decoder, shape, settings.latents),
    }
    likelihood = LIKELIHOODS[settings.likelihood]

    def posterior(params: Params, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        out = nets["encoder"].apply(params["encoder"], images)
        mean, logvar = jnp.split(out, 2, axis=-1)
        return mean, logvar

    def loss(params, hyper, batch: Batch, *, key, step):
        mean, logvar = posterior(params, batch.images)
        z = sample_posterior(mean, logvar, key=key)
        logits = nets["decoder"].apply(params["decoder"], z)
        reconstruction = likelihood(logits, batch.images)
        kl = kl_to_prior(mean, logvar)
        terms = Terms(reconstruction, kl, mean, logvar, z)
        value, logs = objective(terms, hyper, step)
        shown = {"reconstruction": reconstruction, "kl": kl.sum(), "kl_by_latent": kl}
        return value, shown | logs

    return Method(
        nets=nets,
        players={"vae": Player(("encoder", "decoder"), loss)},
        represent=lambda params, images: posterior(params, images)[0],
        decode=lambda params, codes: jax.nn.sigmoid(
            nets["decoder"].apply(params["decoder"], codes)
        ),
    )
