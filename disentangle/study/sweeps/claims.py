"""Who works on what, among processes and machines that share a folder; no file locks.

A claim is a file that only one process can have created, `<name>.<generation>`. Its
owner touches it while it works. A claim whose owner is gone is taken over by creating
the next generation, which again only one can: nothing is deleted to take over, so that
of two who find the same dead claim one gets it. The highest generation counts.
"""

import contextlib
import dataclasses
import os
import platform
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from disentangle.errors import UserError
from disentangle.files import read_json, write_json
from disentangle.processes import began, is_gone

BEAT = 30.0  # seconds between two signs of life
GONE = 600.0  # seconds without one, after which an owner on another machine is dead
POLL = 0.2  # seconds between two looks at a claim that is waited for


@dataclasses.dataclass(frozen=True)
class Owner:
    """A process, as others can tell whether it lives.

    Attributes:
      place: the machine since its start, and the numbering of its processes.
      process: its number there.
      began: when it began, in ticks of the machine; "" where that cannot be asked.
      token: of one claim.
    """

    place: str
    process: int
    began: str
    token: str = ""


class Claims:
    """The claims in a folder.

    Args:
      folder: created if needed, on a file system that all have in common.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._held: dict[str, Path] = {}
        self._lock = threading.Lock()
        self._end = threading.Event()

    def take(self, name: str) -> bool:
        """Whether `name` is this process's now; False where a living one has it."""
        newest = self._newest(name)
        if newest is not None and not self._is_stale(newest):
            return False
        number = 1 + (_generation(newest) if newest else 0)
        path = self.folder / f"{name}.{number}"
        if not self._create(path):
            return False
        with self._lock:
            self._held[name] = path
            if len(self._held) == 1:
                self._end = threading.Event()
                beat = threading.Thread(target=self._beat, args=(self._end,))
                beat.daemon = True
                beat.start()
        return True

    def release(self, name: str) -> None:
        """Gives up a claim; the file goes, and those of the dead before it."""
        with self._lock:
            path = self._held.pop(name, None)
            if not self._held:
                self._end.set()
        if path is not None:
            for old in self._all(name):  # the newest last, so that it counts till then
                if _generation(old) <= _generation(path):
                    with contextlib.suppress(OSError):
                        old.unlink()

    def holds(self, name: str) -> bool:
        """Whether the claim is still this process's: nobody has taken it over."""
        newest = self._newest(name)
        return newest is not None and newest == self._held.get(name)

    def is_taken(self, name: str) -> bool:
        """Whether a living process, perhaps this one, has the claim."""
        newest = self._newest(name)
        return newest is not None and not self._is_stale(newest)

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Waits for a claim, and holds it within the body."""
        while not self.take(name):
            time.sleep(POLL)
        try:
            yield
        finally:
            self.release(name)

    def _all(self, name: str) -> list[Path]:
        """The files of a claim, by rising generation."""
        found = [
            path
            for path in self.folder.glob(f"{name}.*")
            if path.suffix[1:].isdigit() and path.stem == name
        ]
        return sorted(found, key=_generation)

    def _newest(self, name: str) -> Path | None:
        found = self._all(name)
        return found[-1] if found else None

    def _create(self, path: Path) -> bool:
        """Creates a claim that is not there; False where another was first.

        A claim appears with its owner in it: it is written beside, and linked.
        """
        owner = dataclasses.replace(me(), token=os.urandom(8).hex())
        beside = path.with_name(f".{path.name}.{owner.token}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(beside, dataclasses.asdict(owner))
            return _linked(beside, path)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from None
        finally:
            with contextlib.suppress(OSError):
                beside.unlink()

    def _is_stale(self, path: Path) -> bool:
        """Whether the owner of a claim is gone."""
        try:
            owner = read_json(path, Owner)
        except UserError:
            if not path.exists():
                return False  # released just now: the next look finds none
            owner = Owner("", 0, "")
        ours = me()
        if owner.place == ours.place:
            return not is_alive(owner)
        with contextlib.suppress(OSError):
            return self._now() - path.stat().st_mtime > GONE
        return False

    def _now(self) -> float:
        """The time by the clock of the file system."""
        path = self.folder / f".now-{os.getpid()}-{threading.get_ident()}"
        path.touch()
        try:
            return path.stat().st_mtime
        finally:
            path.unlink(missing_ok=True)

    def _beat(self, end: threading.Event) -> None:
        """Touches what is held until nothing is."""
        while not end.wait(BEAT):
            with self._lock:
                paths = list(self._held.values())
            for path in paths:
                with contextlib.suppress(OSError):
                    os.utime(path)


def me() -> Owner:
    """This process."""
    return Owner(_place(), os.getpid(), began(os.getpid()))


def is_alive(owner: Owner) -> bool:
    """Whether a process of this machine still runs; its number may be another's."""
    return not is_gone(owner.process) and began(owner.process) == owner.began


def _place() -> str:
    """This machine since its start, and what its processes' numbers belong to."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with contextlib.suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return "/".join(parts)


def _generation(path: Path) -> int:
    return int(path.suffix[1:])


def _linked(beside: Path, path: Path) -> bool:
    """Gives a file its second name, which must be new; by O_EXCL without links."""
    try:
        os.link(beside, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        data = beside.read_bytes()
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            return False
        with open(handle, "wb") as file:
            file.write(data)
    return True
