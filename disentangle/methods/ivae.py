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
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

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
from disentangle.nn import (
    Net,
    decoder,
    encoder,
    linear,
    output_width,
    relu_layers,
)

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


class Model(NamedTuple):
    """The networks, and the ways through them where u (B, C) is known."""

    nets: dict[str, Net]
    # posterior(params, images (B, H, W, C), u) -> mean, logvar of q(z|x, u), (B, D)
    posterior: Callable[[Params, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]
    # prior(params, u) -> mean, logvar of p(z|u), (B, D)
    prior: Callable[[Params, jax.Array], tuple[jax.Array, jax.Array]]
    # logits(params, z (B, D)) -> (B, H, W, C); their sigmoid is the image
    logits: Callable[[Params, jax.Array], jax.Array]


def model(settings: Settings, shape: tuple[int, int, int], width: int) -> Model:
    """The networks of `settings` for a u of `width` numbers."""
    features, d = encoder(settings.encoder, shape, None), settings.latents
    nets = {
        "encoder": features,
        "posterior": linear(output_width(features, shape) + width, 2 * d),
        "prior": relu_layers(width, settings.prior, 2 * d),
        "decoder": decoder(settings.decoder, shape, d),
    }

    def halves(params: Params, name: str, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean, logvar = jnp.split(nets[name].apply(params[name], x), 2, axis=1)
        return mean, logvar

    def posterior(
        params: Params, images: jax.Array, u: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        found = features.apply(params["encoder"], images)
        return halves(params, "posterior", jnp.concatenate([found, u], axis=1))

    return Model(
        nets,
        posterior,
        prior=lambda params, u: halves(params, "prior", u),
        logits=lambda params, z: nets["decoder"].apply(params["decoder"], z),
    )


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The iVAE of `settings`, nats per image.

    Raises:
      UserError: no labels, or a factor that does not exist or has one value.
    """
    given = condition(settings.condition or space.names[:1], space)
    vae = model(settings, shape, given.width)
    likelihood = LIKELIHOODS[settings.likelihood]

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del step
        u = given.encode(batch["factors"], batch.get("known"))
        mean, logvar = vae.posterior(params, batch["images"], u)
        z = sample_posterior(mean, logvar, key=key)
        reconstruction = likelihood(vae.logits(params, z), batch["images"])
        kl = kl_between(mean, logvar, *vae.prior(params, u))
        logs = {"reconstruction": reconstruction, "kl": kl.sum(), "kl_by_latent": kl}
        elbo = -(reconstruction + kl.sum())
        return reconstruction + hyper.beta * kl.sum(), logs | {"elbo": elbo}

    def posterior(params: Params, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        uniform = jnp.broadcast_to(given.uniform[None], (images.shape[0], given.width))
        return vae.posterior(params, images, uniform)

    def generate(params: Params, factors: jax.Array, *, key: jax.Array) -> jax.Array:
        """z of p(z|u) for the u of these factors, decoded."""
        z = sample_posterior(*vae.prior(params, given.encode(factors)), key=key)
        return jax.nn.sigmoid(vae.logits(params, z))

    return Method(
        nets=vae.nets,
        players={"vae": Player(tuple(vae.nets), loss)},
        represent=lambda params, images: posterior(params, images)[0],
        posterior=posterior,
        decode=lambda params, z: jax.nn.sigmoid(vae.logits(params, z)),
        sample=at_random(generate, space),
        log_prob=density(vae, posterior, likelihood, given.sizes),
        generate=generate,
        given=given.names,
    )


def density(
    vae: Model, posterior: Any, likelihood: Any, sizes: tuple[int, ...]
) -> Callable[..., jax.Array] | None:
    """`Method.log_prob`: p(z) is the mean of p(z|u) over all u, as likely each.

    None where the factors of u have more than `LARGEST` combinations.
    """
    every = every_condition(sizes)

    def log_prior(params: Params, z: jax.Array) -> jax.Array:
        at, log_width = vae.prior(params, jnp.asarray(every))
        each = log_normal(z[:, None], at[None], log_width[None])
        return jax.nn.logsumexp(each, axis=1) - math.log(len(every))

    found = lambda params, z, x: single(likelihood, vae.logits(params, z), x)
    if not len(every):
        return None
    return partial(bound, posterior, found, log_prior=log_prior)


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
