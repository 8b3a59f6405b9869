"""What a method is: networks, the players that move them, and what it can do.

A method is written for one model and one batch. The training loop adds steps,
checkpoints and the population axis; it knows nothing but these types.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

from disentangle.data.samplers import Arrange, Batch, alone
from disentangle.data.space import FactorSpace
from disentangle.nn.net import Net

Params = dict[str, Any]  # parameters per network name
Logs = dict[str, jax.Array]  # scalars or small vectors, by name
# loss(params, hyper, batch, *, key, step) -> (scalar to minimise, logs)
Loss = Callable[..., tuple[jax.Array, Logs]]


class Player(NamedTuple):
    """Some networks, the loss they lower, and how often they move.

    Players of one method move one after the other within a step, each seeing
    what the ones before it changed; each changes only `moves`.
    """

    moves: tuple[str, ...]
    loss: Loss
    every: int = 1  # moves on the steps divisible by this
    # None: the optimiser of the run. Else optimizer(hyper) -> transformation.
    optimizer: Callable[[Any], optax.GradientTransformation] | None = None


class Tasks(NamedTuple):
    """The task view of a supervised method, which affinity is measured on."""

    names: tuple[str, ...]
    shared: tuple[str, ...]  # networks every task uses
    losses: Callable[..., jax.Array]  # losses(params, batch) -> (N,)


class Method(NamedTuple):
    """A buildable idea. Everything is a pure function over pytrees.

    `represent(params, images (B, H, W, C)) -> codes (B, D)`;
    `posterior(params, images) -> (means, log-variances), each (B, D)`, where codes
    are the means of Gaussians; then `represent` gives these means;
    `decode(params, codes (B, D)) -> images (B, H, W, C) in [0, 1]`;
    `blocks` names, a code dimension each, the attribute it belongs to, where
    the method fixes that; `arrange` makes a step's batch of the images drawn.
    """

    nets: dict[str, Net]
    players: dict[str, Player]
    represent: Callable[[Params, jax.Array], jax.Array]
    posterior: Callable[[Params, jax.Array], tuple[jax.Array, jax.Array]] | None = None
    decode: Callable[[Params, jax.Array], jax.Array] | None = None
    tasks: Tasks | None = None
    blocks: tuple[str, ...] | None = None
    arrange: Arrange = alone


# What a method is told besides images: the word of a Recipe, and what it means.
SUPERVISION = {
    "none": "images alone",
    "relevance": "images, and which latents are to be used",
    "pairs": "pairs of images that differ in few factors",
    "groups": "groups of images that share the values of some factors",
    "labels": "images, and all factors of some of them",
    "given": "the values of some factors, beside every image",
    "all": "all factors of every image of the training set",
}


class Recipe(NamedTuple):
    """One row of the METHODS table.

    Attributes:
      build: `build(settings, space, shape) -> Method`.
      settings: frozen dataclass of what is static (it changes a shape or the
        program).
      hyper: NamedTuple class of what is traced (numbers a population sweeps).
      summary: one line for `python -m disentangle list`.
      supervision: a key of SUPERVISION.
    """

    build: Callable[[Any, FactorSpace, tuple[int, int, int]], Method]
    settings: type
    hyper: Any
    summary: str
    supervision: str = "none"


def init(method: Method, *, key: jax.Array) -> Params:
    """Fresh parameters of every network."""
    keys = jax.random.split(key, len(method.nets))
    return {
        name: net.init(k)
        for (name, net), k in zip(method.nets.items(), keys, strict=True)
    }


def evaluate_losses(
    method: Method,
    params: Params,
    hyper: Any,
    batch: Batch,
    *,
    key: jax.Array,
    step: Any,
) -> Logs:
    """Every player's logs on one batch, nothing moved, as at `step` of training."""
    logs: Logs = {}
    for name, player in method.players.items():
        loss, extra = player.loss(params, hyper, batch, key=key, step=step)
        logs |= named_logs(method, name, loss, extra)
    return logs


def named_logs(method: Method, name: str, loss: jax.Array, logs: Logs) -> Logs:
    """The loss as "loss", or "<player>/loss" where there are several; and the logs.

    The players of a method log under different names.
    """
    prefix = "" if len(method.players) == 1 else f"{name}/"
    return {f"{prefix}loss": loss} | logs
