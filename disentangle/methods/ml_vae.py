r"""ML-VAE and GVAE: groups of images that share their content.

$$
\mathcal{L} = \frac{1}{n} \Big[ \sum_{i=1}^n \Big( -\mathbb{E} \log p(x_i|c, s_i)
+ \beta \, \mathrm{KL}(q(s_i|x_i) \,\|\, p(s)) \Big)
+ \beta \, \mathrm{KL}(q(c|x_1, \dots, x_n) \,\|\, p(c)) \Big]
$$

"Multi-level variational autoencoder" (Bouchacourt et al. 2018) and "Group-based
learning of disentangled representations" (Hosoya 2019). The images of a group
have some factors in common. The first latents, the content, get one posterior a
group; the others, the style, one an image.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods import beta_vae, gaussian_vae
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.gaussian_vae import Terms, kl_to_prior, sample_posterior, shown
from disentangle.methods.group_posterior import AVERAGES, share
from disentangle.methods.pairs import groups


@settings
class Settings(gaussian_vae.Settings):
    """Of ML-VAE."""

    shared: tuple[str, ...] = static(
        (), "factors that a group has in common; () is the first", distinct=True
    )
    members: int = static(2, "n, images in a group", least=2, most=WIDEST)
    content: int = static(
        5,
        "latents of the content, fewer than `latents`",
        source="Bouchacourt et al. 2018: half",
        least=1,
        most=WIDEST,
    )
    average: str = static(
        "product",
        "of the posteriors of the content",
        source="Bouchacourt et al. 2018",
        choices=AVERAGES,
    )
    beta: float = swept(
        1.0,
        "weight of the KL; 1 is the group evidence lower bound",
        source="Bouchacourt et al. 2018; Hosoya 2019",
    )

    def __post_init__(self) -> None:
        if not self.content < self.latents:
            raise UserError(
                f"method.content={self.content} must be in 1 .. {self.latents - 1}, "
                "fewer than method.latents"
            )


@settings
class MeanSettings(Settings):
    """Of GVAE, which averages the content's means and variances."""

    average: str = static(
        "arithmetic",
        "of the posteriors of the content",
        source="Hosoya 2019",
        choices=AVERAGES,
    )


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The negative evidence lower bound of a group of n, divided by n.

    sum_i [-E log p(x_i|c, s_i) + beta KL(q(s_i|x_i) || N(0, I))]
    + beta KL(q(c|x_1 .. x_n) || N(0, I))  (Bouchacourt et al. 2018): the
    content is paid for once a group. As in their algorithm 1 every member has its
    own sample of c. Codes of an image alone are those of a group of one.

    Raises:
      UserError: on a factor that does not exist, or fewer than 2 members.
    """
    vae = gaussian_vae.model(settings, shape)
    n = settings.members
    content = jnp.arange(settings.latents) < settings.content

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        mean, logvar = vae.posterior(params, batch["images"])
        mean, logvar = share(settings.average, mean, logvar, content[None], n)
        z = sample_posterior(mean, logvar, key=key)
        reconstruction = vae.reconstruction(params, z, batch["images"])
        kl = kl_to_prior(mean, logvar) * jnp.where(content, 1 / n, 1.0)
        terms = Terms(reconstruction, kl, mean, logvar, z)
        value, logs = beta_vae.objective(terms, hyper, key=key, step=step)
        return value, shown(terms) | logs

    return gaussian_vae.method_of(
        vae,
        {"vae": Player(("encoder", "decoder"), loss)},
        collate=groups(space, settings.shared, n),
    )


ML_VAE = Recipe(
    build,
    Settings,
    "ML-VAE, groups of images (Bouchacourt et al. 2018)",
    supervision="groups",
)
GVAE = Recipe(
    build,
    MeanSettings,
    "GVAE, groups of images (Hosoya 2019)",
    supervision="groups",
)
