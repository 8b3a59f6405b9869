r"""SlowVAE: pairs of images whose factors move sparsely (Klindt et al. 2021).

$$
\mathcal{L} = \frac{1}{2} \mathbb{E}_{q} \Big[
- \log p(x_{t-1}|z_{t-1}) - \log p(x_t|z_t)
+ \mathrm{KL}(q(z_{t-1}|x_{t-1}) \,\|\, \mathcal{N}(0, I))
+ \gamma \, \mathrm{KL}(q(z_t|x_t) \,\|\, p(z_t|z_{t-1})) \Big]
$$

$$
p(z_t|z_{t-1}) = \prod_d \frac{\lambda}{2} \exp(-\lambda |z_{t,d} - z_{t-1,d}|)
$$

"Towards nonlinear disentanglement in natural data with temporal sparse coding" (ICLR
2021), Eq. 3 and 8: the prior of z_t given z_{t-1} is a Laplace distribution round it,
which singles out the axes as a Gaussian one does not. gamma is 1 in the bound.

The last term needs no sample. z_t - z_{t-1} is the difference of two independent
Gaussians, so that per latent

$$
\mathbb{E}_q \mathrm{KL} = \log \frac{2}{\lambda} + \lambda \, \mathbb{E}|z_t - z_{t-1}|
- \frac{1}{2} \log (2 \pi e \, \sigma_t^2),
$$

E|z_t - z_{t-1}| the mean of a folded normal distribution (Leone et al. 1961). The
half before all is ours: losses are per image here, as those of other pairs. Their code
takes the KL to N(0, I) of both images, and the last term in both directions, with the
mean of the other image's posterior in place of the expectation.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.methods import gaussian_vae
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.gaussian_vae import (
    forward,
    kl_to_prior,
    method_of,
    model,
    shown,
)
from disentangle.methods.transitions import LAPLACE, TRANSITIONS, transitions

PAPER = "Klindt et al. 2021"


@settings
class Settings(gaussian_vae.Settings):
    """Of SlowVAE."""

    transitions: str = static(
        LAPLACE,
        "which pairs: factors that move by a Laplace distribution, or some drawn again",
        source=f"{PAPER}: LAP and UNI",
        choices=TRANSITIONS,
    )
    data_rate: float = static(
        1.0,
        "of the Laplace moves of the factors, by ln K steps between values",
        source=f"{PAPER}, code",
        least=0.0,
        most=100.0,
    )
    gamma: float = swept(
        10.0, "weight of the KL of z_t from its transition", source=PAPER
    )
    rate: float = swept(6.0, "lambda of p(z_t|z_{t-1})", source=PAPER, above=0.0)


def expected_distance(difference: jax.Array, variance: jax.Array) -> jax.Array:
    """E|d| of d ~ N(difference, variance), the mean of a folded normal, entry by entry.

    sigma sqrt(2 / pi) exp(-m^2 / (2 sigma^2)) + m (1 - 2 Phi(-m / sigma)).
    """
    sigma = jnp.sqrt(variance)
    ratio = difference / sigma
    return 2.0 * sigma * norm.pdf(ratio) + difference * (1.0 - 2.0 * norm.cdf(-ratio))


def kl_to_transition(
    mean: jax.Array, logvar: jax.Array, rate: jax.Array | float
) -> jax.Array:
    """E_q KL(q(z_t|x_t) || p(z_t|z_{t-1})) per latent, nats.

    Args:
      mean: (2 B, D), rows i and i + B of one pair, x_{t-1} first.
      logvar: (2 B, D).
      rate: lambda.

    Returns:
      (D,), a mean over the pairs.
    """
    (m0, m1), (l0, l1) = jnp.split(mean, 2), jnp.split(logvar, 2)
    distance = expected_distance(m1 - m0, jnp.exp(l0) + jnp.exp(l1))
    entropy = 0.5 * (1.0 + jnp.log(2.0 * jnp.pi) + l1)
    return (jnp.log(2.0 / rate) + rate * distance - entropy).mean(0)


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The SlowVAE of `settings`; the log's `kl` is that of both images to N(0, I)."""
    vae = model(settings, shape)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del step
        terms = forward(vae, params, batch["images"], key=key)
        first = len(terms.mean) // 2
        start = kl_to_prior(terms.mean[:first], terms.logvar[:first]).sum()
        move = kl_to_transition(terms.mean, terms.logvar, hyper.rate).sum()
        value = terms.reconstruction + 0.5 * (start + hyper.gamma * move)
        return value, shown(terms) | {"transition": move}

    return method_of(
        vae,
        {"vae": Player(("encoder", "decoder"), loss)},
        collate=transitions(space, settings.transitions, settings.data_rate),
    )


RECIPE = Recipe(
    build,
    Settings,
    "SlowVAE, pairs with sparse transitions (Klindt et al. 2021)",
    supervision="pairs",
    protocol={"steps": 300_000},
    published="Klindt et al. 2021: gamma 10, lambda 6, batch and optimiser of "
    "Locatello et al. 2019",
)
