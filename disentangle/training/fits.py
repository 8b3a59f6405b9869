"""Does a config go with a data set? Shapes are traced, nothing is computed."""

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.identity import sample
from disentangle.errors import UserError
from disentangle.methods.base import Method, init
from disentangle.training.build import build_method
from disentangle.training.config import Experiment

COPIES = 3  # of the parameters in training: themselves and two moments
MEMORY = 2**36  # bytes (64 GiB) that states, or the images of a step, may take


def check_fit(experiment: Experiment, data: Dataset) -> Method:
    """The method of an experiment on a data set, after a look at both.

    Raises:
      UserError: the images are not what the data set says; networks that do not
        take or give images of its size; models or a batch beyond 64 GiB.
    """
    if not isinstance(data, Dataset):
        raise UserError(f"data is a {type(data).__name__}, not a data set from load")
    check_images(data)
    batch = experiment.config["batch_size"] * int(np.prod(data.shape)) * 4
    if batch > MEMORY:
        raise UserError(
            f"batch_size={experiment.config['batch_size']}: its images alone take "
            f"{batch / 2**30:,.0f} GiB"
        )
    method, params = _built(experiment, data)
    size = sum(int(np.prod(x.shape)) for x in jax.tree.leaves(params))
    total = COPIES * 4 * size * len(experiment.members)
    if total > MEMORY:
        raise UserError(
            f"{len(experiment.members):,} models of {size:,} parameters each take "
            f"{total / 2**30:,.0f} GiB: train fewer seeds or values at a time, or "
            "smaller networks"
        )
    return method


def check_images(data: Dataset) -> None:
    """Draws a few images: UserError unless they are what the data set says."""
    images = sample(data)
    if images.dtype != np.uint8 or images.shape[1:] != data.shape:
        raise UserError(
            f"data set {data.name!r} draws {images.dtype} images of "
            f"{images.shape[1:]}, not uint8 of {data.shape}"
        )
    largest = int(images.max())
    if largest > data.max_value:
        raise UserError(
            f"data set {data.name!r} draws pixels of {largest}, above its "
            f"max_value={data.max_value}"
        )


def _built(experiment: Experiment, data: Dataset) -> tuple[Method, dict]:
    """The method, and its parameters' shapes; UserError where images do not go."""
    name, section = experiment.config["method"]["name"], experiment.config["method"]
    parts = [part for part in ("encoder", "decoder") if part in section]
    networks = " and ".join(f"{part} {section[part]!r}" for part in parts)
    what = f"{networks or name} with images of {data.shape}"
    image = jax.ShapeDtypeStruct((1, *data.shape), jnp.float32)
    try:
        method = build_method(experiment.recipe, experiment.settings, data)
        params = jax.eval_shape(lambda: init(method, key=jax.random.key(0)))
        codes = jax.eval_shape(method.represent, params, image)
        drawn = method.decode and jax.eval_shape(method.decode, params, codes)
    except UserError:
        raise
    except (TypeError, ValueError, ArithmeticError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{what} cannot be built ({reason})") from None
    if drawn is not None and drawn.shape[1:] != data.shape:
        raise UserError(
            f"{what}: the decoder draws {drawn.shape[1:]}; height and width must be "
            "multiples of 16 for these networks"
        )
    return method, params
