"""disentangle: multi-task affinity and disentanglement studies in JAX.

The notebook API. `import disentangle as dt`, then `dt.load`, `dt.train`,
`dt.evaluate`, `dt.measure_affinity`, `dt.group_tasks`; each has a docstring.
The libraries are read when the first of these names is used (disentangle/api.py), so
that a command can be stopped from its first moment on.
"""

import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from disentangle.api import (
        Affinity,
        Grouping,
        Run,
        UserError,
        edit,
        evaluate,
        from_arrays,
        from_folder,
        group_tasks,
        load,
        load_model,
        load_run,
        measure_affinity,
        read_metrics,
        retrieve,
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
    "edit",
    "evaluate",
    "from_arrays",
    "from_folder",
    "group_tasks",
    "load",
    "load_model",
    "load_run",
    "measure_affinity",
    "read_metrics",
    "retrieve",
    "score",
    "summary",
    "train",
]


def __getattr__(name: str) -> object:
    """A name of the API, or a room such as `dt.metrics`, read when first used."""
    if name in __all__:
        return getattr(importlib.import_module("disentangle.api"), name)
    room = f"disentangle.{name}"
    if not name.startswith("_") and importlib.util.find_spec(room):
        return importlib.import_module(room)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The names of the API beside those that are loaded."""
    return sorted({*globals(), *__all__})
