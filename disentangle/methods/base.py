"""What a method is: networks, the players that move them, and what it can do.

A method is written for one model and one batch. The training loop adds steps,
checkpoints and the population axis; it knows nothing but these types.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from disentangle.data.samplers import Batch, Collate, Split, alone
from disentangle.methods.ways import Latents, Translation
from disentangle.nn.net import Net
from disentangle.weightings.base import Weighting

LOCATELLO = "Locatello et al. 2019"  # whose protocol the defaults are

Params = dict[str, Any]  # parameters per network name
Logs = dict[str, jax.Array]  # scalars or small vectors, by name
# loss(params, hyper, batch, *, key, step) -> (scalar to minimise, logs), or an Output
Loss = Callable[..., tuple[Any, ...]]


class Output(NamedTuple):
    """What a loss gives; one with neither a state nor tasks gives (loss, logs)."""

    loss: jax.Array  # () to minimise; (N,) per task where the player has a `gradient`
    logs: Logs = {}  # noqa: RUF012 (JAX takes no read-only mapping)
    # Per network, as `Net.train` gives it, whoever moves that network.
    state: dict[str, Any] = {}  # noqa: RUF012
    active: jax.Array | None = None  # (N,) bool, tasks with a loss here; None: all

    @property
    def total(self) -> jax.Array:
        """() the loss, the sum of the active tasks' losses."""
        if self.active is not None:
            return jnp.where(self.active, self.loss, 0.0).sum()
        return self.loss.sum() if self.loss.ndim else self.loss


def moved(name: str, state: Any) -> dict[str, Any]:
    """`Output.state` of one network that was trained; {} of one without a state."""
    return {name: state} if state else {}


class TaskGradients(NamedTuple):
    """The gradient of a player whose loss gives `tasks` losses, (N,).

    The networks `shared` move along sum_i w_i g_i, g_i the gradient of task i with
    respect to them, w from the weighting. What else the player moves (heads, one per
    task) moves along the gradient of the plain sum of the active tasks' losses, on
    which weights would act as other learning rates.
    """

    weighting: Weighting
    shared: tuple[str, ...]
    tasks: int  # N


class Player(NamedTuple):
    """Some networks, the loss they lower, and how often they move.

    Players of one method move one after the other within a step, each seeing
    what the ones before it changed; each changes only the parameters of `moves`, and
    the states that its loss gives.
    """

    moves: tuple[str, ...]
    loss: Loss
    every: int = 1  # moves on the steps divisible by this
    # None: the optimiser of the run. Else optimizer(hyper) -> transformation.
    optimizer: Callable[[Any], optax.GradientTransformation] | None = None
    rate: str = ""  # the swept field that is the learning rate of its own optimiser
    gradient: TaskGradients | None = None  # None: of the scalar that the loss gives


class Tasks(NamedTuple):
    """The task view of a supervised method, which affinity is measured on."""

    names: tuple[str, ...]
    shared: tuple[str, ...]  # networks every task uses
    losses: Callable[..., jax.Array]  # losses(params, batch) -> (N,)


class Subspaces(NamedTuple):
    """The attribute view of a method that knows what its codes say of each attribute.

    A attributes with K_1 .. K_A values, S in all, those of the first attribute first.
    Labels are int32, -1 where one is missing.
    """

    names: tuple[str, ...]  # (A,) as the method was told them
    sizes: tuple[int, ...]  # (A,) K_a
    # labels(factors (..., F), known (..., F) bool | None) -> (..., A)
    labels: Callable[..., jax.Array]
    # alike(params, codes (B, D), a) -> (B, E), whose distances say how alike two
    # images are in attribute a
    alike: Callable[[Params, jax.Array, int], jax.Array]
    # compared(params, codes (B, D)) -> (B, E), as they are compared whole, by `embed`
    # too; None: as they are
    compared: Callable[[Params, jax.Array], jax.Array] | None = None
    # classify(params, codes (B, D)) -> (B, S) log-probabilities of values
    classify: Callable[[Params, jax.Array], jax.Array] | None = None
    # edit(params, codes (B, D), old (B, A), new (B, A), alpha (B,), *, mode) -> (B, D),
    # for one of EDIT_MODES; new is -1 where an attribute stays, old where it is unknown
    edit: Callable[..., jax.Array] | None = None


EDIT_MODES = ("replace", "add")


class Sets(NamedTuple):
    """How a method compares items of a set, by the categories of the two.

    Categories are values of the attribute that tells slots of a set apart.
    """

    # pair(params, codes (B, D), own (B,), other (B,)) -> (B, E): the codes of items of
    # the categories `own` as they are compared with items of the categories `other`,
    # by squared distance
    pair: Callable[..., jax.Array]
    # attention(params) -> (C, C, A) what of a pair of categories is looked at, or None
    attention: Callable[[Params], jax.Array] | None = None


class Method(NamedTuple):
    """A buildable idea. Everything is a pure function over pytrees.

    `represent(params, images (B, H, W, C)) -> codes (B, D)`;
    `posterior(params, images) -> (means, log-variances), each (B, D)`, where codes
    are the means of Gaussians; then `represent` gives these means;
    `decode(params, codes (B, D)) -> images (B, H, W, C) in [0, 1]`;
    `attributes` names, for each code dimension, the attribute it belongs to, where
    the method fixes that; `categorical` the code columns of each categorical latent,
    which are the probabilities of its values; `collate` makes a step's batch of the
    images drawn; `check(hyper)` of one member's numbers raises UserError where the
    ranges of single ones do not suffice, `suits(split)` where the training images do
    not.

    What a method may offer, None where it cannot: `sample(params, *, key, n) -> images
    (n, H, W, C)` of the model's own; `edit(params, images, factors (B, F), wanted
    (B, F)) -> images` with other factors and all else kept; `redraw(params, codes
    (B, D), images) -> images` with these codes and all else that they have, also what
    no code says; `generate(params, factors
    (B, F), *, key) -> images` of the model's own with these factors, of which it obeys
    those named in `given`; `log_prob(params, images,
    *, key) -> (B,)` nats, of a density over images, or a lower bound of it;
    `embed(params, images) -> (B, E)`, whose distances say how alike images are, for
    retrieval. Images are float32 in [0, 1], factors int32.

    `averages` names the networks whose parameters have an exponential moving average,
    a <- d a + (1 - d) p after every step, each with its `decay(hyper, step) -> d` in
    [0, 1); it starts as the parameters do. Everything above but the losses in training
    is given the averages, and running statistics (`Net.apply`).

    `components` is above 0 where codes have too many columns, each of which says next
    to nothing alone: scores that compare columns, and pages that move them, then take
    that many principal components (study/components.py).

    `subspaces` is what the codes say of each attribute, see `Subspaces`; `sets` how
    items of a set are compared, see `Sets`; `translation` how images of two domains are
    drawn as each other's, see `Translation`; `latents` what a generator's layers are
    told, see `Latents`.
    `begin(params, split) -> params` reads parameters off the training images before the
    first step, such as class means, and after `init_from`; it is not given averages.
    `annihilates` says that columns of a factor are zero where it has its value 0.
    `whole` names networks that are not learned here: of a run that this one starts with
    they go over whole, or it is refused.
    """

    nets: dict[str, Net]
    players: dict[str, Player]
    represent: Callable[[Params, jax.Array], jax.Array]
    posterior: Callable[[Params, jax.Array], tuple[jax.Array, jax.Array]] | None = None
    decode: Callable[[Params, jax.Array], jax.Array] | None = None
    tasks: Tasks | None = None
    attributes: tuple[str, ...] | None = None
    categorical: tuple[tuple[int, ...], ...] = ()
    components: int = 0
    collate: Collate = alone
    check: Callable[[Any], None] = lambda hyper: None
    suits: Callable[[Split], None] = lambda split: None
    averages: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType({})
    sample: Callable[..., jax.Array] | None = None
    edit: Callable[..., jax.Array] | None = None
    redraw: Callable[..., jax.Array] | None = None
    log_prob: Callable[..., jax.Array] | None = None
    embed: Callable[[Params, jax.Array], jax.Array] | None = None
    generate: Callable[..., jax.Array] | None = None
    given: tuple[str, ...] = ()
    subspaces: Subspaces | None = None
    sets: Sets | None = None
    translation: Translation | None = None
    latents: Latents | None = None
    begin: Callable[[Params, Split], Params] | None = None
    annihilates: bool = False
    whole: tuple[str, ...] = ()

    @property
    def has_features(self) -> bool:
        """Whether codes are features of a critic: it draws images, and none of codes.

        What the size of such a code is, no term of a loss says.
        """
        return self.decode is None and (self.sample or self.generate) is not None


class Recipe(NamedTuple):
    """One row of the METHODS table.

    Attributes:
      build: `build(settings, space, shape) -> Method`; of a method with `sources`
        `build(settings, space, shape, shapes)`, name -> (H, W, C) of each.
      settings: class of the method's fields, made by `fields.settings`: `build` is
        given one for its static fields, a loss one with arrays in the swept fields.
      summary: one line for `python -m disentangle list`.
      supervision: a key of SUPERVISION (methods/supervision.py).
      protocol: what the paper or its authors' code sets for dSprites, where this
        differs from `training.config.default_config` (the method's defaults within
        the protocol of Locatello et al. 2019): dotted config field -> value, as
        {"optimizer.learning_rate": 5e-4}. {}: nothing differs. None: the paper's
        settings are not known to us, or cannot be had here.
      published: whose settings these are, and what of them no field here can say, in
        words; where `protocol` is None what is known of them all the same, or "".
      sources: names of the further data sets that the method sees; its batches come
        from a Collate such as `samplers.with_others`.
      beside: names of further data sets that it sees where they are there; `build` is
        given the `shapes` of these too, and called without where there is none.
    """

    build: Callable[..., Method]
    settings: type[Any]
    summary: str
    supervision: str = "none"
    protocol: Mapping[str, Any] | None = None
    published: str = ""
    sources: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


def init(method: Method, *, key: jax.Array) -> Params:
    """Fresh parameters of every network, `Variables` where it has a state."""
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
        found = Output(*player.loss(params, hyper, batch, key=key, step=step))
        logs |= named_logs(method, name, found)
    return logs


def named_logs(method: Method, name: str, found: Output) -> Logs:
    """The loss as "loss", or "<player>/loss" where there are several; and the logs.

    The players of a method log under different names.
    """
    prefix = "" if len(method.players) == 1 else f"{name}/"
    return {f"{prefix}loss": found.total, **found.logs}
