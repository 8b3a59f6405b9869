"""Figures, and the page that shows a run: `write_report(workdir)`.

The figure functions take arrays and return a matplotlib Figure, which a notebook
shows by itself and `figure.savefig` writes. The only package that imports matplotlib.
"""

from disentangle.report.impossibility import Clouds, impossibility_figure
from disentangle.report.latents import plane_figure, units_figure
from disentangle.report.losses import (
    curves_figure,
    curves_of,
    parts_of,
    task_losses_figure,
)
from disentangle.report.matrices import (
    affinity_figure,
    importance_figure,
    information_figure,
)
from disentangle.report.page import write_report
from disentangle.report.panels import reconstruction_figure, traversal_figure

__all__ = [
    "Clouds",
    "affinity_figure",
    "curves_figure",
    "curves_of",
    "importance_figure",
    "impossibility_figure",
    "information_figure",
    "parts_of",
    "plane_figure",
    "reconstruction_figure",
    "task_losses_figure",
    "traversal_figure",
    "units_figure",
    "write_report",
]
