"""Independent pieces of work on threads, results in order."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from disentangle.metrics.base import Settings

PATIENCE = 1.0  # seconds from Ctrl-C to its effect

Item = TypeVar("Item")
Out = TypeVar("Out")


def in_threads(
    work: Callable[[Item], Out],
    items: Sequence[Item],
    settings: Settings,
    metric: str,
) -> list[Out]:
    """[work(item) for item in items], on `settings.threads` threads.

    The results are in the order of `items`, so the number of threads changes nothing
    as long as `work` shares no state. The pieces start in the order of `items`: put
    the long ones first. After Ctrl-C no further piece starts, and those that run are
    waited for no longer than PATIENCE. Matrix products inside them use one thread each:
    several pools on the same cores wait for one another, which takes up to ten times
    as long.

    Args:
      work: called once an item; it should spend its time outside Python's lock.
      items: the pieces.
      settings: reads `threads`, `progress`.
      metric: the name under which progress is told.
    """
    left = iter(range(len(items)))
    lock, over = threading.Lock(), threading.Event()
    ends: queue.SimpleQueue[tuple[int, Out | None, BaseException | None]] = (
        queue.SimpleQueue()
    )

    def pieces() -> None:
        """What one thread does."""
        while not over.is_set():
            with lock:
                i = next(left, None)
            if i is None:
                return
            try:
                ends.put((i, work(items[i]), None))
            except BaseException as error:
                ends.put((i, None, error))

    done: dict[int, Any] = {}
    threads = [
        threading.Thread(target=pieces, daemon=True)
        for _ in range(min(settings.threads, len(items)))
    ]
    with threadpool_limits(1):
        try:
            for thread in threads:
                thread.start()
            while len(done) < len(items):
                try:  # a wait without an end may sleep through a signal
                    i, out, error = ends.get(timeout=0.2)
                except queue.Empty:
                    continue
                if error is not None:
                    raise error
                done[i] = out
                if settings.progress is not None:
                    settings.progress(metric, len(done), len(items))
        except BaseException as error:
            over.set()
            patience = None if isinstance(error, Exception) else PATIENCE
            _wait(threads, patience)
            raise
    return [done[i] for i in range(len(items))]


def _wait(threads: Sequence[threading.Thread], seconds: float | None) -> None:
    """Waits for the threads, at most so many seconds for all together."""
    end = time.monotonic() + (seconds or 0)
    for thread in threads:
        left = None if seconds is None else max(0.0, end - time.monotonic())
        if thread.ident is not None:  # it was started
            thread.join(left)
