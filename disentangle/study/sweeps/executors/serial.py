"""In this process: one unit after the other on every device of the machine."""

from collections.abc import Callable

import jax

from disentangle.study.sweeps.claims import Claims
from disentangle.study.sweeps.executors.base import Task
from disentangle.study.sweeps.work import CLAIMS, do_unit
from disentangle.training.devices import Lane, deal


def run(task: Task) -> None:
    """Deals the units out over the local devices, each on the first that is free.

    A unit is one ordinary program of one device: it has the same bits on any of them.
    """
    claims = Claims(task.place.folder / CLAIMS)

    def work(unit: str) -> Callable[[Lane | None], None]:
        """The work of one unit."""

        def piece(lane: Lane | None) -> None:
            """One unit, where it is dealt to."""
            data = task.shelf.get(task.data_section(unit), lane and lane.device)
            if do_unit(task.place, unit, data, claims, lane):
                task.tell(unit)

        return piece

    deal([work(unit) for unit in task.units], jax.local_devices())
