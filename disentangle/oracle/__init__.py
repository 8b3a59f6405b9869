"""The truth about task groups, trained group by group, and who comes close to it."""

from disentangle.oracle.regret import Regret, regret
from disentangle.oracle.shipped import shipped, shipped_names, shipped_scores
from disentangle.oracle.table import TaskTable, load_tables, save_tables

__all__ = [
    "Regret",
    "TaskTable",
    "load_tables",
    "regret",
    "save_tables",
    "shipped",
    "shipped_names",
    "shipped_scores",
]
