"""Weights of other people's projects, as far as a `Run` goes."""

import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data import DATASETS
from disentangle.errors import UserError
from disentangle.methods.base import Method, Params
from disentangle.nn.torch_weights import from_disvae
from disentangle.training.config import Plan, default_config, plan
from disentangle.training.view import View


def read_disvae(path: Path) -> tuple[Plan, Method, Params, View]:
    """A dSprites VAE of YannDubs/disentangling-vae, its arrays in one .npz.

    Args:
      path: arrays by their torch names ("encoder.conv1.weight", ...).

    Returns:
      The plan and method of the same network here ("burgess"), its parameters
      with a population axis of one, and what it was trained on.

    Raises:
      UserError: no such file, not an .npz, or an array is missing.
    """
    if not path.is_file():
        raise UserError(f"no run at {path}: there is no such file")
    try:
        with np.load(path, allow_pickle=False) as stored:
            encoder, decoder = from_disvae(stored)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (zipfile.BadZipFile, OSError, EOFError, ValueError):
        raise UserError(f"{path} is not an .npz of weights") from None
    config = default_config("dsprites", "vae").to_dict()
    latents = encoder["Dense_2"]["bias"].size // 2
    config["method"] |= {"encoder": "burgess", "decoder": "burgess"}
    config["method"]["latents"] = latents
    planned = plan(config)
    view = View("dsprites", DATASETS["dsprites"].space, (64, 64, 1), peak=1)
    method = planned.recipe.build(planned.settings, view.space, view.shape)
    params = {"encoder": encoder, "decoder": decoder}
    return planned, method, jax.tree.map(lambda x: jnp.asarray(x)[None], params), view
