"""Every GAN loss, value and gradient, against float64 on fixed critic outputs."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data.space import Factor, FactorSpace
from disentangle.methods import gan_losses as losses
from disentangle.methods.conditions import condition
from disentangle.methods.cpggan import Alike, consistency
from disentangle.methods.gan_losses import Scores

RNG = np.random.default_rng(0)
REAL, FAKE, WRONG = RNG.normal(0, 2, (3, 7))
IS_WRONG = np.array([1, 0, 1, 1, 0, 1, 1], bool)
sigmoid = lambda d: 1 / (1 + np.exp(-d))


def mean(values):
    return values[IS_WRONG].mean()


# name -> (ours of scores, the critic's loss in NumPy of three arrays)
CRITICS = {
    "least squares": (
        losses.least_squares_critic,
        lambda r, f, w: (
            ((r - 1) ** 2).mean() + ((f + 1) ** 2).mean() + mean((w + 1) ** 2)
        ),
    ),
    "least squares 0, 1": (
        lambda s: losses.least_squares_critic(s, a=0.0, b=1.0),
        lambda r, f, w: ((r - 1) ** 2).mean() + (f**2).mean() + mean(w**2),
    ),
    "logistic": (
        losses.logistic_critic,
        lambda r, f, w: (
            -np.log(sigmoid(r)).mean()
            - np.log(1 - sigmoid(f)).mean()
            - mean(np.log(1 - sigmoid(w)))
        ),
    ),
    "logistic, smooth": (
        lambda s: losses.logistic_critic(s, smooth=0.9),
        lambda r, f, w: (
            -(0.9 * np.log(sigmoid(r)) + 0.1 * np.log(1 - sigmoid(r))).mean()
            - np.log(1 - sigmoid(f)).mean()
            - mean(np.log(1 - sigmoid(w)))
        ),
    ),
    "stacked": (
        losses.stacked_critic,
        lambda r, f, w: (
            -0.5 * np.log(sigmoid(r)).mean()
            - 0.25 * np.log(1 - sigmoid(f)).mean()
            - 0.25 * mean(np.log(1 - sigmoid(w)))
        ),
    ),
    "wasserstein": (
        losses.wasserstein_critic,
        lambda r, f, w: -(r.mean() - f.mean()) - (r.mean() - mean(w)),
    ),
    "hinge": (
        losses.hinge_critic,
        lambda r, f, w: (
            np.maximum(0, 1 - r).mean()
            + np.maximum(0, 1 + f).mean()
            + mean(np.maximum(0, 1 + w))
        ),
    ),
}


def slopes(function, at, step=1e-5):
    """Central differences in float64."""
    found = np.zeros_like(at)
    for i in np.ndindex(at.shape):
        bump = np.zeros_like(at)
        bump[i] = step
        found[i] = (function(at + bump) - function(at - bump)) / (2 * step)
    return found


@pytest.mark.parametrize("name", CRITICS)
def test_the_critic_s_loss_and_its_gradient(name):
    ours, truth = CRITICS[name]
    at = np.stack([REAL, FAKE, WRONG])
    value = lambda a: ours(Scores(a[0], a[1], a[2], jnp.asarray(IS_WRONG)))
    found, gradient = jax.value_and_grad(value)(jnp.float32(at))
    np.testing.assert_allclose(found, truth(*at), rtol=2e-6)
    expected = slopes(lambda a: truth(*a), at)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)
    # Without mismatches, and with none that is one, their term is nothing.
    none = value_without = float(ours(Scores(jnp.float32(REAL), jnp.float32(FAKE))))
    if name != "wasserstein":  # there the second pair has a real part as well
        zeros = jnp.zeros(7, bool)
        scores = Scores(*jnp.float32(at), zeros)
        assert float(ours(scores)) == pytest.approx(none, rel=1e-6)
    assert np.isfinite(value_without)


@pytest.mark.parametrize(
    ("ours", "truth"),
    [
        (losses.least_squares_generator, lambda f: (f**2).mean()),
        (
            lambda f: losses.least_squares_generator(f, c=1.0),
            lambda f: ((f - 1) ** 2).mean(),
        ),
        (losses.logistic_generator, lambda f: -np.log(sigmoid(f)).mean()),
        (losses.wasserstein_generator, lambda f: -f.mean()),
    ],
)
def test_the_generator_s_loss_and_its_gradient(ours, truth):
    found, gradient = jax.value_and_grad(ours)(jnp.float32(FAKE))
    np.testing.assert_allclose(found, truth(FAKE), rtol=2e-6)
    np.testing.assert_allclose(gradient, slopes(truth, FAKE), rtol=1e-4, atol=1e-6)


def test_penalties_and_their_gradients():
    g = RNG.normal(0, 0.6, (5, 2, 3, 1))
    norms = np.sqrt((g**2).sum((1, 2, 3)))
    assert (norms > 1).any() and (norms < 1).any()
    one_sided = lambda g: (
        np.maximum(np.sqrt((g**2).sum((1, 2, 3))) - 1, 0) ** 2
    ).mean()
    r1 = lambda g: (g**2).sum((1, 2, 3)).mean() / 2
    for ours, truth in ((losses.one_sided, one_sided), (losses.r1, r1)):
        found, gradient = jax.value_and_grad(ours)(jnp.float32(g))
        np.testing.assert_allclose(found, truth(g), rtol=1e-5)
        np.testing.assert_allclose(gradient, slopes(truth, g), rtol=1e-3, atol=1e-5)
    # No gradient at all is no division by zero.
    assert np.isfinite(jax.grad(losses.one_sided)(jnp.zeros((2, 3)))).all()


def test_the_best_critic_of_least_squares_and_what_it_costs_the_generator():
    """D* = (p_r - p_g - p_w) / (p_r + p_g + p_w), found by gradient descent on a table.

    Two conditions, four images: 0 and 1 of condition 0, 2 and 3 of condition 1; the
    generator has the right distribution. Right pairs: D* = 0; mismatched ones: -1.
    """
    p_r = np.array([[0.3, 0.2, 0, 0], [0, 0, 0.1, 0.4]])
    p_g, p_w = p_r, np.array([[0, 0, 0.1, 0.4], [0.3, 0.2, 0, 0]])
    drawn = lambda p: np.repeat(np.arange(8), np.rint(10 * p).astype(int).ravel())
    rows = [drawn(p) for p in (p_r, p_g, p_w)]  # ten of each, as often as p says

    def loss(d):
        seen = [d.ravel()[row] for row in rows]
        return losses.least_squares_critic(Scores(*seen, jnp.ones(10, bool)))

    descend = lambda _, d: d - jax.grad(loss)(d)
    d = jax.jit(lambda d: jax.lax.fori_loop(0, 600, descend, d))(jnp.zeros((2, 4)))
    expected = (p_r - p_g - p_w) / (p_r + p_g + p_w)
    np.testing.assert_allclose(d, expected, atol=1e-4)
    right, wrong = np.asarray(d)[p_r > 0], np.asarray(d)[p_w > 0]
    assert float(losses.least_squares_generator(right)) == pytest.approx(0, abs=1e-6)
    assert float(losses.least_squares_generator(wrong)) == pytest.approx(1, abs=1e-3)


def test_what_is_missing_stays_missing_in_a_consistent_pair():
    """x = c, the one-hot of factor 0 or a half each: both of a pair have the same c."""
    space = FactorSpace(
        (Factor("a", 2, "categorical", (0, 1)), Factor("b", 2, "categorical", (0, 1)))
    )
    factors = jnp.array([[0, 1], [0, 0], [1, 1], [1, 0]])
    known = jnp.array([[True, True], [False, True], [True, False], [False, True]])
    batch = {"images": jnp.zeros((4, 1, 1, 1)), "factors": factors, "known": known}
    gan = SimpleNamespace(
        given=condition(("a",), space),
        latents=1,
        draw=lambda params, z, c, *, train: (c, {}),
    )
    fake = gan.given.encode(factors, known)
    assert fake.tolist() == [[1, 0], [0.5, 0.5], [0, 1], [0.5, 0.5]]
    key = jax.random.key(0)
    alike = lambda columns: consistency(gan, Alike(columns), {}, batch, fake, key=key)
    assert float(alike((0,))) == 0.0
    # Of factor 1 the partner's factor 0: gaps 1/2 of rows 0, 1, 3; row 2 is missing.
    assert float(alike((1,))) == pytest.approx(0.5)
