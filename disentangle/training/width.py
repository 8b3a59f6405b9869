"""How many members one program trains: as many as memory and speed say.

On a CPU members run one after the other (`population.over_members`): how many are in
a program changes neither bits nor speed, so all that memory takes are. On accelerators
they run together: a model of 0.7 M parameters leaves one idle, and its speed grows
with their number until it is full. Up to `FEW` are taken together; beyond, programs
of twice as many are timed as long as a member gets faster by it. (On an H100 a beta-VAE
is 2.9 times as fast among 16 as alone and 3.3 times among 256: `benchmarks/README.md`,
"Populations".) There the number of members may move the last digit of a result, so a
workdir keeps the batches it began with.
"""

import os
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

from disentangle.fields.check import whole_number
from disentangle.training.batches import Job, part
from disentangle.training.loop import (
    batched,
    compile_functions,
    start,
)

FEW = 16  # members that are trained together unmeasured
GAIN = 0.9  # a wider program has to take at most this share of the time per member
COPIES = 3  # of a state: before and after a step, and the one that is saved
SHARE = 0.25  # of a CPU's memory that states may take
TIMED = 20  # steps


def members_at_once(job: Job, count: int, asked: int | None) -> int:
    """How many members a batch has, of `count` that are to be trained.

    Args:
      job: what is trained.
      count: members without a batch yet.
      asked: what the user wants; None is to choose.

    Raises:
      UserError: `asked` is no whole number, or below 1.
    """
    if asked is not None:
        return whole_number("at_once", asked, 1)
    devices = jax.local_devices()
    each = max(1, -(-count // len(devices)))
    if devices[0].platform == "cpu":
        return max(1, min(each, _memory() // (COPIES * _state_bytes(job))))
    return widest(lambda width: seconds_per_step(job, width), each)


def widest(seconds: Callable[[int], float | None], most: int) -> int:
    """The number of members from which twice as many are hardly faster.

    Args:
      seconds: of a step per member in a program of so many; None where memory is out.
      most: never more.
    """
    if most <= FEW:
        return most
    width, best = FEW, seconds(FEW)
    while width < most and best is not None:
        wider = min(2 * width, most)
        found = seconds(wider)
        if found is None or found > GAIN * best:
            break
        width, best = wider, found
    return width


def seconds_per_step(job: Job, width: int) -> float | None:
    """Seconds of a training step per member, `width` of them; None without memory."""
    own = part(job.experiment, range(width))
    compiled = compile_functions(own, job.method, job.split, job.observers)
    try:
        now = compiled.first()
        compiled.evaluate(now.state, job.split, batched(job.test_index))
        state, logs = compiled.chunk(now.state, now.window, jnp.int32(2))
        jax.block_until_ready(state.alive)
        began = time.monotonic()
        state, logs = compiled.chunk(state, logs, jnp.int32(TIMED))
        jax.block_until_ready(state.alive)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return None
    return (time.monotonic() - began) / TIMED / width


def _state_bytes(job: Job) -> int:
    """Bytes of one member's state."""
    shapes = jax.eval_shape(lambda: start(job.method, part(job.experiment, [0])))
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))


def _memory() -> int:
    """Bytes that states may take on this machine's CPU."""
    try:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not on every system
        whole = 2**33
    return int(SHARE * whole)
