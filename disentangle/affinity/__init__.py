"""Which task helps which, and the best groups of tasks under a budget.

A new estimator is one file with `estimate(probe) -> (N, N)`, Z[source, target], and one
line in ESTIMATORS.
"""

from disentangle.affinity import cosine, first_order, lookahead
from disentangle.affinity.base import Affinity
from disentangle.affinity.group_table import GroupTable
from disentangle.affinity.grouping import group_tasks
from disentangle.affinity.inputs import read_group_input
from disentangle.affinity.probe import Probe, probe
from disentangle.affinity.to_grouping import Grouping

ESTIMATORS = {
    "lookahead": lookahead.estimate,
    "first_order": first_order.estimate,
    "cosine": cosine.estimate,
}

__all__ = [
    "ESTIMATORS",
    "Affinity",
    "GroupTable",
    "Grouping",
    "Probe",
    "group_tasks",
    "probe",
    "read_group_input",
]
