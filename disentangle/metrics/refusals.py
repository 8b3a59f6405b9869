"""What a library refuses is a reason; what it murmurs of few rows is not repeated."""

import contextlib
import warnings
from collections.abc import Iterator

from disentangle.errors import UserError


@contextlib.contextmanager
def refusals(library: str) -> Iterator[None]:
    """Around calls of a library, and of nothing else: its refusal as one sentence.

    A metric checks what it can before it asks; what is left are rows that an estimator
    turns down by rules of its own, or on which its numerics fail. That costs the
    metric, not the others. A ValueError of our own code is a fault and must show as a
    traceback, so it must not be raised in its body.

    Args:
      library: what is called, such as "scikit-learn's Lasso".

    Raises:
      UserError: the library raised a ValueError (numpy's LinAlgError is one) or an
        ArithmeticError.
    """
    try:
        yield
    except UserError:
        raise
    except (ArithmeticError, ValueError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{library} refuses these rows: {said[:300]}") from error


@contextlib.contextmanager
def few_rows() -> Iterator[None]:
    """Around fits to tables of any length: no warning a fit, which would be a flood.

    Silent is what scikit-learn says of every class with few rows, which here are
    classes all the same, and of steps that a metric's docstring limits. Threads share
    the filters of a process, so it belongs around `in_threads`, not inside.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        for kind in (ConvergenceWarning, FutureWarning):
            warnings.simplefilter("ignore", kind)
        for said in ("The number of unique classes", "Only one sample available"):
            warnings.filterwarnings("ignore", said, UserWarning)
        yield
