"""Optimisers by name; the learning rate can be swept, the rest is static."""

from typing import Any

import jax
import optax

from disentangle.fields import fields_of, in_steps, settings, static, swept
from disentangle.fields.define import LARGEST
from disentangle.methods.base import LOCATELLO
from disentangle.training.schedule import SCHEDULES, Optimizer, schedule


@settings
class Shared:
    """What every optimiser has, for all players, also those with one of their own."""

    schedule: str = static(
        "constant",
        "of the learning rates after the warm-up: of this one, and of the players that "
        "have their own; each is a peak",
        choices=SCHEDULES,
    )
    warmup: float = static(
        0.0,
        "when the rate has grown from 0 to its peak",
        least=0.0,
        most=LARGEST,
        share=True,
    )
    decay: float = static(
        0.1,
        "of step and exponential: what the rate is multiplied by per decay_steps",
        above=0.0,
        most=1.0,
    )
    decay_steps: float = static(
        0.3,
        "of step and exponential: the time of one decay",
        above=0.0,
        most=LARGEST,
        share=True,
    )
    clip_norm: float = static(
        0.0,
        "largest global norm of a player's gradient, which is scaled down to it; 0 is "
        "any",
        least=0.0,
    )


@settings
class Adam(Shared):
    """Adam (Kingma & Ba 2015)."""

    b1: float = static(
        0.9, "decay of the first moment", source=LOCATELLO, least=0.0, below=1.0
    )
    b2: float = static(
        0.999, "decay of the second moment", source=LOCATELLO, least=0.0, below=1.0
    )
    eps: float = static(
        1e-8, "added to the root of the second moment", source=LOCATELLO, above=0.0
    )
    learning_rate: float = swept(
        1e-4, "of every player without an optimiser of its own", source=LOCATELLO
    )

    def build(self, learning_rate: jax.Array) -> optax.GradientTransformation:
        """The transformation at this learning rate."""
        return optax.adam(learning_rate, b1=self.b1, b2=self.b2, eps=self.eps)


@settings
class Sgd(Shared):
    """Stochastic gradient descent with heavy-ball momentum."""

    momentum: float = static(0.0, "share of the last update", least=0.0, below=1.0)
    learning_rate: float = swept(
        1e-2, "of every player without an optimiser of its own"
    )

    def build(self, learning_rate: jax.Array) -> optax.GradientTransformation:
        """The transformation at this learning rate."""
        return optax.sgd(learning_rate, momentum=self.momentum)


OPTIMIZERS: dict[str, Any] = {"adam": Adam, "sgd": Sgd}


def optimizer_of(chosen: Adam | Sgd, steps: int) -> Optimizer:
    """The optimiser that the settings stand for, in a run of so many steps.

    Raises:
      UserError: the warm-up leaves a cosine no steps.
    """
    fields = fields_of(chosen)
    warmup = in_steps(fields["warmup"], chosen.warmup, steps)
    every = in_steps(fields["decay_steps"], chosen.decay_steps, steps)
    numbers = (round(warmup), chosen.decay, round(every), steps)
    return Optimizer(
        chosen.build, schedule(chosen.schedule, *numbers), chosen.clip_norm
    )
