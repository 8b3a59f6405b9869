"""Data sets x methods x strengths x seeds: many small models, one table.

    .venv/bin/python -m disentangle study --config=experiments/study.py:dsprites \
        --config.methods=beta_vae,factor_vae --config.strengths=2 --config.seeds=2 \
        --config.steps=6 --config.batch_size=4 --config.score.metrics=mig,sap \
        --config.score.num_train=300 --config.score.num_test=150 --workdir=runs/study
    .venv/bin/python -m disentangle study --workdir=runs/both --dry_run \
        --config=experiments/study.py:dsprites+shapes3d

Argument: `dataset[,size]`, the data set, or several joined by +. The methods and their
grids are those of Locatello et al. 2019, the batch and the learning rate too; the steps
are fewer: 5,000.
`strengths` is how many settings of each grid: both ends first, then those between.

small  images made small to 16x16 pixels, one dense layer of 256 on each side, critics
       of two layers of 256, learning rate 1e-3, 3,000 steps, 1,500 + 750 images
       scored with the fast trees: two data sets are 180 models. It shows what such a
       study says, and nothing of the published networks.

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
    """The study on `dataset[,size]`, several data sets joined by +."""
    argument, _, size = argument.partition(",")
    if size not in ("", "small"):
        raise unknown("size of the study", size, ("small",))
    if not argument:
        raise UserError("the config needs a data set, as in study.py:dsprites")
    for name in argument.split(JOIN):
        if name not in DATASETS:
            raise unknown("data set", name, DATASETS)
    config = default_sweep(argument, runs())
    config.strengths, config.seeds, config.steps = 3, 5, 5_000
    config.score.metrics = LOCATELLO
    if size:
        _shrink(config)
    return config


def _shrink(config: ConfigDict) -> None:
    """Small images, small networks, few steps."""
    config.data.size, config.steps = 16, 3_000
    config.score.num_train, config.score.num_test = 1500, 750
    config.score.backend = "fast"
    for run in config.runs.values():
        run.method.encoder = run.method.decoder = "mlp"
        run.optimizer.learning_rate = 1e-3
        if "discriminator" in run.method:
            run.method.discriminator = (256, 256)
            run.method.discriminator_learning_rate = 1e-3
