"""Work dealt out over the devices there are, one ordinary program on each.

A program that is partitioned over devices has other bits than on one; the same
program sent to each device has equal ones. So members are dealt out, never split.
"""

import contextvars
import queue
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import jax

from disentangle.data.precision import float32
from disentangle.training import stopping
from disentangle.training.stopping import Deferred

T = TypeVar("T")
MOMENT = 0.05  # seconds between two looks at signals and failures


class Lane(NamedTuple):
    """Where a piece of work is done, beside others.

    Attributes:
      device: the device, `jax.default_device` of the thread.
      signals: its `number` says that the work has to stop; the work sets `unsaved`.
    """

    device: Any
    signals: Deferred


def deal(work: Sequence[Callable[[Lane | None], T]], devices: Sequence[Any]) -> list[T]:
    """Does every piece of work, each on the first device that is free.

    With one device or one piece all is done in this thread, one after the other, on
    the device that JAX takes by itself. Otherwise each device has a thread, in which
    it is `jax.default_device`. If a piece fails, or a signal comes, the others are
    told to stop, and what is not begun is left.

    Args:
      work: a piece is called with its Lane; with None in this thread.
      devices: of one platform.

    Returns:
      The results, in the order of `work`.

    Raises:
      Exception: the first that a piece raised.
      KeyboardInterrupt, Stopped: a signal came; the pieces that ran have ended.
    """
    if len(work) == 1 or len(devices) == 1:
        return [piece(None) for piece in work]
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(work)):
        todo.put(number)
    done: dict[int, T] = {}
    failures: list[BaseException] = []

    def serve(lane: Lane) -> None:
        """Takes pieces until there are none, or it is told to stop."""
        with float32(), jax.default_device(lane.device):
            while not lane.signals.number:
                try:
                    number = todo.get_nowait()
                    done[number] = work[number](lane)
                except queue.Empty:
                    return
                except BaseException as error:  # raised again by the caller's thread
                    failures.append(error)
                    return

    with stopping.deferred() as heard:
        lanes = [Lane(device, Deferred()) for device in devices]
        threads = [
            threading.Thread(
                target=contextvars.copy_context().run, args=(serve, lane), daemon=True
            )
            for lane in lanes
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(MOMENT / len(threads))
            heard.unsaved = any(lane.signals.unsaved for lane in lanes)
            if heard.number or failures:
                for lane in lanes:
                    lane.signals.number = heard.number or signal.SIGTERM
        if failures:
            raise failures[0]
    return [done[number] for number in range(len(work))]
