"""VAE whose KL term is faded in over the first steps (Bowman et al. 2016, sec. 3.1)."""

import jax
import jax.numpy as jnp

from disentangle.fields import settings, swept
from disentangle.methods import gaussian_vae
from disentangle.methods.base import Recipe
from disentangle.methods.gaussian_vae import Terms


@settings
class Settings(gaussian_vae.Settings):
    """A list in a field that is `swept` is a sweep in one program."""

    warmup: float = swept(
        0.05,
        "when the KL has its full weight",
        source="Bowman et al. 2016",
        above=0.0,
        share=True,
    )


def objective(terms: Terms, hyper: Settings, *, key: jax.Array, step: jax.Array):
    """-E log p(x|z) + min(1, step / warmup) sum_d KL_d, nats."""
    del key
    weight = jnp.minimum(1.0, jnp.asarray(step, jnp.float32) / hyper.warmup)
    return terms.reconstruction + weight * terms.kl.sum(), {"weight": weight}


def build(settings: Settings, space, shape):
    """The method of `settings` for images of `shape`."""
    del space
    return gaussian_vae.gaussian_vae(settings, shape, objective)


RECIPE = Recipe(
    build,
    Settings,
    "KL warm-up VAE (Bowman et al. 2016)",
)
