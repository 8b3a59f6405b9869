"""Image encoders by name: (B, H, W, C) in [0, 1] -> (B, outputs)."""

from typing import Any

import jax
from flax import linen

from disentangle.errors import UserError, unknown
from disentangle.nn import backbones
from disentangle.nn import hsu as nn_hsu
from disentangle.nn import normalised as nn_normalised
from disentangle.nn import padded as nn_padded
from disentangle.nn import patches as nn_patches
from disentangle.nn.layers import Conv, Dense
from disentangle.nn.net import Net, from_module, halved

PATCHES = 16  # a side of the images that `pooled` sees


class Encoder(linen.Module):
    """Stride-2 convolutions, then dense layers, ReLU after each but the last.

    Attributes:
      convolutions: (features, window) of each convolution.
      hidden: widths of the dense layers with a ReLU.
      outputs: width of the linear layer at the end; None leaves it out, and the
        last hidden ReLU is the output.
    """

    convolutions: tuple[tuple[int, int], ...]
    hidden: tuple[int, ...]
    outputs: int | None

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, outputs)."""
        for features, window in self.convolutions:
            x = jax.nn.relu(Conv(features, window)(x))
        x = x.reshape(x.shape[0], -1)
        for width in self.hidden:
            x = jax.nn.relu(Dense(width)(x))
        return x if self.outputs is None else Dense(self.outputs)(x)


def locatello(shape: tuple[int, int, int], outputs: int | None) -> Net:
    """The encoder of Locatello et al. 2019, table 1 (from Higgins et al. 2017).

    4x4 stride 2, 32; 4x4 s2, 32; 2x2 s2, 64; 2x2 s2, 64; dense 256; ReLU after
    each. Their mean and log-variance layers are one layer of twice the width here.
    """
    halved("encoder 'locatello'", shape)
    windows = ((32, 4), (32, 4), (64, 2), (64, 2))
    return from_module(Encoder(windows, (256,), outputs), shape)


def burgess(shape: tuple[int, int, int], outputs: int | None) -> Net:
    """The encoder of Burgess et al. 2018: four 4x4 s2, 32; dense 256; dense 256."""
    halved("encoder 'burgess'", shape)
    return from_module(Encoder(((32, 4),) * 4, (256, 256), outputs), shape)


def dupont(shape: tuple[int, int, int], outputs: int | None) -> Net:
    """The encoder of Dupont 2018: 4x4 stride 2, 32; 32; 64; 64; dense 256."""
    halved("encoder 'dupont'", shape)
    windows = ((32, 4), (32, 4), (64, 4), (64, 4))
    return from_module(Encoder(windows, (256,), outputs), shape)


def chen(shape: tuple[int, int, int], outputs: int | None) -> Net:
    """The dSprites encoder of Chen et al. 2018: two dense layers of 1200, ReLU.

    Where we differ: the second half of the outputs is log sigma in their code and
    the log-variance here; start values are ours (`net.py`), theirs are PyTorch's.
    """
    return from_module(Encoder((), (1200, 1200), outputs), shape)


def hsu(shape: tuple[int, int, int], outputs: int | None) -> Net:
    """The encoder of Hsu et al. 2023: 12 convolutions, dense 256; dense 256."""
    halved("encoder 'hsu'", shape, 32)  # the norm of one pixel is 0
    return from_module(nn_hsu.Encoder(outputs), shape)


def normalised(shape: tuple[int, int, int], outputs: int | None) -> Net:
    """Four 4x4 stride-2 convolutions with instance norms: see nn/normalised.py."""
    halved("encoder 'normalised'", shape, 32)  # the norm of one pixel is 0
    return from_module(nn_normalised.Encoder(outputs), shape)


def padded(shape: tuple[int, int, int], outputs: int | None) -> Net:
    """Locatello's for images of any size, with a margin of zeros: nn/padded.py."""
    return nn_padded.encoder(locatello)(shape, outputs)


def mlp(shape: tuple[int, int, int], outputs: int | None) -> Net:
    """One dense layer of 256, ReLU: for images of few pixels, of any size."""
    return from_module(Encoder((), (256,), outputs), shape)


def pooled(shape: tuple[int, int, int], outputs: int | None) -> Net:
    """One dense layer of 64, ReLU, on means over patches: 16x16 of them in an image.

    For tasks that are learned from an outline: a step takes a fiftieth of that of
    `locatello`, so that networks for all groups of a few tasks are minutes.
    """
    halved("encoder 'pooled'", shape)
    height, width, channels = shape
    dense = from_module(Encoder((), (64,), outputs), (PATCHES, PATCHES, channels))
    rows, columns = height // PATCHES, width // PATCHES

    def apply(params: Any, images: jax.Array) -> jax.Array:
        patches = (PATCHES, rows, PATCHES, columns, channels)
        means = images.reshape(images.shape[0], *patches).mean((2, 4))
        return dense.apply(params, means)

    return Net(dense.init, apply)


def reader(shape: tuple[int, int, int], outputs: int | None) -> Net:
    """For oracles of small images: 4x4 stride 2, 32; 64; 128; dense 256."""
    halved("encoder 'reader'", shape)
    windows = ((32, 4), (64, 4), (128, 4))
    return from_module(Encoder(windows, (256,), outputs), shape)


def patches(shape: tuple[int, int, int], outputs: int | None) -> Net:
    """For a second oracle: patches of 2x2 and 3x3 convolutions, nn/patches.py."""
    halved("encoder 'patches'", shape)
    return from_module(nn_patches.Encoder(outputs), shape)


def small(shape: tuple[int, int, int], outputs: int | None) -> Net:
    """For studies of retrieval on a CPU: means of 2x2 pixels, 16, 32, 64, dense 128.

    4x4 stride 2, 16; 4x4 s2, 32; 2x2 s2, 64; a fifth of a step of `locatello`.
    """
    halved("encoder 'small'", shape)
    height, width, channels = shape
    half = (height // 2, width // 2, channels)
    inner = from_module(Encoder(((16, 4), (32, 4), (64, 2)), (128,), outputs), half)

    def apply(params: Any, images: jax.Array) -> jax.Array:
        blocks = images.reshape(-1, half[0], 2, half[1], 2, channels)
        return inner.apply(params, blocks.mean((2, 4)))

    return Net(inner.init, apply)


ENCODERS = {
    "locatello": locatello,
    "burgess": burgess,
    "dupont": dupont,
    "chen": chen,
    "hsu": hsu,
    "normalised": normalised,
    "padded": padded,
    "pooled": pooled,
    "mlp": mlp,
    "small": small,
    "reader": reader,
    "patches": patches,
    "alexnet": backbones.alexnet,
    "resnet18": backbones.resnet18,
}


def encoder(
    name: str,
    shape: tuple[int, int, int],
    outputs: int | None,
    *,
    in_training: bool = False,
) -> Net:
    """An encoder from the table.

    Args:
      name: a key of ENCODERS.
      shape: (H, W, C) of one image; H and W multiples of 16 but for "padded" and
        "chen".
      outputs: width of the output; for a Gaussian posterior over D latents 2 D,
        means first, then log-variances. None: the last hidden features, whose number
        `net.output_width` tells.
      in_training: whether the method calls `Net.train`, or moves no encoder.

    Returns:
      A Net, (B, H, W, C) float32 in [0, 1] -> (B, outputs) float32.

    Raises:
      UserError: the encoder does not exist, or does not take images of this shape; or
        it has batch norms or dropout, and the method no pass in training for them.
    """
    if name not in ENCODERS:
        raise unknown("encoder", name, ENCODERS)
    if min(shape) < 1:
        raise UserError(f"images of shape {shape} have no pixels")
    net = ENCODERS[name](shape, outputs)
    if net.update is not None and not in_training:
        raise UserError(
            f"encoder {name!r} has batch norms or dropout, which this method does not "
            "train: choose another encoder, or a method of retrieval or 'supervised'"
        )
    return net
