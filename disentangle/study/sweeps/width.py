"""How many models a unit has: a machine's choice, made once and kept in plan.json.

On a CPU members run one after the other and more of them are no faster: few per unit
spread over devices, shards and workers. An accelerator is measured (training/width.py).
"""

from collections.abc import Callable

import jax

from disentangle.study.sweeps.plan import Wanted, experiment_of, today
from disentangle.study.sweeps.shelf import Shelf
from disentangle.training.batches import Job
from disentangle.training.run import prepare
from disentangle.training.width import members_at_once

ON_CPU = 16
ASSUMED = 64  # on an accelerator that is not measured, for a plan


def assumed_width(want: Wanted, lacking: int) -> int:
    """The models of a unit, without a measurement."""
    del want
    devices = jax.local_devices()
    most = ON_CPU if devices[0].platform == "cpu" else ASSUMED
    return max(1, min(most, -(-lacking // len(devices))))


def measured_width(shelf: Shelf) -> Callable[[Wanted, int], int]:
    """The models of a unit, measured on an accelerator."""

    def width(want: Wanted, lacking: int) -> int:
        """See `plan.extended`."""
        if jax.local_devices()[0].platform == "cpu":
            return assumed_width(want, lacking)
        experiment = experiment_of(want.group, want.models)
        data = shelf.get(today(want.group)["data"])
        _, method, split, test_index = prepare(experiment.config, data)
        job = Job(experiment, method, split, test_index)
        return members_at_once(job, lacking, None)

    return width
