"""All groups of a seed in one program: common random numbers, masks, stopping."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data import from_arrays
from disentangle.data.pooled import pooled
from disentangle.data.samplers import shuffled
from disentangle.errors import UserError
from disentangle.oracle import train
from disentangle.oracle.examples import Parts, parts_of, training_index
from disentangle.oracle.network import Batch
from disentangle.oracle.regime import Held, Regime

HELD = Held(validation_size=20, test_size=16)
REGIME = Regime(train_size=40, batch_size=8, steps=12, every=4, hidden=12, head=5)
SEED = 3


@pytest.fixture(scope="module")
def parts(toy) -> Parts:
    return parts_of(REGIME, HELD, toy, SEED)


@pytest.fixture(scope="module")
def program(toy):
    return train.program_of(REGIME, toy.space, 1)


def trained(program, parts, groups, seed=SEED):
    state = train.start(program, jnp.asarray(groups), seed, parts)
    for _ in range(program.regime.steps // program.regime.every):
        state = train.advance(
            program,
            state,
            jnp.asarray(groups),
            seed,
            parts,
            program.regime.every,
        )
    return jax.device_get(state)


@pytest.fixture(scope="module")
def everyone(program, parts):
    return trained(program, parts, train.every_group(4))


def test_groups_are_all_subsets():
    groups = train.every_group(3)
    assert groups.shape == (7, 3)
    assert len({tuple(row) for row in groups.tolist()}) == 7
    assert groups[0b101 - 1].tolist() == [True, False, True]
    with pytest.raises(UserError, match="11 tasks have 2,047 groups"):
        train.every_group(11)


def test_images_are_means_of_blocks(toy):
    index = np.array([5, 17])
    images = np.asarray(toy.images(index), np.float64)
    found = np.asarray(pooled(toy, index, 16))
    for row, column in ((0, 0), (5, 9), (15, 15)):
        block = images[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        assert np.allclose(found[:, row, column], block.mean((1, 2)))
    with pytest.raises(UserError, match="pooled to 24x24"):
        pooled(toy, index, 24)


@pytest.mark.slow
def test_nothing_of_a_group_depends_on_the_others(program, parts, everyone):
    """Common random numbers, to the last bit: all other rows are other groups."""
    groups = train.every_group(4)
    for row in (0, 6, 14):
        others = groups[::-1].copy()
        others[row] = groups[row]
        changed = trained(program, parts, others)
        mine = lambda state, row=row: jax.tree.map(
            lambda leaf: leaf[row], (state.shared, state.private, state.best)
        )
        for a, b in zip(
            *(jax.tree.leaves(mine(state)) for state in (everyone, changed)),
            strict=True,
        ):
            assert np.array_equal(a, b)


@pytest.mark.slow
def test_groups_begin_alike_and_see_the_same_batch(program, parts):
    groups = jnp.asarray(train.every_group(4))
    first = train.start(program, groups, SEED, parts)
    for leaf in jax.tree.leaves((first.shared, first.private)):
        assert (np.asarray(leaf) == np.asarray(leaf)[:1]).all()
    key = train.keys_of(SEED)[1]
    batch = train.batch_at(REGIME, parts.train, key, jnp.int32(0))
    after = train.advance(program, first, groups, SEED, parts, 1)
    # Adam's first step is the learning rate against the sign of the gradient.
    alone, both = 0, 2  # {task 0}, {tasks 0 and 1}
    network = program.network
    shared, private = jax.jit(network.init)(train.keys_of(SEED)[0])
    total = lambda p, a: network.losses(*p, batch, a).sum()
    gradient = jax.jit(jax.grad(total))
    for row in (alone, both):
        expected = jax.tree.map(
            lambda p, g: p - 3e-3 * np.asarray(g) / (np.abs(g) + 1e-8),
            jax.device_get((shared, private)),
            jax.device_get(gradient((shared, private), groups[row])),
        )
        found = jax.tree.map(
            lambda leaf, row=row: leaf[row], (after.shared, after.private)
        )
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            assert np.allclose(a, b, atol=1e-5)


@pytest.mark.slow
def test_an_inactive_task_takes_no_part(program, parts, everyone):
    """Its head stays; infinite outputs and labels of it change no bit of the rest."""
    groups = train.every_group(4)
    begun = program.network.init(train.keys_of(SEED)[0])[1]
    for row, group in enumerate(groups):
        for leaf, first in zip(
            jax.tree.leaves(everyone.private), jax.tree.leaves(begun), strict=True
        ):
            same = (leaf[row] == np.asarray(first)).reshape(4, -1).all(1)
            assert (same == ~group).all() or leaf[row].ndim == 2
            assert same[~group].all()
    network = program.network
    shared, private = jax.jit(network.init)(jax.random.key(0))
    wild = jax.tree.map(lambda leaf: leaf.at[1].set(jnp.inf), private)
    batch = parts.train.batch(jnp.arange(8))
    active = jnp.array([True, False, True, True])
    total = lambda p: network.losses(*p, batch, active).sum()
    both = jax.jit(jax.value_and_grad(total))
    calm, loud = (both((shared, p)) for p in (private, wild))
    assert np.isfinite(float(loud[0]))
    assert float(calm[0]) == float(loud[0])
    for a, b in zip(
        jax.tree.leaves(calm[1][0]), jax.tree.leaves(loud[1][0]), strict=True
    ):
        assert np.array_equal(a, b)


def test_losses_are_those_of_the_tasks_by_hand(toy, program, parts):
    """The network and the squared error in float64 NumPy."""
    network = program.network
    shared, private = jax.jit(network.init)(jax.random.key(1))
    rows = np.arange(9)
    batch = parts.train.batch(jnp.asarray(rows))
    plain = lambda tree: jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)
    first, second = (plain(shared)[name] for name in sorted(shared))
    x = np.asarray(batch.images, np.float64).reshape(9, -1)
    hidden = np.maximum(x @ first["kernel"] + first["bias"], 0)
    code = hidden @ second["kernel"] + second["bias"]
    head = jax.tree.map(lambda leaf: leaf[3], plain(private))
    hidden = np.maximum(code @ head["hidden"]["kernel"] + head["hidden"]["bias"], 0)
    said = (hidden @ head["output"]["kernel"] + head["output"]["bias"])[:, 0]
    values = np.asarray(batch.factors)[3, :, 3]
    wanted = (values - 1.5) / np.sqrt(1.25)
    found = jax.jit(network.losses)(shared, private, batch)
    assert float(found[3]) == pytest.approx(np.mean((said - wanted) ** 2), rel=1e-5)
    assert np.allclose(
        np.asarray(network.encode(shared, batch.images)), code, atol=1e-5
    )


def test_the_best_look_is_kept_per_task(program, parts, everyone):
    """Against losses of every look, followed by hand."""
    groups = train.every_group(4)
    rows = jnp.asarray(groups)
    state = train.start(program, rows, SEED, parts)
    losses = jax.jit(partial(train.held_losses, program.network))
    looks = []
    for _ in range(4):
        held = [
            np.asarray(losses(state, rows, part))
            for part in (parts.validation, parts.test)
        ]
        looks.append((int(state.step), *held))
        if len(looks) < 4:
            state = train.advance(program, state, rows, SEED, parts, 4)
    steps = [step for step, _, _ in looks]
    assert steps == [0, 4, 8, 12]
    validation = np.stack([v for _, v, _ in looks])
    test = np.stack([t for _, _, t in looks])
    where = validation.argmin(0)
    for g, t in np.argwhere(groups):
        at = where[g, t]
        assert everyone.best.step[g, t] == steps[at]
        assert everyone.best.test[g, t] == pytest.approx(test[at, g, t], abs=1e-6)
    assert np.isinf(everyone.best.test[~groups]).all()
    counted = np.where(groups, validation, 0).sum(2) / groups.sum(1)
    assert np.allclose(everyone.best.mean, counted.min(0), atol=1e-6)


def test_held_images_are_the_same_for_all_seeds_and_never_trained_on(toy):
    held = set(shuffled(96, 0, 36, seed=0).tolist())
    seen = []
    for seed in (0, 1, 2**32 - 1):
        index = training_index(REGIME, HELD, 96, seed)
        assert len(set(index.tolist())) == 40
        assert not held & set(index.tolist())
        fewer = dataclasses.replace(REGIME, train_size=12)
        assert np.array_equal(training_index(fewer, HELD, 96, seed), index[:12])
        seen.append(frozenset(index.tolist()))
    assert len(set(seen)) == 3
    one, two = (parts_of(REGIME, HELD, toy, seed) for seed in (0, 1))
    for part in ("validation", "test"):
        a, b = getattr(one, part), getattr(two, part)
        assert np.array_equal(a.factors, b.factors)


def test_noise_and_missing_labels_are_of_training_images_only(toy):
    regime = dataclasses.replace(
        REGIME,
        labels=(40, 10, 40, 5),
        label_noise=(0.0, 0.0, 1.0, 0.5),
        pixel_noise=0.5,
    )
    clean, noisy = (parts_of(r, HELD, toy, SEED) for r in (REGIME, regime))
    known = np.asarray(noisy.train.known)
    assert known.sum(0).tolist() == [40, 10, 40, 5]
    assert known[:5].all()
    itself = np.arange(40)
    changed = (np.asarray(noisy.train.source) != itself[:, None]).sum(0)
    assert changed[:2].tolist() == [0, 0]
    assert changed[2] > 30 and 10 < changed[3] < 30
    for part in ("validation", "test"):
        for a, b in zip(getattr(clean, part), getattr(noisy, part), strict=True):
            assert np.array_equal(a, b)
        assert np.asarray(getattr(noisy, part).known).all()
    assert np.array_equal(clean.train.images, noisy.train.images)
    key = train.keys_of(SEED)[1]
    a, b, other = (
        train.batch_at(r, noisy.train, key, jnp.int32(2), which)
        for r, which in ((REGIME, 0), (regime, 0), (regime, 1))
    )
    assert np.array_equal(a.factors, b.factors)  # the same images are drawn
    spread = np.asarray(b.images - a.images)
    assert 0.45 < spread.std() < 0.55
    assert not np.array_equal(b.factors, other.factors)


def test_a_task_without_a_label_in_the_batch_has_no_loss(program, parts):
    network = program.network
    shared, private = jax.jit(network.init)(jax.random.key(0))
    batch = parts.train.batch(jnp.arange(8))
    some = jnp.arange(8)[None] < jnp.array([8, 3, 0, 8])[:, None]
    losses = jax.jit(network.losses)
    found = losses(shared, private, batch._replace(known=some))
    first = Batch(batch.images[:3], batch.factors[:, :3], batch.known[:, :3])
    assert float(found[2]) == 0.0
    alone = losses(shared, private, first)
    assert float(found[1]) == pytest.approx(float(alone[1]), rel=1e-5)


@pytest.mark.slow
def test_all_together_is_the_last_group(program, parts, everyone):
    samples = list(train.all_together(program, parts, SEED, every=5, batches=2))
    assert [one.step for one in samples] == [0, 5, 10, 12]
    last = jax.tree.map(lambda leaf: leaf[-1], (everyone.shared, everyone.private))
    own = (samples[-1].shared, samples[-1].private)
    for a, b in zip(jax.tree.leaves(own), jax.tree.leaves(last), strict=True):
        assert np.allclose(a, b, atol=2e-6)
    batch = train.batch_at(REGIME, parts.train, train.keys_of(SEED)[1], jnp.int32(5))
    for a, b in zip(samples[1].batches, batch, strict=True):
        assert np.array_equal(a[0], b)
        assert a.shape[0] == 2
    assert not np.array_equal(
        samples[1].batches.images[0], samples[1].batches.images[1]
    )


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"tasks": ("shap",)}, "Did you mean 'shape'"),
        ({"labels": (3, 4)}, "labels has 2 numbers for 4 tasks"),
        ({"labels": (41,)}, "labels=41 are more than train_size=40"),
        ({"label_noise": (0.1, 0.1)}, "label_noise has 2 numbers"),
        ({"train_size": 90}, "126 images, but toy has 96"),
        ({"pixels": 24}, "cannot be pooled to 24x24"),
        ({"every": 5}, "steps=12 must be a multiple of every=5"),
    ],
)
def test_what_cannot_be_is_refused_at_once(toy, fields, says):
    with pytest.raises(UserError, match=says):
        parts_of(dataclasses.replace(REGIME, **fields), HELD, toy, SEED)


def test_a_table_of_images_with_gaps():
    """Labels that are missing in one's own data are missing here too."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 2, (60, 16, 16, 1), np.uint8)
    factors = np.stack([np.arange(60) % 3, np.arange(60) % 2], 1)
    factors[::2, 0] = -1
    data = from_arrays(images, factors, names=["a", "b"])
    regime = dataclasses.replace(REGIME, train_size=30)
    held = Held(validation_size=10, test_size=10)
    found = parts_of(regime, held, data, 0)
    index = training_index(regime, held, 60, 0)
    assert np.array_equal(np.asarray(found.train.known)[:, 0], index % 2 == 1)
    assert np.asarray(found.train.known)[:, 1].all()
    factors[:, 0] = -1
    factors[index[0], 0] = 1
    factors[index[1], 0] = 0
    with pytest.raises(UserError, match="'a' has no label in the 10 validation"):
        parts_of(regime, held, from_arrays(images, factors, names=["a", "b"]), 0)
