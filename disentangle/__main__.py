"""The command line: parses, calls a command, turns mistakes into exit codes.

Exit codes: 0 done; 2 the user's input was wrong (one sentence on stderr, no
traceback); 128 + its number after a signal such as SIGTERM (143); 1 anything else,
Ctrl-C among them.
"""

import errno
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import jax
from absl import flags
from ml_collections import config_flags

from disentangle.commands import COMMANDS
from disentangle.commands.flags import Flag
from disentangle.data import cache
from disentangle.errors import UserError, unknown
from disentangle.progress import silent
from disentangle.training.checkpoint import Checkpoints
from disentangle.training.stopping import INTERRUPTED, Stopped, leave, watched

PROGRAM = "python -m disentangle"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
TRAINS = ("train", "pipeline", "compare", "affinity")  # in --workdir
DEFINE: dict[str, Callable[..., Any]] = {
    "string": flags.DEFINE_string,
    "integer": flags.DEFINE_integer,
    "number": flags.DEFINE_float,
    "switch": flags.DEFINE_bool,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line (without the program's name); returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    values: dict[str, Any] = {}
    try:
        if words[0] not in COMMANDS:
            raise unknown("command", words[0], COMMANDS)
        if any(word in ("-h", "--help") for word in words[1:]):
            print(usage(words[0]))
            return 0
        values, rest = parse(words[0], words[1:])
        keep_compiled()
        quiet = values["quiet"]
        with silent(bars=quiet or not values["progress"], lines=quiet):
            COMMANDS[words[0]].run(values, rest)
    except UserError as error:
        return refuse(error)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        return refuse(f"cannot write {error.filename or ''}: {error.strerror}")
    except (KeyboardInterrupt, Stopped) as stop:
        print(f"\nstopped{what_remains(words[0], values)}", file=sys.stderr)
        return int(stop.code or 0) if isinstance(stop, Stopped) else INTERRUPTED
    except Exception as error:  # a full disk, reported from deep inside a library
        if os.strerror(errno.ENOSPC) not in str(error):
            raise
        return refuse(f"cannot write: {os.strerror(errno.ENOSPC)}")
    return 0


def what_remains(command: str, values: Mapping[str, Any]) -> str:
    """Whether the same command goes on from a checkpoint in its workdir."""
    if command in TRAINS and values.get("workdir"):
        folder = Path(values["workdir"])
        for place in (folder, *folder.glob("*"), *folder.glob("runs/*")):
            if Checkpoints(place / "checkpoints").steps():
                return "; the same command goes on from the last checkpoint"
    return ""


def keep_compiled() -> None:
    """Programs compiled by one command are loaded by the next (JAX's own cache)."""
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(cache.folder() / "compiled"))


def refuse(reason: object) -> int:
    """Says in one line what was wrong with the input."""
    print("disentangle: " + " ".join(str(reason).split()), file=sys.stderr)
    return 2


def define(name: str) -> flags.FlagValues:
    """The flags of a command, with a table of their own."""
    values = flags.FlagValues()
    for flag in COMMANDS[name].all_flags:
        if flag.kind == "config":
            config_flags.DEFINE_config_file(
                flag.name, None, flag.help, flag_values=values
            )
        else:
            DEFINE[flag.kind](flag.name, flag.default, flag.help, flag_values=values)
    return values


def parse(name: str, words: list[str]) -> tuple[dict[str, Any], list[str]]:
    """The values of a command's flags, and its words that are no flags.

    Raises:
      UserError: on an unknown flag or config field (with a guess), a value of
        another type, a config file that cannot be read, too many words.
    """
    table = define(name)
    for word in words:
        if word.startswith("--config="):
            check_file(Path(word.removeprefix("--config=").partition(":")[0]))
    held, sys.argv = sys.argv, [PROGRAM, *words]  # config_flags reads sys.argv
    try:
        rest = list(table([PROGRAM, *words]))[1:]
        values = {
            flag.name: table[flag.name].value for flag in COMMANDS[name].all_flags
        }
    except (
        flags.Error,
        LookupError,
        AttributeError,
        TypeError,
        ValueError,
        OSError,
    ) as error:
        raise UserError(f"{root(error)} (see {PROGRAM} {name} --help)") from None
    finally:
        sys.argv = held
    wanted = COMMANDS[name].words
    if len(rest) != len(wanted):
        given = " ".join(rest) or "nothing"
        takes = " ".join(wanted) or "flags only"
        raise UserError(f"{name} takes {takes}, but was given {given!r}")
    return values, rest


def check_file(path: Path) -> None:
    """UserError with a guess if the config file is not there."""
    if not path.is_file():
        raise unknown("config file", str(path), map(str, path.parent.glob("*.py")))


def root(error: BaseException) -> str:
    """What went wrong in one line, not the libraries' wrapping of it."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, UserError | OSError):
        cause = cause.__cause__ or cause.__context__
    text = str(cause or (error.args[0] if error.args else error)).strip()
    if "Traceback" in text:  # ml_collections puts that of the config file there
        text = text.splitlines()[-1].partition(": ")[2]
    if text[:1] == text[-1:] == "'":  # a KeyError quotes its own message
        text = text[1:-1]
    return text.replace("\\n", " ").replace("\\'", "'")


def overview() -> str:
    """The top-level help."""
    rows = [f"  {name:14} {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join([f"usage: {PROGRAM} COMMAND ... (--help for each)", "", *rows])


def usage(name: str) -> str:
    """A command's help: what it does, an example that runs, its flags."""
    command = COMMANDS[name]
    words = " ".join([name, *command.words])
    lines = [f"usage: {PROGRAM} {words} [flags]", "", command.summary, "", "example:"]
    lines += [f"  {PROGRAM} {name} {command.example}", "", "flags:"]
    lines += [f"  --{_head(flag)}: {flag.help}" for flag in command.all_flags]
    return "\n".join(lines)


def _head(flag: Flag) -> str:
    return flag.name if flag.default is None else f"{flag.name}={flag.default}"


def program() -> NoReturn:
    """`main` as a program of its own, which any signal ends within seconds."""
    with watched() as watch:
        code = main()
    if watch.number:
        leave(code)  # threads may still compute
    sys.exit(code)


if __name__ == "__main__":
    program()
