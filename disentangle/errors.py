"""The one exception a user's mistake raises, and the sentence it carries."""

import difflib
from collections.abc import Iterable


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
    close = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    return UserError(f"unknown {kind} {value!r}.{guess} (one of: {', '.join(names)})")
