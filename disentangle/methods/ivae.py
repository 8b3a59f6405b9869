r"""iVAE, the identifiable VAE: a prior that depends on an auxiliary variable.

$$
\mathcal{L} = -\mathbb{E}_{q(z|x,u)} \log p(x|z)
+ \mathbb{E} \, \mathrm{KL}(q(z|x,u) \,\|\, p(z|u)), \qquad
p(z|u) = \prod_d \mathcal{N}(z_d; \mu_d(u), \sigma_d^2(u))
$$

"Variational autoencoders and nonlinear ICA" (Khemakhem et al. 2020), Eq. 5 to 8. u is
observed beside every image: here the values of the factors in `condition`, such as the
domain that an image comes from. The prior is an exponential family whose parameters
are a network of u; with means and variances that differ enough over the values of u
(2 D + 1 values suffice), z is identified up to a permutation and a function of each
component (their theorems 1 and 2). p(x|z) is not told u: whatever differs between the
values of u has to pass through z, where the VAE's prior is the same for all.

Where we differ: their prior has mean 0 in the experiments and learned variances; here
both are learned. u joins the encoder's last features, in the linear layer that gives
mean and log-variance, so that the code of an image without a u, the average over all
values of u, is exact. That average is what metrics read; the paper scores the mean of
q(z|x, u).
"""

import itertools
import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods import gaussian_vae
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.conditions import at_random, condition
from disentangle.methods.gaussian_vae import sample_posterior, single
from disentangle.methods.importance import bound, log_normal
from disentangle.methods.likelihood import LIKELIHOODS
from disentangle.nn import decoder, encoder, linear, output_width, relu_layers

PAPER = "Khemakhem et al. 2020"
LARGEST = 4_096  # combinations of the values of u that `log_prob` sums over


@settings
class Settings(gaussian_vae.Settings):
    """Of iVAE."""

    condition: tuple[str, ...] = static(
        (), "u: factors that are given; () is the first", distinct=True
    )
    prior: tuple[int, ...] = static(
        (50, 50), "hidden widths of the prior", source=PAPER, least=1, most=WIDEST
    )
    beta: float = swept(1.0, "weight of the KL; 1 is the bound", source=PAPER)


def kl_between(
    mean: jax.Array, logvar: jax.Array, at: jax.Array, log_width: jax.Array
) -> jax.Array:
    """KL(N(mean, exp(logvar)) || N(at, exp(log_width))) per latent, nats.

    Four (B, D) -> (D,), a mean over the batch.
    """
    squares = jnp.exp(logvar - log_width) + jnp.square(mean - at) * jnp.exp(-log_width)
    return 0.5 * (squares - 1.0 + log_width - logvar).mean(0)


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The iVAE of `settings`, nats per image.

    Raises:
      UserError: no labels, or a factor that does not exist or has one value.
    """
    given = condition(settings.condition or space.names[:1], space)
    features, d = encoder(settings.encoder, shape, None), settings.latents
    nets = {
        "encoder": features,
        "posterior": linear(output_width(features, shape) + given.width, 2 * d),
        "prior": relu_layers(given.width, settings.prior, 2 * d),
        "decoder": decoder(settings.decoder, shape, d),
    }
    likelihood = LIKELIHOODS[settings.likelihood]

    def told(
        params: Params, images: jax.Array, u: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Mean and log-variance of q(z|x, u), (B, D) each."""
        found = features.apply(params["encoder"], images)
        both = jnp.concatenate([found, u], axis=1)
        mean, logvar = jnp.split(
            nets["posterior"].apply(params["posterior"], both), 2, 1
        )
        return mean, logvar

    def prior(params: Params, u: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Mean and log-variance of p(z|u), (B, D) each."""
        at, log_width = jnp.split(nets["prior"].apply(params["prior"], u), 2, 1)
        return at, log_width

    def logits(params: Params, z: jax.Array) -> jax.Array:
        return nets["decoder"].apply(params["decoder"], z)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del step
        u = given.encode(batch["factors"], batch.get("known"))
        mean, logvar = told(params, batch["images"], u)
        z = sample_posterior(mean, logvar, key=key)
        reconstruction = likelihood(logits(params, z), batch["images"])
        kl = kl_between(mean, logvar, *prior(params, u))
        logs = {"reconstruction": reconstruction, "kl": kl.sum(), "kl_by_latent": kl}
        elbo = -(reconstruction + kl.sum())
        return reconstruction + hyper.beta * kl.sum(), logs | {"elbo": elbo}

    def posterior(params: Params, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        uniform = jnp.broadcast_to(given.uniform[None], (len(images), given.width))
        return told(params, images, uniform)

    def generate(params: Params, factors: jax.Array, *, key: jax.Array) -> jax.Array:
        """z of p(z|u) for the u of these factors, decoded."""
        z = sample_posterior(*prior(params, given.encode(factors)), key=key)
        return jax.nn.sigmoid(logits(params, z))

    def log_prior(params: Params, z: jax.Array) -> jax.Array:
        """log of the mean of p(z|u) over all u, (B,)."""
        at, log_width = prior(params, jnp.asarray(every))
        each = log_normal(z[:, None], at[None], log_width[None])
        return jax.nn.logsumexp(each, axis=1) - math.log(len(every))

    every = every_condition(given.sizes)
    log_prob = partial(
        bound,
        posterior,
        lambda params, z, x: single(likelihood, logits(params, z), x),
        log_prior=log_prior,
    )
    return Method(
        nets=nets,
        players={"vae": Player(tuple(nets), loss)},
        represent=lambda params, images: posterior(params, images)[0],
        posterior=posterior,
        decode=lambda params, z: jax.nn.sigmoid(logits(params, z)),
        sample=at_random(generate, space),
        log_prob=log_prob if len(every) else None,
        generate=generate,
        given=given.names,
    )


def every_condition(sizes: tuple[int, ...]) -> np.ndarray:
    """All combinations of values, one-hot: (U, C) float32; U = 0 for too many."""
    if math.prod(sizes) > LARGEST:
        return np.zeros((0, sum(sizes)), np.float32)
    chosen = np.array(list(itertools.product(*map(range, sizes))))
    parts = [
        np.eye(size, dtype=np.float32)[chosen[:, i]] for i, size in enumerate(sizes)
    ]
    return np.concatenate(parts, axis=1)


RECIPE = Recipe(
    build,
    Settings,
    "iVAE, a prior that is told some factors (Khemakhem et al. 2020)",
    supervision="given",
)
