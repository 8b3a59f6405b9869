"""Pairs and groups: the right factors change, the right latents are shared."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data.samplers import Split, draw, halves
from disentangle.errors import UserError
from disentangle.methods.adaptive_vae import shared_latents
from disentangle.methods.group_posterior import AVERAGES, share
from disentangle.methods.pairs import groups, pairs

N = 4000


def drawn(toy, collate, subset=None, rows=N):
    """The factors of a batch, (images for each one drawn, rows, F)."""
    split = Split(toy, subset)
    index = draw(split, jax.random.key(0), rows)
    batch = jax.jit(collate)(split, index, jax.random.key(1))
    np.testing.assert_array_equal(batch["factors"][:rows], toy.space.factors(index))
    return np.asarray(batch["factors"]).reshape(-1, rows, 4), batch


def close(counts, expected):
    """Within five standard deviations of the binomial counts expected."""
    expected = np.asarray(expected, float)
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()


@pytest.mark.parametrize("k", [1, 2, 3])
def test_exactly_k_factors_differ_each_as_often_as_the_others(toy, k):
    (first, second), _ = drawn(toy, pairs(toy.space, k, distinct=True))
    differs = first != second
    assert (differs.sum(1) == k).all()
    close(differs.sum(0), [N * k / 4] * 4)
    for factor, size in enumerate(toy.space.sizes):  # every other value alike
        step = (second - first)[differs[:, factor], factor] % size
        close(np.bincount(step, minlength=size)[1:], [N * k / 4 / (size - 1)])


def test_values_drawn_from_all_stay_one_time_in_their_number(toy):
    (first, second), _ = drawn(toy, pairs(toy.space, 1, distinct=False))
    differs = first != second
    assert (differs.sum(1) <= 1).all()
    close(differs.sum(0), [N / 4 * (1 - 1 / size) for size in toy.space.sizes])


@pytest.mark.parametrize(("changed", "share_of_one"), [(0, 1 / 3), (-1, 2 / 3)])
def test_a_random_number_of_factors(toy, changed, share_of_one):
    (first, second), _ = drawn(toy, pairs(toy.space, changed, distinct=True))
    k = np.bincount((first != second).sum(1), minlength=5)
    rest = (1 - share_of_one) / 2
    assert k[0] == k[4] == 0
    close(k[1:4], [N * share_of_one, N * rest, N * rest])


def test_partners_come_from_the_whole_grid_and_images_are_their_factors(toy):
    subset = jnp.asarray([5, 17, 80], jnp.int32)
    collate = pairs(toy.space, 1, distinct=True)
    (_, second), batch = drawn(toy, collate, subset, rows=300)
    partners = toy.space.index(second)
    assert len(set(partners.tolist())) > 10  # 3 x 9 single changes
    _, other = halves(batch)
    np.testing.assert_array_equal(other["images"], np.float32(toy.images(partners)))


def test_a_group_shares_what_it_should_and_nothing_else(toy):
    found, _ = drawn(toy, groups(toy.space, ("turn", "size"), 3))
    assert found.shape[0] == 3
    assert (found[:, :, 1:3] == found[:1, :, 1:3]).all()
    for member in found[1:]:
        for column, size in ((0, 2), (3, 4)):
            close((member == found[0]).sum(0)[column], N / size)
    assert (found[1] != found[2]).any()  # members are drawn independently


@pytest.mark.parametrize("changed", [-2, 4, 5])
def test_numbers_of_changed_factors_that_cannot_be(toy, changed):
    with pytest.raises(UserError, match=r"changed=.* must be -1, 0 or in 1 \.\. 3"):
        pairs(toy.space, changed, False)


def test_groups_of_factors_that_do_not_exist(toy):
    with pytest.raises(UserError, match=r"unknown factor 'turm'.*'turn'"):
        groups(toy.space, ("turm",), 2)
    with pytest.raises(UserError, match="named twice"):
        groups(toy.space, ("turn", "turn"), 2)
    with pytest.raises(UserError, match="at least 2"):
        groups(toy.space, (), 1)


def test_averages_of_two_gaussians_by_density():
    """The product and the geometric mean, normalised on a grid of points."""
    mean, sd = np.array([0.5, -1.0]), np.array([0.7, 1.9])
    x = np.linspace(-12, 12, 20001)
    density = np.exp(-0.5 * ((x - mean[:, None]) / sd[:, None]) ** 2)
    numbers = [
        jnp.float32(v).reshape(2, 1, 1) for v in (mean, np.log(sd**2))
    ]  # 2 members, 1 group, 1 latent
    for name, power in (("product", 1.0), ("geometric", 0.5)):
        p = density.prod(0) ** power
        p /= p.sum()
        expected = (p * x).sum(), (p * x**2).sum() - (p * x).sum() ** 2
        m, lv = AVERAGES[name](*numbers)
        np.testing.assert_allclose([m[0, 0], np.exp(lv[0, 0])], expected, rtol=1e-5)
    m, lv = AVERAGES["arithmetic"](*numbers)
    np.testing.assert_allclose(m[0, 0], mean.mean(), rtol=1e-6)
    np.testing.assert_allclose(np.exp(lv[0, 0]), (sd**2).mean(), rtol=1e-6)


@pytest.mark.parametrize("name", AVERAGES)
def test_members_without_shared_latents_are_themselves(name):
    mean, logvar = jax.random.normal(jax.random.key(0), (2, 6, 3))
    for shared in (jnp.zeros((2, 3), bool), jnp.zeros((1, 3), bool)):
        m, lv = share(name, mean, logvar, shared, 3)
        np.testing.assert_array_equal(m, mean)
        np.testing.assert_array_equal(lv, logvar)


def test_threshold_by_hand():
    """Unit variances: delta_d is half the squared distance; tau is its middle."""
    first = np.zeros((2, 4))
    second = [[0.0, 1.0, 2.0, 1.4], [3.0, 0.1, 2.2, 2.0]]  # middles 1, 2.2525
    shared = shared_latents(jnp.float32([*first, *second]), jnp.zeros((4, 4)))
    expected = [[True, True, False, True], [False, True, False, True]]
    np.testing.assert_array_equal(shared, expected)


@pytest.mark.slow
def test_shared_factors_are_found_where_the_encoder_is_right(toy):
    """A linear-Gaussian truth: x = A z + noise, so q(z|x) is Gaussian, and known.

    The posterior of one well-measured latent a factor; a pair changes one factor.
    Exactly this latent must lie above the threshold.
    """
    (first, second), _ = drawn(toy, pairs(toy.space, 1, distinct=True), rows=500)
    rng = np.random.default_rng(0)
    a, sigma = np.linalg.qr(rng.normal(size=(9, 4)))[0], 0.05
    centre, spread = np.mean(first, 0), np.std(first, 0)
    z = (np.concatenate([first, second]) - centre) / spread
    x = z @ a.T + sigma * rng.normal(size=(1000, 9))
    variance = 1 / (1 + 1 / sigma**2)  # prior N(0, I), A orthonormal
    mean = variance / sigma**2 * (x @ a)
    shared = shared_latents(
        jnp.float32(mean), jnp.full(mean.shape, np.log(variance), jnp.float32)
    )
    np.testing.assert_array_equal(shared, first == second)
