"""A row of METRICS: how a score is computed, what it needs, what its parts are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from disentangle.errors import UserError, unknown
from disentangle.metrics.protocols import Protocols

# What `compute` is given first, and where that comes from.
NEEDS = {
    "representation": "the codes of images and their factors",
    "data set": "the codes of images and their factors, and a source of more images",
    "retrieval": "codes to search with and codes to search in",
    "queries": "a model, and what can be asked of its data set",
    "population": "the codes of the same images by several models",
    "blocks": "the codes of a method that fixes whose each column is",
    "generator": "images that a model drew, and an oracle that reads them",
    "latents": "what a model draws images of, and an oracle that reads them",
}
BETTER = ("higher", "lower", "neither")


@dataclass(frozen=True)
class Part:
    """One number of a metric, in the words of a page.

    Attributes:
      head: of a column, short.
      words: what it says, with its range: one sentence or two.
      better: the direction, a name in BETTER.
      name: within a sentence; `head` where it is "".
    """

    head: str
    words: str
    better: str = "higher"
    name: str = ""

    def __post_init__(self) -> None:
        if self.better not in BETTER:
            raise unknown("direction", self.better, BETTER)
        object.__setattr__(self, "name", self.name or self.head)

    @property
    def definition(self) -> str:
        """The words, and the direction where it is not "higher"."""
        if self.better == "higher":
            return self.words
        direction = "Lower" if self.better == "lower" else "Neither higher nor lower"
        return f"{self.words} {direction} is better."


@dataclass(frozen=True)
class Metric:
    """A metric and all that is said about it.

    Attributes:
      compute: `compute(given, settings) -> Result`, its own constants keyword-only
        after these two. What is given depends on `needs`: a Representation; for
        "data set" one that has `images`; a Retrieval; its `ask`; or a Population,
        whose scores are a PopulationResult.
      parts: every number that `compute` may return, by its key in `Result.values`.
        One without a line is shown under its key.
      needs: a name in NEEDS.
      uses_factors: False for a score that looks at no factor, which a representation
        without any has too.
      protocols: the definitions there are; None: the one that was asked for.

    Raises:
      UserError: `needs` is not a name in NEEDS.
    """

    compute: Callable[[Any, Any], Any]
    parts: Mapping[str, Part] = field(default_factory=dict)
    needs: str = "representation"
    uses_factors: bool = True
    protocols: Protocols | None = None

    def __post_init__(self) -> None:
        if self.needs not in NEEDS:
            raise unknown("need of a metric", self.needs, NEEDS)
        if not callable(self.compute):
            raise UserError("a metric must have a function that computes it")
