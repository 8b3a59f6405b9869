"""The command line: parses, calls a command, turns mistakes into exit codes.

Exit codes: 0 done; 2 the user's input was wrong (one sentence on stderr, no
traceback); 128 + its number after a signal such as SIGTERM (143); 1 anything else,
Ctrl-C among them.
"""

import errno
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from disentangle.commands import commands
from disentangle.commands.flags import CONFIG, Flag
from disentangle.errors import UserError, printable, unknown
from disentangle.progress import silent
from disentangle.training.stopping import Stopped, exit_code, leave, watched
from disentangle.versions import versions

if TYPE_CHECKING:  # libraries are read under `watched`: a signal then ends the program
    from absl.flags import FlagValues
    from ml_collections import ConfigDict

PROGRAM = "python -m disentangle"
NO_ROOM = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
)
SHOWN = {
    "string": "TEXT",
    "names": "NAME,NAME",
    "integer": "N",
    "number": "NUMBER",
    "config": "FILE",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line (without the program's name); returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if words[0] == "--version":
        print(f"disentangle {versions(())['disentangle']}")
        return 0
    values: dict[str, Any] = {}
    try:
        if words[0] not in commands():
            raise unknown("command", words[0], commands())
        if any(word in ("-h", "--help") for word in words[1:]):
            print(usage(words[0], words[1:]))
            return 0
        values, rest = parse(words[0], words[1:])
        keep_compiled()
        quiet = values["quiet"]
        with silent(bars=quiet or not values["progress"], lines=quiet):
            commands()[words[0]].run(values, rest)
    except UserError as error:
        return refuse(error)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        return refuse(f"cannot write {error.filename or ''}: {error.strerror}")
    except (KeyboardInterrupt, Stopped) as stop:
        print(f"\nstopped{what_remains(words[0], values)}", file=sys.stderr)
        return (
            int(stop.code or 0)
            if isinstance(stop, Stopped)
            else exit_code(signal.SIGINT)
        )
    except Exception as error:  # a full disk, reported from deep inside a library
        if os.strerror(errno.ENOSPC) not in str(error):
            raise
        return refuse(f"cannot write: {os.strerror(errno.ENOSPC)}")
    return 0


def what_remains(command: str, values: Mapping[str, Any]) -> str:
    """Whether the same command goes on from a checkpoint in its workdir."""
    if CONFIG in commands()[command].flags and values.get("workdir"):  # it fills one
        from disentangle.training.checkpoint import Checkpoints

        folder = Path(values["workdir"])
        deep = [*folder.glob("runs/*"), *folder.glob("training/*")]
        for place in (folder, *folder.glob("*"), *deep):
            if Checkpoints(place / "checkpoints").steps():
                return "; the same command goes on from the last checkpoint"
    return ""


def keep_compiled() -> None:
    """Programs compiled by one command are loaded by the next (JAX's own cache)."""
    import jax

    from disentangle.data import cache

    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(cache.folder() / "compiled"))


def refuse(reason: object) -> int:
    """Says in one line what was wrong with the input."""
    print("disentangle: " + printable(" ".join(str(reason).split())), file=sys.stderr)
    return 2


def define(name: str, config: "ConfigDict | None", words: list[str]) -> "FlagValues":
    """The flags of a command, with a table of their own."""
    from absl import flags
    from ml_collections import config_flags

    kinds: dict[str, Callable[..., Any]] = {
        "string": flags.DEFINE_string,
        "names": flags.DEFINE_list,
        "integer": flags.DEFINE_integer,
        "number": flags.DEFINE_float,
        "switch": flags.DEFINE_bool,
    }
    values = flags.FlagValues()
    for flag in commands()[name].all_flags:
        if flag.kind != "config":
            kinds[flag.kind](flag.name, flag.default, flag.help, flag_values=values)
        elif config is not None:
            config_flags.DEFINE_config_dict(
                flag.name, config, flag.help, flag_values=values, sys_argv=words
            )
    return values


def parse(name: str, words: list[str]) -> tuple[dict[str, Any], list[str]]:
    """The values of a command's flags, and its words that are no flags.

    Raises:
      UserError: on an unknown flag or config field (with a guess), a value of
        another type, a config file that cannot be read, too many words.
    """
    config = None
    if any(flag.kind == "config" for flag in commands()[name].flags):
        words, config = config_in(words)
    try:
        table = define(name, config, [PROGRAM, *words])
        rest = list(table([PROGRAM, *words]))[1:]
        values = {
            flag.name: table[flag.name].value if flag.name in table else None
            for flag in commands()[name].all_flags
        }
    except Exception as error:  # whatever the libraries raise is about these words
        raise UserError(f"{root(error)} (see {PROGRAM} {name} --help)") from None
    wanted = commands()[name].words
    needed = [word for word in wanted if not word.startswith("[")]
    if not len(needed) <= len(rest) <= len(wanted):
        given = " ".join(rest) or "nothing"
        takes = " ".join(wanted) or "flags only"
        raise UserError(f"{name} takes {takes}, but was given {given!r}")
    return values, rest


def config_in(words: list[str]) -> "tuple[list[str], ConfigDict | None]":
    """The words but for --config, and the config it names.

    Without it, --config.field=value changes the config of the workdir.
    """
    from disentangle.commands.config import load_config, split_words, take_sweeps

    named, words = split_words(words)
    if named is not None:
        config = load_config(named)
        return take_sweeps(config, words), config
    if any(re.match("--?config[.]", word) for word in words):
        given = [word.partition("=") for word in words]
        (*_, workdir) = ["", *(tail for head, _, tail in given if "workdir" in head)]
        held = Path(workdir).expanduser() / "config.json"
        if not workdir or not held.is_file():
            raise UserError("--config=FILE is missing, whose fields are to change")
        config = load_config(str(held))
        return take_sweeps(config, words), config
    return words, None


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
    rows = [f"  {name:14} {command.summary}" for name, command in commands().items()]
    return "\n".join([f"usage: {PROGRAM} COMMAND ... (--help for each)", "", *rows])


def usage(name: str, words: list[str]) -> str:
    """A command's help: what it does, an example that runs, its flags.

    With --config=FILE among the words, every field of that config as well.
    """
    from disentangle.commands.config import described

    command = commands()[name]
    takes = " ".join([name, *command.words])
    lines = [f"usage: {PROGRAM} {takes} [flags]", "", command.summary, "", "example:"]
    lines += [f"  {PROGRAM} {name} {command.example}", "", "flags:"]
    lines += [f"  {_head(flag)}: {flag.help}" for flag in command.all_flags]
    if any(flag.kind == "config" for flag in command.flags):
        config = config_in([word for word in words if word.startswith("--config")])[1]
        if config is None:
            lines += ["", "--help --config=FILE lists the fields of that config."]
        else:
            lines += ["", "fields:", *described(config)]
    return printable("\n".join(lines))


def _head(flag: Flag) -> str:
    if flag.kind == "switch":
        return f"--{flag.name} or --no{flag.name} (default {str(flag.default).lower()})"
    default = "" if flag.default is None else f" (default {flag.default})"
    return f"--{flag.name}={SHOWN[flag.kind]}{default}"


def program() -> NoReturn:
    """`main` as a program of its own, which any signal ends within seconds."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # not all are UTF-8
    with watched() as watch:
        try:
            code = main()
            sys.stdout.flush()
        except BrokenPipeError:  # `... list | head`: who read has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        except Exception:
            if not watch.number:
                raise
            print("\nstopped", file=sys.stderr)  # a library turned the signal into it
            code = exit_code(watch.number)
    if watch.number:
        leave(code)  # threads may still compute
    sys.exit(code)


if __name__ == "__main__":
    program()
