"""VAE whose KL term is faded in over the first steps (Bowman et al. 2016, sec. 3.1)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from disentangle.methods.base import Recipe
from disentangle.methods.gaussian_vae import Settings, Terms, gaussian_vae


class Hyperparameters(NamedTuple):
    """Swept: a list of these is a sweep in one program."""

    warmup: float = 0.05  # share of the run's steps until the KL has its full weight


def objective(terms: Terms, hyper: Hyperparameters, *, key: jax.Array, step: jax.Array):
    """-E log p(x|z) + min(1, step / warmup) sum_d KL_d, nats."""
    del key
    weight = jnp.minimum(1.0, jnp.asarray(step, jnp.float32) / hyper.warmup)
    return terms.reconstruction + weight * terms.kl.sum(), {"weight": weight}


def build(settings: Settings, space, shape):
    """The method of `settings` for images of `shape`."""
    del space
    return gaussian_vae(settings, shape, objective)


RECIPE = Recipe(
    build,
    Settings,
    Hyperparameters,
    "KL warm-up VAE (Bowman et al. 2016)",
    schedules=("warmup",),
)
