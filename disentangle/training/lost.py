"""Members that are lost: those that diverge, and those with one code for all images."""

from collections.abc import Mapping

import jax
import numpy as np

from disentangle.methods.activity import collapsed
from disentangle.progress import say, stage
from disentangle.training.config import Experiment

ENOUGH = 50  # test images, to say that a member has one code for all


def report_dead(
    before: np.ndarray, alive: jax.Array, experiment: Experiment, step: int, n: int
) -> np.ndarray:
    """Names the members that diverged in the last n steps."""
    now = np.asarray(alive)
    for member in np.flatnonzero(before & ~now):
        stage(
            f"{experiment.members[member]} diverged between steps {step - n} and "
            f"{step}: its parameters stay as they were before; the others go on"
        )
    return now


def report_collapsed(
    experiment: Experiment, alive: np.ndarray, logs: Mapping, images: int
) -> None:
    """Names the living members that have one code for all of the test images."""
    if images < ENOUGH:
        return
    for member, words in collapsed(logs).items():
        if alive[member]:
            say(
                f"{experiment.members[member]} has collapsed: {words} ({images} test "
                "images)"
            )
