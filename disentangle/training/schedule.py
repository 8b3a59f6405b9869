"""Learning rates over the steps of a run, and gradients clipped: both optax's."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import optax

from disentangle.errors import UserError

SCHEDULES = ("constant", "cosine", "step", "exponential")


class Schedule(NamedTuple):
    """A factor of every learning rate, in [0, 1], as a function of the step s.

    With w = `warmup` and t = s - w: s / w for s < w, and from there on 1 (constant),
    (1 + cos(pi t / `length`)) / 2 (cosine), `decay` ** floor(t / `every`) (step) or
    `decay` ** (t / `every`) (exponential). Step 0 is the run's first.

    Attributes:
      name: in SCHEDULES.
      warmup: steps.
      length: steps of a cosine; else 0.
      decay: of step and exponential; else 1.
      every: steps of one decay; else 0.
    """

    name: str = "constant"
    warmup: int = 0
    length: int = 0
    decay: float = 1.0
    every: int = 0

    @property
    def is_constant(self) -> bool:
        """Whether it is 1 at every step."""
        return self == Schedule()

    def __call__(self, step: jax.Array) -> jax.Array:
        """The factor at a step, () int32 -> () float32."""
        after = self._after()
        if self.warmup:
            rise = optax.linear_schedule(0.0, 1.0, self.warmup)
            after = optax.join_schedules([rise, after], [self.warmup])
        with jax.numpy_dtype_promotion("standard"):  # optax: float * int count
            return jax.numpy.asarray(after(step), jax.numpy.float32)

    def _after(self) -> Callable:
        """The factor by the steps since the warm-up."""
        if self.name == "cosine":
            return optax.cosine_decay_schedule(1.0, self.length)
        if self.name == "exponential":
            return optax.exponential_decay(1.0, self.every, self.decay)
        if self.name == "step":  # whole decays, counted in whole numbers
            fall = optax.exponential_decay(1.0, 1, self.decay)
            return lambda count: fall(count // self.every)
        return optax.constant_schedule(1.0)


def schedule(name: str, warmup: int, decay: float, every: int, steps: int) -> Schedule:
    """The schedule of this name; numbers that it does not use are left out.

    Raises:
      UserError: a cosine has no step after the warm-up.
    """
    if name == "constant":
        return Schedule(name, warmup)
    if name != "cosine":
        return Schedule(name, warmup, 0, decay, max(1, every))
    if warmup >= steps:
        raise UserError(
            f"optimizer.warmup is {warmup:,} of the run's {steps:,} steps: a cosine "
            "has none left to fall in"
        )
    return Schedule(name, warmup, steps - warmup)


class Optimizer(NamedTuple):
    """How a run turns gradients into updates.

    Attributes:
      build: learning rate -> transformation, of players without one of their own.
      schedule: of every player's learning rate.
      clip_norm: of every player's gradient; 0 is none.
    """

    build: Callable[[jax.Array], optax.GradientTransformation]
    schedule: Schedule = Schedule()
    clip_norm: float = 0.0

    def around(
        self, update: optax.GradientTransformation, step: jax.Array
    ) -> optax.GradientTransformation:
        """A player's transformation at a step, clipped and scheduled.

        Its updates are multiplied by the schedule's factor, which is the same as its
        learning rate, as long as that multiplies all of its update. The step is the
        run's, also for a player that does not move on every one.
        """
        parts = [update]
        if self.clip_norm:
            parts.insert(0, optax.clip_by_global_norm(self.clip_norm))
        if not self.schedule.is_constant:
            parts.append(optax.scale(self.schedule(step)))
        return optax.chain(*parts) if len(parts) > 1 else update
