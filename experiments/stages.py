"""A job of two stages: codes without labels first, then tasks on few labels.

    .venv/bin/python -m disentangle train --workdir=runs/few \
        --config=experiments/stages.py:dsprites,1000

Argument: `dataset[,labels]`. The first stage trains an autoencoder on all images; the
second the `supervised` networks, whose encoder starts with the layers of the first
(all but the last, whose outputs are others), on as many labelled images. Each stage is
a run in a folder of its own: runs/few/stage-1 and, the last, runs/few. Killed at any
moment, the same command goes on.

A stage's row says what it has otherwise than the config. Fields of the config are for
both: --config.seeds=3. Without the first stage, for comparison: --config.stages="()".
"""

from ml_collections import ConfigDict

from disentangle.errors import UserError
from disentangle.training.config import default_config

LABELS = 1000


def get_config(argument: str = "dsprites,1000") -> ConfigDict:
    """The training config for `dataset[,labels]`."""
    name, _, labels = argument.partition(",")
    if labels and not labels.isdigit():
        raise UserError(f"the number of labels is {labels!r}, not a whole number")
    config = default_config(name, "supervised")
    config.data.train_size = int(labels or LABELS)
    config.optimizer.schedule = "cosine"
    config.stages = (
        {"method.name": "autoencoder", "data.train_size": 0, "steps": 20_000},
        {"steps": 5_000, "optimizer.warmup": 0.05, "optimizer.learning_rate": 1e-3},
    )
    return config
