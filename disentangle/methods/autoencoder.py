r"""Autoencoder: the deterministic bottleneck (Hinton & Salakhutdinov 2006).

$$
\mathcal{L} = -\log p(x \mid g(f(x)))
$$
"""

from typing import Any

import jax

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.gaussian_vae import Settings
from disentangle.methods.likelihood import LIKELIHOODS
from disentangle.nn import decoder, encoder


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """-log p(x | g(f(x))): the reconstruction term alone, no noise, no prior."""
    del space
    nets = {
        "encoder": encoder(settings.encoder, shape, settings.latents),
        "decoder": decoder(settings.decoder, shape, settings.latents),
    }
    likelihood = LIKELIHOODS[settings.likelihood]

    def represent(params: Params, images: jax.Array) -> jax.Array:
        return nets["encoder"].apply(params["encoder"], images)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del hyper, key, step
        z = represent(params, batch["images"])
        logits = nets["decoder"].apply(params["decoder"], z)
        reconstruction = likelihood(logits, batch["images"])
        return reconstruction, {"reconstruction": reconstruction}

    return Method(
        nets=nets,
        players={"autoencoder": Player(("encoder", "decoder"), loss)},
        represent=represent,
        decode=lambda params, codes: jax.nn.sigmoid(
            nets["decoder"].apply(params["decoder"], codes)
        ),
    )


RECIPE = Recipe(build, Settings, "autoencoder (Hinton & Salakhutdinov 2006)")
