"""The data sets of a study, each loaded once while units of it are at work."""

import threading
from collections.abc import Mapping
from typing import Any

import jax

from disentangle.data.dataset import Dataset
from disentangle.study.sample import load_data
from disentangle.study.stages import digest


class Shelf:
    """The data set that was asked for last, on each device that asked.

    Args:
      given: name -> data set, in place of those that the config's names load.
    """

    def __init__(self, given: Mapping[str, Dataset] | None = None):
        self._given, self._lock = dict(given or {}), threading.Lock()
        self._name = ""
        self._held: dict[Any, Dataset] = {}

    def get(self, section: dict[str, Any], device: Any = None) -> Dataset:
        """The data set of a section `data`; with a device, its tables there."""
        with self._lock:
            name = digest(section)
            if name != self._name:
                given = self._given.get(section["name"])
                self._held = {None: load_data(section) if given is None else given}
                self._name = name
            if device not in self._held:
                self._held[device] = jax.device_put(self._held[None], device)
            return self._held[device]
