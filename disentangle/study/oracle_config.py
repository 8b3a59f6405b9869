"""The config of the oracle: its fields, its check, and what each stage is made of."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from disentangle.data.dataset import Dataset
from disentangle.errors import UserError
from disentangle.fields import defaults, read
from disentangle.fields.check import short, whole_number
from disentangle.metrics import choose_metrics
from disentangle.oracle.regime import Held, Regime
from disentangle.study.sample import sample_index
from disentangle.study.sections import Score
from disentangle.study.stages import data_source
from disentangle.training.config import check_fields, check_sections, plain
from disentangle.training.sections import SEEDS, Source

SCORED = {
    "metrics": ("dci_lasso", "mig", "modularity"),
    "num_train": 1000,
    "num_test": 500,
}


def default_oracle(
    data: str, regimes: Mapping[str, Regime] | None = None
) -> ConfigDict:
    """The config of the oracle on a data set.

    Args:
      data: its name.
      regimes: by their names; None is one with the defaults, called "default".
    """
    chosen = {"default": Regime()} if regimes is None else regimes
    fields = defaults(Regime)
    return ConfigDict(
        {
            "data": defaults(Source) | {"name": data},
            "regimes": {
                name: {field: getattr(regime, field, None) for field in fields}
                for name, regime in chosen.items()
            },
            "held": defaults(Held),
            "seed": 0,
            "seeds": 5,
            "score": defaults(Score) | SCORED,
        }
    )


def check(config: Mapping[str, Any] | ConfigDict) -> dict[str, Any]:
    """The config as plain data, with every error found before any compute."""
    config = plain(config)
    reference = plain(default_oracle(""))
    check_fields(config, reference)
    check_sections(config, reference, ("data", "held", "score"))
    read(Source, config["data"], "data.")
    read(Held, config["held"], "held.")
    read(Score, config["score"], "score.")
    choose_metrics(config["score"]["metrics"])
    whole_number("seed", config["seed"], 0, SEEDS - 1)
    whole_number("seeds", config["seeds"], 1, SEEDS - config["seed"])
    if not isinstance(config["regimes"], Mapping) or not config["regimes"]:
        raise UserError(
            f"regimes={short(config['regimes'])} must be sections, a name each"
        )
    for name, section in config["regimes"].items():
        if not name.replace("-", "").replace("_", "").isalnum():
            raise UserError(
                f"the regime {name!r} names a folder: letters, digits, - and _ only"
            )
        if not isinstance(section, Mapping):
            raise UserError(f"config field 'regimes.{name}' must be a section")
        check_sections({name: section}, {name: defaults(Regime)}, (name,))
        read(Regime, section, f"regimes.{name}.")
    return config


def regime_of(config: Mapping[str, Any], name: str) -> Regime:
    """The settings of a regime of a checked config."""
    return read(Regime, config["regimes"][name])[0]


def held_of(config: Mapping[str, Any]) -> Held:
    """The settings `held` of a checked config."""
    return read(Held, config["held"])[0]


def seeds_of(config: Mapping[str, Any]) -> range:
    """The seeds of a checked config."""
    return range(config["seed"], config["seed"] + config["seeds"])


def scored_index(config: dict[str, Any], data: Dataset) -> np.ndarray:
    """(M,) the images whose codes are kept and scored, the same for all networks."""
    score = config["score"]
    rows = score["num_train"] + score["num_test"]
    return sample_index(data, rows, seed=score["seed"])


def sources(config: dict[str, Any]) -> list[tuple[str, Any]]:
    """Every stage of the job, and what each is computed from."""
    common = [data_source(config["data"]), config["held"]]
    score = config["score"]
    drawn = [score[field] for field in ("num_train", "num_test", "seed")]
    found: list[tuple[str, Any]] = []
    for name, regime in config["regimes"].items():
        for seed in seeds_of(config):
            source = [*common, regime, seed, drawn]
            found.append((f"{name}/seed-{seed}", source))
            found.append((f"{name}/scores-{seed}", [source, score]))
        found.append((f"{name}/table", [*common, regime, list(seeds_of(config))]))
    return found
