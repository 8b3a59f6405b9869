r"""InfoVAE: the KL exchanged for a divergence of q(z), here MMD (Zhao et al. 2019).

$$
\mathcal{L} = -\mathbb{E}_{q(z|x)} \log p(x|z)
+ (1 - \alpha) \, \mathrm{KL}(q(z|x) \,\|\, p(z))
+ (\alpha + \lambda - 1) \, \mathrm{MMD}^2(q(z), p(z))
$$
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import settings, static, swept
from disentangle.methods import gaussian_vae
from disentangle.methods.base import Logs, Method, Recipe
from disentangle.methods.gaussian_vae import Terms

# kernel(squares, latents=, bandwidth=): squared distances -> values in (0, 1]
Kernel = Callable[..., jax.Array]
Statistic = Callable[[jax.Array], jax.Array]


def rbf(squares: jax.Array, *, latents: int, bandwidth: Any) -> jax.Array:
    """exp(-|z - z'|^2 / (b D^2)): at b = 1 the kernel of the authors' code."""
    return jnp.exp(-squares / (bandwidth * latents**2))


def imq(squares: jax.Array, *, latents: int, bandwidth: Any) -> jax.Array:
    """2 b D / (2 b D + |z - z'|^2), the inverse multiquadric of WAE.

    At b = 1 its scale is the expected squared distance of two draws of the prior
    (Tolstikhin et al. 2018); its tails are heavier than those of `rbf`.
    """
    scale = 2.0 * bandwidth * latents
    return scale / (scale + squares)


KERNELS: dict[str, Kernel] = {"rbf": rbf, "imq": imq}


def biased(k: jax.Array) -> jax.Array:
    """The mean of the kernel matrix of a sample with itself, diagonal and all."""
    return k.mean()


def unbiased(k: jax.Array) -> jax.Array:
    """The mean of the kernel matrix of a sample with itself off the diagonal."""
    n = k.shape[0]
    return (k.sum() - jnp.trace(k)) / (n * (n - 1))


STATISTICS: dict[str, Statistic] = {
    "biased": biased,
    "unbiased": unbiased,
}


@settings
class Settings(gaussian_vae.Settings):
    """Of InfoVAE.

    `alpha` weighs the information of z about x (Zhao et al. 2019, Eq. 6). An MMD is at
    most 2 and an image's likelihood hundreds of nats, hence the size of `lambda_`.
    """

    kernel: str = static(
        "rbf", "of the MMD", source="Zhao et al. 2019, code", choices=KERNELS
    )
    statistic: str = static(
        "biased",
        'the V-statistic, never below 0; "unbiased" is the U-statistic. They differ by '
        "a constant and by terms of order 1 / B",
        source="Zhao et al. 2019, code",
        choices=STATISTICS,
    )
    alpha: float = swept(
        0.0,
        'takes (1 - alpha) KL: at 1 the KL is gone ("MMD-VAE"), at 0 with lambda_ 1 '
        "this is the VAE",
        source="Zhao et al. 2019",
        least=-math.inf,
        most=1.0,
    )
    lambda_: float = swept(
        1000.0,
        "alpha + lambda_ - 1 weighs the MMD; alpha + lambda_ is at least 1",
        source="Zhao et al. 2019",
    )
    bandwidth: float = swept(
        1.0, "width of the kernel in units of its published one", above=0.0
    )


def mmd(
    x: jax.Array,
    y: jax.Array,
    kernel: Callable[[jax.Array], jax.Array],
    statistic: Statistic,
) -> jax.Array:
    """MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y) (Gretton et al. 2012, Eq. 1).

    Args:
      x: (B, D), sample of one distribution.
      y: (C, D), sample of the other.
      kernel: squared distances -> values.
      statistic: of STATISTICS, the mean of a sample's own kernel matrix.

    Returns:
      Scalar; without a unit.
    """

    def matrix(a: jax.Array, b: jax.Array) -> jax.Array:
        return kernel(jnp.square(a[:, None] - b[None]).sum(-1))

    own = statistic(matrix(x, x)) + statistic(matrix(y, y))
    return own - 2.0 * matrix(x, y).mean()


def objective(
    terms: Terms,
    hyper: Settings,
    *,
    key: jax.Array,
    step: Any,
    settings: Settings,
) -> tuple[jax.Array, Logs]:
    """-E log p(x|z) + (1 - a) KL(q(z|x) || p) + (a + l - 1) MMD(q(z), p).

    Zhao et al. 2019, Eq. 6 with the divergence of their section on MMD; q(z) is the
    batch's one sample each, p(z) as many draws of the prior.
    """
    del step
    prior = jax.random.normal(key, terms.z.shape)
    kernel = partial(
        KERNELS[settings.kernel], latents=settings.latents, bandwidth=hyper.bandwidth
    )
    distance = mmd(terms.z, prior, kernel, STATISTICS[settings.statistic])
    kl = terms.kl.sum()
    loss = (
        terms.reconstruction
        + (1.0 - hyper.alpha) * kl
        + (hyper.alpha + hyper.lambda_ - 1.0) * distance
    )
    return loss, {"elbo": -(terms.reconstruction + kl), "mmd": distance}


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The InfoVAE of `settings` for images of `shape`."""
    del space
    loss = partial(objective, settings=settings)
    method = gaussian_vae.gaussian_vae(settings, shape, loss)
    return method._replace(check=weighs)


def weighs(hyper: Any) -> None:
    """Raises UserError where the distance from the prior would be rewarded."""
    if hyper.alpha + hyper.lambda_ < 1:
        raise UserError(
            f"method.alpha={hyper.alpha:g} and method.lambda_={hyper.lambda_:g} must "
            "be at least 1 together: their sum less 1 weighs the distance of q(z) "
            "from the prior"
        )


RECIPE = Recipe(
    build,
    Settings,
    "InfoVAE with MMD (Zhao et al. 2019)",
)
