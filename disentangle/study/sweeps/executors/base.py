"""What an executor is given."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from disentangle.study.sweeps.plan import today
from disentangle.study.sweeps.shelf import Shelf
from disentangle.study.sweeps.work import Place


class Task(NamedTuple):
    """Units to be done.

    Attributes:
      place: the study.
      units: their ids, in the order in which they are best begun.
      shelf: the data sets, for what is done in this process.
      tell: called with the id of each unit that is done.
      address: of the cluster, as the user wrote it; "" for this machine.
    """

    place: Place
    units: Sequence[str]
    shelf: Shelf
    tell: Callable[[str], None]
    address: str = ""

    def data_section(self, unit: str) -> dict[str, Any]:
        """The section `data` of a unit's config."""
        ledger = self.place.ledger
        config = today(ledger.groups[ledger.units[unit].group])
        return dict(config["data"])


class Executor(NamedTuple):
    """A row of EXECUTORS.

    Attributes:
      run: does units; returns when it has tried all.
      show: what a dry run says of it.
    """

    run: Callable[[Task], None]
    show: Callable[[Task], str] = lambda task: ""
