"""A denoiser that compiles in a second: two dense layers."""

import math

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.nn.layers import Dense
from disentangle.nn.net import from_module


class Denoiser(linen.Module):
    """ReLU of image, time and condition side by side; its units are the features."""

    width: int

    @linen.compact
    def __call__(self, x):
        """{"image", "time", "told"} -> (image, features (B, width))."""
        image = x["image"]
        rows = lambda part: part.reshape(image.shape[0], -1)
        given = jnp.concatenate([rows(x[k]) for k in ("image", "time", "told")], axis=1)
        h = jax.nn.relu(Dense(self.width)(given))
        return Dense(math.prod(image.shape[1:]))(h).reshape(image.shape), h


def denoiser(shape, width, told):
    return from_module(Denoiser(width), {"image": shape, "time": (), "told": told})
