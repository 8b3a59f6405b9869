r"""Ada-GVAE and Ada-ML-VAE: pairs that share unknown factors (Locatello et al. 2020).

$$
\mathcal{L} = \frac{1}{2} \sum_{j=1,2} \Big[-\mathbb{E}_{\tilde q(z|x_j)} \log p(x_j|z)
+ \beta \, \mathrm{KL}(\tilde q(z|x_j) \,\|\, \mathcal{N}(0, I))\Big]
$$

$$
\delta_d = \mathrm{KL}(q(z_d|x_1) \,\|\, q(z_d|x_2)), \qquad
d \text{ is shared where } \delta_d < \tfrac{1}{2} (\max_d \delta_d + \min_d \delta_d)
$$

"Weakly-supervised disentanglement without compromises", section 4. Of a pair of
images that differ in few factors, the latents whose posteriors lie close together
are taken to be shared, and are given one posterior; the rest is the beta-VAE.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods import beta_vae, gaussian_vae
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.gaussian_vae import Terms, kl_to_prior, sample_posterior, shown
from disentangle.methods.group_posterior import AVERAGES, share
from disentangle.methods.pairs import pairs


@settings
class Settings(gaussian_vae.Settings):
    """Of Ada-GVAE."""

    changed: int = static(
        1,
        "factors in which a pair differs; 0 draws 1 .. F - 1 for each pair, -1 draws 1 "
        "or such a number",
        source="Locatello et al. 2020",
        least=-1,
        most=WIDEST,
    )
    distinct: bool = static(
        False, "whether exactly `changed` factors differ, or at most as many"
    )
    average: str = static(
        "arithmetic",
        "of the posteriors of shared latents",
        source="Locatello et al. 2020",
        choices=AVERAGES,
    )
    beta: float = swept(
        1.0, "weight of the KL", source="Locatello et al. 2020: 1 .. 16"
    )


@settings
class ProductSettings(Settings):
    """Of Ada-ML-VAE.

    Its paper writes a product of experts, "product"; its code, and so its
    published numbers, have "geometric".
    """

    average: str = static(
        "geometric",
        "of the posteriors of shared latents",
        source="Locatello et al. 2020, code",
        choices=AVERAGES,
    )


def shared_latents(mean: jax.Array, logvar: jax.Array) -> jax.Array:
    """The latents a pair is taken to share: those below the middle of the KLs.

    delta_d = KL(q(z_d|x1) || q(z_d|x2)), tau = (max_d delta_d + min_d delta_d) / 2
    for each pair; latent d is shared where delta_d < tau. disentanglement_lib
    leaves out the KL's factor of 1/2, which scales delta and tau alike. Where all
    delta_d are equal, nothing is shared; for two equal posteriors that is the same
    as sharing everything.

    Args:
      mean: (2 B, D); images i and i + B are a pair.
      logvar: (2 B, D).

    Returns:
      (B, D) bool.
    """
    (m1, m2), (l1, l2) = jnp.split(mean, 2), jnp.split(logvar, 2)
    delta = 0.5 * (jnp.exp(l1 - l2) + jnp.square(m2 - m1) * jnp.exp(-l2) - 1 + l2 - l1)
    tau = 0.5 * (delta.max(1, keepdims=True) + delta.min(1, keepdims=True))
    return delta < tau


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The beta-VAE loss of both images, their close latents averaged.

    (1/2) sum_{j=1,2} [-E_q~(z|x_j) log p(x_j|z) + beta KL(q~(z|x_j) || N(0, I))]
    where q~ is q with the shared latents averaged; nats per image.

    Raises:
      UserError: on a `changed` that the space does not allow.
    """
    vae = gaussian_vae.model(settings, shape)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        mean, logvar = vae.posterior(params, batch["images"])
        shared = shared_latents(mean, logvar)
        mean, logvar = share(settings.average, mean, logvar, shared, 2)
        z = sample_posterior(mean, logvar, key=key)
        reconstruction = vae.reconstruction(params, z, batch["images"])
        terms = Terms(reconstruction, kl_to_prior(mean, logvar), mean, logvar, z)
        value, logs = beta_vae.objective(terms, hyper, key=key, step=step)
        often = {"shared": shared.mean(0, dtype=jnp.float32)}  # (D,), share of pairs
        return value, shown(terms) | logs | often

    return gaussian_vae.method_of(
        vae,
        {"vae": Player(("encoder", "decoder"), loss)},
        collate=pairs(space, settings.changed, settings.distinct),
    )


ADA_GVAE = Recipe(
    build,
    Settings,
    "Ada-GVAE, pairs of images (Locatello et al. 2020)",
    supervision="pairs",
    protocol={"steps": 300_000},
    published="Locatello et al. 2020: beta 1 to 16",
)
ADA_ML_VAE = Recipe(
    build,
    ProductSettings,
    "Ada-ML-VAE, pairs of images (Locatello et al. 2020)",
    supervision="pairs",
    protocol={"steps": 300_000},
    published="Locatello et al. 2020: beta 1 to 16",
)
