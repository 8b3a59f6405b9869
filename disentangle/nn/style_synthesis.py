r"""The networks of StyleGAN: latents to styles, and styles and noise to an image.

Karras et al. 2019, section 2 and appendix C, for small images. `Mapping` is

$$
w = f(z / \sqrt{\overline{z^2} + 10^{-8}})
$$

with dense layers that move at a hundredth of the rate; it keeps an average of w, with
decay 0.995, for truncation. `Synthesis` starts from a learned map; every layer is a 3x3
convolution, noise times a learned scale of each channel (0 at the start), a leaky ReLU
of slope 0.2, and AdaIN by its own style. There are two layers per resolution, the first
map is without a convolution; doubling is followed by the blur [1, 2, 1] in both
directions. All kernels have equalised rates (`nn/weights.py`).

Where we differ: widths; the blur is before the convolution and repeats the border; the
image is of any size: the first map has 4 to 7 pixels a side, and what is beyond the
image is cut off.
"""

import math

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.nn.adain import AdaIN
from disentangle.nn.generators import doubled, halvings, widths
from disentangle.nn.net import Net, Variables, from_module
from disentangle.nn.weights import Conv3, Linear

RATE = 0.01  # of the mapping's layers, relative to the others
DECAY = 0.995  # of the average of w
GROUP = 4  # images whose deviation a critic sees
Shape = tuple[int, int, int]


def pixel_norm(z: jax.Array) -> jax.Array:
    """Each row to a mean square of 1: (B, n) -> (B, n)."""
    return z * jax.lax.rsqrt(jnp.square(z).mean(1, keepdims=True) + 1e-8)


def blurred(x: jax.Array) -> jax.Array:
    """[1, 2, 1] / 4 along rows and columns, borders repeated: (B, H, W, C) -> same."""
    for axis in (1, 2):
        size = x.shape[axis]
        part = lambda i, n, x=x, axis=axis: jax.lax.slice_in_dim(x, i, i + n, axis=axis)
        before = jnp.concatenate([part(0, 1), part(0, size - 1)], axis=axis)
        after = jnp.concatenate([part(1, size - 1), part(size - 1, 1)], axis=axis)
        x = 0.25 * before + 0.5 * x + 0.25 * after
    return x


def batch_deviation(h: jax.Array) -> jax.Array:
    """How far apart the images of a group are: (B, n) -> (B, 1).

    The standard deviation of each number over a group, their mean (Karras et al. 2018,
    section 3). Groups are of `GROUP` images, of fewer where B is no multiple of it.
    """
    count, numbers = h.shape
    group = math.gcd(count, GROUP)
    parts = h.reshape(group, count // group, numbers)
    centred = parts - parts.mean(0, keepdims=True)
    deviation = jnp.sqrt(jnp.square(centred).mean(0) + 1e-8)
    return jnp.tile(deviation.mean(1), group)[:, None]


class Mapping(linen.Module):
    """Pixel norm, then dense layers with a leaky ReLU each.

    Attributes:
      layers: how many.
      width: of each, and of w.
    """

    layers: int
    width: int

    @linen.compact
    def __call__(self, z: jax.Array, train: bool = False) -> jax.Array:
        """(B, n) -> w (B, width); moves the average of w in training."""
        w = pixel_norm(z)
        for _ in range(self.layers):
            layer = Linear(self.width, "equalised", rate=RATE)
            w = jax.nn.leaky_relu(layer(w), 0.2)
        start = lambda: jnp.zeros((self.width,), jnp.float32)
        average = self.variable("average", "w", start)
        if train:
            average.value = DECAY * average.value + (1.0 - DECAY) * w.mean(0)
        return w


def average_style(variables: Variables) -> jax.Array:
    """(W,) the average of w that a mapping keeps."""
    found: jax.Array = variables.state["average"]["w"]
    return found


class Synthesis(linen.Module):
    """A learned map, and two layers per resolution up to the image.

    Attributes:
      shape: (H, W, C) of the image.
      width: channels of the map next to it; those before it have more.
    """

    shape: Shape
    width: int

    @linen.compact
    def __call__(self, x: dict[str, jax.Array], train: bool = False) -> jax.Array:
        """{"styles": (B, L, W), "noise": (B, N)} -> (B, H, W, C), not bounded."""
        del train
        styles, noise = x["styles"], x["noise"]
        n, rows, columns = halvings(self.shape)
        channels = widths(n + 1, self.width)[::-1]
        start = (rows, columns, channels[0])
        h = self.param("constant", linen.initializers.ones_init(), start)
        h = jnp.broadcast_to(h[None], (styles.shape[0], *start))
        used = 0
        for layer in range(styles.shape[1]):
            if layer and layer % 2 == 0:
                h = blurred(doubled(h))
            if layer:
                h = Conv3(channels[layer // 2], "equalised", name=f"convolve_{layer}")(
                    h
                )
            _, height, breadth, features = h.shape
            own = noise[:, used : used + height * breadth]
            used += height * breadth
            zeros = linen.initializers.zeros_init()
            scale = self.param(f"noise_{layer}", zeros, (features,))
            h = h + scale[None, None, None] * own.reshape(-1, height, breadth, 1)
            h = jax.nn.leaky_relu(h, 0.2)
            h = AdaIN("equalised", name=f"style_{layer}")(h, styles[:, layer])
        image = Linear(self.shape[2], "equalised", gain=1.0, name="image")(h)
        return image[:, : self.shape[0], : self.shape[1]]


def layers_of(shape: Shape) -> int:
    """L, the layers that have a style each."""
    return 2 * (halvings(shape)[0] + 1)


def noise_of(shape: Shape) -> int:
    """N, the numbers of noise of one image: one per pixel of every layer."""
    n, rows, columns = halvings(shape)
    return 2 * sum(rows * columns * 4**i for i in range(n + 1))


def mapping(inputs: int, layers: int, width: int) -> Net:
    """(B, inputs) -> w (B, width); its state is the average of w."""
    return from_module(Mapping(layers, width), (inputs,))


def synthesis(shape: Shape, styles: int, width: int) -> Net:
    """{"styles": (B, L, styles), "noise": (B, N)} -> images (B, *shape)."""
    sizes = {"styles": (layers_of(shape), styles), "noise": (noise_of(shape),)}
    return from_module(Synthesis(shape, width), sizes)
