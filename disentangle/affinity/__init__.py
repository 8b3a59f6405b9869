"""Which task helps which, and the best groups of tasks under a budget.

A new estimator is one file with `estimate(probe) -> (N, N)`, Z[source, target], and one
line in ESTIMATORS; `needs.declared` says what it needs of the probe, if that is other
than gradients and lookaheads.
"""

from disentangle.affinity.base import Affinity
from disentangle.affinity.estimators import (
    cosine,
    first_order,
    jvp_sketch,
    lookahead,
    lookahead_excess,
    lookahead_groups,
    lookahead_held_out,
    lookahead_momentum,
    lookahead_normalised,
    lookahead_optimizer,
    lookahead_weight_decay,
)
from disentangle.affinity.from_groups import averaging, higher_order, kernel, surrogate
from disentangle.affinity.group_table import GroupTable
from disentangle.affinity.grouping import group_tasks
from disentangle.affinity.inputs import read_group_input
from disentangle.affinity.one_model import grad_tag, influence
from disentangle.affinity.probe import Probe, probe
from disentangle.affinity.to_grouping import Grouping

ESTIMATORS = {
    "lookahead": lookahead.estimate,
    "lookahead_momentum": lookahead_momentum.estimate,
    "lookahead_weight_decay": lookahead_weight_decay.estimate,
    "lookahead_held_out": lookahead_held_out.estimate,
    "lookahead_normalised": lookahead_normalised.estimate,
    "lookahead_optimizer": lookahead_optimizer.estimate,
    "lookahead_excess": lookahead_excess.estimate,
    "lookahead_groups": lookahead_groups.estimate,
    "first_order": first_order.estimate,
    "cosine": cosine.estimate,
    "jvp_sketch": jvp_sketch.estimate,
}

# From one trained model: estimate(train, held, ridge=) -> (2^N - 1, N) losses
ONE_MODEL = {
    "grad_tag": grad_tag.estimate,
    "influence": influence.estimate,
}

# From a few trained groups: predict(groups, losses, trained) -> (G, N) losses
FROM_GROUPS = {
    "pairs_mean": higher_order.mean_of_pairs,
    "pairs_sum": higher_order.sum_of_pairs,
    "averaging": averaging.predict,
    "surrogate": surrogate.predict,
    "kernel": kernel.predict,
}

__all__ = [
    "ESTIMATORS",
    "FROM_GROUPS",
    "ONE_MODEL",
    "Affinity",
    "GroupTable",
    "Grouping",
    "Probe",
    "group_tasks",
    "probe",
    "read_group_input",
]
