"""Progress: a bar with the time left on a terminal, plain lines elsewhere.

On a terminal, and in a notebook, `Progress` is a tqdm bar. In a log file or a pipe it
is one plain line after five seconds, then after ten, twenty, ... and at last one per
minute: a log of a long job stays short, and nothing is silent for long. Progress is
on stderr; stages and results on stdout. `silent` is what --quiet and --noprogress do.
"""

import contextlib
import contextvars
import datetime
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TextIO, TypeVar

import tqdm

from disentangle.errors import printable

FIRST_LINE, LONGEST = 5.0, 60.0  # seconds between plain lines, doubling from the first
HOURLY = (  # a bar whose rate is its postfix
    "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}"
    "{postfix}]"
)

T = TypeVar("T")
_BARS = contextvars.ContextVar("bars", default=True)
_LINES = contextvars.ContextVar("lines", default=True)


class Progress:
    """Work being done, of a total that may become known later.

    Args:
      what: what is being done, in a few words.
      total: units of work; None while it is not known.
      unit: name of one unit.
      done: units done before.
      shown: False shows nothing at all.
      hourly: the rate is per hour, of units that take long.
    """

    def __init__(
        self,
        what: str,
        *,
        total: int | None = None,
        unit: str = "it",
        done: int = 0,
        shown: bool = True,
        hourly: bool = False,
    ):
        shown = shown and _BARS.get()
        what = printable(what)
        self.what, self.total, self.unit, self.done = what, total, unit, done
        self._began, self._from = time.monotonic(), done
        self._lines = shown and not is_interactive()
        self._interval, self._last, self._note = FIRST_LINE, self._began, ""
        self._hourly = hourly
        self._bar = tqdm.tqdm(
            desc=what,
            total=total,
            initial=done,
            unit=unit,
            leave=False,
            delay=1,
            mininterval=0.5,
            dynamic_ncols=True,
            disable=not shown or self._lines,
            bar_format=HOURLY if hourly else None,
        )
        self._closed, self._lock = threading.Event(), threading.Lock()
        if shown:
            beat = contextvars.copy_context().run
            threading.Thread(target=beat, args=(self._beat,), daemon=True).start()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close()

    def advance(self, units: int = 1, *, before: bool = False) -> None:
        """Counts units as done, from any thread; `before`: not in the time measured."""
        with self._lock:
            if before:
                self._from += units
                if not self._bar.disable:
                    self._bar.initial += units
            self.to(self.done + units)

    def to(
        self, done: int, total: int | None = None, *, what: str | None = None
    ) -> None:
        """Sets what is done, and the total and the words where they changed."""
        self.total = total if total is not None else self.total
        self.what = printable(what) if what else self.what
        step, self.done = done - self.done, done
        if self._bar.disable:
            self._line()
            return
        self._bar.total = self.total
        self._bar.set_description(self.what, refresh=False)
        if self._hourly:
            self._bar.set_postfix_str(self._rate(self._seconds()), refresh=False)
        self._bar.update(step)

    def note(self, values: Mapping[str, float]) -> None:
        """Shows numbers behind the bar, such as a loss."""
        self._note = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        if not self._bar.disable:
            self._bar.set_postfix_str(self._note, refresh=False)

    def close(self) -> None:
        """Takes the bar off the screen."""
        self._closed.set()
        self._bar.close()

    def _beat(self) -> None:
        """Shows that time passes where one unit takes long, such as to compile."""
        while not self._closed.wait(1.0):
            if self._bar.disable:
                self._line()
            else:
                self._bar.refresh()

    def _line(self) -> None:
        now = time.monotonic()
        if not self._lines or now - self._last < self._interval:
            return
        self._last, self._interval = now, min(2 * self._interval, LONGEST)
        say(self.summary(now - self._began))

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _rate(self, seconds: float) -> str:
        """Such as "12 steps/s" or "90 models/hour"."""
        rate = (self.done - self._from) / max(seconds, 1e-9)
        if self._hourly:
            return f"{rate * 3600:.3g} {self.unit}s/hour"
        return f"{rate:.3g} {self.unit}s/s"

    def summary(self, seconds: float) -> str:
        """Such as "train: 400/1,000 steps (40%), 12 steps/s, 0:00:50 left"."""
        rate = (self.done - self._from) / max(seconds, 1e-9)
        if self.total is None and not self.done:
            return f"{self.what}: {datetime.timedelta(seconds=int(seconds))}"
        parts = [f"{self.what}: {self.done:,} {self.unit}s"]
        if self.total:
            share = self.done / self.total
            parts = [
                f"{self.what}: {self.done:,}/{self.total:,} {self.unit}s ({share:.0%})"
            ]
        if rate > 0:
            parts.append(self._rate(seconds))
            if self.total:
                left = datetime.timedelta(seconds=int((self.total - self.done) / rate))
                parts.append(f"{left} left")
        return ", ".join([*parts, self._note] if self._note else parts)


def over(
    items: Sequence[T], what: str, *, unit: str = "it", shown: bool = True
) -> Iterator[T]:
    """`items` one after the other, with their progress shown."""
    with Progress(what, total=len(items), unit=unit, shown=shown) as progress:
        for item in items:
            yield item
            progress.advance()


@contextlib.contextmanager
def waiting(what: str, *, shown: bool = True) -> Iterator[None]:
    """Work that has no units to count: how long it has taken is shown."""
    with Progress(what, shown=shown):
        yield


@contextlib.contextmanager
def steps(
    what: str, units: int, *, shown: bool = True
) -> Iterator[Callable[[str, int, int], None]]:
    """Progress over units of work that tell their own: tell(unit, done, total).

    A unit begins with done = 0, and counts as done when the next one begins, so that
    the bar is at its end only when all work is.
    """
    begun = 0
    with Progress(what, total=units, unit="score", shown=shown) as progress:

        def tell(unit: str, done: int, total: int) -> None:
            nonlocal begun
            begun += done == 0
            inside = f" {done:,}/{total:,}" if total > 1 else ""
            at = min(max(begun - 1, 0), units - 1)
            progress.to(at, units, what=f"{what}: {unit}{inside}")

        yield tell


def say(text: str) -> None:
    """One line on stderr that leaves a bar whole; nothing where lines are silent."""
    _write(text, sys.stderr)


def stage(text: str) -> None:
    """As `say`, on stdout: what a job is about to do, above its results."""
    _write(text, sys.stdout)


def _write(text: str, stream: TextIO) -> None:
    if _LINES.get():
        with contextlib.suppress(BrokenPipeError):  # no work stops for want of a reader
            tqdm.tqdm.write(printable(text), file=stream)
            stream.flush()  # a log says where the work is, also if it is killed


@contextlib.contextmanager
def silent(*, bars: bool = True, lines: bool = False) -> Iterator[None]:
    """Within it, no progress is shown; with `lines`, `say` says nothing either."""
    held = _BARS.set(not bars and _BARS.get()), _LINES.set(not lines and _LINES.get())
    try:
        yield
    finally:
        _BARS.reset(held[0])
        _LINES.reset(held[1])


def is_interactive() -> bool:
    """Whether stderr can redraw a line: a terminal, or a notebook's cell."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules
