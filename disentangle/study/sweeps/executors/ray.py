"""On a Ray cluster, or on Ray's workers of this machine: --executor=ray --address=...

A unit is a task with retries: of a worker that is killed the unit goes on elsewhere,
from its last checkpoint. All workers write into the study's workdir, so it must be on a
file system that they share. Needs the extra: pip install -e '.[ray]'.
"""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import jax

from disentangle.errors import UserError
from disentangle.progress import silent
from disentangle.study.sweeps.claims import Claims
from disentangle.study.sweeps.executors.base import Task
from disentangle.study.sweeps.shelf import Shelf
from disentangle.study.sweeps.work import CLAIMS, Place, do_unit

RETRIES = 5  # of a unit whose worker dies; an ordinary error is not tried again
# Ray otherwise listens on all interfaces of a machine, and reports what it is used for.
QUIET = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}


def run(task: Task) -> None:
    """Hands every unit to a worker; returns when all have ended.

    Raises:
      UserError: the extra is missing, or there is no cluster at the address; and what
        a unit raised.
    """
    ray = _library()
    with _cluster(ray, task.address):
        work = ray.remote(num_cpus=1, num_gpus=_gpus(), max_retries=RETRIES)(in_worker)
        quiet = task.place._replace(progress=False)
        place = ray.put(quiet)
        left = {
            work.remote(place, unit, task.data_section(unit)): unit
            for unit in task.units
        }
        while left:
            ready, _ = ray.wait(list(left), num_returns=1)
            for one in ready:
                unit = left.pop(one)
                if _result(ray, one, unit):
                    task.tell(unit)


def in_worker(place: Place, unit: str, section: dict[str, Any]) -> bool:
    """One unit, in a worker's process, which keeps its data set."""
    claims = Claims(place.folder / CLAIMS)
    with silent(bars=True):
        return do_unit(place, unit, _shelf().get(section), claims)


@functools.cache
def _shelf() -> Shelf:
    """The data sets of this process."""
    return Shelf()


def _library() -> ModuleType:
    try:
        import ray
    except ImportError:
        raise UserError(
            "executor=ray needs the extra: pip install -e '.[ray]'"
        ) from None
    return ray


@contextmanager
def _cluster(ray: ModuleType, address: str) -> Iterator[None]:
    """A cluster within the body: that at the address, or one of this machine."""
    if ray.is_initialized():  # the user's own
        yield
        return
    here = str(Path(__file__).resolve().parents[4])
    paths = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))
    environment = {"env_vars": {"PYTHONPATH": paths}}
    given: dict[str, Any] = (
        {"address": address}
        if address
        else {
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
        }
    )
    held = {name: os.environ.get(name) for name in QUIET}
    os.environ.update(QUIET)
    try:
        ray.init(log_to_driver=False, runtime_env=environment, **given)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"address={address!r}: there is no Ray: {reason}") from None
    finally:
        for name, value in held.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    try:
        yield
    finally:
        ray.shutdown()


def _gpus() -> int:
    return int(jax.default_backend() == "gpu")


def _result(ray: ModuleType, one: Any, unit: str) -> bool:
    """What a task gave; its error as it was raised there."""
    try:
        return bool(ray.get(one))
    except ray.exceptions.WorkerCrashedError:
        raise UserError(
            f"the workers of unit {unit} died {RETRIES + 1} times; the same command "
            "goes on"
        ) from None
    except ray.exceptions.RayTaskError as error:
        raise error.cause if isinstance(error.cause, Exception) else error from None
