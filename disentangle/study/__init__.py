"""Studies: runs joined with affinity, grouping and scores.

The names for notebooks are read when the first of them is used (study/names.py), as
this package is imported at every start.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from disentangle.study.names import (
        ContestResults,
        Shown,
        default_contest,
        default_sweep,
        latent_plane,
        locatello_runs,
        run_contest,
        run_sweep,
        survey,
        sweep_models,
    )

__all__ = [
    "ContestResults",
    "Shown",
    "default_contest",
    "default_sweep",
    "latent_plane",
    "locatello_runs",
    "run_contest",
    "run_sweep",
    "survey",
    "sweep_models",
]


def __getattr__(name: str) -> object:
    """One of the names above, read when first used."""
    if name in __all__:
        from disentangle.study import names

        return vars(names)[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
