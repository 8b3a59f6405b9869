"""Whether a process of this machine has ended, and when it began."""

import contextlib
import os
from pathlib import Path

ENDED = frozenset("ZX")  # states in /proc: a zombie, dead


def is_gone(process: int) -> bool:
    """Whether no process of this number runs; False where that cannot be asked.

    One that was killed and that its parent has not waited for keeps its number (a
    zombie, in a container whose first process waits for nobody for ever): it is gone.
    """
    if os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        pass  # another user's
    return not ENDED.isdisjoint(_stat(process)[:1])


def began(process: int) -> str:
    """When a process began, in ticks since the machine did; "" where unknown."""
    return "".join(_stat(process)[19:20])


def _stat(process: int) -> list[str]:
    """The fields of /proc/N/stat from the state on; none where there is no such."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{process}/stat").read_text()
        return text.rpartition(")")[2].split()
    return []
