r"""Pictures as models draw them: blurred, of another contrast, with noise.

An oracle that has seen clean pictures alone reads the soft ones of a VAE badly. Half
of the images of a batch, at random, stay as they are; each other one is

$$
x' = \mathrm{clip}_{[0, 1]}\big(\bar x + c\,(G_\sigma x - \bar x) + s\,\epsilon\big)
$$

with G a Gaussian blur of sigma up to 1.5 of 64 pixels, c in [0.8, 1.2], x-bar the
image's mean, s up to 0.1 and epsilon ~ N(0, 1) in every pixel.
"""

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch, Split, alone

BLUR = 1.5 / 64  # the largest sigma, as a share of the height
CONTRAST, NOISE, CHANGED = 0.2, 0.1, 0.5
SHARPEST = 0.05  # pixels: a sigma that blurs nothing


def augmented(split: Split, index: jax.Array, key: jax.Array) -> Batch:
    """The images drawn, half of them changed: a Collate."""
    own, other = jax.random.split(key)
    batch = alone(split, index, own)
    return batch | {"images": changed(batch["images"], key=other)}


def changed(images: jax.Array, *, key: jax.Array) -> jax.Array:
    """Images (B, H, W, C) in [0, 1], each changed with probability 1/2."""
    keys = jax.random.split(key, 5)
    numbers = [jax.random.uniform(k, (images.shape[0],)) for k in keys[:4]]
    which, wide, contrast, loud = numbers
    soft = blurred(images, BLUR * images.shape[1] * wide)
    middle = images.mean((1, 2, 3), keepdims=True)
    factor = 1.0 + CONTRAST * (2.0 * contrast - 1.0)
    found = middle + factor[:, None, None, None] * (soft - middle)
    noise = jax.random.normal(keys[4], images.shape)
    found = jnp.clip(found + NOISE * loud[:, None, None, None] * noise, 0.0, 1.0)
    return jnp.where((which < CHANGED)[:, None, None, None], found, images)


def blurred(images: jax.Array, sigma: jax.Array) -> jax.Array:
    """Images (B, H, W, C) through a Gaussian of sigma (B,) pixels.

    Weights of pixels inside of the image sum to 1.
    """
    rows, columns = (_band(n, sigma) for n in images.shape[1:3])
    tall = jnp.einsum("bij,bjwc->biwc", rows, images)
    return jnp.einsum("bij,bhjc->bhic", columns, tall)


def _band(size: int, sigma: jax.Array) -> jax.Array:
    """(B, size, size) weights of each pixel in each other, rows summing to 1."""
    place = jnp.arange(size, dtype=jnp.float32)
    gap = jnp.square(place[:, None] - place[None])
    wide = jnp.maximum(sigma, SHARPEST)[:, None, None]
    return jax.nn.softmax(-gap[None] / (2.0 * wide * wide), axis=-1)
