r"""VAE: the evidence lower bound (Kingma & Welling 2014, Eq. 3).

$$
\mathcal{L} = -\mathbb{E}_{q(z|x)} \log p(x|z)
+ \sum_d \mathrm{KL}(q(z_d|x) \,\|\, \mathcal{N}(0, 1))
$$
"""

from typing import Any

import jax

from disentangle.data.space import FactorSpace
from disentangle.methods.base import Logs, Method, Recipe
from disentangle.methods.gaussian_vae import Settings, Terms, gaussian_vae


def objective(
    terms: Terms, hyper: Settings, *, key: jax.Array, step: Any
) -> tuple[jax.Array, Logs]:
    """-ELBO = -E_q(z|x) log p(x|z) + sum_d KL(q(z_d|x) || N(0,1)), nats."""
    del hyper, key, step
    return terms.reconstruction + terms.kl.sum(), {}


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The VAE of `settings` for images of `shape`."""
    del space
    return gaussian_vae(settings, shape, objective)


RECIPE = Recipe(
    build,
    Settings,
    "VAE (Kingma & Welling 2014)",
    protocol={"steps": 300_000},
    published="Locatello et al. 2019, as beta-VAE at beta 1",
)
