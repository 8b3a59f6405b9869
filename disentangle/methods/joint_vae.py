r"""JointVAE: Gaussian and categorical latents side by side (Dupont 2018).

$$
\mathcal{L} = -\mathbb{E} \log p(x|z, c)
+ \gamma \, |\mathrm{KL}(q(z|x) \,\|\, p(z)) - C_z|
+ \gamma \, |\mathrm{KL}(q(c|x) \,\|\, p(c)) - C_c|
$$

This is Eq. 7, z Gaussian, c one-hot by a relaxed sample (Gumbel-softmax; Maddison et
al. 2017, Jang et al. 2017), p(c) uniform; both capacities C grow linearly from 0.

Defaults are those of the author's dSprites model (`trained_models/dsprites` of his
repository): 6 Gaussians, one categorical of 3, gamma 150, C_z to 40 and C_c to 1.1
nats over 300,000 steps, temperature 0.67. Batch 64 is ours too; its Adam has a
learning rate of 5e-4, to be set as `optimizer.learning_rate`. There the first step
is t = 1, here t = 0. On colour images its cross-entropy is the mean over the
channels, ours their sum like everywhere else.

The capacities here grow over the whole run, however short. Where they grow much
faster than in 300,000 steps the KL is bought by moving all posteriors alike, which
tells images apart in nothing; the author's code does the same then. The log's
`code_std`, and a line at the end of training, say so (methods/activity.py).
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.gaussian_vae import kl_to_prior, sample_posterior
from disentangle.methods.likelihood import LIKELIHOODS
from disentangle.nn import DECODERS, ENCODERS, decoder, encoder

DUPONT = "Dupont 2018, trained_models/dsprites"


@settings
class Settings:
    """Of JointVAE; defaults are those of the author's dSprites model."""

    continuous: int = static(6, "Gaussian latents", source=DUPONT, least=1, most=WIDEST)
    categories: tuple[int, ...] = static(
        (3,),
        "number of values of each categorical latent",
        source=DUPONT,
        least=2,
        most=WIDEST,
        filled=True,
    )
    encoder: str = static(
        "dupont", "network of images", source=DUPONT, choices=ENCODERS
    )
    decoder: str = static(
        "locatello", "network of codes", source=DUPONT, choices=DECODERS
    )
    likelihood: str = static(
        "bernoulli", "p(x|z) of a pixel", source=DUPONT, choices=LIKELIHOODS
    )
    gamma_continuous: float = swept(
        150.0, "weight of |KL - C| of the Gaussians", source=DUPONT
    )
    gamma_discrete: float = swept(
        150.0, "weight of |KL - C| of the categoricals", source=DUPONT
    )
    capacity_continuous: float = swept(40.0, "C_z at the end, nats", source=DUPONT)
    capacity_discrete: float = swept(
        1.1, "C_c at the end, nats; at most sum_j log K_j is used", source=DUPONT
    )
    capacity_steps: float = swept(
        1.0, "when both capacities are reached", source=DUPONT, above=0.0, share=True
    )
    temperature: float = swept(0.67, "of the Gumbel-softmax", source=DUPONT, above=0.0)


class Posterior(NamedTuple):
    """q(z, c | x) of B images: M Gaussians and a categorical for each of K_1, ..."""

    mean: jax.Array  # (B, M)
    logvar: jax.Array  # (B, M)
    log_p: tuple[jax.Array, ...]  # (B, K_j) each, log-probabilities


def kl_to_uniform(log_p: jax.Array) -> jax.Array:
    """KL(Categorical(p) || uniform), value by value.

    Args:
      log_p: (B, K) log-probabilities.

    Returns:
      (K,), `p_k log(K p_k)`, mean over the batch, nats. Their sum is the KL, log K
      minus the entropy: between 0 and log K.
    """
    return (jnp.exp(log_p) * (log_p + math.log(log_p.shape[-1]))).mean(0)


def gumbel_softmax(
    log_p: jax.Array, temperature: jax.Array | float, *, key: jax.Array
) -> jax.Array:
    """softmax((log p + g) / temperature), g Gumbel(0, 1): (B, K), rows sum to 1.

    The largest entry is k with probability p_k at every temperature.
    """
    noise = jax.random.gumbel(key, log_p.shape)
    return jax.nn.softmax((log_p + noise) / temperature, axis=-1)


def capacity(
    end: jax.Array | float, step: Any, steps: jax.Array | float, most: float
) -> jax.Array:
    """C(t) = min(end * t / steps, end, most), nats."""
    grown = end * jnp.minimum(jnp.asarray(step, jnp.float32) / steps, 1.0)
    return jnp.minimum(grown, most)


def sample(
    q: Posterior, temperature: jax.Array | float, *, key: jax.Array
) -> jax.Array:
    """(z, c) ~ q(z, c | x), c relaxed, in one row: (B, M + K_1 + ...)."""
    gaussian, *keys = jax.random.split(key, 1 + len(q.log_p))
    z = sample_posterior(q.mean, q.logvar, key=gaussian)
    c = [
        gumbel_softmax(log_p, temperature, key=k)
        for log_p, k in zip(q.log_p, keys, strict=True)
    ]
    return jnp.concatenate([z, *c], axis=-1)


def objective(
    reconstruction: jax.Array, q: Posterior, hyper: Settings, *, step: Any
) -> tuple[jax.Array, Logs]:
    """Equation 7; C_c ends at the most there is to know, sum_j log K_j."""
    kl_z = kl_to_prior(q.mean, q.logvar)
    kl_c = jnp.concatenate([kl_to_uniform(log_p) for log_p in q.log_p])
    most = sum(math.log(log_p.shape[-1]) for log_p in q.log_p)
    steps = hyper.capacity_steps
    c_z = capacity(hyper.capacity_continuous, step, steps, math.inf)
    c_c = capacity(hyper.capacity_discrete, step, steps, most)
    loss = (
        reconstruction
        + hyper.gamma_continuous * jnp.abs(kl_z.sum() - c_z)
        + hyper.gamma_discrete * jnp.abs(kl_c.sum() - c_c)
    )
    return loss, {
        "reconstruction": reconstruction,
        "kl": kl_z.sum() + kl_c.sum(),
        "kl_discrete": kl_c.sum(),
        "kl_by_latent": jnp.concatenate([kl_z, kl_c]),
    }


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The JointVAE of `settings` for images of `shape`.

    Codes are the Gaussian means, then the probabilities of every category: M + K_1
    + ... columns. `kl_by_latent` has as many, the KL of a categorical being the
    sum over its values.
    """
    del space
    gaussians, categories = settings.continuous, settings.categories
    ends = [2 * gaussians + sum(categories[:j]) for j in range(len(categories))]
    codes = gaussians + sum(categories)
    columns = [
        range(end - gaussians, end - gaussians + k)
        for end, k in zip(ends, categories, strict=True)
    ]
    nets = {
        "encoder": encoder(settings.encoder, shape, gaussians + codes),
        "decoder": decoder(settings.decoder, shape, codes),
    }
    likelihood = LIKELIHOODS[settings.likelihood]

    def posterior(params: Params, images: jax.Array) -> Posterior:
        out = nets["encoder"].apply(params["encoder"], images)
        mean, logvar, *logits = jnp.split(out, [gaussians, *ends], axis=-1)
        return Posterior(mean, logvar, tuple(jax.nn.log_softmax(l) for l in logits))

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        q = posterior(params, batch["images"])
        zc = sample(q, hyper.temperature, key=key)
        logits = nets["decoder"].apply(params["decoder"], zc)
        return objective(likelihood(logits, batch["images"]), q, hyper, step=step)

    def represent(params: Params, images: jax.Array) -> jax.Array:
        q = posterior(params, images)
        return jnp.concatenate([q.mean, *map(jnp.exp, q.log_p)], axis=-1)

    def from_prior(params: Params, *, key: jax.Array, n: int) -> jax.Array:
        """Gaussians, and one value of every categorical, uniform."""
        first, *others = jax.random.split(key, 1 + len(categories))
        drawn = [jax.random.normal(first, (n, gaussians))]
        for own, k in zip(others, categories, strict=True):
            value = jax.random.randint(own, (n,), 0, k)
            drawn.append(jax.nn.one_hot(value, k, dtype=jnp.float32))
        zc = jnp.concatenate(drawn, axis=1)
        return jax.nn.sigmoid(nets["decoder"].apply(params["decoder"], zc))

    return Method(
        nets=nets,
        players={"vae": Player(("encoder", "decoder"), loss)},
        represent=represent,
        categorical=tuple(tuple(group) for group in columns),
        decode=lambda params, codes: jax.nn.sigmoid(
            nets["decoder"].apply(params["decoder"], codes)
        ),
        sample=from_prior,
    )


RECIPE = Recipe(
    build,
    Settings,
    "JointVAE, discrete latents (Dupont 2018)",
    protocol={"optimizer.learning_rate": 5e-4, "steps": 300_000},
    published="the author's trained dSprites model",
)
