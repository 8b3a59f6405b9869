"""AlexNet and ResNet18 as ADDE has them, and the weights that torchvision gives them.

AlexNet (Krizhevsky et al. 2012, in torchvision's one column) up to its second layer of
4,096, before that one's ReLU; ResNet18 (He et al. 2016) up to the mean over places, of
512 channels. Pixels in [0, 1] enter less ImageNet's mean, over its sd, as torchvision's
weights take them. Images may have any size that the windows fit into.

`from_torchvision` takes arrays by their torch names. PyTorch keeps a kernel as (out,
in, height, width), a dense one as (out, in), and flattens maps channel first.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen

from disentangle.errors import UserError, unknown
from disentangle.nn.layers import Dense
from disentangle.nn.net import Net, Variables, from_module

MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# AlexNet's convolutions: channels, window, stride, border, and a pool of 3 behind it.
CONVOLUTIONS = (
    (64, 11, 4, 2, True),
    (192, 5, 1, 2, True),
    (384, 3, 1, 1, False),
    (256, 3, 1, 1, False),
    (256, 3, 1, 1, True),
)
TORCH_PLACES = (0, 3, 6, 8, 10)  # of these in torchvision's `features`
GRID = 6  # AlexNet's means over places are 6 x 6
WIDTHS = (64, 128, 256, 512)  # of ResNet18's four stages of two blocks

convolution = partial(linen.Conv, use_bias=False)


def whitened(x: jax.Array) -> jax.Array:
    """(B, H, W, 3), or grey ones, in [0, 1] -> less ImageNet's mean, over its sd."""
    x = jnp.broadcast_to(x, (*x.shape[:3], 3))
    mean, sd = (jnp.asarray(v, jnp.float32)[None, None, None] for v in (MEAN, SD))
    return (x - mean) / sd


def pooled(x: jax.Array, window: int, stride: int, border: int) -> jax.Array:
    """The largest value of each window; nothing outside of the image is one."""
    edge = (border, border)
    return linen.max_pool(x, (window, window), (stride, stride), (edge, edge))


def shares(size: int, grid: int) -> np.ndarray:
    """(grid, size): the mean over the places that a cell of a grid covers, in rows.

    PyTorch's adaptive pooling: cell i is floor(i size / grid) .. ceil((i + 1) size /
    grid).
    """
    table = np.zeros((grid, size), np.float32)
    for i in range(grid):
        start, stop = i * size // grid, -(-(i + 1) * size // grid)
        table[i, start:stop] = 1 / (stop - start)
    return table


class AlexNet(linen.Module):
    """Convolutions, means on a grid of 6 x 6, two dense layers; no ReLU at the end.

    Attributes:
      outputs: width of a further dense layer, behind a ReLU; None: none.
    """

    outputs: int | None

    @linen.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """(B, H, W, 3) -> (B, 4096), or (B, outputs)."""
        x = whitened(x)
        for features, window, stride, border, is_pooled in CONVOLUTIONS:
            x = linen.Conv(features, (window, window), stride, border)(x)
            x = jax.nn.relu(x)
            x = pooled(x, 3, 2, 0) if is_pooled else x
        rows, columns = (jnp.asarray(shares(n, GRID)) for n in x.shape[1:3])
        x = jnp.einsum("ih,bhwc,jw->bijc", rows, x, columns)
        x = linen.Dropout(0.5, deterministic=not train)(x.reshape(x.shape[0], -1))
        x = jax.nn.relu(linen.Dense(4096)(x))
        x = linen.Dense(4096)(linen.Dropout(0.5, deterministic=not train)(x))
        return x if self.outputs is None else Dense(self.outputs)(jax.nn.relu(x))


class Block(linen.Module):
    """Two 3x3 convolutions with batch norms, and the input added before the last ReLU.

    Attributes:
      features: channels.
      stride: of the first; the input is then convolved to the same shape.
    """

    features: int
    stride: int

    @linen.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """(B, h, w, C) -> (B, h / stride, w / stride, features)."""
        norm = partial(linen.BatchNorm, use_running_average=not train, momentum=0.9)
        y = convolution(self.features, (3, 3), self.stride, 1, name="conv1")(x)
        y = jax.nn.relu(norm(name="bn1")(y))
        y = norm(name="bn2")(convolution(self.features, (3, 3), 1, 1, name="conv2")(y))
        if self.stride > 1:
            x = convolution(self.features, (1, 1), self.stride, 0, name="down")(x)
            x = norm(name="down_bn")(x)
        return jax.nn.relu(x + y)


class ResNet18(linen.Module):
    """A 7x7 convolution, a pool, eight blocks, the mean over places.

    Attributes:
      outputs: width of a dense layer behind; None: none.
    """

    outputs: int | None

    @linen.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """(B, H, W, 3) -> (B, 512), or (B, outputs)."""
        x = convolution(64, (7, 7), 2, 3, name="conv1")(whitened(x))
        norm = linen.BatchNorm(not train, momentum=0.9, name="bn1")
        x = pooled(jax.nn.relu(norm(x)), 3, 2, 1)
        for stage, width in enumerate(WIDTHS, start=1):
            for block in range(2):
                stride = 2 if stage > 1 and block == 0 else 1
                x = Block(width, stride, name=f"layer{stage}_{block}")(x, train)
        x = x.mean((1, 2))
        return x if self.outputs is None else Dense(self.outputs)(x)


BACKBONES: dict[str, Any] = {"alexnet": AlexNet, "resnet18": ResNet18}


def alexnet(shape: tuple[int, int, int], outputs: int | None) -> Net:
    """AlexNet; 224 x 224 x 3 in the paper, at least 63 pixels a side."""
    _check("alexnet", shape, 63)
    return from_module(AlexNet(outputs), shape)


def resnet18(shape: tuple[int, int, int], outputs: int | None) -> Net:
    """ResNet18; 224 x 224 x 3 in the paper, at least 32 pixels a side."""
    _check("resnet18", shape, 32)
    return from_module(ResNet18(outputs), shape)


def _check(name: str, shape: tuple[int, int, int], least: int) -> None:
    height, width, channels = shape
    if channels not in (1, 3) or min(height, width) < least:
        raise UserError(
            f"encoder {name!r} takes images of 1 or 3 channels and at least {least} "
            f"pixels a side, not {height}x{width}x{channels}"
        )


def from_torchvision(name: str, weights: Mapping[str, Any]) -> Variables:
    """The variables of encoder `name` that compute what torchvision's network does.

    Args:
      name: "alexnet" or "resnet18".
      weights: arrays by their torch names, as torchvision's `state_dict()` has them,
        or an opened `.npz` of them; the classes' layer is ignored.

    Returns:
      The variables of `encoder(name, (H, W, 3), None)`.

    Raises:
      UserError: another name, an array that is missing or of another shape, or numbers
        that are not finite.
    """
    if name not in BACKBONES:
        raise unknown("backbone", name, BACKBONES)
    module = BACKBONES[name](None)
    image = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    start = lambda x: module.init(jax.random.key(0), x, train=False)
    wanted = jax.eval_shape(start, image)
    names = NAMES[name]()
    found: dict[str, Any] = {"params": {}}
    for path, (theirs, axes) in names.items():
        collection, *layers, last = path.split(".")
        inner, like = found.setdefault(collection, {}), wanted[collection]
        for layer in layers:
            inner, like = inner.setdefault(layer, {}), like[layer]
        inner[last] = _array(weights, theirs, axes, like[last].shape)
    if name == "alexnet":
        kernel = found["params"]["Dense_0"]["kernel"]
        places = np.arange(len(kernel)).reshape(256, GRID, GRID).transpose(1, 2, 0)
        found["params"]["Dense_0"]["kernel"] = kernel[places.ravel()]
    return Variables(found.pop("params"), found)


Names = dict[str, tuple[str, tuple[int, ...]]]  # our path -> their name, order of axes
KERNEL, DENSE, VECTOR = (2, 3, 1, 0), (1, 0), (0,)


def _alexnet_names() -> Names:
    found: Names = {}
    for i, place in enumerate(TORCH_PLACES):
        found[f"params.Conv_{i}.kernel"] = f"features.{place}.weight", KERNEL
        found[f"params.Conv_{i}.bias"] = f"features.{place}.bias", VECTOR
    for i, place in enumerate((1, 4)):
        found[f"params.Dense_{i}.kernel"] = f"classifier.{place}.weight", DENSE
        found[f"params.Dense_{i}.bias"] = f"classifier.{place}.bias", VECTOR
    return found


def _resnet_names() -> Names:
    found: Names = {"params.conv1.kernel": ("conv1.weight", KERNEL)}
    found |= _norm("bn1", "bn1")
    for stage in range(1, 5):
        for block in range(2):
            ours, theirs = f"layer{stage}_{block}", f"layer{stage}.{block}"
            for i in (1, 2):
                kernel = f"{theirs}.conv{i}.weight", KERNEL
                found[f"params.{ours}.conv{i}.kernel"] = kernel
                found |= _norm(f"{ours}.bn{i}", f"{theirs}.bn{i}")
            if stage > 1 and block == 0:
                kernel = f"{theirs}.downsample.0.weight", KERNEL
                found[f"params.{ours}.down.kernel"] = kernel
                found |= _norm(f"{ours}.down_bn", f"{theirs}.downsample.1")
    return found


def _norm(ours: str, theirs: str) -> Names:
    """The four vectors of a batch norm."""
    return {
        f"params.{ours}.scale": (f"{theirs}.weight", VECTOR),
        f"params.{ours}.bias": (f"{theirs}.bias", VECTOR),
        f"batch_stats.{ours}.mean": (f"{theirs}.running_mean", VECTOR),
        f"batch_stats.{ours}.var": (f"{theirs}.running_var", VECTOR),
    }


def _array(
    weights: Mapping[str, Any], name: str, axes: tuple[int, ...], shape: tuple[int, ...]
) -> np.ndarray:
    """An array in our order of axes."""
    if name not in weights:
        raise UserError(f"the weights hold no array {name!r}")
    array = np.asarray(weights[name])
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise UserError(f"the array {name!r} holds other than finite floats")
    if array.ndim != len(axes) or array.transpose(axes).shape != shape:
        own = tuple(shape[axes.index(i)] for i in range(len(axes)))
        raise UserError(f"the array {name!r} has shape {array.shape}, not {own}")
    return array.astype(np.float32).transpose(axes)


NAMES = {"alexnet": _alexnet_names, "resnet18": _resnet_names}
