"""Diffusion against closed forms: schedules, both predictions, DDIM down and up."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.methods import diffusion_process as dp

BOTH = [(s, p) for s in dp.SCHEDULES for p in dp.PREDICTIONS]


def normal(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


@pytest.mark.parametrize("schedule", dp.SCHEDULES)
@pytest.mark.parametrize("steps", [7, 1000])
def test_a_schedule_falls_from_1_to_almost_0(schedule, steps):
    found = dp.alpha_bar(schedule, steps)
    assert found.shape == (steps + 1,) and found[0] == 1.0
    assert (np.diff(found) < 0).all() and found[-1] > 0
    assert found[-1] < 1e-3


def test_the_schedules_are_those_of_the_papers():
    # Ho et al. 2020: the product of 1 - beta, beta from 1e-4 to .02 in 1,000 steps.
    held = 1.0
    for beta in np.linspace(1e-4, 0.02, 1000):
        held *= 1 - beta
    np.testing.assert_allclose(dp.alpha_bar("linear", 1000)[-1], held, rtol=1e-12)
    assert 4.0e-5 < held < 4.1e-5
    # Nichol & Dhariwal 2021, Eq. 17, half-way; their clipping acts at the end alone.
    f = lambda t: np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(dp.alpha_bar("cosine", 1000)[500], f(0.5) / f(0))
    end = dp.alpha_bar("cosine", 1000)
    np.testing.assert_allclose(end[-1], 1e-3 * end[-2], rtol=1e-9)
    # Li et al. 2022, a quarter of the way: 1 - sqrt(1/4 + 1e-4) over 1 - 1e-2.
    quarter = (1 - np.sqrt(0.25 + 1e-4)) / 0.99
    np.testing.assert_allclose(dp.alpha_bar("sqrt", 1000)[250], quarter)


@pytest.mark.parametrize(("schedule", "prediction"), BOTH)
def test_both_predictions_say_the_same_and_name_image_and_noise(schedule, prediction):
    how = dp.process(schedule, 100, prediction)
    x, noise = normal(5, 2, 2, 1), normal(5, 2, 2, 1, seed=1)
    t = jnp.asarray([1, 20, 50, 80, 99])
    found = how.parts(how.diffuse(x, noise, t), how.target(x, noise, t), t)
    np.testing.assert_allclose(found[1], noise, atol=2e-6)
    a = np.asarray(how.at(t, x)[0])
    np.testing.assert_allclose(a * found[0], a * x, atol=2e-6)  # x_0 = (...) / a
    held = np.float64(how.signal[t]) ** 2 + np.float64(how.noise[t]) ** 2
    np.testing.assert_allclose(held, 1.0, atol=1e-6)


EVERY = [("cosine", p, n) for p in dp.PREDICTIONS for n in (1, 2, 20)]
EVERY += [("linear", "epsilon", 3), ("sqrt", "v", 3)]


@pytest.mark.parametrize(("schedule", "prediction", "draws"), EVERY)
def test_ddim_with_the_true_noise_gives_the_image(schedule, prediction, draws):
    how = dp.process(schedule, 1000, prediction)
    x, noise = normal(3, 4), normal(3, 4, seed=1)
    start = how.diffuse(x, noise, jnp.int32(1000))
    found = dp.ddim(how, lambda _, t: how.target(x, noise, t), start, draws)
    # epsilon divides by a at time T, 5e-5 of the cosine: 1e-7 becomes 2e-3.
    least = 2e-6 if prediction == "v" else 2e-6 / how.signal[-1]
    np.testing.assert_allclose(found, x, atol=max(4e-6, 0.1 * least))
    if draws > 1 and prediction == "v":
        back = dp.invert(how, lambda _, t: how.target(x, noise, t), x, draws)
        np.testing.assert_allclose(back, start, atol=5e-6)


def gaussian(how, mean, sd):
    """The best prediction where x_0 ~ N(mean, sd^2): a closed form."""

    def predict(x, t):
        a, s = how.at(t, x)
        noise = s * (x - a * mean) / (a**2 * sd**2 + s**2)
        image = mean + a * sd**2 * (x - a * mean) / (a**2 * sd**2 + s**2)
        return noise if how.prediction == "epsilon" else a * noise - s * image

    return predict


@pytest.mark.parametrize("prediction", dp.PREDICTIONS)
def test_ddim_in_many_steps_is_the_ordinary_differential_equation(prediction):
    """Of a Gaussian (x_t - a m) / sqrt(a^2 c^2 + s^2) stays on its way; the error of
    Euler's rule falls as 1 / steps."""
    how = dp.process("cosine", 1000, prediction)
    mean, sd = jnp.float32(0.4), jnp.float32(0.3)
    predict = gaussian(how, mean, sd)
    start = normal(6, 1)
    a, s = np.float64(how.signal[-1]), np.float64(how.noise[-1])
    exact = 0.4 + 0.3 * (np.float64(start) - a * 0.4) / np.sqrt(a**2 * 0.09 + s**2)
    gap = {n: np.abs(dp.ddim(how, predict, start, n) - exact).max() for n in (20, 500)}
    assert gap[500] < 4e-3 and 12 < gap[20] / gap[500] < 50


@pytest.mark.parametrize("prediction", dp.PREDICTIONS)
def test_inversion_and_drawing_give_the_image_back(prediction):
    """Of a Gaussian: with ten rounds to 1e-4; one round is Song et al.'s, worse."""
    how = dp.process("cosine", 1000, prediction)
    predict = gaussian(how, jnp.float32(0.4), jnp.float32(0.3))
    x = 0.4 + 0.3 * normal(6, 1)
    gaps = []
    for rounds in (1, 2, 10):
        up = dp.invert(how, predict, x, 20, rounds=rounds)
        gaps.append(float(np.abs(dp.ddim(how, predict, up, 20) - x).max()))
    assert gaps[2] < 1e-4 and gaps[2] < gaps[1] < gaps[0] < 0.1


def test_the_loss_is_the_squared_gap_of_the_sums_over_pixels_and_so_its_gradient():
    how = dp.process("linear", 1000, "v")
    x, noise = np.random.default_rng(0).normal(size=(2, 3, 2, 2, 1))
    t, w = np.array([5, 300, 900]), 0.3
    bar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))[t - 1].reshape(3, 1, 1, 1)
    noisy = np.sqrt(bar) * x + np.sqrt(1 - bar) * noise
    gap = w * noisy - (np.sqrt(bar) * noise - np.sqrt(1 - bar) * x)
    given = (jnp.asarray(part, jnp.float32) for part in (x, noise))
    x32, noise32 = given

    def value(w):
        return dp.loss(how, lambda y, t: w * y, x32, noise32, jnp.asarray(t))

    found, slope = jax.value_and_grad(value)(jnp.float32(w))
    np.testing.assert_allclose(found, (gap**2).sum() / 3, rtol=1e-5)
    np.testing.assert_allclose(slope, (2 * gap * noisy).sum() / 3, rtol=1e-5)


def test_guidance_is_linear_and_1_is_what_is_told():
    told, untold = jnp.float32([1.0, 2.0]), jnp.float32([0.0, 4.0])
    np.testing.assert_array_equal(dp.guided(told, untold, 1.0), told)
    np.testing.assert_array_equal(dp.guided(told, untold, 0.0), untold)
    np.testing.assert_array_equal(dp.guided(told, untold, 3.0), [3.0, -2.0])


@pytest.mark.parametrize("schedule", ["cosine", "sqrt"])
def test_a_small_error_of_epsilon_is_a_small_error_of_the_image(schedule):
    """Of a Gaussian in [-1, 1], an error of .02 in every prediction, 20 steps.

    Without bounds the first step divides it by a, 5e-5 of the cosine.
    """
    how = dp.process(schedule, 1000, "epsilon")
    best = gaussian(how, jnp.float32(0.2), jnp.float32(0.2))
    off = lambda x, t: best(x, t) + 0.02
    start = normal(60, 1)
    drawn = lambda predict, bound: dp.ddim(how, predict, start, 20, bound=bound)
    truth = drawn(best, None)
    gap = {bound: np.abs(drawn(off, bound) - truth).max() for bound in (None, 1.0)}
    assert gap[1.0] < 0.05 and gap[None] > 0.3
