r"""RF-VAE-0: which latents are relevant is given (Kim, Wang, Sahu & Pavlovic 2019).

$$
\mathcal{L} = -\mathbb{E}_{q(z|x)} \log p(x|z) + \sum_d \lambda(r_d) \, \mathrm{KL}_d
+ \gamma \, \mathrm{TC}(r z), \qquad
\lambda(r) = \lambda_{\max} - (\lambda_{\max} - \lambda_{\min}) r
$$

The Relevance-Factor VAE wants independence of the latents that carry the factors
of the data, and of these only: a relevant latent, r_d = 1, pays little for its KL and
enters the total correlation; a nuisance, r_d = 0, pays much and does not. Here r is
known; RF-VAE (methods/rf_vae.py) learns it. The terms and their weights are those of
the RF-VAE authors' code, which has no RF-VAE-0: this is its loss without the two
terms that teach r.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods import density_ratio
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.density_ratio import (
    COLLATES,
    critic_rate,
    discriminator_player,
    first_and_last,
    log_ratio,
    sample_codes,
)
from disentangle.methods.gaussian_vae import Model, forward, method_of, model, shown
from disentangle.nn import Net, discriminator


@settings
class CriticSettings(density_ratio.Settings):
    """Of both RF-VAEs; the weights are those of the authors' code."""

    discriminator: tuple[int, ...] = static(
        (1000,) * 5,
        "hidden widths of the discriminator; FactorVAE has one layer more",
        source="Kim et al. 2019, code",
        least=1,
        most=WIDEST,
    )
    gamma: float = swept(
        6.4,
        "weight of the total correlation",
        source="Kim et al. 2019, code; for oval dSprites 35",
    )
    lambda_min: float = swept(
        0.1, "weight of the KL of a relevant latent", source="Kim et al. 2019, code"
    )
    lambda_max: float = swept(
        10.0, "weight of the KL of a nuisance", source="Kim et al. 2019, code"
    )


@settings
class Settings(CriticSettings):
    """Of RF-VAE-0."""

    relevance: tuple[int, ...] = static(
        (),
        "r, a 0 or 1 for each latent; () makes the first F latents relevant, F the "
        "number of factors of the data set (all of them where latents < F)",
    )
    discriminator_learning_rate: float = critic_rate()

    def __post_init__(self) -> None:
        given = self.relevance
        if given and (len(given) != self.latents or not set(given) <= {0, 1}):
            raise UserError(
                f"method.relevance={given} must have a 0 or 1 for each of the "
                f"{self.latents} latents"
            )


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The loss is `loss_given`, with r as in the settings."""
    count = min(len(space.sizes), settings.latents)
    first = (1,) * count + (0,) * (settings.latents - count)
    r = jnp.asarray(settings.relevance or first, jnp.float32)
    gate = Net(init=lambda key: {}, apply=lambda params, z: r[None] * z)
    vae = model(settings, shape)
    net = discriminator(settings.latents, settings.discriminator)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del step
        images = first_and_last(batch, settings.batches)[0]["images"]
        return loss_given(r, vae, net, params, hyper, images, key=key)

    return gated_method(settings, vae, net, gate, Player(("encoder", "decoder"), loss))


def loss_given(
    r: jax.Array,
    vae: Model,
    net: Net,
    params: Params,
    hyper: Any,
    images: jax.Array,
    *,
    key: jax.Array,
) -> tuple[jax.Array, Logs]:
    """-log p(x|z) + sum_d lambda(r_d) KL_d + gamma * TC(r z), nats per image.

    lambda(r) = lambda_max - (lambda_max - lambda_min) r. The elbo that is logged is
    the plain one, as is the KL by latent.
    """
    terms = forward(vae, params, images, key=key)
    weights = hyper.lambda_max - (hyper.lambda_max - hyper.lambda_min) * r
    tc = log_ratio(net, params, r[None] * terms.z).mean()
    loss = terms.reconstruction + (weights * terms.kl).sum() + hyper.gamma * tc
    elbo = -(terms.reconstruction + terms.kl.sum())
    logs = {"elbo": elbo, "total_correlation": tc, "relevance": r}
    return loss, shown(terms) | logs


def gated_method(
    settings: CriticSettings, vae: Model, net: Net, gate: Net, player: Player
) -> Method:
    """The Method with a player "vae", and a discriminator of the gated codes r z.

    As in the authors' code, the discriminator has a batch of its own for both kinds
    of its samples (`batches=1`: the VAE's, as Locatello et al. 2019 do for
    FactorVAE). The networks are those of `settings`, with their start values; the
    authors' encoder has 4x4 windows throughout and a dense layer of 128, and all
    their weights start from N(0, 0.02). The discriminator moves first, for the
    reason given in methods/factor_vae.py.
    """

    def samples(
        params: Params, batch: Batch, *, key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        images = first_and_last(batch, settings.batches)[1]["images"]
        z = sample_codes(vae, params, images, key=key)
        gated = gate.apply(params["relevance"], z)
        return gated, gated

    return method_of(
        vae,
        {"discriminator": discriminator_player(net, samples), "vae": player},
        nets={"discriminator": net, "relevance": gate},
        collate=COLLATES[settings.batches],
    )._replace(check=ordered)


def ordered(hyper: Any) -> None:
    """Raises UserError where a nuisance would pay less than a relevant latent."""
    if hyper.lambda_min > hyper.lambda_max:
        raise UserError(
            f"method.lambda_min={hyper.lambda_min:g} must be at most "
            f"method.lambda_max={hyper.lambda_max:g}"
        )


# Of the authors' runs on dSprites' ovals (`oval_dsprites`), the one they test.
PROTOCOL = {"method.gamma": 35.0, "steps": 300_000}
PUBLISHED = "the authors' test script for oval dSprites"

RECIPE = Recipe(
    build,
    Settings,
    "RF-VAE-0, relevance given (Kim et al. 2019)",
    supervision="relevance",
    protocol=PROTOCOL,
    published=f"{PUBLISHED}, of RF-VAE",
)
