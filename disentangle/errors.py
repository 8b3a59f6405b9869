"""The one exception a user's mistake raises, and the sentence it carries."""

import difflib
import unicodedata
from collections.abc import Iterable
from typing import Any

# Unicode categories of control characters, formats (bidirectional, ...), surrogates.
COMMANDING = ("Cc", "Cf", "Cs")


class UserError(ValueError):
    """The input was wrong; the message is one sentence fit to show as it is.

    The command line prints it without a traceback and exits with code 2. Line breaks
    in the message, of a value that it shows, become spaces.
    """

    def __init__(self, message: object = ""):
        lines = (line.strip() for line in str(message).splitlines())
        super().__init__(" ".join(filter(None, lines)))


def unknown(kind: str, value: object, allowed: Iterable[str]) -> UserError:
    """The error for a name that is not in a table, with a guess.

    Args:
      kind: what the name stands for, e.g. "metric".
      value: what the user wrote.
      allowed: the names that exist.

    Returns:
      A UserError such as "unknown metric 'dcii'. Did you mean 'dci'? (one of:
      dci, mig)".
    """
    names = [str(name) for name in allowed]
    text = shown(value)
    close = difflib.get_close_matches(str(value)[:80], names, n=1, cutoff=0.5)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    there = f"one of: {', '.join(names)}" if names else "there is none"
    return UserError(f"unknown {kind} {text}.{guess} ({there})")


def shown(value: object, most: int = 80) -> str:
    """repr(value) on one line of at most `most` characters; no array is a page."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer of more digits than Python prints
        text = f"{type(value).__name__} of very many digits"
    return text if len(text) <= most else f"{text[: most - 3]}..."


def as_list(value: object, says: str) -> list[Any]:
    """list(value); UserError "`says`, but is ..." where there is no such thing."""
    try:
        return list(value)  # type: ignore[call-overload]
    except TypeError:
        raise UserError(f"{says}, but is {shown(value)}") from None


def printable(text: str) -> str:
    """The text as a terminal may show it: what would command one is spelt out.

    Names come from files and arguments, and could hold escape sequences, or signs
    that turn the direction of writing; only line ends and tabs stay.
    """
    return "".join(c if _is_harmless(c) else ascii(c)[1:-1] for c in text)


def _is_harmless(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character) not in COMMANDING
