"""A run in a process of its own, to be killed: killable.py WORKDIR."""

import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset, draw_rows
from disentangle.data.space import Factor, FactorSpace
from disentangle.training.config import default_config
from disentangle.training.run import fit


def dataset() -> Dataset:
    """48 noise images; the same in every process."""
    pixels = np.random.default_rng(0).integers(0, 2, (48, 16, 16, 1), np.uint8)
    space = FactorSpace((Factor("n", 48, "ordinal", tuple(map(float, range(48)))),))
    return Dataset(jnp.asarray(pixels), "noise", space, (16, 16, 1), 1, draw_rows)


def config() -> dict:
    """Two members; saved every 3 steps, logged every 4."""
    chosen = default_config("noise", "beta_vae").to_dict()
    chosen["method"] |= {"beta": [1.0, 4.0], "encoder": "mlp", "decoder": "mlp"}
    return chosen | {
        "steps": 90,
        "batch_size": 4,
        "log_every": 4,
        "eval_every": 20,
        "checkpoint_every": 3,
    }


if __name__ == "__main__":
    fit(config(), dataset(), workdir=Path(sys.argv[1]), progress=False)
