r"""beta-TCVAE: the KL taken apart, its total correlation weighted (Chen et al. 2018).

$$
\mathcal{L} = -\mathbb{E}_{q(z|x)} \log p(x|z) + I(z; n)
+ \beta \, \mathrm{KL}\Big(q(z) \,\|\, \prod_d q(z_d)\Big)
+ \sum_d \mathrm{KL}(q(z_d) \,\|\, \mathcal{N}(0, 1))
$$
"""

from functools import partial
from typing import Any

import jax

from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.methods import gaussian_vae
from disentangle.methods.base import Logs, Method, Recipe
from disentangle.methods.gaussian_vae import Terms
from disentangle.methods.moments import gaussian_total_correlation
from disentangle.methods.total_correlation import (
    TC_ESTIMATORS,
    log_normal,
    log_posteriors,
)


@settings
class Settings(gaussian_vae.Settings):
    """Of beta-TCVAE."""

    estimator: str = static(
        "mws",
        'of log q(z): "mws" or "mss" with the loss of the paper, "locatello" with that '
        "of Locatello et al. 2019",
        source="Chen et al. 2018",
        choices=TC_ESTIMATORS,
    )
    dataset_size: int = static(
        0,
        'N, images trained on; 0 is the whole grid. The gradient knows it with "mss"',
        least=0,
    )
    beta: float = swept(
        6.0,
        "weight of the total correlation; 1 is the VAE",
        source="Chen et al. 2018; Locatello et al. 2019: 1, 2, 4, 6, 8, 10",
    )


def decomposed(
    terms: Terms,
    hyper: Settings,
    *,
    key: jax.Array,
    step: Any,
    estimator: str,
    size: int,
) -> tuple[jax.Array, Logs]:
    """-E log p(x|z) + I(z; n) + beta TC(z) + sum_d KL(q(z_d) || N(0,1)), nats.

    Chen et al. 2018, Eq. 4 with alpha = gamma = 1, every term an average over the
    batch at one sample of z: log q(z|x) - log q(z), log q(z) - sum_d log q(z_d),
    sum_d log q(z_d) - log p(z). With `mws` the loss keeps the constant
    (beta - 1) (D - 1) log(N): 608 nats for dSprites, 10 latents and beta 6, most of
    the 710 that other projects print for this loss.
    """
    del key, step
    log_q = log_posteriors(terms.z, terms.mean, terms.logvar)
    joint, marginals = TC_ESTIMATORS[estimator](log_q, size)
    product = marginals.sum(-1)
    conditional = log_normal(terms.z, terms.mean, terms.logvar).sum(-1)
    prior = log_normal(terms.z, 0.0 * terms.mean, 0.0 * terms.logvar).sum(-1)
    information = (conditional - joint).mean()
    correlation = (joint - product).mean()
    by_dimension = (product - prior).mean()
    kl = information + hyper.beta * correlation + by_dimension
    return terms.reconstruction + kl, _shown(terms)


def penalised(
    terms: Terms, hyper: Settings, *, key: jax.Array, step: Any
) -> tuple[jax.Array, Logs]:
    """-E log p(x|z) + sum_d KL(q(z_d|x) || N(0,1)) + (beta - 1) TC(z), nats.

    The loss of Locatello et al. 2019: Eq. 4 again, with the KL in closed form where
    the paper takes it at one sample, and without the constants of TC.
    """
    del key, step
    log_q = log_posteriors(terms.z, terms.mean, terms.logvar)
    joint, marginals = TC_ESTIMATORS["locatello"](log_q, 0)
    correlation = (joint - marginals.sum(-1)).mean()
    kl = terms.kl.sum() + (hyper.beta - 1.0) * correlation
    return terms.reconstruction + kl, _shown(terms)


def _shown(terms: Terms) -> Logs:
    """No estimate of the loss is a total correlation (total_correlation.py)."""
    return {
        "elbo": -(terms.reconstruction + terms.kl.sum()),
        "gaussian_tc": gaussian_total_correlation(terms.mean, terms.logvar),
    }


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The beta-TCVAE of `settings` for images of `shape`."""
    if settings.estimator == "locatello":
        return gaussian_vae.gaussian_vae(settings, shape, penalised)
    size = settings.dataset_size or space.size
    loss = partial(decomposed, estimator=settings.estimator, size=size)
    return gaussian_vae.gaussian_vae(settings, shape, loss)


RECIPE = Recipe(
    build,
    Settings,
    "beta-TCVAE (Chen et al. 2018)",
    protocol={
        "method.encoder": "chen",
        "method.decoder": "chen",
        "batch_size": 2048,
        "optimizer.learning_rate": 1e-3,
        "steps": 18_000,  # 50 epochs of 737,280 images
    },
    published="the authors' code for dSprites",
)
