"""Growing networks: nothing changes where a stage begins, and old layers stay."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.nn.generators import doubled, halvings
from disentangle.nn.growing import (
    channels_at,
    growing_critic,
    growing_generator,
    resolutions,
)

RNG = np.random.default_rng(0)


def grown(build, small, large):
    """(params at `small`, params at `large` with the shared layers of `small`)."""
    old, new = (build(size).init(jax.random.key(size)) for size in (small, large))
    shared = {name: old.params[name] for name in old.params if name in new.params}
    gone = {name.partition("_")[0] for name in set(old.params) - set(shared)}
    assert gone <= {"to", "from"}  # the pixels of the stage before that one
    for name, leaves in shared.items():
        for leaf, value in leaves.items():
            assert new.params[name][leaf].shape == value.shape, (name, leaf)
    new.params.update(shared)
    return old, new


@pytest.mark.slow
def test_at_alpha_0_a_stage_draws_what_the_one_before_drew():
    build = lambda size: growing_generator(2, size, 5, 8)
    z = jnp.asarray(RNG.normal(size=(3, 5)), jnp.float32)
    for small, large in ((4, 8), (8, 16)):
        old, new = grown(build, small, large)
        of = lambda size, held, a: build(size).apply(
            held, {"z": z, "alpha": jnp.full(3, a)}
        )
        before = of(small, old, 1.0)
        np.testing.assert_array_equal(of(large, new, 0.0), doubled(before))
        whole, half = of(large, new, 1.0), of(large, new, 0.5)
        assert np.abs(whole - doubled(before)).max() > 1e-3
        np.testing.assert_allclose(half, (whole + doubled(before)) / 2, atol=1e-5)
        # At alpha 1 the old layer of pixels is not heard.
        new.params[f"to_{small}"]["kernel"] += 1.0
        np.testing.assert_allclose(of(large, new, 1.0), whole, atol=1e-4)


@pytest.mark.slow
def test_at_alpha_0_a_critic_sees_what_the_one_before_saw():
    build = lambda size: growing_critic(1, size, 8)
    old, new = grown(build, 8, 16)
    x = jnp.asarray(RNG.normal(size=(2, 8, 8, 1)), jnp.float32)
    alpha = jnp.zeros(2)
    before = build(8).apply(old, {"image": x, "alpha": jnp.ones(2)})
    after = build(16).apply(new, {"image": doubled(x), "alpha": alpha})
    np.testing.assert_allclose(after, before, atol=1e-5)
    assert before.shape == (2, 16 * 8)


def test_resolutions_and_widths():
    assert resolutions(4) == (4,)
    assert resolutions(32) == (4, 8, 16, 32)
    assert [channels_at(n, 48) for n in (4, 8, 16, 32, 64)] == [48, 48, 24, 12, 8]
    assert halvings((64, 64, 1)) == (4, 4, 4)
    assert halvings((28, 28, 1)) == (2, 7, 7)
    assert halvings((33, 20, 1)) == (2, 9, 5)


def test_all_kernels_start_from_one_normal_draw():
    """A draw of its own for each takes XLA long to compile."""
    for build in (growing_critic(3, 8, 8), growing_generator(3, 8, 5, 8)):
        program = str(jax.make_jaxpr(build.init)(jax.random.key(0)))
        assert program.count("random_bits[") <= 2  # Glorot's and this
        params = jax.jit(build.init)(jax.random.key(0)).params
        kernels = [leaf["kernel"] for leaf in params.values() if "kernel" in leaf]
        drawn = np.concatenate([np.ravel(kernel) for kernel in kernels])
        assert len(kernels) > 3
        assert drawn.std() == pytest.approx(1.0, abs=0.05)
        assert len(np.unique(drawn)) > 0.99 * drawn.size
