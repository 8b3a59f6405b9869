r"""DIP-VAE-I and -II: the covariance of q(z) drawn to I (Kumar et al. 2018).

$$
\mathcal{L} = -\mathrm{ELBO} + \lambda_{od} \sum_{i \neq j} C_{ij}^2
+ \lambda_d \sum_i (C_{ii} - 1)^2
$$

$$
C^{\mathrm{I}} = \mathrm{Cov}_{p(x)}[\mu(x)], \qquad
C^{\mathrm{II}} = \mathbb{E}_{p(x)}[\Sigma(x)] + \mathrm{Cov}_{p(x)}[\mu(x)]
$$
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from disentangle.data.space import FactorSpace
from disentangle.fields import settings, swept
from disentangle.methods import gaussian_vae
from disentangle.methods.base import Logs, Method, Recipe
from disentangle.methods.gaussian_vae import Terms
from disentangle.methods.moments import covariance, posterior_covariance


@settings
class Settings(gaussian_vae.Settings):
    """Of DIP-VAE-I."""

    lambda_od: float = swept(
        10.0,
        "weight of the covariances",
        source="Locatello et al. 2019: 1, 2, 5, 10, 20, 50",
    )
    lambda_d_factor: float = swept(
        10.0,
        "weight of the variances, in units of lambda_od",
        source="Locatello et al. 2019",
    )


@settings
class SettingsII(Settings):
    """Of DIP-VAE-II."""

    lambda_d_factor: float = swept(
        1.0,
        "weight of the variances, in units of lambda_od",
        source="Locatello et al. 2019",
    )


def covariance_of_means(terms: Terms) -> jax.Array:
    """DIP-VAE-I: Cov_p(x)[mu(x)], (D, D)."""
    return covariance(terms.mean)


def covariance_of_samples(terms: Terms) -> jax.Array:
    """DIP-VAE-II: Cov_q(z)[z] = E[Sigma(x)] + Cov_p(x)[mu(x)], (D, D)."""
    return posterior_covariance(terms.mean, terms.logvar)


def objective(
    terms: Terms,
    hyper: Settings,
    *,
    key: jax.Array,
    step: Any,
    moment: Callable[[Terms], jax.Array],
) -> tuple[jax.Array, Logs]:
    """-ELBO + l_od sum_{i != j} C_ij^2 + l_d sum_i (C_ii - 1)^2, nats.

    Kumar et al. 2018, Eq. 6 (C the covariance of the means) and 7 (of the samples),
    with l_d = lambda_d_factor l_od; C is of the batch, divided by B.
    """
    del key, step
    elbo = -(terms.reconstruction + terms.kl.sum())
    c = moment(terms)
    variances = jnp.diag(c)
    off_diagonal = jnp.square(c - jnp.diag(variances)).sum()
    diagonal = jnp.square(variances - 1.0).sum()
    lambda_d = hyper.lambda_d_factor * hyper.lambda_od
    loss = -elbo + hyper.lambda_od * off_diagonal + lambda_d * diagonal
    return loss, {"elbo": elbo, "off_diagonal": off_diagonal, "diagonal": diagonal}


def build_i(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The DIP-VAE-I of `settings` for images of `shape`."""
    del space
    loss = partial(objective, moment=covariance_of_means)
    return gaussian_vae.gaussian_vae(settings, shape, loss)


def build_ii(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The DIP-VAE-II of `settings` for images of `shape`."""
    del space
    loss = partial(objective, moment=covariance_of_samples)
    return gaussian_vae.gaussian_vae(settings, shape, loss)


RECIPE_I = Recipe(
    build_i,
    Settings,
    "DIP-VAE-I (Kumar et al. 2018)",
    protocol={"steps": 300_000},
    published="Locatello et al. 2019: lambda_od 1, 2, 5, 10, 20, 50",
)
RECIPE_II = Recipe(
    build_ii,
    SettingsII,
    "DIP-VAE-II (Kumar et al. 2018)",
    protocol={"steps": 300_000},
    published="Locatello et al. 2019: lambda_od 1, 2, 5, 10, 20, 50",
)
