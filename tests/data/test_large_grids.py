"""Grids that int32 cannot number, and splits that are not permuted as a whole."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data import samplers
from disentangle.data.dataset import Dataset
from disentangle.data.samplers import shuffled, split_data
from disentangle.data.space import Factor, FactorSpace
from disentangle.errors import UserError


def grid(*sizes):
    items = [
        Factor(f"f{i}", n, "ordinal", tuple(map(float, range(n))))
        for i, n in enumerate(sizes)
    ]
    return FactorSpace(tuple(items))


def nothing(arrays, index):
    return jnp.zeros((*index.shape, 16, 16, 1), jnp.uint8)


def dataset(space):
    return Dataset((), "grid", space, (16, 16, 1), 1, nothing)


def test_a_grid_beyond_int32_is_numbered_in_int64():
    space = grid(*[10] * 10)
    digits = np.random.default_rng(0).integers(0, 10, (500, 10))
    digits[0], digits[1] = 9, [2, 1, 4, 7, 4, 8, 3, 6, 4, 7]
    by_hand = [int("".join(map(str, row))) for row in digits.tolist()]
    index = space.index(digits)
    assert index.dtype == np.int64
    assert index.tolist() == by_hand
    assert by_hand[0] == 9_999_999_999 and by_hand[1] == 2**31 - 1
    assert np.array_equal(space.factors(np.asarray(by_hand)), digits)
    with pytest.raises(UserError, match="image index 10000000000 is outside"):
        space.factors([10**10])


def test_an_index_stays_int32_where_that_suffices():
    assert grid(2**16, 2**15 - 1).index([[1, 1]]).dtype == np.int32
    assert grid(2**16, 2**15).index([[2**16 - 1, 2**15 - 1]]).tolist() == [2**31 - 1]


def test_what_the_device_cannot_number_is_refused():
    space = grid(*[10] * 10)
    for ask in (
        lambda: space.index(jnp.zeros((1, 10), jnp.int32)),
        lambda: space.factors(jnp.zeros((1,), jnp.int32)),
        lambda: dataset(space).images(np.array([0])),
        lambda: split_data(dataset(space), 10, 10),
    ):
        with pytest.raises(UserError, match="10,000,000,000 images is too large"):
            ask()
    with pytest.raises(UserError, match=r"1\.000e\+20 images cannot be indexed"):
        grid(*[10] * 20).index([[0] * 20])


@pytest.mark.parametrize("train", [1, 37, 90])
def test_a_split_of_todays_sizes_is_the_one_it_was(toy, train):
    order = np.random.default_rng(5).permutation(96)
    split, tested = split_data(toy, train, 6, seed=5)
    assert np.array_equal(split.subset, order[:train])
    assert np.array_equal(tested, np.sort(order[-6:]))


@pytest.mark.parametrize("total", [2, 3, 17, 64, 65, 1000])
def test_the_other_scheme_is_a_permutation_too(monkeypatch, total):
    monkeypatch.setattr(samplers, "PERMUTED", 0)
    orders = [tuple(shuffled(total, 0, total, seed=seed)) for seed in range(4)]
    for order in orders:
        assert sorted(order) == list(range(total))
    assert len(set(orders)) > 1
    parts = [shuffled(total, i, min(i + 7, total), seed=1) for i in range(0, total, 7)]
    assert tuple(itertools.chain(*parts)) == orders[1]


@pytest.mark.slow
def test_the_other_scheme_is_uniform(monkeypatch):
    """Where 0 goes, over seeds: chi-squared of 20 cells within its 1e-6 quantiles."""
    monkeypatch.setattr(samplers, "PERMUTED", 0)
    places = [int(shuffled(20, 0, 1, seed=seed)[0]) for seed in range(4000)]
    counts = np.bincount(places, minlength=20)
    assert 3 < ((counts - 200) ** 2 / 200).sum() < 63


def test_a_split_of_a_huge_grid_takes_what_it_asks_for():
    import tracemalloc

    data = dataset(grid(1000, 1000, 2000))
    tracemalloc.start()
    split, tested = split_data(data, 1000, 500, seed=3)
    larger, same = split_data(data, 3000, 500, seed=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6  # the whole permutation would be 16 GB
    assert np.array_equal(larger.subset[:1000], split.subset)
    assert np.array_equal(same, tested)
    assert not set(np.asarray(larger.subset).tolist()) & set(tested.tolist())
    assert tested.max() > 2**30 > 2e9 / 2 > tested.min() >= 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 2.0}, "size 2.0; it must be a whole number"),
        ({"size": 0, "values": ()}, "size 0"),
        ({"tolerance": -1}, "tolerance -1"),
        ({"kind": "circular", "steps_per_turn": 0}, "steps_per_turn 0"),
    ],
)
def test_a_factor_that_is_none_is_named(change, message):
    fields = {"name": "a", "size": 2, "kind": "ordinal", "values": (0.0, 1.0)} | change
    with pytest.raises(UserError, match=message):
        Factor(**fields)
