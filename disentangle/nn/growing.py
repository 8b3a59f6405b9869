"""A generator and a critic whose resolution grows (Karras et al. 2018, section 2).

Every resolution from 4 pixels a side on has layers of its own, named by it, so that a
run at twice the resolution starts with those of the one before by name and shape
(`stages`, `init_from`). New layers fade in: with alpha in [0, 1]

    image = (1 - alpha) up(rgb of the resolution before) + alpha rgb

and in the critic alike, on the halved image. At alpha = 0 the image is exactly the one
of the stage before, each of its pixels four times.
"""

import jax
from flax import linen

from disentangle.nn.generators import doubled, halved_mean
from disentangle.nn.net import Net, from_module
from disentangle.nn.weights import Conv3, Linear

SMALLEST = 4
LAYER = (-3, -2, -1)  # axes that a layer norm of maps is over


def resolutions(largest: int) -> tuple[int, ...]:
    """16 -> (4, 8, 16)."""
    found = [SMALLEST]
    while found[-1] < largest:
        found.append(2 * found[-1])
    return tuple(found)


def channels_at(size: int, width: int) -> int:
    """Channels of the maps of a resolution: `width` up to 8 pixels, halved beyond."""
    return max(8, width * 8 // size) if size > 8 else width


def mixed(alpha: jax.Array, old: jax.Array, new: jax.Array) -> jax.Array:
    """(1 - alpha) old + alpha new, alpha (B,); exactly one of them at 0 and 1."""
    share = alpha[:, None, None, None]
    return (1.0 - share) * old + share * new


class GrowingGenerator(linen.Module):
    """Dense to 4x4, then per resolution (3x3 convolution, layer norm, ReLU) x 2.

    Attributes:
      channels: of the image.
      resolution: pixels a side, 4 2^n.
      width: channels of the smallest maps.
    """

    channels: int
    resolution: int
    width: int

    @linen.compact
    def __call__(self, x: dict[str, jax.Array], train: bool = False) -> jax.Array:
        """{"z": (B, inputs), "alpha": (B,)} -> (B, H, H, channels), not bounded."""
        del train
        z, alpha = x["z"], x["alpha"]
        sizes = resolutions(self.resolution)
        opened = Linear(SMALLEST**2 * self.width, "equalised", name="open")(z)
        h = jax.nn.relu(opened).reshape(-1, SMALLEST, SMALLEST, self.width)
        before = h
        for size in sizes:
            before = h
            h = h if size == SMALLEST else doubled(h)
            for part in ("a", "b"):
                name = f"{size}_{part}"
                features = channels_at(size, self.width)
                h = Conv3(features, "equalised", name=f"convolve_{name}")(h)
                norm = linen.LayerNorm(reduction_axes=LAYER, name=f"norm_{name}")
                h = jax.nn.relu(norm(h))
        image = self._image(h, sizes[-1])
        if len(sizes) == 1:
            return image
        return mixed(alpha, doubled(self._image(before, sizes[-2])), image)

    def _image(self, h: jax.Array, size: int) -> jax.Array:
        return Linear(self.channels, "equalised", name=f"to_{size}")(h)


class GrowingCritic(linen.Module):
    """The mirror: per resolution two 3x3 convolutions and means of 2x2 pixels; flat.

    Attributes:
      resolution: pixels a side, 4 2^n.
      width: channels of the smallest maps.
    """

    resolution: int
    width: int

    @linen.compact
    def __call__(self, x: dict[str, jax.Array], train: bool = False) -> jax.Array:
        """{"image": (B, H, H, C), "alpha": (B,)} -> features (B, 16 width)."""
        del train
        image, alpha = x["image"], x["alpha"]
        sizes = resolutions(self.resolution)[::-1]
        h = self._maps(image, sizes[0])
        for size, smaller in zip(sizes, (*sizes[1:], SMALLEST), strict=True):
            for part, features in (("a", size), ("b", smaller)):
                layer = Conv3(
                    channels_at(features, self.width),
                    "equalised",
                    name=f"convolve_{size}_{part}",
                )
                h = jax.nn.leaky_relu(layer(h), 0.2)
            if size > SMALLEST:
                h = halved_mean(h)
            if size == sizes[0] and size > SMALLEST:
                h = mixed(alpha, self._maps(halved_mean(image), smaller), h)
        return h.reshape(h.shape[0], -1)

    def _maps(self, image: jax.Array, size: int) -> jax.Array:
        features = channels_at(size, self.width)
        layer = Linear(features, "equalised", name=f"from_{size}")
        return jax.nn.leaky_relu(layer(image), 0.2)


def growing_generator(channels: int, resolution: int, inputs: int, width: int) -> Net:
    """{"z": (B, inputs), "alpha": (B,)} -> images (B, resolution, resolution, C)."""
    module = GrowingGenerator(channels, resolution, width)
    return from_module(module, {"z": (inputs,), "alpha": ()})


def growing_critic(channels: int, resolution: int, width: int) -> Net:
    """{"image": (B, resolution, resolution, C), "alpha": (B,)} -> (B, 16 width)."""
    shape = (resolution, resolution, channels)
    return from_module(GrowingCritic(resolution, width), {"image": shape, "alpha": ()})
