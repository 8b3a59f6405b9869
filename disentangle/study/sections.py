"""The fields of studies beside their training configs: what may stand there."""

from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from disentangle.affinity import ESTIMATORS, FROM_GROUPS
from disentangle.affinity.options import SINGLETONS
from disentangle.fields import read, settings, static
from disentangle.metrics.base import PROTOCOLS, Settings
from disentangle.metrics.score import ONE_TABLE, choose_metrics
from disentangle.metrics.trees import BACKENDS
from disentangle.oracle.regime import Held, Regime
from disentangle.study.sample import MOST_ROWS, check_rows

FIFTY = "Fifty et al. 2021"


@settings
class Score:
    """The section `score` of a study."""

    metrics: tuple[str, ...] = static(
        ("dci", "mig"), "names of metrics, or all", filled=True
    )
    num_train: int = static(
        10_000,
        "images to fit estimators on",
        source="Locatello et al. 2019",
        least=2,
        most=MOST_ROWS,
    )
    num_test: int = static(
        5_000,
        "images to test estimators on",
        source="Locatello et al. 2019",
        least=1,
        most=MOST_ROWS,
    )
    backend: str = static("fast", "trees of DCI", choices=BACKENDS)
    protocol: str = static("locatello", "definitions of scores", choices=PROTOCOLS)
    seed: int = static(0, "of everything random", least=0, most=2**32 - 1)


def check_score(section: Mapping[str, Any], *, alone: str = ONE_TABLE) -> None:
    """Raises UserError for a section `score` that cannot be run."""
    chosen, _ = read(Score, section, "score.")
    choose_metrics(chosen.metrics, alone=alone)
    check_rows(chosen.num_train, chosen.num_test)


def score_settings(section: Mapping[str, Any]) -> Settings:
    """How a (checked) section `score` has its metrics computed."""
    return Settings(section["seed"], section["backend"], protocol=section["protocol"])


@settings
class AffinitySection:
    """The section `affinity` of the main job."""

    estimators: tuple[str, ...] = static(
        ("lookahead", "cosine"),
        "estimators that are measured side by side",
        choices=ESTIMATORS,
        filled=True,
    )
    group_by: str = static(
        "lookahead",
        "what chooses the groups: one of `estimators`, or a prediction from each task "
        "alone, all pairs and all together, which are then trained first",
        choices=ChainMap[str, Any](FROM_GROUPS, ESTIMATORS),
    )
    every: int = static(10, "steps between samples", source=FIFTY, least=1)
    learning_rate: float = static(
        1e-3, "eta of the lookahead step, of plain gradient descent", above=0.0
    )


@settings
class Grouping:
    """The fields of the main job that stand in no section."""

    budget: int = static(2, "networks, each costing 1", least=1)
    singletons: str = static(
        "forbid", "groups of one task, of an affinity", choices=SINGLETONS
    )
    singleton_value: float | None = static(
        None, "score of a group of one, for singletons='value' alone"
    )
    truth: bool = static(
        False,
        "whether to train every group of tasks, 2^N - 1 networks per seed, and say how "
        "far the chosen groups are from the best",
    )
    edits: bool = static(
        False,
        "whether to train an ADDE, section `adde`, for each group, task and all tasks "
        "too, so that scores say what groups do to edits of codes",
    )


@settings
class Rotation:
    """The fields of the theorem as an experiment that stand in no section."""

    angles: tuple[float, ...] = static(
        (0.0, 5.0, 10.0, 20.0, 45.0),
        "degrees by which all pairs of latents are turned",
        filled=True,
        distinct=True,
    )
    run: str = static("", "a workdir, or a peer's .npz, whose VAE is turned as well")


@settings
class Sweep:
    """The fields of a large study that stand in no section and in no training run."""

    methods: tuple[str, ...] = static(
        ("vae",), "the names in `runs` that are trained", filled=True, distinct=True
    )
    strengths: int = static(
        6,
        "settings of each method's grid: both ends first, then those between",
        least=1,
    )
    half_steps: tuple[str, ...] = static(
        (),
        "the methods that take half the steps, as FactorVAE does in",
        source="Locatello et al. 2019",
        distinct=True,
    )


SECTIONS = {
    "score": Score,
    "affinity": AffinitySection,
    "held": Held,
    "regimes.*": Regime,
}
ALONE = (Grouping, Rotation, Sweep)  # fields that stand in no section, of jobs
