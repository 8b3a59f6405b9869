r"""beta-VAE: the ELBO with its KL weighted (Higgins et al. 2017, Eq. 4).

$$
\mathcal{L} = -\mathbb{E}_{q(z|x)} \log p(x|z)
+ \beta \sum_d \mathrm{KL}(q(z_d|x) \,\|\, \mathcal{N}(0, 1))
$$
"""

from typing import Any

import jax

from disentangle.data.space import FactorSpace
from disentangle.fields import settings, swept
from disentangle.methods import gaussian_vae
from disentangle.methods.base import Logs, Method, Recipe
from disentangle.methods.gaussian_vae import Terms


@settings
class Settings(gaussian_vae.Settings):
    """Of the beta-VAE."""

    beta: float = swept(
        4.0, "weight of the KL; 1 is the VAE", source="Locatello et al. 2019: 1 .. 16"
    )


def objective(
    terms: Terms, hyper: Settings, *, key: jax.Array, step: Any
) -> tuple[jax.Array, Logs]:
    """-E_q(z|x) log p(x|z) + beta * sum_d KL(q(z_d|x) || N(0,1)), nats."""
    del key, step
    kl = terms.kl.sum()
    elbo = -(terms.reconstruction + kl)
    return terms.reconstruction + hyper.beta * kl, {"elbo": elbo}


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The beta-VAE of `settings` for images of `shape`."""
    del space
    return gaussian_vae.gaussian_vae(settings, shape, objective)


RECIPE = Recipe(
    build,
    Settings,
    "beta-VAE (Higgins et al. 2017)",
    protocol={"steps": 300_000},
    published="Locatello et al. 2019: beta 1, 2, 4, 6, 8, 16",
)
