"""Models that were not trained: all of their parameters are random."""

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.space import Factor, FactorSpace
from disentangle.methods.base import init
from disentangle.training.build import build_method
from disentangle.training.config import default_config, read_experiment
from disentangle.training.data_spec import DataSpec
from disentangle.training.trained import Run

SPACE = FactorSpace(
    (
        Factor("shape", 2, "categorical", (0.0, 1.0)),
        Factor("x", 3, "ordinal", (0.0, 1.0, 2.0)),
    )
)


def model(method, shape=(64, 64, 1), seeds=1, **fields):
    """A Run of `method`, its parameters drawn here."""
    config = default_config("toy", method).to_dict()
    config["method"] |= fields
    experiment = read_experiment(config | {"seeds": seeds})
    spec = DataSpec("toy", SPACE, shape, max_value=255)
    built = build_method(experiment.recipe, experiment.settings, spec)

    count = len(experiment.population)
    like = jax.eval_shape(lambda: init(built, key=jax.random.key(0)))
    rng = np.random.default_rng(1)

    def draw(leaf):
        scale = 0.1 if len(leaf.shape) < 2 else (6 / sum(leaf.shape[-2:])) ** 0.5 / 3
        return (scale * rng.standard_normal((count, *leaf.shape))).astype(np.float32)

    return Run(
        config=experiment.config,
        population=experiment.population,
        method=built,
        params=jax.tree.map(draw, like),
        alive=np.ones(count, bool),
        step=7,
        spec=spec,
        observed={},
    )


def images_for(run, count=5, seed=0):
    """(B, H, W, C) float32 in [0, 1]."""
    rng = np.random.default_rng(seed)
    return rng.random((count, *run.spec.shape), np.float32)


def expected(run, index, images):
    """The model's codes, and the images of these: plain JAX, no batches, no padding."""
    params = run.member(index)
    codes = jax.jit(run.method.represent)(params, jnp.asarray(images))
    if run.method.decode is None:
        return np.asarray(codes), None
    return np.asarray(codes), np.asarray(jax.jit(run.method.decode)(params, codes))
