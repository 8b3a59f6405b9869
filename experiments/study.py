"""Data sets x methods x strengths x seeds: many small models, one table.

    .venv/bin/python -m disentangle study --config=experiments/study.py:dsprites \
        --config.methods=beta_vae,factor_vae --config.strengths=2 --config.seeds=2 \
        --config.steps=6 --config.batch_size=4 --config.score.metrics=mig,sap \
        --config.score.num_train=300 --config.score.num_test=150 --workdir=runs/study
    .venv/bin/python -m disentangle study --workdir=runs/both --dry_run \
        --config=experiments/study.py:dsprites+shapes3d

Argument: the data set, or several joined by +. The methods and their grids are those of
Locatello et al. 2019, the batch and the learning rate too; the steps are fewer: 5,000.
`strengths` is how many settings of each grid: both ends first, then those between.

The same command goes on after a stop. More methods, strengths, seeds and scores can be
asked for later; what is there is not done again. Several processes, on one machine or
on many with a common file system, may work in one workdir, as jobs of an array with
--shard=1/8 ... --shard=8/8. The table is runs/study/results/*.parquet: pandas, polars
and DuckDB read it in one line; disentangle/study/sweeps/table.py says its columns.

`config.runs.<name>` may have any fields of a method and an optimiser; a tuple in one of
them, static or swept, is a grid: --config.runs.beta_vae.method.beta="1|32".
"""

from ml_collections import ConfigDict

from disentangle.data import DATASETS
from disentangle.errors import UserError, unknown
from disentangle.study.sweeps.config import JOIN, default_sweep
from disentangle.study.sweeps.grids import runs

LOCATELLO = (
    "dci",
    "mig",
    "sap",
    "factor_vae",
    "beta_vae",
    "modularity",
    "explicitness",
    "irs",
    "unsupervised",
)


def get_config(argument: str = "dsprites") -> ConfigDict:
    """The study on a data set, or on several joined by +."""
    if not argument:
        raise UserError("the config needs a data set, as in study.py:dsprites")
    for name in argument.split(JOIN):
        if name not in DATASETS:
            raise unknown("data set", name, DATASETS)
    config = default_sweep(argument, runs())
    config.strengths, config.seeds, config.steps = 3, 5, 5_000
    config.score.metrics = LOCATELLO
    return config
