"""Every weighting against closed forms and an independent solver in float64."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from disentangle.weightings import WEIGHTINGS
from disentangle.weightings.base import read
from disentangle.weightings.fairgrad import fair
from disentangle.weightings.precise import residual

KEY = jax.random.key(0)
DRAWN = ("rlw", "pcgrad")  # weights that depend on the key
REMEMBER = {k for k, w in WEIGHTINGS.items() if jax.tree.leaves(w.init(2))}
FROM_GRAM = [k for k, w in WEIGHTINGS.items() if w.reads == "gram"]
COMPILED = {name: jax.jit(w.weights) for name, w in WEIGHTINGS.items()}


def step(name, gram, losses=None, active=None, memory=None, key=KEY):
    n = len(gram)
    losses = np.ones(n, np.float32) if losses is None else np.float32(losses)
    on = np.ones(n, bool) if active is None else np.asarray(active)
    memory = WEIGHTINGS[name].init(n) if memory is None else memory
    return COMPILED[name](np.float32(gram), losses, on, memory, key=key)


def weigh(name, gram, losses=None, active=None):
    return np.asarray(step(name, gram, losses, active)[0])


def test_the_table_has_the_public_names():
    names = "equal uncertainty dwa rlw gradnorm pcgrad cagrad mgda imtl_g nash_mtl"
    names += " fairgrad famo upgrad dualproj"
    assert list(WEIGHTINGS) == names.split()


def closed(a, b, c, k=0.5):
    """The two-task forms in float64: a = |g1|^2, b = |g2|^2, c = g1 . g2."""
    rho, down = c / np.sqrt(a * b), min(c, 0.0)
    x = np.clip((b - c) / (a + b - 2 * c), 0, 1)
    nash = [1 / np.sqrt(a * (1 + rho)), 1 / np.sqrt(b * (1 + rho))]
    u, p, phi = a + b - 2 * c, (a - b) / 2, k**2 * (a + b + 2 * c) / 4
    y = float(p < 0)
    if phi * u > p * p:
        h = np.sqrt((a * b - c * c) / u)
        y = np.clip((b - c) / u - p * h / np.sqrt(u * (phi * u - p * p)), 0, 1)
    length = np.sqrt(y * y * a + (1 - y) ** 2 * b + 2 * y * (1 - y) * c)
    first = 0.5 - min(a + c, 0) / (2 * a)
    second = 0.5 - min(b + c, 0) / (2 * b)
    return {
        "pcgrad": [1 - down / a, 1 - down / b],
        "upgrad": [(1 - down / a) / 2, (1 - down / b) / 2],
        "mgda": [x, 1 - x],
        "imtl_g": np.array([np.sqrt(b), np.sqrt(a)]) / (np.sqrt(a) + np.sqrt(b)),
        "nash_mtl": nash,
        "fairgrad": nash,
        "cagrad": [
            0.5 + np.sqrt(phi) * y / length,
            0.5 + np.sqrt(phi) * (1 - y) / length,
        ],
        "dualproj": [first, second],
    }


# |g1|^2, |g2|^2, g1 . g2: PCGrad, MGDA, IMTL-G, Nash, CAGrad, DualProj.
TABLE = """
18 38 -22: 2.2222 1.5789; .6 .4; .59233 .40767; .591461 .407071; .704124 .5; .611111 .5
1 4 -1: 2 1.25; .714286 .285714; .666667 .333333; 1.414214 .707107; .933013 .5; .5 .5
1 4 1: 1 1; 1 0; .666667 .333333; .816497 .408248; 1.161438 .5; .5 .5
1 1 -.5: 1.5 1.5; .5 .5; .5 .5; 1.414214 1.414214; .75 .75; .5 .5
"""
ORDER = ("pcgrad", "mgda", "imtl_g", "nash_mtl", "cagrad", "dualproj")


@pytest.mark.parametrize("line", TABLE.strip().splitlines())
def test_the_published_table_of_two_tasks(line):
    abc, rows = line.split(":")
    a, b, c = map(float, abc.split())
    for name, row in zip(ORDER, rows.split(";"), strict=True):
        expected = np.array(row.split(), float)
        digits = 5e-5 if name == "pcgrad" else 1e-6  # as many as the table has
        found = weigh(name, [[a, c], [c, b]])
        np.testing.assert_allclose(found, expected, atol=digits, err_msg=name)


@pytest.mark.parametrize("name", closed(1, 1, 0))
def test_two_tasks_have_closed_forms(name):
    rng = np.random.default_rng(0)
    for i in range(40):
        lengths = 10 ** rng.uniform(-3, 3, 2) if i % 2 else rng.uniform(0.5, 2, 2)
        rho = rng.uniform(-0.99, 0.99)
        a, b, c = np.float64(np.float32([*lengths**2, rho * lengths.prod()]))
        expected = closed(a, b, c)[name]
        found = weigh(name, [[a, c], [c, b]])
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    assert WEIGHTINGS[name].reads == "gram"


def subsets(n):
    return (list(s) for k in range(n + 1) for s in itertools.combinations(range(n), k))


def above(gram, low):
    """argmin w' G w over w >= low in float64, by every set that may be free."""
    best, found = np.inf, None
    for on in subsets(len(gram)):
        off = [i for i in range(len(gram)) if i not in on]
        w = low.copy()
        w[on] = np.linalg.solve(gram[np.ix_(on, on)], -gram[np.ix_(on, off)] @ low[off])
        value = w @ gram @ w
        if (w >= low - 1e-12).all() and value < best:
            best, found = value, w
    return found


def shortest(gram):
    best, found = np.inf, None
    for on in list(subsets(len(gram)))[1:]:
        y = np.linalg.solve(gram[np.ix_(on, on)], np.ones(len(on)))
        w = np.zeros(len(gram))
        w[on] = y / y.sum()
        if (w >= 0).all() and w @ gram @ w < best:
            best, found = w @ gram @ w, w
    return found


def conflict_averse(gram):
    """The paper's dual by SLSQP from every corner of the simplex."""
    n = len(gram)
    gram = gram / np.trace(gram)
    mean = np.ones(n) / n
    own, radius = gram @ mean, 0.5 * np.sqrt(mean @ gram @ mean)
    results = [
        minimize(
            lambda w: w @ own + radius * np.sqrt(w @ gram @ w),
            0.9 * corner + 0.1 * mean,
            jac=lambda w: own + radius * gram @ w / np.sqrt(w @ gram @ w),
            bounds=[(0, 1)] * n,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            method="SLSQP",
            options={"ftol": 1e-15, "maxiter": 500},
        )
        for corner in np.eye(n)
    ]
    w = np.clip(min(results, key=lambda r: r.fun).x, 0, 1)
    w /= w.sum()
    return mean + radius * w / np.sqrt(w @ gram @ w)


def equal_gains(gram):
    w = np.linalg.solve(gram, np.sqrt(np.diag(gram)))
    return w / w.sum()


SOLVED = {
    "upgrad": lambda g: np.mean([above(g, e) for e in np.eye(len(g))], 0),
    "dualproj": lambda g: above(g, np.full(len(g), 1 / len(g))),
    "mgda": shortest,
    "cagrad": conflict_averse,
    "imtl_g": equal_gains,
}


def random_gram(rng, n, spread=0.0):
    """A full-rank Gramian that is exact in float32, of gradients with some conflict."""
    g = rng.normal(0.2, 1, (n, n + 2)) * 10 ** rng.uniform(-spread, spread, (n, 1))
    gram = np.float64(np.float32(g @ g.T))
    return (gram + gram.T) / 2


def check_against_solvers(rng, n, spread=0.0):
    gram = random_gram(rng, n, spread)
    lengths = np.sqrt(np.diag(gram))
    for name, solve in SOLVED.items():
        if name == "cagrad" and spread:
            continue  # SLSQP fails there; see the optimality conditions below
        expected = solve(gram) * lengths  # each as a share of its gradient's length
        found = weigh(name, gram) * lengths
        close = 2e-5 if name == "cagrad" else 1e-6  # what SLSQP reaches
        atol = close * np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol, err_msg=name)
    for name in ("nash_mtl", "fairgrad"):
        w = np.float64(weigh(name, gram))
        assert (w > 0).all()
        np.testing.assert_allclose(w * (gram @ w), 1.0, atol=2e-5, err_msg=name)


@pytest.mark.slow
def test_random_gramians_against_solvers_in_float64():
    rng, n = np.random.default_rng(3), 3
    for spread in (0.0, 3.0):
        check_against_solvers(rng, n, spread)


@pytest.mark.slow
@pytest.mark.parametrize("n", range(2, 10))
def test_many_random_gramians_against_solvers_in_float64(n):
    rng = np.random.default_rng(10 + n)
    for spread in (0.0, 0.0, 0.0, 3.0, 3.0):
        check_against_solvers(rng, n, spread)


def gap(name, gram, w):
    """By how much the optimality conditions are missed, on the scale of w' G w."""
    n = len(gram)
    slope = gram @ w
    if name == "mgda":
        return (w @ slope - slope.min()) / np.diag(gram).max()
    assert name == "dualproj"
    over = w - 1 / n
    lengths = np.sqrt(np.diag(gram))
    size = np.sqrt(np.diag(gram)).mean()
    return max((-slope / lengths).max(), abs(over @ slope) / size, 0) / size


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mgda", "dualproj"])
def test_forty_tasks_have_a_certified_gap(name):
    rng = np.random.default_rng(40)
    g = rng.normal(0.1, 1, (40, 60))
    gram = np.float64(np.float32(g @ g.T))
    w = np.float64(weigh(name, gram))
    assert abs(gap(name, gram, w)) < 1e-6
    assert gap(name, gram, np.full(40, 1 / 40)) > 1e-3  # the start is not the end


@pytest.mark.slow
def test_forty_tasks_of_the_others_by_their_conditions():
    rng = np.random.default_rng(41)
    g = rng.normal(0.1, 1, (40, 60))
    gram = np.float64(np.float32(g @ g.T))
    lengths = np.sqrt(np.diag(gram))
    gains = lambda name: gram @ np.float64(weigh(name, gram)) / lengths
    assert gains("upgrad").min() > -1e-5
    nash = np.float64(weigh("nash_mtl", gram))
    np.testing.assert_allclose(nash * (gram @ nash), 1.0, atol=1e-5)
    imtl = gains("imtl_g")
    np.testing.assert_allclose(imtl, imtl.mean(), rtol=1e-4)
    v = np.float64(weigh("cagrad", gram)) - 1 / 40
    mean = np.full(40, 1 / 40)
    radius = 0.25 * mean @ gram @ mean
    assert v.min() >= 0
    assert v @ gram @ v == pytest.approx(radius, rel=1e-5)
    worst = (gram @ (v + mean)).min()
    np.testing.assert_allclose((gram @ (v + mean))[v > 1e-6], worst, rtol=1e-4)


def test_cagrad_on_badly_scaled_gradients_meets_its_conditions():
    rng = np.random.default_rng(3)
    for n in (2, 3, 3):
        gram = random_gram(rng, n, 3.0)
        w, mean = np.float64(weigh("cagrad", gram)), np.full(n, 1 / n)
        v = w - mean
        assert v @ gram @ v == pytest.approx(0.25 * mean @ gram @ mean, rel=1e-5)
        gain = (gram @ w) / np.sqrt(np.diag(gram))
        assert v.min() >= -1e-7
        assert gain[v <= 1e-9].min(initial=np.inf) >= -1e-5 * np.abs(gain).max()


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_fairgrad_for_every_alpha(alpha):
    """Orthogonal tasks: G_ii^(-alpha / (1 + alpha)); others: the equation."""
    solve = jax.jit(
        lambda gram: fair(read(gram, jnp.ones(3), jnp.ones(3, bool)), alpha)
    )
    diagonal = np.float32([1e-4, 1.0, 50.0])
    expected = diagonal ** (-alpha / (1 + alpha))
    np.testing.assert_allclose(solve(np.diag(diagonal)), expected, rtol=1e-5)
    gram = random_gram(np.random.default_rng(5), 3)
    w = np.float64(solve(np.float32(gram)))
    np.testing.assert_allclose(gram @ w, w ** (-1 / alpha), rtol=2e-5)


def test_pcgrad_is_its_algorithm_in_some_order():
    """Alg. 1 on the gradients themselves, in float64, in every order of every task."""
    rng = np.random.default_rng(0)
    seen = set()
    for seed in range(6):
        g = rng.normal(size=(3, 4))
        results = []
        for orders in itertools.product(itertools.permutations(range(3)), repeat=3):
            total = np.zeros(4)
            for i, order in enumerate(orders):
                own = g[i].copy()
                for j in order:
                    if j != i and own @ g[j] < 0:
                        own -= own @ g[j] / (g[j] @ g[j]) * g[j]
                total += own
            results.append(total)
        w, _ = step("pcgrad", g @ g.T, key=jax.random.key(seed))
        away = np.abs(np.asarray(w) @ g - results).max(axis=1)
        assert away.min() < 1e-5
        seen.add(int(away.argmin()))
    assert len(seen) > 1


def test_rlw_is_a_softmax_of_normals():
    draws = jax.vmap(lambda k: step("rlw", np.eye(3), key=k)[0])
    w = np.asarray(draws(jax.random.split(KEY, 4000)), np.float64)
    np.testing.assert_allclose(w.sum(1), 1.0, atol=1e-6)
    logits = np.log(w[:, 0] / w[:, 1])  # a difference of two standard normals
    assert abs(logits.mean()) < 0.1
    assert logits.var() == pytest.approx(2.0, rel=0.1)


def run(name, gram, losses, times):
    memory = None
    for row in np.broadcast_to(losses, (times, len(gram))):
        w, memory = step(name, gram, row, memory=memory)
    return np.asarray(w), memory


def test_uncertainty_goes_to_the_minimum_of_its_loss():
    w, _ = run("uncertainty", np.eye(3), [1e-3, 1.0, 500.0], 1)
    assert w.tolist() == [0.5] * 3
    w, s = run("uncertainty", np.eye(3), [1e-3, 1.0, 500.0], 300)
    np.testing.assert_allclose(w, [500, 0.5, 1e-3], rtol=1e-5)
    np.testing.assert_allclose(s, np.log([1e-3, 1.0, 500.0]), atol=1e-5)


def test_dwa_is_the_average_of_the_last_ratios():
    losses = [[2.0, 3.0], [1.0, 3.0], [9.0, 9.0]]
    memory, found = None, []
    for row in losses:
        w, memory = step("dwa", np.eye(2), row, memory=memory)
        found.append(np.asarray(w))
    np.testing.assert_allclose(found[:2], 1.0, atol=1e-6)
    np.testing.assert_allclose(found[2], [0.8756, 1.1244], atol=5e-5)


def test_gradnorm_goes_to_its_fixed_point():
    gram = np.diag([1.0, 16.0, 0.25])
    first = np.float32([1.0, 2.0, 4.0])
    w, memory = step("gradnorm", gram, first)
    assert w.tolist() == [1.0] * 3
    now = first * np.float32([0.5, 1.0, 0.25])
    for _ in range(250):
        w, memory = step("gradnorm", gram, now, memory=memory)
    r = np.array([0.5, 1.0, 0.25]) / np.mean([0.5, 1.0, 0.25])
    expected = r**1.5 / np.sqrt(np.diag(gram))
    np.testing.assert_allclose(w, 3 * expected / expected.sum(), rtol=1e-5)


def test_famo_is_its_two_equations():
    w, memory = step("famo", np.eye(2), [1.0, 4.0])
    np.testing.assert_allclose(w, [0.8, 0.2], rtol=1e-6)
    w, memory = step("famo", np.eye(2), [0.5, 4.0], memory=memory)
    z, delta = np.array([0.5, 0.5]), np.array([np.log(2.0), 0.0])
    xi = -0.025 * z * (delta - z @ delta)
    np.testing.assert_allclose(memory.xi, xi, rtol=1e-5)
    z = np.exp(xi) / np.exp(xi).sum()
    expected = z / [0.5, 4.0]
    np.testing.assert_allclose(w, expected / expected.sum(), rtol=1e-6)


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_a_task_that_is_not_active_changes_nothing(name):
    """In a sequence of steps, with NaN in its rows: as if it were not there.

    A task that comes back later goes on from what it remembers.
    """
    rng = np.random.default_rng(1)
    rest, on = np.array([0, 2]), [True, False, True]
    whole = few = None
    for i in range(3):
        gram = random_gram(rng, 2)
        losses = rng.uniform(0.2, 2, 2)
        wide, more = np.full((3, 3), np.nan), np.full(3, np.inf)
        wide[np.ix_(rest, rest)], more[rest] = gram, losses
        key = jax.random.key(i)
        alone, few = step(name, gram, losses, memory=few, key=key)
        found, whole = step(name, wide, more, on, memory=whole, key=key)
        found = np.asarray(found)
        assert found[1] == 0
        np.testing.assert_allclose(found[rest], alone, rtol=1e-6, atol=1e-7)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(whole))
    back, _ = step(name, random_gram(rng, 3), np.ones(3), memory=whole)
    assert np.isfinite(back).all()
    assert back[1] != 0 or name == "mgda"
    off = step(name, np.full((3, 3), np.nan), [np.nan] * 3, [False] * 3)
    assert np.asarray(off[0]).tolist() == [0] * 3
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(off[1]))


SINGULAR = {
    "zeros": np.zeros((3, 3)),
    "a zero row": np.diag([0.0, 1.0, 4.0]),
    "opposite": np.array([[1.0, -1.0, 0.3], [-1.0, 1.0, -0.3], [0.3, -0.3, 2.0]]),
    "twins": np.ones((3, 3)),
    "a cone with 0 inside": np.array([[2.0, -1, -1], [-1, 2, -1], [-1, -1, 2]]),
    "tiny": 1e-12 * np.array([[2.0, -1, 0], [-1, 3, 1], [0, 1, 1]]),
    "huge": 1e12 * np.array([[2.0, -1, 0], [-1, 3, 1], [0, 1, 1]]),
}


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_singular_and_extreme_gramians_give_finite_weights(name):
    for gram in SINGULAR.values():
        w, memory = step(name, gram)
        assert np.isfinite(w).all()
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(memory))


def test_singular_gramians_by_hand():
    weights = {name: SINGULAR[name] for name in SINGULAR}
    inside = weigh("mgda", weights["a cone with 0 inside"])
    np.testing.assert_allclose(inside, 1 / 3, atol=1e-4)
    assert weigh("mgda", weights["a zero row"]).tolist() == [1, 0, 0]
    w = np.float64(weigh("mgda", weights["opposite"]))
    assert w @ weights["opposite"] @ w < 1e-6
    np.testing.assert_allclose(weigh("imtl_g", weights["twins"]), 1 / 3, atol=1e-6)
    np.testing.assert_allclose(weigh("nash_mtl", weights["twins"]), 3**-0.5, rtol=1e-5)
    zero = weigh("nash_mtl", weights["a zero row"])
    np.testing.assert_allclose(zero, [0, 1, 0.5], rtol=1e-6)
    for name in ("upgrad", "dualproj"):
        w = np.float64(weigh(name, weights["opposite"]))
        gain = weights["opposite"] @ w
        assert gain.min() > -1e-6  # no task is hurt
    np.testing.assert_allclose(weigh("pcgrad", weights["a zero row"]), 1.0)


@pytest.mark.parametrize("name", FROM_GRAM)
def test_permuting_the_tasks_permutes_the_weights(name):
    if name in DRAWN:
        pytest.skip("drawn per place")
    rng = np.random.default_rng(7)
    gram, order = random_gram(rng, 3), np.array([2, 0, 1])
    w = weigh(name, gram)
    permuted = weigh(name, gram[np.ix_(order, order)])
    np.testing.assert_allclose(permuted, w[order], rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["imtl_g", "famo", "rlw"])
def test_many_at_once_are_the_same_as_one_by_one(name):
    rng = np.random.default_rng(8)
    grams = np.float32([random_gram(rng, 3) for _ in range(4)])
    losses, on = np.float32(rng.uniform(0.5, 2, (4, 3))), rng.random((4, 3)) < 0.8
    keys, memory = jax.random.split(KEY, 4), WEIGHTINGS[name].init(3)
    call = lambda g, l, a, k: WEIGHTINGS[name].weights(g, l, a, memory, key=k)[0]
    together = jax.jit(jax.vmap(call))(grams, losses, on, keys)
    for i in range(4):
        alone = step(name, grams[i], losses[i], on[i], key=keys[i])[0]
        np.testing.assert_allclose(together[i], alone, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_two_conflicting_tasks_are_learned(name):
    """Two regressions share one unit: both losses end below 1, that of a constant."""
    rng = np.random.default_rng(11)
    x = rng.normal(size=(64, 4))
    targets = np.stack([x[:, 0] + x[:, 1], x[:, 0] - 0.6 * x[:, 1]], axis=1)
    targets = (targets - targets.mean(0)) / targets.std(0)
    shared, heads, memory = rng.normal(size=4) * 0.3, np.array([0.3, -0.3]), None
    conflicts = 0
    for i in range(150):
        unit = x @ shared
        off = unit[:, None] * heads - targets
        g = np.stack([2 * heads[t] * off[:, t] @ x / 64 for t in (0, 1)])
        conflicts += g[0] @ g[1] < 0
        own = 2 * (off * unit[:, None]).mean(0)
        key = jax.random.key(i)
        w, memory = step(name, g @ g.T, (off**2).mean(0), memory=memory, key=key)
        move = np.asarray(w) @ g
        shared = shared - 0.1 * move / max(1.0, np.linalg.norm(move))
        heads = heads - 0.1 * own
    assert conflicts > 10
    assert (off**2).mean(0).max() < 1


def test_a_residual_has_no_rounding_error():
    rng = np.random.default_rng(9)
    matrix = np.float32(rng.normal(size=(7, 7)) * 10 ** rng.uniform(-2, 2, (7, 1)))
    w = np.float32(np.linalg.solve(np.float64(matrix), np.ones(7)))
    exact = 1.0 - np.float64(matrix) @ np.float64(w)  # far below 1e-7 of its terms
    found = jax.jit(residual)(jnp.ones(7), matrix, w)
    size = np.abs(matrix) @ np.abs(w)
    assert np.abs(exact - found).max() < 1e-11 * size.max()
    plain = 1 - jnp.matmul(matrix, w, precision="highest")
    assert np.abs(exact - plain).max() > 1e-9 * size.max()
