"""The one exception a user's mistake raises, and the sentence it carries."""

import difflib
import unicodedata
from collections.abc import Iterable

# Unicode categories of control characters, formats (bidirectional, ...), surrogates.
COMMANDING = ("Cc", "Cf", "Cs")


class UserError(ValueError):
    """The input was wrong; the message is one sentence fit to show as it is.

    The command line prints it without a traceback and exits with code 2.
    """


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
    text = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:77]}..."
    close = difflib.get_close_matches(str(value)[:80], names, n=1, cutoff=0.5)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    there = f"one of: {', '.join(names)}" if names else "there is none"
    return UserError(f"unknown {kind} {text}.{guess} ({there})")


def printable(text: str) -> str:
    """The text as a terminal may show it: what would command one is spelt out.

    Names come from files and arguments, and could hold escape sequences, or signs
    that turn the direction of writing; only line ends and tabs stay.
    """
    return "".join(c if _is_harmless(c) else ascii(c)[1:-1] for c in text)


def _is_harmless(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character) not in COMMANDING
