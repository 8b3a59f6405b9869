"""A method with batch statistics and a moving average: an autoencoder."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen

from disentangle.fields import settings, static, swept
from disentangle.methods.base import Method, Output, Player, Recipe
from disentangle.nn import from_module


@settings
class Settings:
    """Of the toy."""

    latents: int = static(3, "size of the code", least=1)
    decay: float = swept(0.5, "of the average", least=0.0, most=0.999)


class Encoder(linen.Module):
    """Batch norm of the pixels, then a dense layer of Linen."""

    latents: int

    @linen.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """(B, H, W, C) -> (B, latents)."""
        x = x.reshape(x.shape[0], -1)
        norm = linen.BatchNorm(use_running_average=not train, momentum=0.9)
        return linen.Dense(self.latents)(norm(x))


def build(settings: Settings, space, shape):
    """Squared error of a linear decoder; averages of both networks."""
    del space
    pixels = int(np.prod(shape))
    nets = {
        "encoder": from_module(Encoder(settings.latents), shape),
        "decoder": from_module(linen.Dense(pixels), (settings.latents,)),
    }

    def loss(params, hyper, batch, *, key, step):
        del hyper, key, step
        x = batch["images"].reshape(batch["images"].shape[0], -1)
        codes, state = nets["encoder"].train(params["encoder"], batch["images"])
        guess = nets["decoder"].apply(params["decoder"], codes)
        value = jnp.square(guess - x).sum(1).mean()
        return Output(value, state={"encoder": state})

    return Method(
        nets,
        {"autoencoder": Player(("encoder", "decoder"), loss)},
        lambda params, images: nets["encoder"].apply(params["encoder"], images),
        averages=dict.fromkeys(nets, lambda hyper, step: hyper.decay),
    )


RECIPE = Recipe(build, Settings, "toy with batch norm and an average")
