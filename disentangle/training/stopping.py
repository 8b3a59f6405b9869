"""Ctrl-C and the signals of a cluster: what was computed is saved, then all ends.

SIGTERM is what a scheduler sends some seconds before SIGKILL, SIGHUP what a terminal
sends that is gone. Python hears a signal only between two of its own instructions,
and a compilation or a fit may take minutes: so the program has a thread that watches.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn

GRACE = 2.0  # seconds from a signal to the end, whatever is being computed
PATIENCE = 60.0  # seconds more for steps that are done and not yet saved
INTERRUPTED = 1  # exit code of Ctrl-C
NUMBERS = tuple(
    signal.Signals[name]
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if name in signal.Signals.__members__
)


class Stopped(SystemExit):
    """A signal other than Ctrl-C ended the work; the exit code is 128 + its number."""


def exit_code(number: int) -> int:
    """The exit code of a program that a signal ended."""
    return INTERRUPTED if number == signal.SIGINT else 128 + number


def stop(number: int) -> NoReturn:
    """Raises KeyboardInterrupt for Ctrl-C, and Stopped for the others."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Stopped(exit_code(number))


class Deferred:
    """A signal handler that notes the first signal, for work that ends by itself.

    Attributes:
      number: the signal; 0 for none yet.
      unsaved: set by the work while it holds what is worth waiting for.
    """

    def __init__(self) -> None:
        self.number = 0
        self.unsaved = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Notes the signal."""
        self.number = self.number or number


class Watch:
    """A signal handler that ends the program, and the thread that sees to it."""

    def __init__(self) -> None:
        self.number = 0
        self._over = threading.Event()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Raises for the first signal; a second changes nothing, the end is near.

        While a library is being imported the program ends at once: nothing is lost
        then, and an exception may crash a library that is half there.
        """
        if not self.number:
            self.number = number
            if is_importing(frame):
                os.write(2, b"\nstopped\n")
                leave(exit_code(number))
            stop(number)

    def run(self, signals: socket.socket) -> None:
        """Ends the program after GRACE, unless unsaved steps are being saved."""
        number = 0
        while number not in NUMBERS:
            byte = signals.recv(1)
            if not byte:
                return
            number = byte[0]
        began = last = time.monotonic()
        while not self._over.wait(0.05):
            now, handler = time.monotonic(), signal.getsignal(number)
            is_saving = isinstance(handler, Deferred) and handler.unsaved
            if is_saving and now - began < PATIENCE:
                last = now
            if now - last > GRACE:
                os.write(2, b"\nstopped\n")
                leave(exit_code(number))

    def close(self) -> None:
        """Calls the thread off."""
        self._over.set()


def is_importing(frame: FrameType | None) -> bool:
    """Whether an import statement has called what runs in the frame."""
    while frame and "importlib._bootstrap" not in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None


def leave(code: int) -> NoReturn:
    """Ends the process now, without waiting for threads that still compute."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


@contextlib.contextmanager
def deferred() -> Iterator[Deferred]:
    """Signals do not break into its body, which looks at `number` where it can stop.

    After the body the signal does what it would have done. Handlers that a program
    has set for itself stay, and so do signals that are ignored (nohup). Outside the
    main thread nothing is deferred.

    Raises:
      KeyboardInterrupt, Stopped: after the body, if a signal came.
    """
    noted = Deferred()
    with _handled_by(noted):
        yield noted
    if noted.number:
        stop(noted.number)


@contextlib.contextmanager
def watched() -> Iterator[Watch]:
    """Within its body a signal raises, and ends the program if that takes too long."""
    watch = Watch()
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    with reader, writer, _handled_by(watch):
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        hook, sys.unraisablehook = sys.unraisablehook, _quiet(sys.unraisablehook)
        thread = threading.Thread(target=watch.run, args=(reader,), daemon=True)
        thread.start()
        try:
            yield watch
        finally:
            signal.set_wakeup_fd(before)
            sys.unraisablehook = hook
            watch.close()
            writer.shutdown(socket.SHUT_WR)
            thread.join(1.0)


def _quiet(hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The hook, silent where a stop was raised in a callback that may not raise.

    JAX has one in the garbage collector; the thread then ends the program.
    """

    def heard(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, Stopped | KeyboardInterrupt):
            hook(unraisable)

    return heard


@contextlib.contextmanager
def _handled_by(handler: Deferred | Watch) -> Iterator[None]:
    """Signals whose handling is the default one, or ours, go to `handler`."""
    held = {}
    if threading.current_thread() is threading.main_thread():
        usual = (signal.SIG_DFL, signal.default_int_handler)
        for number in NUMBERS:
            before = signal.getsignal(number)
            if before in usual or isinstance(before, Deferred | Watch):
                held[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, before in held.items():
            signal.signal(number, before)
