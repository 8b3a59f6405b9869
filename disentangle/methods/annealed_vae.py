r"""AnnealedVAE: the KL held at a capacity that grows (Burgess et al. 2018, Eq. 8).

$$
\mathcal{L} = -\mathbb{E}_{q(z|x)} \log p(x|z)
+ \gamma \left| \sum_d \mathrm{KL}(q(z_d|x) \,\|\, \mathcal{N}(0, 1)) - C(t) \right|,
\qquad C(t) = c_{\max} \min(1, t / t_{\mathrm{threshold}})
$$
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.data.space import FactorSpace
from disentangle.fields import settings, swept
from disentangle.methods import gaussian_vae
from disentangle.methods.base import Logs, Method, Recipe
from disentangle.methods.gaussian_vae import Terms


@settings
class Settings(gaussian_vae.Settings):
    """Of AnnealedVAE."""

    gamma: float = swept(
        1000.0,
        "weight of |KL - C|",
        source="Burgess et al. 2018; Locatello et al. 2019",
    )
    c_max: float = swept(
        25.0,
        "capacity at the end, nats",
        source="Locatello et al. 2019: 5, 10, 25, 50, 75, 100",
    )
    threshold: float = swept(
        1 / 3,
        "when the capacity is c_max",
        source="Locatello et al. 2019: 100,000 of 300,000",
        above=0.0,
        share=True,
    )


def capacity(hyper: Settings, step: Any) -> jax.Array:
    """C(t) = min(c_max, c_max t / threshold), nats: from 0, as Locatello et al. 2019.

    `threshold` is in steps here. Burgess et al. begin at 0.5 nats instead, which is the
    capacity of their step 2,000 here.
    """
    part = jnp.asarray(step, jnp.float32) / hyper.threshold
    return hyper.c_max * jnp.minimum(1.0, part)


def objective(
    terms: Terms, hyper: Settings, *, key: jax.Array, step: Any
) -> tuple[jax.Array, Logs]:
    """-E_q(z|x) log p(x|z) + gamma |sum_d KL(q(z_d|x) || N(0,1)) - C(t)|, nats.

    The KL within the bars is the mean over the batch, as in the code of Locatello
    et al. 2019: single images may lie above C and others below it.
    """
    del key
    kl, c = terms.kl.sum(), capacity(hyper, step)
    elbo = -(terms.reconstruction + kl)
    loss = terms.reconstruction + hyper.gamma * jnp.abs(kl - c)
    return loss, {"elbo": elbo, "capacity": c}


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The AnnealedVAE of `settings` for images of `shape`."""
    del space
    return gaussian_vae.gaussian_vae(settings, shape, objective)


RECIPE = Recipe(
    build,
    Settings,
    "AnnealedVAE, capacity (Burgess et al. 2018)",
    protocol={"steps": 300_000},
    published="Locatello et al. 2019: c_max 5, 10, 25, 50, 75, 100",
)
