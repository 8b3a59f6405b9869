"""What an accelerator will run, proved without one: every method's population step.

It is lowered for `cuda` and `tpu` on this machine; and that form runs here, beside the
one that a CPU has.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from disentangle.data.dataset import Dataset, draw_rows
from disentangle.data.samplers import Split
from disentangle.data.space import Factor, FactorSpace
from disentangle.methods import METHODS
from disentangle.training import population
from disentangle.training import state as state_of_training
from disentangle.training import step as step_of_training
from disentangle.training.build import build_method
from disentangle.training.config import default_config, read_experiment
from disentangle.training.loop import compile_functions
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
        now = compile_functions(experiment, method, split, ()).first()
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


def in_proportion(player, optimizer, hyperparameters, step):
    """Instead of a player's optimiser: 0.001 of the gradient over its leaf's largest.

    Adam divides a number by its own size: where all of a gradient is rounding, its step
    is a whole learning rate in either direction. The floor, a thousandth of the largest
    of all leaves, is for leaves of which that holds for every number.
    """

    def update(gradient, memory, params):
        sizes = jax.tree.map(lambda leaf: jnp.abs(leaf).max(), gradient)
        floor = 1e-3 * jnp.max(jnp.stack(jax.tree.leaves(sizes))) + 1e-30
        scaled = lambda leaf, size: -0.001 * leaf / jnp.maximum(size, floor)
        return jax.tree.map(scaled, gradient, sizes), memory

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_the_form_of_an_accelerator_has_the_numbers_of_the_cpu(name, monkeypatch):
    """Three members: parameters to 1e-5 of the largest of their leaf, three times.

    Both forms begin each step at the state that the CPU's is in. On their own they
    part: where a unit is at the kink of its ReLU, rounding decides on its derivative.
    """
    for room in (state_of_training, step_of_training):
        monkeypatch.setattr(room, "transformation", in_proportion)
    here, begin = chunk_of(name, 16, DENSE)
    state, *rest = begin()
    here = jax.jit(here).lower(state, *rest, jnp.int32(1)).compile()
    monkeypatch.setattr(
        jax.lax, "platform_dependent", lambda *given, cpu, default: default(*given)
    )
    there = jax.jit(chunk_of(name, 16, DENSE)[0])
    for _ in range(3):
        (a, _), (b, _) = (run(state, *rest, jnp.int32(1)) for run in (here, there))
        assert np.asarray(a.alive).all() and np.asarray(b.alive).all()
        for x, y in zip(*map(jax.tree.leaves, (a.params, b.params)), strict=True):
            assert x.shape[0] == 3
            np.testing.assert_allclose(
                x, y, rtol=0, atol=1e-5 * max(1, np.abs(x).max())
            )
        pairs = zip(*map(jax.tree.leaves, (state.params, b.params)), strict=True)
        assert any((x != y).any() for x, y in pairs)
        state = a
