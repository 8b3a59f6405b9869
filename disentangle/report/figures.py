"""The figures and the page by their names, for `disentangle.report`."""

# ruff: noqa: F401 (they are here to be had from here)

from disentangle.report.contest import means as contest_means
from disentangle.report.contest import pareto_figure
from disentangle.report.drawn import grid_figure
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
from disentangle.report.oracle_figures import joint_figure, pairs_figure
from disentangle.report.page import write_report
from disentangle.report.panels import reconstruction_figure, traversal_figure
from disentangle.report.retrieval import edits_figure
from disentangle.report.statistics_figures import (
    correlation_figure,
    shares_figure,
    strength_figure,
    violin_figure,
)
