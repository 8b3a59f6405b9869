"""Trains on the streamed film in a process of its own: train_film.py WORKDIR."""

import sys
from pathlib import Path

import film

from disentangle.training.config import default_config
from disentangle.training.run import fit

if __name__ == "__main__":
    config = default_config("film", "beta_vae").to_dict()
    config |= {"steps": 60, "batch_size": 4, "seeds": 2, "log_every": 2}
    config |= {"eval_every": 4, "checkpoint_every": 3}
    fit(config, film.render(None), workdir=Path(sys.argv[1]), progress=False)
