"""Every row of ESTIMATORS: closed form, planted truths, what may not change it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from affinity_problems import (
    estimate,
    every_estimate,
    linear,
    normal,
    pairwise,
    quadratic,
    quadratic_losses,
)

from disentangle.affinity import ESTIMATORS, Affinity, accumulate, group_tasks, probe
from disentangle.affinity.estimators import jvp_sketch
from disentangle.affinity.needs import needs_of
from disentangle.errors import UserError

ETA, DECAY = 0.05, 1e-4
DRIFT, MEMORY = normal(90, 5), normal(91, 5)
# The scale of the source's loss is nothing to these; to the others it is a longer step.
SCALE_FREE = ("cosine", "lookahead_normalised")


class Truth:
    """The quadratic in float64 NumPy, task by task, nothing shared."""

    def __init__(self, data, theta):
        self.A, self.b = (np.float64(data[name]) for name in "Ab")
        self.theta = np.float64(theta)

    def rows(self, rows):
        return Truth({"A": self.A[:, rows], "b": self.b[:, rows]}, self.theta)

    def losses(self, theta):
        return 0.5 * ((self.A @ theta - self.b) ** 2).sum(axis=1)

    @property
    def gradients(self):
        return np.einsum("jrs,jr->js", self.A, self.A @ self.theta - self.b)

    def gains(self, points):
        """(len(points), N): 1 - L_j(point) / L_j(theta)."""
        before = self.losses(self.theta)
        return np.stack([1 - self.losses(point) / before for point in points])

    def lookahead(self):
        return self.gains(self.theta - ETA * self.gradients)

    def lookahead_momentum(self):
        return self.gains(self.theta - ETA * (self.gradients + np.float64(DRIFT)))

    def lookahead_weight_decay(self):
        return self.gains(self.theta - ETA * (self.gradients + DECAY * self.theta))

    def lookahead_normalised(self):
        g = self.gradients
        return self.gains(self.theta - ETA * g / np.linalg.norm(g, axis=1)[:, None])

    def lookahead_optimizer(self):
        return self.gains(self.theta - ETA * (0.5 * self.gradients + MEMORY))

    def lookahead_excess(self):
        nothing = self.gains((self.theta - ETA * np.float64(MEMORY))[None])
        return self.lookahead_optimizer() - nothing

    def lookahead_held_out(self):
        a, b = self.rows(slice(0, 3)), self.rows(slice(3, 6))
        ways = [(a, b), (b, a)]
        return sum(y.gains(self.theta - ETA * x.gradients) for x, y in ways) / 2

    def lookahead_groups(self):
        n = len(self.b)
        groups = [[m >> i & 1 for i in range(n)] for m in range(1, 2**n)]
        return self.gains(self.theta - ETA * np.array(groups) @ self.gradients)

    def first_order(self):
        return ETA * self.gradients @ self.gradients.T / self.losses(self.theta)

    def cosine(self):
        unit = self.gradients / np.linalg.norm(self.gradients, axis=1)[:, None]
        return unit @ unit.T

    def jvp_sketch(self):
        return self.first_order()  # its mean

    def sketch_deviation(self):
        """The standard deviation of one direction, by its documented variance."""
        g = self.gradients
        gram, squares = g @ g.T, g**2
        lengths = np.diag(gram)
        of_gram = np.outer(lengths, lengths) + gram**2 - 2 * squares @ squares.T
        return ETA * np.sqrt(of_gram) / self.losses(self.theta)


def point(**given):
    """A quadratic problem at which a Probe can be made, with nothing else offered."""
    _, _, data, theta, _ = quadratic(**given)
    losses = lambda shared, private: quadratic_losses(data, slice(None), shared, ())
    return losses, jnp.asarray(theta), Truth(data, theta)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_closed_form_of_a_quadratic(name):
    problem = quadratic()
    truth = Truth(*problem[2:4])
    expected = getattr(truth, name)()
    found = estimate(name, problem)
    assert found.shape == expected.shape
    if name == "jvp_sketch":
        error = truth.sketch_deviation() / np.sqrt(4000)
        assert np.abs(found - expected).max() > 1e-4  # a mean of draws, not the thing
        assert (np.abs(found - expected) < 4.5 * error).all()
        return
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=3e-6)
    for other in set(ESTIMATORS) - {name, "jvp_sketch"}:
        known = getattr(truth, other)()  # the problem tells them from one another
        if known.shape == expected.shape:
            least = 1e-7 if "weight_decay" in name + other else 0.01
            assert np.abs(known - expected).max() > least, other


def test_weight_decay_is_seen_where_the_weights_are_large():
    problem = quadratic(stretch=300)
    truth = Truth(*problem[2:4])
    plain, decayed = truth.lookahead(), truth.lookahead_weight_decay()
    found = estimate("lookahead_weight_decay", problem)
    np.testing.assert_allclose(found, decayed, rtol=1e-4)
    assert np.abs(found - decayed).max() < 0.1 * np.abs(plain - decayed).max()


def test_the_variance_of_the_sketch_is_what_its_docstring_says():
    losses, theta, truth = point()

    def one(key):
        seen = probe(losses, theta, (), learning_rate=ETA, key=key)
        return jvp_sketch.estimate(seen), jvp_sketch.estimate(seen, directions=3)

    draws, of_three = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(1), 8000))
    deviation = truth.sketch_deviation()
    np.testing.assert_allclose(np.std(draws, axis=0), deviation, rtol=0.08)
    np.testing.assert_allclose(np.std(of_three, 0), deviation / np.sqrt(3), rtol=0.08)


@pytest.mark.slow
@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_chunk_changes_nothing_but_speed(name):
    one, many = (estimate(name, quadratic(), chunk) for chunk in (1, 3))
    np.testing.assert_allclose(many, one, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_permuting_tasks_permutes_the_estimate(name):
    order = np.array([2, 0, 3, 1])
    found = estimate(name, quadratic())
    z = estimate(name, quadratic(order=order))
    rows = order
    if needs_of(ESTIMATORS[name]).groups:  # the group of new tasks m holds old ones
        masks = np.arange(1, 16)
        rows = np.stack([(masks >> i & 1) << order[i] for i in range(4)]).sum(0) - 1
    np.testing.assert_allclose(z, found[np.ix_(rows, order)], rtol=2e-5, atol=1e-6)
    assert np.abs(z - found).max() > 0.01


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_scale_of_a_target_leaves_its_column(name):
    z = estimate(name, quadratic())
    found = estimate(name, quadratic(scale=(1, 1, 7, 1)))
    groups = needs_of(ESTIMATORS[name]).groups
    own = np.arange(1, 16) >> 2 & 1 == 1 if groups else np.arange(4) == 2
    np.testing.assert_allclose(found[~own], z[~own], rtol=2e-5, atol=2e-6)
    if name in SCALE_FREE:
        np.testing.assert_allclose(found[own], z[own], rtol=2e-5, atol=2e-6)
    else:  # where task 2 is a source, its step is seven times as long
        assert np.abs(found[own] - z[own]).max() > 0.01


@pytest.mark.slow
def test_estimators_map_over_a_population():
    losses, rows, data, theta, _ = quadratic()
    population = np.stack([theta, 0.5 * theta])
    rates = np.float32([0.05, 0.02])

    @jax.jit
    @jax.vmap
    def together(shared, rate):
        return every_estimate(losses, rows, data | {"rate": rate}, shared, ())

    found = together(population, rates)
    for p in range(2):
        given = data | {"rate": rates[p]}
        alone = every_estimate(losses, rows, given, population[p], ())
        for name in ESTIMATORS:
            np.testing.assert_allclose(
                found[name][p], alone[name], rtol=1e-4, atol=1e-6, err_msg=name
            )


# Columns: a task, its twin, its sign-flipped twin, and one that reads other inputs.
PLANTED = np.array(
    [[1, 1, -1, 0], [2, 2, -2, 0], [1, 1, -1, 0], [0, 0, 0, 1], [0, 0, 0, 1],
     [0, 0, 0, 2]]
)  # fmt: skip


@pytest.mark.parametrize("name", ESTIMATORS)
def test_planted_twins_opposites_and_strangers(name):
    z = pairwise(name, linear(PLANTED))
    own = z[0, 0]
    assert own > 0
    np.testing.assert_allclose(z[0, 1], own, rtol=1e-2)  # twins
    assert z[0, 2] < -0.9 * own  # opposites
    assert z[2, 0] < -0.9 * own
    drawn = name == "jvp_sketch"
    assert np.abs(z[[0, 3], [3, 0]]).max() < (0.1 if drawn else 1e-2) * own  # disjoint


@pytest.mark.parametrize("name", ESTIMATORS)
def test_two_families_of_disjoint_factors_are_two_groups(name):
    targets = np.zeros((6, 4))
    targets[:3, [0, 2]] = [[1, 2], [2, 1], [1, 1]]  # interleaved
    targets[3:, [1, 3]] = [[1, 1], [3, 1], [1, 2]]
    grouping = group_tasks(Affinity(pairwise(name, linear(targets)), tuple("abcd")), 2)
    assert grouping.groups == (("a", "c"), ("b", "d"))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_task_with_random_labels_is_left_alone(name):
    tasks = ("a", "twin", "friend", "random")
    targets = np.zeros((6, 4))
    targets[:, 0] = targets[:, 1] = 1, 2, 1, 0, 0, 1
    targets[:, 2] = 1, 2, 0, 1, 0, 1
    noise = (0, 0.3, 0, 2.6)  # as large as the others' labels
    each = [pairwise(name, linear(targets, noise, seed)) for seed in range(12)]
    z = np.mean(each, axis=0)
    friends = z[:3, :3][~np.eye(3, dtype=bool)].min()
    assert friends > 0
    assert np.abs([*z[:3, 3], *z[3, :3]]).max() < 0.25 * friends
    grouping = group_tasks(Affinity(z, tasks), 2)
    for task in tasks[:3]:
        assert "random" not in grouping.groups[grouping.assignment[task]]


def test_an_optimiser_without_memory_has_no_offset():
    losses, rows, data, theta, _ = quadratic()
    still = data | {"memory": 0 * theta, "drift": 0 * theta}
    found = every_estimate(losses, rows, still, theta, ())
    close = lambda a, b: np.testing.assert_allclose(found[a], found[b], atol=1e-6)
    close("lookahead_excess", "lookahead_optimizer")
    close("lookahead_momentum", "lookahead")


def test_a_source_without_gradient_moves_nothing():
    def losses(shared, private):
        tiny = 1e-25 * shared.sum()  # whose square is 0 in float32
        return jnp.stack([(shared**2).sum(), 1 + 0 * shared.sum(), 1 + tiny])

    seen = probe(losses, jnp.asarray([1.0, 2.0]), (), learning_rate=ETA)
    z = ESTIMATORS["lookahead_normalised"](seen)
    np.testing.assert_array_equal(z[1], 0)
    step = ETA * np.sqrt(0.5)  # along (1, 1)
    expected = 1 - ((1 - step) ** 2 + (2 - step) ** 2) / 5
    np.testing.assert_allclose(z[2, 0], expected, rtol=1e-5)


def test_nothing_is_computed_that_no_estimator_asks_for():
    losses, theta, _ = point()
    loops, calls = {}, {}
    for name, estimator in ESTIMATORS.items():
        needs, called = needs_of(estimator), []

        def counted(shared, private, called=called):
            called.append(1)
            return losses(shared, private)

        offers = {"halves": (counted, counted), "key": jax.random.key(0)}
        offers |= {"update": lambda g: theta - g, "drift": lambda: theta}
        offers = {field: offers[field] for field in needs.point}

        def program(theta, needs=needs, offers=offers, e=estimator, counted=counted):
            options = {"learning_rate": ETA, "needs": needs}
            return e(probe(counted, theta, (), **options, **offers))

        loops[name] = str(jax.make_jaxpr(program)(theta)).count(" scan[")
        calls[name] = len(called)
    assert loops == dict.fromkeys(ESTIMATORS, 1) | {
        "jvp_sketch": 0,  # no loop over tasks
        "lookahead_held_out": 2,  # one a half
        "lookahead_groups": 2,  # over tasks, over groups
    }
    # Traced forward passes: of the batch, in the loops, without a source, of halves.
    assert calls == dict.fromkeys(ESTIMATORS, 2) | {
        "cosine": 1,
        "first_order": 1,
        "lookahead_excess": 3,
        "lookahead_held_out": 7,
    }


def test_needs_of_several_are_put_together():
    assert accumulate.needs(["jvp_sketch"]).gradients is False
    assert accumulate.needs(["cosine"]).moves == {}
    both = accumulate.needs(["cosine", "lookahead", "lookahead_momentum"])
    assert (set(both.moves), both.point) == ({"plain", "momentum"}, ("drift",))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lookahead_held_out", "two images or more"),
        ("lookahead_momentum", "an optimiser with momentum"),
        ("lookahead_optimizer", "the optimiser of the training"),
        ("jvp_sketch", "a key"),
    ],
)
def test_what_a_point_does_not_have_is_said(name, words):
    losses, theta, _ = point()
    with pytest.raises(UserError, match=words):
        ESTIMATORS[name](probe(losses, theta, (), learning_rate=ETA))


def test_groups_are_for_few_tasks():
    with pytest.raises(UserError, match=r"127 groups of 7 tasks.*at most 6"):
        accumulate.init(["lookahead_groups"], 7)
    held = accumulate.init(["lookahead_groups"], 3)["lookahead_groups"]
    assert held.mean.shape == (7, 3)


def test_a_probe_that_was_not_told_measures_all_the_same():
    losses, theta, truth = point()
    seen = probe(losses, theta, (), learning_rate=ETA)
    untold = ESTIMATORS["lookahead_weight_decay"](seen)
    np.testing.assert_allclose(untold, truth.lookahead_weight_decay(), rtol=1e-4)
