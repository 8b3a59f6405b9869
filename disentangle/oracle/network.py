"""The network of the oracle: a dense encoder, a linear code, a small head per task.

    h = relu(x W1 + b1),  z = h W2 + b2,  o_t = relu(z U_t + c_t) V_t + d_t

The code is linear: a narrow code behind a ReLU dies. All heads have the same shapes, as
wide as the task with the most outputs needs, so that they are one array with the axis
of the tasks in front; what a task does not use stays at 0 and moves nothing.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.data.space import FactorSpace
from disentangle.methods.tasks import Task, parse
from disentangle.nn.encoders import Encoder
from disentangle.nn.net import from_module, glorot_uniform
from disentangle.oracle.regime import Regime

Params = Any


class Batch(NamedTuple):
    """Images with the labels of every task.

    Attributes:
      images: (B, S, S, C) float32, standardised.
      factors: (N, B, F) int32, the factors that each task's label is read off.
      known: (N, B) bool, which labels there are.
    """

    images: jax.Array
    factors: jax.Array
    known: jax.Array


class Network(NamedTuple):
    """The network of one group, as pure functions; `vmap` them over groups.

    Attributes:
      tasks: the N tasks.
      init: key -> (shared, private): the parameters of the encoder, and those of the
        heads, each leaf (N, ...).
      encode: (shared, images (B, S, S, C)) -> codes (B, z).
      predict: (private, codes (B, z)) -> outputs (N, B, K), K of the widest task.
    """

    tasks: tuple[Task, ...]
    init: Callable[[jax.Array], tuple[Params, Params]]
    encode: Callable[[Params, jax.Array], jax.Array]
    predict: Callable[[Params, jax.Array], jax.Array]

    def losses(
        self,
        shared: Params,
        private: Params,
        batch: Batch,
        active: jax.Array | None = None,
    ) -> jax.Array:
        """The task losses, 1 for a prediction that knows nothing.

        An inactive task takes no part: its head is taken for 0 and its loss is left
        out, so that nothing of it that is infinite reaches the others (0 times infinity
        is NaN, so that a weight of 0 would not do).

        Args:
          shared, private: as `init` gives them.
          batch: the images; the loss of a task is the mean over those whose label is
            known, 0 where there is none.
          active: (N,) bool; None is all.

        Returns:
          (N,) float32, 0 for an inactive task.
        """
        if active is not None:
            keep = lambda leaf: jnp.where(
                active.reshape(-1, *[1] * (leaf.ndim - 1)), leaf, 0.0
            )
            private = jax.tree.map(keep, private)
        outputs = self.predict(private, self.encode(shared, batch.images))
        found = self.losses_of(outputs, batch)
        return found if active is None else jnp.where(active, found, 0.0)

    def losses_of(self, outputs: jax.Array, batch: Batch) -> jax.Array:
        """(N,) the losses of outputs (N, B, K) that are there already."""
        wide = (batch.images.shape[0], batch.factors.shape[-1])
        return jnp.stack(
            [
                task.loss(
                    outputs[t, :, : task.outputs],
                    batch.factors[t],
                    jnp.broadcast_to(batch.known[t][:, None], wide),
                )
                for t, task in enumerate(self.tasks)
            ]
        )


def build(regime: Regime, space: FactorSpace, channels: int) -> Network:
    """The network of a regime on pooled images with so many channels.

    Raises:
      UserError: a task that the space does not have.
    """
    tasks = parse(space, regime.tasks)
    shape = (regime.pixels, regime.pixels, channels)
    encoder = from_module(Encoder((), (regime.hidden,), regime.latents), shape)
    widest = max(task.outputs for task in tasks)
    head = {
        "hidden": _dense(regime.latents, regime.head),
        "output": _dense(regime.head, widest),
    }

    def init(key: jax.Array) -> tuple[Params, Params]:
        first, second = jax.random.split(key)
        keys = jax.random.split(second, len(tasks))
        return encoder.init(first), jax.vmap(lambda k: glorot_uniform(k, head))(keys)

    def one_head(private: Params, codes: jax.Array) -> jax.Array:
        hidden = jax.nn.relu(_apply(private["hidden"], codes))
        return _apply(private["output"], hidden)

    predict = jax.vmap(one_head, in_axes=(0, None))
    return Network(tasks, init, encoder.apply, predict)


def _dense(inputs: int, outputs: int) -> dict[str, jax.ShapeDtypeStruct]:
    shape = lambda *sizes: jax.ShapeDtypeStruct(sizes, jnp.float32)
    return {"kernel": shape(inputs, outputs), "bias": shape(outputs)}


def _apply(layer: Params, x: jax.Array) -> jax.Array:
    return x @ layer["kernel"] + layer["bias"][None]
