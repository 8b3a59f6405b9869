"""What the diffusion methods share: settings, the networks, loss, drawing, inversion.

A denoiser is told a code S (`nn/tokens.py`), as one vector that modulates its maps
("film", the code enters linearly) or as one token per block of the code, each with a
map of its own, to which its maps attend ("attention", as in EncDiff). Images are in
[-1, 1] inside, in [0, 1] outside.

Settings are those that were seen to learn at 32x32 in a thousand steps of 32 images:
v-prediction, the cosine schedule, Adam(.9, .99) at 2e-3, averages with decay .995,
20 steps of DDIM. Averages of .9999, as papers have, hold the start for 10,000 steps.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from disentangle.data.samplers import Batch
from disentangle.errors import UserError
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods import diffusion_process as dp
from disentangle.methods.base import Output, Params, Player
from disentangle.methods.gan_model import signed, unsigned
from disentangle.nn import DENOISERS, Net, denoiser
from disentangle.nn.tokens import affine, block_tokens
from disentangle.nn.unet import EMBEDDING

CONDITIONING = ("film", "attention")
MOVES = ("denoiser", "condition")  # networks that every such method trains
SEED = 0  # of the noise that codes are decoded from
BOUND = 1.0  # of pixels
Shape = tuple[int, int, int]


@settings
class Settings:
    """What every diffusion method can be told."""

    denoiser: str = static("unet", "network of noisy images", choices=DENOISERS)
    width: int = static(32, "channels of its largest maps", least=1, most=WIDEST)
    conditioning: str = static("film", "how it is told", choices=CONDITIONING)
    token: int = static(32, "size of a token", least=1, most=WIDEST)
    prediction: str = static("v", "what is predicted", choices=dp.PREDICTIONS)
    schedule: str = static("cosine", "of the noise", choices=dp.SCHEDULES)
    times: int = static(1000, "noise levels T", least=2, most=WIDEST)
    draws: int = static(20, "steps of DDIM", least=2, most=WIDEST)
    drop: float = static(
        0.1, "share of images whose condition is left out", least=0.0, below=1.0
    )
    guidance: float = static(
        1.0, "scale of classifier-free guidance; 1 is none", least=0.0, most=100.0
    )
    rotation: int = static(0, "seed of a rotation of the code; 0 is none", least=0)
    decay: float = swept(0.995, "of the averages", least=0.0, most=0.9999)
    denoiser_learning_rate: float = swept(2e-3, "of Adam", above=0.0)


def rotation(width: int, seed: int) -> np.ndarray:
    """(width, width) float64, orthogonal, uniform over all (Mezzadri 2007); 0: I."""
    if not seed:
        return np.eye(width)
    rng = np.random.default_rng(seed)
    q, r = np.linalg.qr(rng.normal(size=(width, width)))
    return np.asarray(q * np.sign(np.diag(r)))


class Model(NamedTuple):
    """The networks and the ways through them.

    Attributes:
      nets: "denoiser" and "condition".
      how: the process.
      chosen: the settings.
      shape: (H, W, C) of an image.
    """

    nets: dict[str, Net]
    how: dp.Process
    chosen: Settings
    shape: Shape

    def predict(self, params: Params, code: jax.Array, keep: Any) -> dp.Predict:
        """The network where `keep` (B,) of the codes (B, S) are told."""
        given = {"code": code, "keep": keep}
        told = self.nets["condition"].apply(params["condition"], given)

        def run(x: jax.Array, t: jax.Array) -> jax.Array:
            return self._run(params, x, t, told)[0]

        return run

    def guided(self, params: Params, code: jax.Array) -> dp.Predict:
        """The network with the guidance of the settings."""
        ones = jnp.ones(code.shape[0])
        told = self.predict(params, code, ones)
        if self.chosen.guidance == 1.0:
            return told
        untold = self.predict(params, code, 0.0 * ones)
        scale = self.chosen.guidance
        return lambda x, t: dp.guided(told(x, t), untold(x, t), scale)

    def _run(self, params: Params, x: jax.Array, t: jax.Array, told: jax.Array) -> Any:
        time = jnp.broadcast_to(t.astype(jnp.float32) / self.how.steps, x.shape[:1])
        given = {"image": x, "time": time, "told": told}
        return self.nets["denoiser"].apply(params["denoiser"], given)

    def features(self, params: Params, images: jax.Array, code: jax.Array) -> jax.Array:
        """(B, n) of the network's middle, of clean images at a tenth of all times."""
        t = jnp.int32(max(1, self.how.steps // 10))
        x = self.how.at(t, images)[0] * signed(images)
        given = {"code": code, "keep": jnp.ones(code.shape[0])}
        told = self.nets["condition"].apply(params["condition"], given)
        found: jax.Array = self._run(params, x, t, told)[1]
        return found

    def draw(self, params: Params, code: jax.Array, noise: jax.Array) -> jax.Array:
        """Images (B, H, W, C) in [0, 1] of codes (B, S) from noise (B, H, W, C)."""
        found = dp.ddim(
            self.how, self.guided(params, code), noise, self.chosen.draws, bound=BOUND
        )
        return jnp.clip(unsigned(found), 0.0, 1.0)

    def decode(self, params: Params, code: jax.Array) -> jax.Array:
        """Images of codes, all from one noise: they differ in what codes say."""
        noise = np.random.default_rng(SEED).normal(size=(1, *self.shape))
        whole = (code.shape[0], *self.shape)
        return self.draw(params, code, jnp.broadcast_to(np.float32(noise), whole))

    def redraw(
        self, params: Params, images: jax.Array, code: jax.Array, other: jax.Array
    ) -> jax.Array:
        """Images that have `code`, drawn with `other` from the noise they come from."""
        told = self.predict(params, code, jnp.ones(code.shape[0]))
        noise = dp.invert(
            self.how, told, signed(images), self.chosen.draws, bound=BOUND
        )
        return self.draw(params, other, noise)


def model(
    chosen: Settings,
    shape: Shape,
    blocks: tuple[int, ...],
    told: Callable[[int, bool], Net] | None = None,
) -> Model:
    """The networks for codes of `blocks`.

    Args:
      chosen: the settings.
      shape: of the images.
      blocks: (N,) numbers of the code in each block, which becomes a token.
      told: told(size, mean) -> the network of a code that is not made of numbers.

    Raises:
      UserError: guidance without images whose condition is left out, or a rotation of
        such a code.
    """
    if chosen.guidance != 1.0 and not chosen.drop:
        raise UserError(
            f"guidance={chosen.guidance:g} compares with images whose condition is "
            "left out, and drop=0 leaves none out: set drop=0.1, or guidance=1"
        )
    film = chosen.conditioning == "film"
    if told is not None:
        condition = told(EMBEDDING if film else chosen.token, film)
    elif film:
        condition = affine(sum(blocks), EMBEDDING)
    else:
        condition = block_tokens(blocks, chosen.token)
    width = (EMBEDDING,) if film else (len(blocks), chosen.token)
    nets = {
        "denoiser": denoiser(chosen.denoiser, shape, chosen.width, width),
        "condition": condition,
    }
    how = dp.process(chosen.schedule, chosen.times, chosen.prediction)
    return Model(nets, how, chosen, shape)


def player(
    made: Model, code_of: Callable[[Params, Batch], jax.Array], moves: tuple[str, ...]
) -> Player:
    """The one player: E |prediction - target|^2 at a time of each image.

    Args:
      made: the networks.
      code_of: (params, batch) -> codes (B, S).
      moves: names of the networks that are trained.
    """

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        del hyper, step
        x = signed(batch["images"])
        when, what, whether = jax.random.split(key, 3)
        t = jax.random.randint(when, x.shape[:1], 1, made.how.steps + 1)
        noise = jax.random.normal(what, x.shape)
        keep = jnp.float32(
            jax.random.bernoulli(whether, 1.0 - made.chosen.drop, x.shape[:1])
        )
        predict = made.predict(params, code_of(params, batch), keep)
        return Output(dp.loss(made.how, predict, x, noise, t))

    adam = lambda h: optax.adam(h.denoiser_learning_rate, b1=0.9, b2=0.99)
    return Player(moves, loss, optimizer=adam, rate="denoiser_learning_rate")


def averages(moves: tuple[str, ...]) -> Mapping[str, Callable[[Any, Any], Any]]:
    """The moving averages of what is trained."""
    return dict.fromkeys(moves, lambda hyper, step: hyper.decay)
