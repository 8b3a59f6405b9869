r"""Gaussian diffusion as equations: schedules, what is predicted, DDIM both ways.

$$
x_t = \sqrt{\bar\alpha_t} x_0 + \sqrt{1 - \bar\alpha_t} \epsilon, \qquad
v_t = \sqrt{\bar\alpha_t} \epsilon - \sqrt{1 - \bar\alpha_t} x_0
$$

A network predicts epsilon (Ho et al. 2020) or v (Salimans & Ho 2022); each gives the
other, x_0 = a x_t - s v and epsilon = s x_t + a v with a = sqrt(alpha_bar_t) and
s = sqrt(1 - alpha_bar_t). Times are 0 .. T, alpha_bar_0 = 1.

DDIM without noise (Song et al. 2021, Eq. 12 at sigma = 0) goes from time t to u by

$$
x_u = \sqrt{\bar\alpha_u} \hat x_0(x_t, t)
+ \sqrt{1 - \bar\alpha_u} \hat\epsilon(x_t, t)
$$

As a = cos(phi) and s = sin(phi), this is a turn by d = phi_t - phi_u,

$$
x_u = \cos(d)\, x_t - \sin(d)\, \hat v(x_t, t)
$$

whose inverse (`invert`) leads from an image to the noise that it is drawn from: the
x_t = (x_u + sin(d) v(x_t, t)) / cos(d), by fixed point iterations (Pan et al. 2023).
The inversion of Song et al., the prediction of x_u in place of that of x_t, is the
first of them.

An x_0 that a prediction of epsilon means is divided by a, 5e-5 at T of the cosine: an
error of .01 in it is one of 200 in the image. Where images have bounds (`bound`), such
an x_0 is clipped to them, and epsilon is what then leads to x_t, as Ho et al. do.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

SCHEDULES = ("cosine", "linear", "sqrt")
PREDICTIONS = ("v", "epsilon")
# predict(x (B, ...), t () int32) -> (B, ...), as the process says
Predict = Callable[[jax.Array, jax.Array], jax.Array]


def alpha_bar(schedule: str, steps: int) -> np.ndarray:
    """(T + 1,) float64, from 1 at time 0 down to above 0 at time T.

    cosine: cos^2(pi/2 (t/T + .008) / 1.008), over its value at 0 (Nichol & Dhariwal
    2021, Eq. 17); linear: beta from .1/T to 20/T (Ho et al. 2020, at their T = 1000);
    sqrt: 1 - sqrt(t/T + .0001), over its value at 0 (Li et al. 2022). Whether this is
    the "sqrt" of EncDiff's ablation is not known to us. alpha_bar_t is the product of
    1 - beta up to t, beta at most .999 as in Nichol & Dhariwal's code.
    """
    share = np.linspace(0.0, 1.0, steps + 1)
    if schedule == "linear":
        beta = np.linspace(0.1, 20.0, steps) / steps
    else:
        curve = {
            "cosine": np.cos((share + 0.008) / 1.008 * np.pi / 2) ** 2,
            "sqrt": np.maximum(1.0 - np.sqrt(share + 1e-4), 0.0),
        }[schedule]
        beta = 1.0 - curve[1:] / curve[:-1]
    return np.cumprod(np.concatenate([[1.0], 1.0 - np.minimum(beta, 0.999)]))


class Process(NamedTuple):
    """A schedule, and what is predicted.

    Attributes:
      signal: (T + 1,) a, float32.
      noise: (T + 1,) s, float32.
      prediction: a name in PREDICTIONS.
    """

    signal: np.ndarray
    noise: np.ndarray
    prediction: str

    @property
    def steps(self) -> int:
        """T."""
        return len(self.signal) - 1

    def at(self, t: jax.Array, like: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(a, s) of times () or (B,), shaped to multiply `like` (B, ...)."""
        shape = (-1, *(1,) * (like.ndim - 1))
        a, s = (jnp.asarray(part)[t] for part in (self.signal, self.noise))
        return a.reshape(shape), s.reshape(shape)

    def diffuse(self, x: jax.Array, noise: jax.Array, t: jax.Array) -> jax.Array:
        """x_t of images x (B, ...), noise (B, ...) and times."""
        a, s = self.at(t, x)
        return a * x + s * noise

    def target(self, x: jax.Array, noise: jax.Array, t: jax.Array) -> jax.Array:
        """What is to be predicted of x_t."""
        a, s = self.at(t, x)
        return noise if self.prediction == "epsilon" else a * noise - s * x

    def parts(
        self, x: jax.Array, predicted: jax.Array, t: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(image, noise) that a prediction at x_t means."""
        a, s = self.at(t, x)
        if self.prediction == "epsilon":
            return (x - s * predicted) / a, predicted
        return a * x - s * predicted, s * x + a * predicted

    def bounded(
        self, x: jax.Array, predicted: jax.Array, t: jax.Array, bound: float | None
    ) -> tuple[jax.Array, jax.Array]:
        """`parts` with an image in [-bound, bound], where epsilon is predicted."""
        image, noise = self.parts(x, predicted, t)
        if bound is None or self.prediction != "epsilon":
            return image, noise
        a, s = self.at(t, x)
        image = jnp.clip(image, -bound, bound)
        return image, (x - a * image) / s


def process(schedule: str, steps: int, prediction: str) -> Process:
    """The process of a schedule in SCHEDULES with T = steps."""
    held = alpha_bar(schedule, steps)
    a, s = (np.sqrt(part).astype(np.float32) for part in (held, 1.0 - held))
    return Process(a, s, prediction)


def loss(
    how: Process, predict: Predict, x: jax.Array, noise: jax.Array, t: jax.Array
) -> jax.Array:
    """E |predict(x_t, t) - target|^2: the sum over pixels, the mean over images."""
    gap = predict(how.diffuse(x, noise, t), t) - how.target(x, noise, t)
    return jnp.square(gap).sum(tuple(range(1, x.ndim))).mean()


def guided(told: jax.Array, untold: jax.Array, scale: float) -> jax.Array:
    """Classifier-free guidance (Ho & Salimans 2022): at scale 1 what is told."""
    return untold + scale * (told - untold)


def times(how: Process, draws: int) -> np.ndarray:
    """(draws + 1,) int32 evenly spread from 0 to T."""
    return np.round(np.linspace(0, how.steps, draws + 1)).astype(np.int32)


def ddim(
    how: Process,
    predict: Predict,
    x: jax.Array,
    draws: int,
    *,
    bound: float | None = None,
) -> jax.Array:
    """x_0 of x_T (B, ...) in `draws` steps.

    Args:
      how: the process.
      predict: the network.
      x: noise.
      draws: steps.
      bound: of |x_0|, None for none; see above.
    """
    grid = times(how, draws)

    def step(x: jax.Array, pair: jax.Array) -> tuple[jax.Array, None]:
        t, u = pair[0], pair[1]
        image, noise = how.bounded(x, predict(x, t), t, bound)
        return how.diffuse(image, noise, u), None

    pairs = np.stack([grid[1:], grid[:-1]], axis=1)[::-1]
    return jax.lax.scan(step, x, jnp.asarray(pairs))[0]


def invert(
    how: Process,
    predict: Predict,
    x: jax.Array,
    draws: int,
    *,
    rounds: int = 2,
    bound: float | None = None,
) -> jax.Array:
    """x_T of x_0 (B, ...): of which `ddim` in as many steps draws x_0.

    Args:
      how: the process.
      predict: the network.
      x: images.
      draws: steps, at least 2: a single one forgets x_T.
      rounds: fixed point iterations of each.
      bound: as in `ddim`.
    """
    grid = times(how, draws)

    def step(x: jax.Array, pair: jax.Array) -> tuple[jax.Array, None]:
        t, u = pair[0], pair[1]
        (a, s), (b, r) = how.at(t, x), how.at(u, x)
        cosine, sine = a * b + s * r, a * r - s * b

        def again(held: jax.Array, _: None) -> tuple[jax.Array, None]:
            image, noise = how.bounded(held, predict(held, u), u, bound)
            return (x + sine * (b * noise - r * image)) / cosine, None

        return jax.lax.scan(again, x, None, length=rounds)[0], None

    pairs = np.stack([grid[:-1], grid[1:]], axis=1)
    return jax.lax.scan(step, x, jnp.asarray(pairs))[0]
