"""What a study of many models says: functions over a table, a row per model."""

from disentangle.statistics.intervals import Interval, intervals
from disentangle.statistics.ranks import between_data, between_scores, correlation
from disentangle.statistics.selection import Choice, choose_by
from disentangle.statistics.transfer import Transfer, transfer
from disentangle.statistics.variance import Shares, variance_shares

__all__ = [
    "Choice",
    "Interval",
    "Shares",
    "Transfer",
    "between_data",
    "between_scores",
    "choose_by",
    "correlation",
    "intervals",
    "transfer",
    "variance_shares",
]
