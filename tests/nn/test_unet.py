"""The U-Net's parts alone, and it as a whole: what is told starts as nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

from disentangle.errors import UserError
from disentangle.nn import denoiser
from disentangle.nn.net import from_module
from disentangle.nn.patches import joined, parted
from disentangle.nn.tokens import affine, block_tokens, in_blocks, word_tokens
from disentangle.nn.unet import CrossAttention, Film, GroupNorm, waves

KEY = jax.random.key(0)
SLOW = pytest.mark.slow


def normal(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def moved(params, seed=5):
    """Parameters away from their start."""
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(seed)
    more = [jnp.float32(0.2 * rng.normal(size=leaf.shape)) for leaf in leaves]
    return jax.tree.unflatten(tree, [a + b for a, b in zip(leaves, more, strict=True)])


class Of(linen.Module):
    """A module of two arrays as one of a dict."""

    inner: linen.Module

    def __call__(self, x):
        return self.inner(x["x"], x["other"])


def two(module, x, other):
    """The module's parameters, and it as apply(params, x, other)."""
    net = from_module(Of(module), {"x": x.shape[1:], "other": other.shape[1:]})
    return net.init(KEY), lambda p, x, y: net.apply(p, {"x": x, "other": y})


def test_film_starts_as_the_identity_exactly_and_is_the_papers():
    h, e = normal(2, 3, 5, 8), normal(2, 6, seed=1)
    params, film = two(Film(), h, e)
    np.testing.assert_array_equal(film(params, h, e), h)
    held = jax.tree.map(np.float64, moved(params))["inner"]["Zero_0"]
    both = np.float64(e) @ held["zero"] + held["bias"][None]
    gamma, beta = np.split(both, 2, axis=1)
    expected = np.float64(h) * (1 + gamma[:, None, None]) + beta[:, None, None]
    np.testing.assert_allclose(
        film(moved(params), h, e), expected, rtol=1e-4, atol=1e-5
    )


def test_groups_of_channels_are_normalised():
    x = 3 + 2 * normal(2, 4, 5, 16)
    net = from_module(GroupNorm(), (4, 5, 16))
    parts = np.float64(x).reshape(2, 20, 8, 2)
    expected = (parts - parts.mean((1, 3), keepdims=True)) / np.sqrt(
        parts.var((1, 3), keepdims=True) + 1e-5
    )
    found = net.apply(net.init(KEY), x)
    np.testing.assert_allclose(found, expected.reshape(x.shape), atol=1e-5)


@pytest.mark.slow
def test_attention_starts_as_the_identity_and_does_not_see_an_order():
    x, tokens = normal(2, 3, 3, 8), normal(2, 5, 4, seed=1)
    params, attend = two(CrossAttention(), x, tokens)
    np.testing.assert_array_equal(attend(params, x, tokens), x)
    params = moved(params)
    found = attend(params, x, tokens)
    assert np.abs(found - x).max() > 0.01
    order = np.array([3, 0, 4, 1, 2])
    np.testing.assert_allclose(attend(params, x, tokens[:, order]), found, atol=1e-5)
    # In float64, head by head: 4 heads of 2 channels.
    p = jax.tree.map(np.float64, params)["inner"]
    norm = np.float64(GroupNorm().apply({"params": params["inner"]["GroupNorm_0"]}, x))
    line = lambda y, name: y @ p[name]["kernel"] + p[name]["bias"]
    q = line(norm.reshape(2, 9, 8), "query").reshape(2, 9, 4, 2)
    k, v = (line(np.float64(tokens), n).reshape(2, 5, 4, 2) for n in ("key", "value"))
    weights = np.exp(np.einsum("bphc,bnhc->bhpn", q, k) / np.sqrt(2))
    weights /= weights.sum(-1, keepdims=True)
    y = np.einsum("bhpn,bnhc->bphc", weights, v).reshape(x.shape)
    y = y @ p["out"]["zero"] + p["out"]["bias"]
    np.testing.assert_allclose(found, np.float64(x) + y, atol=1e-5)


@pytest.mark.slow
def test_a_token_is_of_its_block_and_moves_with_its_own_map():
    blocks, code = (2, 2, 2), normal(4, 6)
    net = block_tokens(blocks, 5)
    params, keep = net.init(KEY), jnp.ones(4)
    found = net.apply(params, {"code": code, "keep": keep})
    assert found.shape == (4, 3, 5)
    other = net.apply(params, {"code": code.at[:, 2:4].add(1.0), "keep": keep})
    assert (np.abs(other - found).max((0, 2)) > 1e-3).tolist() == [False, True, False]
    order = np.array([2, 0, 1])
    turned = jax.tree.map(lambda x: x[order], params)  # the maps, with their blocks
    code = code.reshape(4, 3, 2)[:, order].reshape(4, 6)
    again = net.apply(turned, {"code": code, "keep": keep})
    np.testing.assert_allclose(again, found[:, order], atol=1e-6)
    np.testing.assert_array_equal(in_blocks(normal(1, 3), (1, 2))[0, 0, 1], 0.0)


NETS = [
    pytest.param(affine(6, 5), id="affine"),
    pytest.param(block_tokens((1, 2, 3), 5), id="blocks", marks=SLOW),
    pytest.param(word_tokens(9, 6, 5), id="words", marks=SLOW),
    pytest.param(word_tokens(9, 6, 5, mean=True), id="mean", marks=SLOW),
]


@pytest.mark.parametrize("net", NETS)
def test_a_code_that_is_not_kept_is_not_told(net):
    params, keep = net.init(KEY), jnp.float32([1, 0, 0])
    params["nothing"] = params["nothing"] + 2.0
    one, two = (
        net.apply(params, {"code": jnp.float32(code), "keep": keep})
        for code in (np.ones((3, 6)), np.full((3, 6), 4))
    )
    np.testing.assert_array_equal(one[1:], 2.0)
    np.testing.assert_array_equal(two[1:], 2.0)
    assert np.abs(one[0] - two[0]).max() > 1e-3


@pytest.mark.slow
def test_an_affine_code_enters_linearly_and_words_by_their_places():
    net = affine(3, 2)
    params, keep = net.init(KEY), jnp.ones(2)
    a, b = normal(2, 3), normal(2, 3, seed=1)
    run = lambda code: net.apply(params, {"code": code, "keep": keep})
    np.testing.assert_allclose(run(a + b), run(a) + run(b), atol=1e-6)
    net = word_tokens(4, 3, 2, mean=True)
    params, keep = net.init(KEY), jnp.ones(1)
    said = [
        net.apply(params, {"code": jnp.float32([words]), "keep": keep})
        for words in ([1, 2, 3], [2, 1, 3])
    ]
    assert (
        np.abs(said[0] - said[1]).max() > 1e-3
    )  # "red cube blue floor", and the other


def test_patches_are_parted_as_they_were_joined():
    x = normal(2, 4, 6, 3)
    np.testing.assert_array_equal(parted(joined(x)), x)


def test_time_is_told_in_waves_that_tell_neighbours_apart():
    found = np.asarray(waves(jnp.float32([0.0, 0.001, 1.0])))
    assert found.shape == (3, 128)
    np.testing.assert_allclose(found[0], [0.0] * 64 + [1.0] * 64)
    np.testing.assert_allclose(found[1, :2], np.sin([1.0, 1e-4 ** (1 / 64)]), rtol=1e-5)
    assert np.abs(found[1] - found[0]).max() > 0.5


SIZES = [
    pytest.param((28, 20, 1), (3, 4), id="attention", marks=SLOW),
    pytest.param((28, 20, 1), (128,), id="film", marks=SLOW),
    pytest.param((32, 32, 3), (128,), id="colour", marks=SLOW),
    pytest.param((64, 64, 1), (3, 4), id="large", marks=SLOW),
]


@pytest.mark.parametrize(("shape", "told"), SIZES)
def test_the_unet_takes_any_size(shape, told):
    net = denoiser("unet", shape, 8, told)
    given = {"image": shape, "time": (), "told": told}
    given = {k: jax.ShapeDtypeStruct((2, *s), jnp.float32) for k, s in given.items()}
    params = jax.eval_shape(net.init, KEY)
    image, features = jax.eval_shape(net.apply, params, given)
    assert (image.shape, features.shape) == ((2, *shape), (2, 32))
    attends = any("CrossAttention" in name for name in params)
    assert attends == (len(told) == 2)


@pytest.mark.slow
@pytest.mark.parametrize("told", [(128,), (3, 4)], ids=("film", "attention"))
def test_the_unet_starts_as_zero_and_sees_what_it_is_told_once_it_has_moved(told):
    net = denoiser("unet", (12, 16, 1), 8, told)
    x = {"image": normal(2, 12, 16, 1), "time": jnp.float32([0.1, 0.9])}
    x["told"] = normal(2, *told, seed=1)
    run, params = jax.jit(net.apply), net.init(KEY)
    np.testing.assert_array_equal(run(params, x)[0], 0.0)
    params = moved(params)
    first = run(params, x)[0]
    for name, other in (("told", normal(2, *told, seed=2)), ("time", x["time"][::-1])):
        assert np.abs(run(params, x | {name: other})[0] - first).max() > 1e-3
    tokens = jax.tree.leaves(params)
    assert all(np.isfinite(leaf).all() for leaf in tokens)


def test_a_denoiser_that_is_not_there_is_named():
    with pytest.raises(UserError, match="Did you mean 'unet'"):
        denoiser("unett", (8, 8, 1), 8, (128,))
    with pytest.raises(UserError, match="no pixels"):
        denoiser("unet", (0, 8, 1), 8, (128,))
