"""A metric that searches: does the nearest image have the factors of the query?"""

from disentangle.metrics.base import Result, Retrieval, Settings
from disentangle.metrics.metric import Metric, Part


def neighbours(found: Retrieval, settings: Settings) -> Result:
    """Mean over factors of the share of queries whose nearest code has the value."""
    del settings
    apart = ((found.queries[:, None] - found.gallery[None]) ** 2).sum(axis=2)
    nearest = found.factors[apart.argmin(axis=1)]
    hits = (nearest == found.wanted).mean(axis=0)
    return Result({"score": float(hits.mean())}, {"score": tuple(hits.tolist())})


METRIC = Metric(
    neighbours,
    {"score": Part("nearest", "Precision of the nearest image, 0 to 1.")},
    needs="retrieval",
)
