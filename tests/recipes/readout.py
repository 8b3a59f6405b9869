"""A second stage: factors read off an encoder that another method has trained.

The encoder is that of a VAE by path and shape (`encoder`, with twice as many outputs as
latents) and is moved by nobody; a linear head per factor is fitted on the means. So the
codes are the first stage's to the bit.
"""

import jax
import jax.numpy as jnp

from disentangle.fields import settings, static
from disentangle.methods.base import Method, Player, Recipe
from disentangle.nn import ENCODERS, Net, encoder


@settings
class Settings:
    """Of the toy."""

    latents: int = static(10, "size of the code", least=1)
    encoder: str = static("locatello", "network of images", choices=ENCODERS)


def linear(inputs, outputs):
    """A linear map that starts at 0."""
    return Net(
        lambda key: {"kernel": jnp.zeros((inputs, outputs))},
        lambda params, x: x @ params["kernel"],
    )


def build(settings, space, shape):
    """Softmax cross-entropy of every factor, summed; only the heads move."""
    latents = settings.latents
    nets = {"encoder": encoder(settings.encoder, shape, 2 * latents)}
    nets |= {f.name: linear(latents, f.size) for f in space.items}
    heads = tuple(f.name for f in space.items)

    def represent(params, images):
        return nets["encoder"].apply(params["encoder"], images)[:, :latents]

    def loss(params, hyper, batch, *, key, step):
        del hyper, key, step
        codes = represent(params, batch["images"])
        total = jnp.float32(0.0)
        for i, head in enumerate(heads):
            log_p = jax.nn.log_softmax(nets[head].apply(params[head], codes))
            picked = jnp.take_along_axis(log_p, batch["factors"][:, i : i + 1], axis=1)
            total -= picked.mean()
        return total, {}

    return Method(nets, {"heads": Player(heads, loss)}, represent)


RECIPE = Recipe(build, Settings, "linear readout of a frozen encoder", "all")
