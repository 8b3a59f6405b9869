"""Scores of representations. A new metric is one file and one line in METRICS."""

from disentangle.metrics.base import CodeTable, Metric, Result, Settings
from disentangle.metrics.codes import Codes, read_codes
from disentangle.metrics.dci import dci
from disentangle.metrics.dcimig import dcimig
from disentangle.metrics.jemmig import jemmig
from disentangle.metrics.mig import mig
from disentangle.metrics.mig_sup import mig_sup
from disentangle.metrics.score import choose_metrics, flatten, score, score_details
from disentangle.metrics.table import code_table

METRICS: dict[str, Metric] = {
    "dci": dci,
    "mig": mig,
    "mig_sup": mig_sup,
    "jemmig": jemmig,
    "dcimig": dcimig,
}

__all__ = [
    "METRICS",
    "CodeTable",
    "Codes",
    "Metric",
    "Result",
    "Settings",
    "choose_metrics",
    "code_table",
    "flatten",
    "read_codes",
    "score",
    "score_details",
]
