"""An autoencoder whose resolution grows by stages (Karras et al. 2018, without fading).

Images are averaged down to `resolution` pixels a side. Every resolution from there to
`SMALLEST` has a layer of its own, named by it; so a run at twice the resolution starts
with all layers of the one before, and a new one at either end.
"""

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.fields import settings, static
from disentangle.methods.base import Method, Player, Recipe
from disentangle.nn import from_module

SMALLEST, FEATURES = 4, 3


@settings
class Settings:
    """Of the toy."""

    latents: int = static(2, "size of the code", least=1)
    resolution: int = static(4, "pixels a side", choices=(4, 8, 16, 32, 64))


def sizes(resolution):
    """16 -> [16, 8, 4]."""
    return [s for s in (64, 32, 16, 8, 4) if SMALLEST <= s <= resolution]


def resized(x, size):
    """(B, H, W, C) averaged down, or repeated up, to `size` pixels a side."""
    side, scale = x.shape[1], max(1, x.shape[1] // size)
    down = x.reshape(len(x), side // scale, scale, side // scale, scale, -1)
    again = max(1, size // side)
    return jnp.repeat(jnp.repeat(down.mean((2, 4)), again, 1), again, 2)


class Encoder(linen.Module):
    """Pixels to features, a convolution per halving, then the code."""

    latents: int
    resolution: int

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, latents)."""
        largest, *rest = sizes(self.resolution)
        one = linen.Conv(FEATURES, (1, 1), name=f"from_{largest}")
        x = linen.relu(one(resized(x, largest)))
        for size in rest:
            layer = linen.Conv(FEATURES, (3, 3), name=f"down_to_{size}")
            x = resized(linen.relu(layer(x)), size)
        return linen.Dense(self.latents, name="code")(x.reshape(len(x), -1))


class Decoder(linen.Module):
    """The way back."""

    channels: int
    resolution: int

    @linen.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        """(B, latents) -> (B, resolution, resolution, C)."""
        *rest, smallest = sizes(self.resolution)
        opened = linen.Dense(SMALLEST**2 * FEATURES, name="open")(z)
        x = linen.relu(opened).reshape(len(z), smallest, smallest, FEATURES)
        for size in reversed(rest):
            layer = linen.Conv(FEATURES, (3, 3), name=f"up_to_{size}")
            x = linen.relu(layer(resized(x, size)))
        return linen.Conv(self.channels, (1, 1), name=f"to_{self.resolution}")(x)


def build(settings, space, shape):
    """Mean squared error of the averaged images; `decode` repeats pixels to `shape`."""
    del space
    latents, resolution = settings.latents, settings.resolution
    nets = {
        "encoder": from_module(Encoder(latents, resolution), shape),
        "decoder": from_module(Decoder(shape[-1], resolution), (latents,)),
    }

    def represent(params, images):
        return nets["encoder"].apply(params["encoder"], images)

    def loss(params, hyper, batch, *, key, step):
        del hyper, key, step
        codes = represent(params, batch["images"])
        drawn = nets["decoder"].apply(params["decoder"], codes)
        return jnp.square(drawn - resized(batch["images"], resolution)).mean(), {}

    def decode(params, codes):
        drawn = nets["decoder"].apply(params["decoder"], codes)
        return jnp.clip(resized(drawn, shape[0]), 0.0, 1.0)

    player = Player(("encoder", "decoder"), loss)
    return Method(nets, {"autoencoder": player}, represent, decode=decode)


RECIPE = Recipe(build, Settings, "autoencoder of growing resolution")
