"""What an accelerator will run, proved without one: every method's population step.

It is lowered for `cuda` and `tpu` on this machine; and that form runs here, beside the
one that a CPU has.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data.dataset import Dataset, draw_rows
from disentangle.data.samplers import Split
from disentangle.data.space import Factor, FactorSpace
from disentangle.methods import METHODS
from disentangle.training import population
from disentangle.training.build import build_method
from disentangle.training.config import default_config, read_experiment
from disentangle.training.loop import first_progress
from disentangle.training.step import make_step

SPACE = FactorSpace(
    tuple(Factor(n, 4, "ordinal", (0.0, 1.0, 2.0, 3.0)) for n in ("x", "y", "z", "w"))
)
DENSE = {"encoder": "dense", "decoder": "dense", "discriminator": (32, 32)}
DENSE |= {"denoiser": "dense", "source": "dense"}
FORMS = [
    pytest.param(name, platform, marks=() if platform == quick else pytest.mark.slow)
    for name in METHODS
    for quick in ["cuda" if name == "beta_vae" else ""]
    for platform in ("cuda", "tpu")
]
CONVOLUTION = re.compile(r"stablehlo\.convolution.*?feature_group_count = (\d+)", re.S)
PRODUCT = re.compile(r"stablehlo\.dot_general (.*)")


def images(side):
    rows = np.zeros((SPACE.size, side, side, 1), np.uint8)
    for i, (x, y, z, w) in enumerate(SPACE.factors(np.arange(SPACE.size))):
        rows[i, 2 + 3 * y : 4 + 3 * y, x : x + 4 + 2 * z] = 1
        rows[i, 0, w] = 1
    return Dataset(jnp.asarray(rows), "bars", SPACE, (side, side, 1), 1, draw_rows)


def chunk_of(name, side, fields):
    """(chunk of three members, a function that gives its arguments but for n)."""
    tree = default_config("bars", name).to_dict()
    known = tree["method"]
    known |= {k: v for k, v in fields.items() if k in known}
    if fields:
        known |= {"decoder": "smooth"} if name == "tripod" else {}
    tree |= {"seeds": 3, "batch_size": 8, "steps": 10}
    experiment = read_experiment(tree)
    data = images(side)
    method = build_method(experiment.recipe, experiment.settings, data)
    split = Split(data, None)
    step = make_step(method, experiment.optimizer, tree["batch_size"])

    def begin():
        now = first_progress(experiment, method, split, ())
        hyper = jax.tree.map(jnp.asarray, experiment.hyperparameters)
        return now.state, now.window, hyper, split

    return population.make_chunk(step), begin


def exported(name, platform):
    """StableHLO of the chunk with the method's own networks, flat and without keys."""
    chunk, begin = chunk_of(name, 64, {})
    leaves, tree = jax.tree.flatten(jax.eval_shape(begin))  # nothing is computed
    is_key = [jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in leaves]
    raw = [
        jax.eval_shape(jax.random.key_data, leaf) if key else leaf
        for leaf, key in zip(leaves, is_key, strict=True)
    ]

    def flat(n, *found):
        back = [
            jax.random.wrap_key_data(leaf) if key else leaf
            for leaf, key in zip(found, is_key, strict=True)
        ]
        state, window = chunk(*jax.tree.unflatten(tree, back), n)
        return jax.tree.leaves((state.params, state.alive, window))

    number = jax.ShapeDtypeStruct((), jnp.int32)
    found = jax.export.export(jax.jit(flat), platforms=[platform])(number, *raw)
    return found.mlir_module()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "platform"), FORMS)
def test_the_step_is_batched_products_and_no_grouped_convolution(name, platform):
    text = exported(name, platform)
    products = PRODUCT.findall(text)
    batched = [line for line in products if "batching_dims" in line]
    groups = [int(count) for count in CONVOLUTION.findall(text)]
    assert len(batched) >= 10 and len(batched) > len(products) - len(batched)
    assert not [count for count in groups if count > 1], groups
    assert "stablehlo.convolution" not in text or groups


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_the_form_of_an_accelerator_has_the_numbers_of_the_cpu(name, monkeypatch):
    """Three members, three steps: parameters to 1e-5 of the largest of their leaf."""
    chunk, begin = chunk_of(name, 16, DENSE)
    arguments = begin()
    here, _ = jax.jit(chunk)(*arguments, jnp.int32(3))
    monkeypatch.setattr(
        jax.lax, "platform_dependent", lambda *given, cpu, default: default(*given)
    )
    chunk, _ = chunk_of(name, 16, DENSE)
    there, _ = jax.jit(chunk)(*arguments, jnp.int32(3))
    assert np.asarray(here.alive).all() and np.asarray(there.alive).all()
    for a, b in zip(*map(jax.tree.leaves, (here.params, there.params)), strict=True):
        assert a.shape[0] == 3
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(1.0, np.abs(a).max()))
    pairs = zip(*map(jax.tree.leaves, (arguments[0].params, there.params)), strict=True)
    assert any((a != b).any() for a, b in pairs)
