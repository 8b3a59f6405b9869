"""A benchmark as a command: its docstring is its --help, a wrong value is one line."""

import argparse
import signal
import sys
from collections.abc import Callable

from disentangle.__main__ import refuse
from disentangle.errors import UserError
from disentangle.training.stopping import exit_code


def flags_of(text: str | None) -> argparse.ArgumentParser:
    """A parser whose --help shows the text of a module as it is written."""
    return argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def positive(word: str) -> int:
    """A flag's whole number of 1 or more."""
    return _at_least(1, word)


def natural(word: str) -> int:
    """A flag's whole number of 0 or more."""
    return _at_least(0, word)


def naturals(words: str) -> list[int]:
    """A flag's whole numbers of 0 or more, comma-separated."""
    return [natural(word.strip()) for word in words.split(",")]


def _at_least(least: int, word: str) -> int:
    if not word.isdecimal() or int(word) < least:
        raise argparse.ArgumentTypeError(
            f"{word!r} must be a whole number of {least} or more"
        )
    return int(word)


def execute(main: Callable[[], object]) -> None:
    """Calls main; a UserError ends the program with its sentence and 2.

    Ctrl-C ends it without a traceback; what a benchmark keeps is kept.
    """
    try:
        main()
    except UserError as error:
        sys.exit(refuse(error))
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(exit_code(signal.SIGINT))
