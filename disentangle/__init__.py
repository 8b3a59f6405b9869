"""disentangle: multi-task affinity and disentanglement studies in JAX.

The notebook API. `import disentangle as dt`, then `dt.load`, `dt.train`,
`dt.evaluate`, `dt.measure_affinity`, `dt.group_tasks`; each has a docstring.
The libraries are read when the first of these names is used (disentangle/api.py), so
that a command can be stopped from its first moment on.
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from disentangle.api import (
        Affinity,
        Grouping,
        Run,
        UserError,
        evaluate,
        group_tasks,
        load,
        load_run,
        measure_affinity,
        score,
        summary,
        train,
    )

__version__ = "0.1.0"  # setup.cfg reads it here

__all__ = [
    "Affinity",
    "Grouping",
    "Run",
    "UserError",
    "__version__",
    "evaluate",
    "group_tasks",
    "load",
    "load_run",
    "measure_affinity",
    "score",
    "summary",
    "train",
]


def __getattr__(name: str) -> object:
    """A name of the API, or a room: the first that is asked for imports them all."""
    paths = [module.split(".") for module in list(sys.modules)]
    rooms = [path[1] for path in paths if path[0] == __name__ and len(path) == 2]
    is_within_import = any(room not in globals() for room in rooms)
    if name in __all__ or not (is_within_import or name.startswith("_")):
        import disentangle.api as api

        globals().update({known: vars(api)[known] for known in api.__all__})
        if name in globals():
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The names of the API beside those that are loaded."""
    return sorted({*globals(), *__all__})
