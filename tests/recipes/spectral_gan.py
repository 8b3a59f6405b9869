"""A GAN: batch norm and an average in G, spectral norms in D, no encoder but D."""

import jax
import numpy as np
import optax
from flax import linen

from disentangle.fields import settings, static, swept
from disentangle.methods.base import Method, Output, Player, Recipe
from disentangle.nn import from_module


@settings
class Settings:
    """Of the toy."""

    latents: int = static(4, "size of the noise", least=1)
    rate: float = swept(1e-3, "learning rate of both", above=0.0)


class Generator(linen.Module):
    """Dense, batch norm, dense."""

    pixels: int

    @linen.compact
    def __call__(self, z: jax.Array, train: bool) -> jax.Array:
        """(B, latents) -> (B, pixels) in [0, 1]."""
        norm = linen.BatchNorm(use_running_average=not train)
        return jax.nn.sigmoid(
            linen.Dense(self.pixels)(jax.nn.relu(norm(linen.Dense(16)(z))))
        )


class Critic(linen.Module):
    """Two dense layers with spectral norm (Miyato et al. 2018)."""

    @linen.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """(B, pixels) -> the hidden layer (B, 8), the logits (B,)."""
        for width in (8, 1):
            layer = linen.SpectralNorm(linen.Dense(width))
            h, x = x, jax.nn.leaky_relu(layer(x, update_stats=train), 0.2)
        return h, x[:, 0]


def build(settings: Settings, space, shape):
    """Hinge losses; D moves first and twice as often."""
    del space
    pixels = int(np.prod(shape))
    nets = {
        "G": from_module(Generator(pixels), (settings.latents,)),
        "D": from_module(Critic(), (pixels,)),
    }
    flat = lambda images: images.reshape(images.shape[0], -1)

    def fakes(params, count, key):
        z = jax.random.normal(key, (count, settings.latents))
        return nets["G"].train(params["G"], z)

    def critic(params, hyper, batch, *, key, step):
        del hyper, step
        real = flat(batch["images"])
        fake, _ = fakes(params, real.shape[0], key)
        (_, on_real), state = nets["D"].train(params["D"], real)
        (_, on_fake), _ = nets["D"].train(params["D"], fake)
        value = jax.nn.relu(1.0 - on_real).mean() + jax.nn.relu(1.0 + on_fake).mean()
        return Output(value, state={"D": state})

    def generator(params, hyper, batch, *, key, step):
        del hyper, step
        fake, state = fakes(params, batch["images"].shape[0], key)
        _, on_fake = nets["D"].apply(params["D"], fake)
        return Output(-on_fake.mean(), state={"G": state})

    def sample(params, *, key, n):
        z = jax.random.normal(key, (n, settings.latents))
        return nets["G"].apply(params["G"], z).reshape(n, *shape)

    adam = lambda hyper: optax.adam(hyper.rate, b1=0.5)
    return Method(
        nets,
        {
            "D": Player(("D",), critic, optimizer=adam, rate="rate"),
            "G": Player(("G",), generator, every=2, optimizer=adam, rate="rate"),
        },
        lambda params, images: nets["D"].apply(params["D"], flat(images))[0],
        averages={"G": lambda hyper, step: 0.9},
        sample=sample,
    )


RECIPE = Recipe(build, Settings, "toy GAN with spectral norms")
