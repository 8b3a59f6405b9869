"""Weights of YannDubs/disentangling-vae (PyTorch) as parameters of "burgess".

PyTorch keeps a convolution's kernel as (out, in, kh, kw), a transposed one's as
(in, out, kh, kw), a linear layer's as (out, in), flattens feature maps channel
first, and that project interleaves means and log-variances. Ours: (kh, kw, in,
out), (in, out), channel last, all means before all log-variances.
"""

from collections.abc import Mapping

import numpy as np

from disentangle.errors import UserError

Layer = dict[str, np.ndarray]

_FEATURE_MAP = (32, 4, 4)  # channels, height, width where dense meets convolution
_CONV, _TRANSPOSE, _DENSE = (2, 3, 1, 0), (2, 3, 0, 1), (1, 0)  # their axes for ours

# Our layer -> (torch name, order of its axes).
_ENCODER = {
    "Conv_0": ("encoder.conv1", _CONV),
    "Conv_1": ("encoder.conv2", _CONV),
    "Conv_2": ("encoder.conv3", _CONV),
    "Conv_3": ("encoder.conv_64", _CONV),
    "Dense_0": ("encoder.lin1", _DENSE),
    "Dense_1": ("encoder.lin2", _DENSE),
    "Dense_2": ("encoder.mu_logvar_gen", _DENSE),
}
_DECODER = {
    "Dense_0": ("decoder.lin1", _DENSE),
    "Dense_1": ("decoder.lin2", _DENSE),
    "Dense_2": ("decoder.lin3", _DENSE),
    "ConvTranspose_0": ("decoder.convT_64", _TRANSPOSE),
    "ConvTranspose_1": ("decoder.convT1", _TRANSPOSE),
    "ConvTranspose_2": ("decoder.convT2", _TRANSPOSE),
    "ConvTranspose_3": ("decoder.convT3", _TRANSPOSE),
}


def from_disvae(
    weights: Mapping[str, np.ndarray],
) -> tuple[dict[str, Layer], dict[str, Layer]]:
    """The parameters of encoder and decoder "burgess" that compute the same.

    Args:
      weights: arrays by their torch names, "encoder.conv1.weight" and so on; an
        opened `.npz` will do. Other names in it are ignored.

    Returns:
      (encoder, decoder), float32 parameters for `encoder("burgess", (64, 64, C),
      2 D)` and `decoder("burgess", (64, 64, C), D)`.

    Raises:
      UserError: an array is missing, has the shape of another network, or holds a
        value that is not finite.
    """
    _check_shapes(weights)
    encoder = {ours: _layer(weights, *theirs) for ours, theirs in _ENCODER.items()}
    decoder = {ours: _layer(weights, *theirs) for ours, theirs in _DECODER.items()}
    places = np.arange(np.prod(_FEATURE_MAP)).reshape(_FEATURE_MAP)
    channel_last = places.transpose(1, 2, 0).ravel()
    encoder["Dense_0"]["kernel"] = encoder["Dense_0"]["kernel"][channel_last]
    decoder["Dense_2"] = _reorder_outputs(decoder["Dense_2"], channel_last)
    width = encoder["Dense_2"]["bias"].size
    means_first = np.arange(width).reshape(-1, 2).T.ravel()
    encoder["Dense_2"] = _reorder_outputs(encoder["Dense_2"], means_first)
    return encoder, decoder


def _check_shapes(weights: Mapping[str, np.ndarray]) -> None:
    """Every array has the shape of that network, for some C channels and D latents."""
    channels = _array(weights, "encoder.conv1.weight").shape[1:2]
    latents = _array(weights, "decoder.lin1.weight").shape[1:2]
    if not channels or not latents or min(*channels, *latents) < 1:
        raise UserError("the weights are of another network: no channels or latents")
    (c,), (d,) = channels, latents
    square, flat = (32, 32, 4, 4), int(np.prod(_FEATURE_MAP))
    shapes: dict[str, tuple[int, ...]]
    shapes = {"encoder.conv1": (32, c, 4, 4), "decoder.convT3": (32, c, 4, 4)}
    for name in ("encoder.conv2", "encoder.conv3", "encoder.conv_64"):
        shapes[name] = square
    for name in ("decoder.convT_64", "decoder.convT1", "decoder.convT2"):
        shapes[name] = square
    shapes |= {"encoder.lin1": (256, flat), "encoder.lin2": (256, 256)}
    shapes |= {"encoder.mu_logvar_gen": (2 * d, 256), "decoder.lin1": (256, d)}
    shapes |= {"decoder.lin2": (256, 256), "decoder.lin3": (flat, 256)}
    for name, shape in shapes.items():
        outputs = shape[1 if "convT" in name else 0]
        for part, wanted in (("weight", shape), ("bias", (outputs,))):
            array = _array(weights, f"{name}.{part}")
            if array.shape != wanted:
                raise UserError(
                    f"the weights are of another network: {name}.{part} has shape "
                    f"{array.shape}, not {wanted}"
                )


def _array(weights: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if name not in weights:
        raise UserError(f"the weights hold no array {name!r}")
    array = np.asarray(weights[name])
    if array.dtype.kind != "f" or not np.isfinite(array.astype(np.float32)).all():
        raise UserError(f"the array {name!r} holds other than finite floats")
    return array


def _layer(
    weights: Mapping[str, np.ndarray], name: str, axes: tuple[int, ...]
) -> Layer:
    kernel = np.asarray(weights[f"{name}.weight"], np.float32).transpose(axes)
    return {"kernel": kernel, "bias": np.asarray(weights[f"{name}.bias"], np.float32)}


def _reorder_outputs(layer: Layer, order: np.ndarray) -> Layer:
    return {name: array[..., order] for name, array in layer.items()}
