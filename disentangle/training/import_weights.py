"""Weights of other people's projects, as far as a `Run` goes."""

import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp

from disentangle.data.dsprites import SPACE
from disentangle.errors import UserError
from disentangle.files import read_arrays, reading
from disentangle.methods.base import Method, Params
from disentangle.nn.torch_weights import from_disvae
from disentangle.training.config import Experiment, default_config, read_experiment
from disentangle.training.data_spec import DataSpec

MOST_BYTES = 2**28


def read_disvae(path: Path) -> tuple[Experiment, Method, Params, DataSpec]:
    """A dSprites VAE of YannDubs/disentangling-vae, its arrays in one .npz.

    Args:
      path: arrays by their torch names ("encoder.conv1.weight", ...).

    Returns:
      The experiment and method of the same network here ("burgess"), its parameters
      with a population axis of one, and what it was trained on.

    Raises:
      UserError: no such file, not an .npz, damaged, or its arrays are not those of
        the network.
    """
    if not path.is_file():
        raise UserError(f"no run at {path}: there is no such file")
    with reading(path, "is not an .npz of weights of a dSprites VAE"):
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MOST_BYTES:
            raise UserError(f"its arrays are {size:,} bytes, such weights are 2 MB")
        encoder, decoder = from_disvae(read_arrays(path))
        channels = encoder["Conv_0"]["kernel"].shape[2]
        if channels != 1:
            raise UserError(
                f"it takes images of {channels} channels, those of dSprites have 1"
            )
    config = default_config("dsprites", "vae").to_dict()
    latents = encoder["Dense_2"]["bias"].size // 2
    config["method"] |= {"encoder": "burgess", "decoder": "burgess"}
    config["method"]["latents"] = latents
    experiment = read_experiment(config)
    spec = DataSpec("dsprites", SPACE, (64, 64, 1), max_value=1)
    method = experiment.recipe.build(experiment.settings, spec.space, spec.shape)
    params = {"encoder": encoder, "decoder": decoder}
    params = jax.tree.map(lambda x: jnp.asarray(x)[None], params)
    return experiment, method, params, spec
