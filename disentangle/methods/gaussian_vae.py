"""What every VAE with a diagonal Gaussian posterior shares.

A method whose loss is a function of one batch's terms is one objective, given to
`gaussian_vae`. One with more players, or another way through the networks, starts
from `model` and writes its losses with the pieces.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch, Collate, alone
from disentangle.fields import settings, static
from disentangle.fields.define import WIDEST
from disentangle.methods.base import LOCATELLO, Logs, Method, Params, Player
from disentangle.methods.importance import bound
from disentangle.methods.likelihood import LIKELIHOODS
from disentangle.nn import DECODERS, ENCODERS, Net, decoder, encoder


@settings
class Settings:
    """What every VAE with a Gaussian posterior can be told."""

    latents: int = static(
        10, "size D of the code", source=LOCATELLO, least=1, most=WIDEST
    )
    encoder: str = static(
        "locatello", "network of images", source=LOCATELLO, choices=ENCODERS
    )
    decoder: str = static(
        "locatello", "network of codes", source=LOCATELLO, choices=DECODERS
    )
    likelihood: str = static(
        "bernoulli", "p(x|z) of a pixel", source=LOCATELLO, choices=LIKELIHOODS
    )


class Model(NamedTuple):
    """The networks "encoder" and "decoder", and the ways through them."""

    nets: dict[str, Net]
    # posterior(params, images (B, H, W, C)) -> mean (B, D), logvar (B, D)
    posterior: Callable[[Params, jax.Array], tuple[jax.Array, jax.Array]]
    # reconstruction(params, z (B, D), images) -> (), -log p(x|z), nats per image
    reconstruction: Callable[[Params, jax.Array, jax.Array], jax.Array]
    # represent(params, images) -> mean (B, D); decode(params, z) -> images
    represent: Callable[[Params, jax.Array], jax.Array]
    decode: Callable[[Params, jax.Array], jax.Array]
    # log_likelihood(params, z (B, D), images) -> (B,), log p(x|z), nats
    log_likelihood: Callable[[Params, jax.Array, jax.Array], jax.Array]
    latents: int  # D


class Terms(NamedTuple):
    """One batch through the model; sums over pixels, means over the batch."""

    reconstruction: jax.Array  # (), -log p(x|z), nats per image
    kl: jax.Array  # (D,), KL(q(z_d|x) || N(0,1)), nats per image
    mean: jax.Array  # (B, D)
    logvar: jax.Array  # (B, D)
    z: jax.Array  # (B, D), one sample of q(z|x)


# objective(terms, hyper, *, key, step) -> (loss, logs)
Objective = Callable[..., tuple[jax.Array, Logs]]


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


def model(settings: Settings, shape: tuple[int, int, int]) -> Model:
    """The networks of `settings` for images of `shape`.

    The encoder's last layer is (mean, logvar), D each; codes are the means.
    """
    nets = {
        "encoder": encoder(settings.encoder, shape, 2 * settings.latents),
        "decoder": decoder(settings.decoder, shape, settings.latents),
    }
    likelihood = LIKELIHOODS[settings.likelihood]

    def posterior(params: Params, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        out = nets["encoder"].apply(params["encoder"], images)
        mean, logvar = jnp.split(out, 2, axis=-1)
        return mean, logvar

    def logits(params: Params, z: jax.Array) -> jax.Array:
        return nets["decoder"].apply(params["decoder"], z)

    return Model(
        nets=nets,
        posterior=posterior,
        reconstruction=lambda params, z, x: likelihood(logits(params, z), x),
        represent=lambda params, images: posterior(params, images)[0],
        decode=lambda params, z: jax.nn.sigmoid(logits(params, z)),
        log_likelihood=lambda params, z, x: single(likelihood, logits(params, z), x),
        latents=settings.latents,
    )


def single(
    likelihood: Callable[[jax.Array, jax.Array], jax.Array],
    logits: jax.Array,
    images: jax.Array,
) -> jax.Array:
    """log p(x|z) of every image, (B,), from a mean over a batch of -log p(x|z)."""
    return -jax.vmap(lambda l, x: likelihood(l[None], x[None]))(logits, images)


def forward(vae: Model, params: Params, images: jax.Array, *, key: jax.Array) -> Terms:
    """One batch through encoder, one posterior sample, and decoder."""
    mean, logvar = vae.posterior(params, images)
    z = sample_posterior(mean, logvar, key=key)
    reconstruction = vae.reconstruction(params, z, images)
    return Terms(reconstruction, kl_to_prior(mean, logvar), mean, logvar, z)


def shown(terms: Terms) -> Logs:
    """What every VAE logs: reconstruction and KL (nats per image), KL by latent."""
    return {
        "reconstruction": terms.reconstruction,
        "kl": terms.kl.sum(),
        "kl_by_latent": terms.kl,
    }


def method_of(
    vae: Model,
    players: dict[str, Player],
    *,
    nets: dict[str, Net] | None = None,
    collate: Collate = alone,
) -> Method:
    """The Method of these players: codes are posterior means.

    Its model of images is p(z) = N(0, I) with the decoder's p(x|z), whatever else the
    loss asks for: `sample` gives the means of x for draws of z, `log_prob` the bound
    of methods/importance.py.

    Args:
      vae: gives encoder and decoder.
      players: as in Method.
      nets: what there is besides them, a discriminator for example.
      collate: as in Method.
    """

    def sample(params: Params, *, key: jax.Array, n: int) -> jax.Array:
        return vae.decode(params, jax.random.normal(key, (n, vae.latents)))

    return Method(
        nets=vae.nets | (nets or {}),
        players=players,
        represent=vae.represent,
        posterior=vae.posterior,
        decode=vae.decode,
        collate=collate,
        sample=sample,
        log_prob=partial(bound, vae.posterior, vae.log_likelihood),
    )


def gaussian_vae(
    settings: Settings, shape: tuple[int, int, int], objective: Objective
) -> Method:
    """The method whose only player lowers `objective`."""
    vae = model(settings, shape)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        terms = forward(vae, params, batch["images"], key=key)
        own = jax.random.fold_in(key, 1)
        value, logs = objective(terms, hyper, key=own, step=step)
        return value, shown(terms) | logs

    return method_of(vae, {"vae": Player(("encoder", "decoder"), loss)})
