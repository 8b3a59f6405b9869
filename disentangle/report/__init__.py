"""Figures, and the page that shows a run: `write_report(workdir)`.

The figure functions take arrays and return a matplotlib Figure, which a notebook
shows by itself and `figure.savefig` writes. The only package that imports matplotlib,
and it does so when one of these names is first used (report/figures.py): STUDIES,
which is read at every start, is here too.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from disentangle.report.figures import (
        Clouds,
        affinity_figure,
        contest_means,
        correlation_figure,
        curves_figure,
        curves_of,
        edits_figure,
        grid_figure,
        importance_figure,
        impossibility_figure,
        information_figure,
        joint_figure,
        pairs_figure,
        pareto_figure,
        parts_of,
        plane_figure,
        reconstruction_figure,
        shares_figure,
        strength_figure,
        task_losses_figure,
        traversal_figure,
        units_figure,
        violin_figure,
        write_report,
    )

__all__ = [
    "Clouds",
    "affinity_figure",
    "contest_means",
    "correlation_figure",
    "curves_figure",
    "curves_of",
    "edits_figure",
    "grid_figure",
    "importance_figure",
    "impossibility_figure",
    "information_figure",
    "joint_figure",
    "pairs_figure",
    "pareto_figure",
    "parts_of",
    "plane_figure",
    "reconstruction_figure",
    "shares_figure",
    "strength_figure",
    "task_losses_figure",
    "traversal_figure",
    "units_figure",
    "violin_figure",
    "write_report",
]


def __getattr__(name: str) -> object:
    """A figure function, or `write_report`, read when first used."""
    if name in __all__:
        from disentangle.report import figures

        return vars(figures)[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
