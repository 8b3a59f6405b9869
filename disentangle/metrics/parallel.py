"""Independent pieces of work on threads, results in order."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from threadpoolctl import threadpool_limits

from disentangle.metrics.base import Settings

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
    the long ones first. Matrix products inside them use one thread each: several
    pools on the same cores wait for one another, which takes up to ten times as long.

    Args:
      work: called once an item; it should spend its time outside Python's lock.
      items: the pieces.
      settings: reads `threads`, `progress`.
      metric: the name under which progress is told.
    """
    with threadpool_limits(1), ThreadPoolExecutor(settings.threads) as pool:
        waiting = {pool.submit(work, item): i for i, item in enumerate(items)}
        done: dict[int, Out] = {}
        try:
            for future in as_completed(waiting):
                done[waiting[future]] = future.result()
                if settings.progress is not None:
                    settings.progress(metric, len(done), len(items))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [done[i] for i in range(len(items))]
