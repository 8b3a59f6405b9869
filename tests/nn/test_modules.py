"""Modules of Linen through the door: their own start values, their state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

from disentangle.nn import Variables, from_module
from disentangle.nn.layers import Dense

KEY = jax.random.key(0)


class Mixed(linen.Module):
    """One layer of ours between two of Linen's."""

    @linen.compact
    def __call__(self, x):
        x = linen.LayerNorm()(x)
        x = Dense(3, name="ours")(x)
        return linen.Dense(2)(x)


def test_standard_modules_keep_their_start_values():
    norm = from_module(linen.LayerNorm(), (4,)).init(KEY)
    assert norm["scale"].tolist() == [1, 1, 1, 1]
    assert norm["bias"].tolist() == [0, 0, 0, 0]

    class Words(linen.Module):
        @linen.compact
        def __call__(self, x):
            return linen.Embed(50, 40)(x.astype(jnp.int32))

    table = from_module(Words(), (3,)).init(KEY)["Embed_0"]["embedding"]
    assert np.std(table) == pytest.approx(40**-0.5, rel=0.1)  # of Linen: 1 / sqrt(40)


def test_a_mixed_network_starts_each_layer_as_its_own_rule_says():
    params = from_module(Mixed(), (5,)).init(KEY)
    assert params["LayerNorm_0"]["scale"].tolist() == [1] * 5
    kernel = np.asarray(params["ours"]["kernel"])
    alone = from_module(Dense(3), (5,)).init(KEY)
    np.testing.assert_array_equal(kernel, alone["kernel"])  # Glorot's, from one draw
    assert np.abs(kernel).max() < (6 / 8) ** 0.5
    assert np.abs(params["Dense_0"]["kernel"]).max() > 0


class Running(linen.Module):
    """Batch norm and dropout."""

    @linen.compact
    def __call__(self, x, train: bool):
        x = linen.BatchNorm(use_running_average=not train, momentum=0.5)(x)
        return linen.Dropout(0.5, deterministic=not train)(x)


def test_a_state_is_moved_in_training_and_read_in_evaluation():
    net = from_module(Running(), (2,))
    variables = net.init(KEY)
    assert isinstance(variables, Variables)
    x = jnp.asarray([[1.0, 2.0], [3.0, 6.0]])
    y, state = net.train(variables, x, key=KEY)
    mean = state["batch_stats"]["BatchNorm_0"]["mean"]
    np.testing.assert_allclose(mean, [1.0, 2.0])  # halfway from 0 to (2, 4)
    assert {0.0, 2.0} == set(np.abs(np.round(np.asarray(y), 3)).ravel().tolist())
    np.testing.assert_allclose(net.apply(variables, x), x, rtol=1e-4)  # from 0 and 1
    frozen = Variables(variables.params, variables.state, is_frozen=True)
    y, kept = net.train(frozen, x)
    np.testing.assert_allclose(y, x, rtol=1e-4)
    jax.tree.map(np.testing.assert_array_equal, kept, variables.state)


def test_a_state_without_a_word_for_training_is_a_mistake():
    norm = linen.BatchNorm(use_running_average=False)
    with pytest.raises(TypeError, match=r"BatchNorm has a state \(batch_stats\)"):
        from_module(norm, (2,)).init(KEY)


def test_a_network_without_a_state_trains_as_it_is_applied():
    net = from_module(Dense(3), (2,))
    params = net.init(KEY)
    y, state = net.train(params, jnp.ones((1, 2)))
    assert state == {}
    np.testing.assert_array_equal(y, net.apply(params, jnp.ones((1, 2))))
