"""Heads on an encoder's features: one per attribute, or a single linear layer.

Attribute heads: Hou et al. 2021, "Learning Attribute-Driven Disentangled
Representations for Interactive Fashion Retrieval" (ADDE), section 3.1.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.nn.encoders import Encoder
from disentangle.nn.layers import Dense
from disentangle.nn.net import Net, Params, from_module


class Heads(NamedTuple):
    """What the heads of T attributes say about B images.

    Attributes:
      codes: (B, T, d) float32; `codes[:, a]` is the embedding of attribute a.
      predictions: T arrays (B, K_a) float32, the logits or regressed values.
    """

    codes: jax.Array
    predictions: tuple[jax.Array, ...]


class AttributeHeads(linen.Module):
    """r_a = W2_a relu(W1_a h + b1_a) + b2_a, then one linear layer d -> K_a."""

    outputs: tuple[int, ...]
    subspace: int
    hidden: int

    @linen.compact
    def __call__(self, h: jax.Array) -> Heads:
        """(B, features) -> Heads."""
        codes = []
        predictions = []
        for attribute, width in enumerate(self.outputs):
            hidden = Dense(self.hidden, name=f"hidden_{attribute}")(h)
            code = Dense(self.subspace, name=f"code_{attribute}")(jax.nn.relu(hidden))
            codes.append(code)
            predictions.append(Dense(width, name=f"prediction_{attribute}")(code))
        return Heads(jnp.stack(codes, axis=1), tuple(predictions))


def attribute_heads(
    outputs: tuple[int, ...], features: int, subspace: int, hidden: int
) -> Net:
    """One two-layer head, subspace and linear prediction for each attribute.

    Args:
      outputs: (K_1, ..., K_T), the width of each attribute's prediction: its number
        of classes, 1 for a regression, 2 for the sine and cosine of an angle.
      features: width of the shared features h.
      subspace: d, width of each attribute's embedding (340 in the paper's code).
      hidden: width of each head's ReLU layer. The paper's code has d; with a small d
        all of its ReLUs can die in the first steps, and that attribute never learns.

    Returns:
      A Net, (B, features) -> Heads. The parameters of attribute a are the entries
      "hidden_<a>", "code_<a>" and "prediction_<a>".
    """
    return from_module(AttributeHeads(tuple(outputs), subspace, hidden), (features,))


def predicted(params: Params, codes: jax.Array) -> tuple[jax.Array, ...]:
    """The predictions of `attribute_heads` on codes of one's own.

    Args:
      params: of the heads.
      codes: (B, T, d).

    Returns:
      T arrays (B, K_a).
    """
    parts = [params[f"prediction_{a}"] for a in range(codes.shape[1])]
    return tuple(
        codes[:, a] @ part["kernel"] + part["bias"][None]
        for a, part in enumerate(parts)
    )


def linear(inputs: int, outputs: int) -> Net:
    """One affine map, (B, inputs) -> (B, outputs)."""
    return from_module(Dense(outputs), (inputs,))


def zero_linear(inputs: int, outputs: int) -> Net:
    """The same, all zero at the start."""

    def init(key: jax.Array) -> dict[str, jax.Array]:
        del key
        return {"kernel": jnp.zeros((inputs, outputs)), "bias": jnp.zeros(outputs)}

    return Net(init, lambda params, x: x @ params["kernel"] + params["bias"][None])


def relu_layers(inputs: int, hidden: tuple[int, ...], outputs: int) -> Net:
    """Dense layers with a ReLU each and an affine map: (B, inputs) -> (B, outputs)."""
    return from_module(Encoder((), tuple(hidden), outputs), (inputs,))
