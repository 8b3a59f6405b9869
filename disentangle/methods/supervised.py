r"""Supervised multi-task encoder with one subspace per attribute.

$$
\mathcal{L} = \sum_t w_t \mathcal{L}_t, \qquad
r_a = W_{2,a} \, \mathrm{relu}(W_{1,a} h(x) + b_{1,a}) + b_{2,a}
$$

The stage-1 architecture of ADDE (Hou et al. 2021): a shared encoder h(x), a
head per attribute `r_a = W2_a relu(W1_a h + b1_a) + b2_a` and a linear
predictor on r_a; the code is concat(r_1 .. r_T). The loss is a weighted sum of
normalised task losses, the weights traced: every subset of the tasks is the
same program, so single-task, grouped and all-together networks train as one
population. With `triplet` above 0 each task has, beside its loss, the semi-hard
triplets of its own chunk r_t / |r_t| (margin 0.5, rows of one label alike). Of tasks
`FACTOR:classification` that is ADDE's first stage; ordinal and circular factors are
regressed by default, where ADDE has cross-entropies. What is reported of a task stays
its loss L_t alone.

Labels may be missing: the loss of a task is the mean over the images of the batch whose
label is known, 0 without any. `weighting` combines the gradients of the encoder in
another way than their sum (`disentangle.weightings`); the heads keep their own (see
`TaskGradients`). A task without a label in the batch, or with a weight of 0, takes no
part in a step.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Batch, alone
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods.adde_losses import l2_normalise, semi_hard_triplet
from disentangle.methods.augment import augmented
from disentangle.methods.base import (
    LOCATELLO,
    Method,
    Output,
    Params,
    Player,
    Recipe,
    TaskGradients,
    Tasks,
    moved,
)
from disentangle.methods.tasks import Task, parse
from disentangle.nn import ENCODERS, Heads, attribute_heads, encoder, output_width
from disentangle.weightings import WEIGHTINGS

MARGIN = 0.5  # of triplets, on codes of length 1


@settings
class Settings:
    """Of the multi-task network."""

    tasks: tuple[str, ...] = static(
        (),
        "what is learned, 'FACTOR' or 'FACTOR:KIND' each; () is every factor",
        distinct=True,
    )
    encoder: str = static(
        "locatello", "network of images", source=LOCATELLO, choices=ENCODERS
    )
    bottleneck: int = static(
        0,
        "size of a linear layer behind the encoder, for which tasks compete; 0 is none",
        least=0,
        most=WIDEST,
    )
    subspace: int = static(
        4, "d, dimensions of each attribute's code", least=1, most=WIDEST
    )
    hidden: int = static(
        64,
        "ReLUs of each head; ADDE has d, too few when d is small",
        least=1,
        most=WIDEST,
    )
    augment: bool = static(
        False, "whether half of the images are blurred, of other contrast and noisy"
    )
    triplet: float = static(
        0.0,
        "weight of the triplets of each attribute's code, as in ADDE's first stage; 0 "
        "leaves them out",
        least=0,
    )
    weighting: str = static(
        "equal", "of the tasks' gradients in the encoder", choices=WEIGHTINGS
    )
    weights: tuple[float, ...] = swept(
        (), "of the T task losses, (w_1 .. w_T); () is all ones"
    )


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """L = sum_t w_t L_t, L_t = 1 for the trivial predictor of task t."""
    tasks = parse(space, settings.tasks)
    outputs = tuple(task.outputs for task in tasks)
    shared = encoder(
        settings.encoder, shape, settings.bottleneck or None, in_training=True
    )
    features = output_width(shared, shape)
    nets = {
        "encoder": shared,
        "heads": attribute_heads(outputs, features, settings.subspace, settings.hidden),
    }

    def forward(params: Params, images: jax.Array) -> Heads:
        features = nets["encoder"].apply(params["encoder"], images)
        return nets["heads"].apply(params["heads"], features)

    def losses(params: Params, batch: Batch) -> jax.Array:
        return losses_of(tasks, forward(params, batch["images"]).predictions, batch)

    def task_losses(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        """The weighted losses one by one, (T,)."""
        del step
        features, state = shared.train(params["encoder"], batch["images"], key=key)
        codes, predictions = nets["heads"].apply(params["heads"], features)
        values = losses_of(tasks, predictions, batch)
        weights = jnp.asarray(hyper.weights, jnp.float32)
        active = has_loss(tasks, batch, weights)
        weighted = values
        if weights.size:  # a task without weight takes no part: 0 times infinity is NaN
            taken = [
                jnp.where(on, prediction, 0.0)
                for on, prediction in zip(active, predictions, strict=True)
            ]
            weighted = weights * losses_of(tasks, taken, batch)
        if settings.triplet:
            chunks = jnp.where(active[:, None], codes, 0.0)
            alike = settings.triplet * triplets(tasks, chunks, batch)
            weighted += (weights if weights.size else 1.0) * alike
        logs = {"task_losses": values}
        return Output(weighted, logs, moved("encoder", state), active)

    def represent(params: Params, images: jax.Array) -> jax.Array:
        codes = forward(params, images).codes
        return codes.reshape(codes.shape[0], -1)

    names = tuple(task.name for task in tasks)
    return Method(
        nets=nets,
        players={"multitask": player_of(settings.weighting, len(tasks), task_losses)},
        represent=represent,
        tasks=Tasks(names, ("encoder",), losses),
        attributes=tuple(n for n in names for _ in range(settings.subspace)),
        collate=augmented if settings.augment else alone,
        check=partial(check_weights, len(tasks)),
        embed=lambda params, images: unit_length(represent(params, images)),
    )


def losses_of(
    tasks: Sequence[Task], predictions: Sequence[jax.Array], batch: Batch
) -> jax.Array:
    """(T,) the losses of predictions (B, K_t), over the images whose label is known.

    What is predicted for other images takes no part in any arithmetic.
    """
    factors, known = batch["factors"], batch.get("known")
    if known is not None:
        factors = jnp.where(known, factors, 0)
        predictions = [
            jnp.where(known[:, task.columns].all(1)[:, None], prediction, 0.0)
            for task, prediction in zip(tasks, predictions, strict=True)
        ]
    return jnp.stack(
        [
            task.loss(prediction, factors, known)
            for task, prediction in zip(tasks, predictions, strict=True)
        ]
    )


def triplets(tasks: Sequence[Task], codes: jax.Array, batch: Batch) -> jax.Array:
    """(T,) semi-hard triplets of each task's chunk of the codes (B, T, d).

    Rows of one value of the task's first factor are alike; rows without it take no
    part. An angle that a symmetric image hides still has its label.
    """
    columns = np.array([task.columns[0] for task in tasks])
    labels, known = batch["factors"][:, columns], batch.get("known")
    labels = labels if known is None else jnp.where(known[:, columns], labels, -1)
    each = lambda own, chunk: semi_hard_triplet(own, chunk, MARGIN, "ignore")
    return jax.vmap(each, in_axes=(1, 1))(labels, l2_normalise(codes))


def unit_length(codes: jax.Array) -> jax.Array:
    """The codes (B, D) of all attributes at length 1, as ADDE compares them."""
    length = jnp.linalg.norm(codes, axis=1, keepdims=True)
    return codes / jnp.maximum(length, 1e-12)


def player_of(weighting: str, tasks: int, losses: Callable[..., Output]) -> Player:
    """The player of the weighted task losses; "equal", their sum, is one loss."""
    moves = ("encoder", "heads")
    if weighting != "equal":
        how = TaskGradients(WEIGHTINGS[weighting], ("encoder",), tasks)
        return Player(moves, losses, gradient=how)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        found = losses(params, hyper, batch, key=key, step=step)
        return Output(found.total, found.logs, found.state)

    return Player(moves, loss)


def has_loss(tasks: Sequence[Task], batch: Batch, weights: jax.Array) -> jax.Array:
    """(T,) bool: tasks with a weight (T,) and a label in the batch; () is all ones."""
    known = batch.get("known")
    if known is None:
        active = jnp.ones(len(tasks), bool)
    else:
        active = jnp.stack([known[:, task.columns].all(1).any() for task in tasks])
    return active & (weights != 0) if weights.size else active


def check_weights(tasks: int, hyper: Any) -> None:
    """Raises UserError unless `weights` has a number per task, and not all are 0."""
    weights = np.asarray(hyper.weights)
    if weights.size not in (0, tasks):
        raise UserError(f"method.weights has {weights.size} numbers for {tasks} tasks")
    if weights.size and not weights.any():
        raise UserError("method.weights are all 0: nothing would be learned")


RECIPE = Recipe(
    build,
    Settings,
    "supervised multi-task, ADDE heads",
    supervision="all",
    published="Hou et al. 2021 train on fashion images alone: 25 epochs of batches of "
    "128 at a learning rate of 1e-4, halved every 10 epochs",
)
