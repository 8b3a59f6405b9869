"""Single models of runs as encoders for retrieval, and several of them side by side."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.metrics.base import Ask, Settings
from disentangle.retrieval import Outcome
from disentangle.study.own_codes import one_model
from disentangle.study.searches import SCORED, Models, Searches
from disentangle.training.run import Run


class Part(NamedTuple):
    """Some columns of the codes of one model.

    Attributes:
      run: where it is from.
      member: its place there.
      columns: of its codes.
      attribute: whose they are; "" of none.
    """

    run: Run
    member: int
    columns: Sequence[int]
    attribute: str = ""


def joined(parts: Sequence[Part], name: str, seed: int) -> Models:
    """Codes that are columns of several models, one after the other: one encoder."""
    runs = [one_model(part.run, part.member) for part in parts]

    def encode(images: Any) -> np.ndarray:
        codes = [
            run.encode(images)[0][:, list(part.columns)]
            for run, part in zip(runs, parts, strict=True)
        ]
        return np.concatenate(codes, axis=1)[None]

    owners = [part.attribute for part in parts for _ in part.columns]
    attributes = tuple(owners) if all(owners) else None
    return Models((name,), ({"seed": seed},), np.ones(1, bool), encode, attributes)


def question_of(models: Models, data: Dataset, settings: Settings) -> Ask:
    """How one encoder is asked, see `Representation.ask`."""

    def ask(task: str, seed: int, bootstrap: int) -> Outcome:
        asking = replace(SCORED, seed=seed, bootstrap=bootstrap)
        searches = Searches(models, data, asking, progress=settings.progress)
        return searches.outcome(0, task)

    return ask
