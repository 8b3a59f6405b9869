"""Ten models on the devices of the process: on_devices.py WORKDIR [stop].

With `stop` a SIGTERM comes while the first batches have one checkpoint each.
"""

import os
import signal
import sys
from pathlib import Path

import jax
import toy_program

from disentangle.training.checkpoint import Checkpoints
from disentangle.training.config import default_config
from disentangle.training.run import fit


def config() -> dict:
    """Five values and two seeds."""
    chosen = default_config("toy", "beta_vae").to_dict()
    chosen["method"] |= {"encoder": "dense", "decoder": "dense", "latents": 2}
    chosen["method"]["beta"] = [1.0, 2.0, 4.0, 8.0, 16.0]
    counts = {"steps": 12, "batch_size": 8, "log_every": 4, "checkpoint_every": 4}
    return chosen | counts | {"seeds": 2}


def stop_soon() -> None:
    """The process gets a SIGTERM with its first checkpoint."""
    save = Checkpoints.save

    def signals(self, step, tree):
        save(self, step, tree)
        os.kill(os.getpid(), signal.SIGTERM)

    Checkpoints.save = signals


if __name__ == "__main__":
    if sys.argv[2:] == ["stop"]:
        stop_soon()
    toy_program.register()
    fit(config(), toy_program.dataset(), workdir=Path(sys.argv[1]), progress=False)
    count = len(jax.local_devices())
    print(f"{count} device{'s' * (count > 1)}")
