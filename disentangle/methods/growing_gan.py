"""The model of growing GANs: a stage's networks, and how its new layers fade in."""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.errors import UserError
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods.base import Logs, Params
from disentangle.methods.conditions import ENCODINGS, Condition
from disentangle.methods.gan_losses import one_sided
from disentangle.methods.gan_model import Model, through
from disentangle.nn import linear, perceptron
from disentangle.nn.generators import doubled, halved_mean
from disentangle.nn.growing import growing_critic, growing_generator, resolutions
from disentangle.nn.net import Net

LABEL = 128  # units of the layer by which the critic is told c, and of its last one
FLAT = 16  # the critic's features are this many times its width: 4x4 maps
LOSSES = ("least_squares", "wasserstein")
Shape = tuple[int, int, int]
Nets = dict[str, Net]


@settings
class Settings:
    """Of CPGGAN."""

    condition: tuple[str, ...] = static(
        (), "factors that are given; () is the first", distinct=True
    )
    encoding: str = static("one_hot", "how c says a value", choices=ENCODINGS)
    latents: int = static(16, "size of the noise z", least=1, most=WIDEST)
    augmented: int = static(
        0, "size of c~, 32 in the project; 0 leaves c as it is", least=0, most=WIDEST
    )
    resolution: int = static(
        0, "pixels a side of this stage; 0 is the images'", least=0, most=WIDEST
    )
    width: int = static(48, "channels of the smallest maps", least=1, most=WIDEST)
    loss: str = static("least_squares", "both players' losses", choices=LOSSES)
    gamma: float = swept(5.0, "weight of R1, with least squares; 0 is the project's")
    lambda_: float = swept(200.0, "weight of the penalties, with wasserstein")
    augmentation: float = swept(5.0, "weight of the KL of c~")
    fade: float = swept(0.5, "when the stage's layers are whole", share=True)
    decay: float = swept(0.99, "of the generator's average", least=0.0, most=0.9999)
    b1: float = swept(0.0, "of both Adams", least=0.0, most=0.999)
    b2: float = swept(0.99, "of both Adams", least=0.0, most=0.9999)
    critic_learning_rate: float = swept(1e-3, "of the critic's Adam", above=0.0)
    generator_learning_rate: float = swept(1e-3, "of the generator's Adam", above=0.0)


def side(settings: Settings, shape: Shape) -> int:
    """Pixels a side of this stage.

    Raises:
      UserError: images that are not square with a side of 4 2^n, or a resolution that
        is not 4 2^n or larger than they are.
    """
    height, width, _ = shape
    found = settings.resolution or height
    if height != width or height not in resolutions(height):
        raise UserError(
            f"a growing GAN takes square images with a side of 4, 8, 16, ... pixels, "
            f"not {height}x{width}"
        )
    if found not in resolutions(height):
        known = ", ".join(map(str, resolutions(height)))
        raise UserError(f"resolution={found} must be one of {known} (or 0)")
    return found


def shrunk(images: jax.Array, side: int) -> jax.Array:
    """(B, H, H, C) as the means of blocks, (B, side, side, C)."""
    while images.shape[1] > side:
        images = halved_mean(images)
    return images


def grown(images: jax.Array, size: int) -> jax.Array:
    """(B, h, h, C) with pixels repeated, (B, size, size, C)."""
    while images.shape[1] < size:
        images = doubled(images)
    return images


def faded(hyper: Any, step: Any) -> jax.Array:
    """() alpha: step / fade up to 1; 1 where nothing fades."""
    share = jnp.asarray(step, jnp.float32) / jnp.maximum(hyper.fade, 1.0)
    return jnp.where(hyper.fade > 0, jnp.minimum(share, 1.0), 1.0)


def networks(chosen: Settings, channels: int, side: int, given: Condition) -> Nets:
    """generator, augment (mu and log-variance of c~), critic, label, score."""
    told = chosen.augmented or given.width
    critic = growing_critic(channels, side, chosen.width)
    nets = {
        "generator": growing_generator(
            channels, side, chosen.latents + told, chosen.width
        ),
        "critic": critic,
        "label": linear(given.width, LABEL),
        "score": perceptron(FLAT * chosen.width + LABEL, (LABEL,), 1),
    }
    if chosen.augmented:
        nets["augment"] = linear(given.width, 2 * chosen.augmented)
    return nets


def augmented(nets: Nets, params: Params, c: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(mu, log-variance) of c~, (B, K) each."""
    mean, logvar = jnp.split(nets["augment"].apply(params["augment"], c), 2, axis=1)
    return mean, logvar


def model_at(chosen: Settings, nets: Nets, given: Condition, alpha: jax.Array) -> Model:
    """The stage's networks with its layers mixed in by alpha, ().

    The noise is (z, eps), eps the noise of c~.
    """

    def draw(
        params: Params, z: jax.Array, c: jax.Array, *, train: bool
    ) -> tuple[jax.Array, dict[str, Any]]:
        if chosen.augmented:
            mean, logvar = augmented(nets, params, c)
            c = mean + jnp.exp(0.5 * logvar) * z[:, chosen.latents :]
        both = jnp.concatenate([z[:, : chosen.latents], c], axis=1)
        x = {"z": both, "alpha": jnp.broadcast_to(alpha, z.shape[:1])}
        return through(nets, params, "generator", x, train=train)

    def flat(params: Params, x: jax.Array) -> jax.Array:
        seen = {"image": x, "alpha": jnp.broadcast_to(alpha, x.shape[:1])}
        return nets["critic"].apply(params["critic"], seen)

    def judge(
        params: Params, x: jax.Array, c: jax.Array, *, train: bool
    ) -> tuple[jax.Array, dict[str, Any]]:
        del train  # it has no state
        label = jax.nn.leaky_relu(nets["label"].apply(params["label"], c), 0.2)
        both = jnp.concatenate([flat(params, x), label], axis=1)
        return nets["score"].apply(params["score"], both)[:, 0], {}

    generators = tuple(n for n in ("generator", "augment") if n in nets)
    critics = tuple(n for n in nets if n not in generators)
    latents = chosen.latents + chosen.augmented
    return Model(nets, critics, generators, latents, given, draw, judge, flat)


def one_sided_term(
    gan: Model,
    params: Params,
    hyper: Any,
    x: jax.Array,
    fake: jax.Array,
    c: jax.Array,
    *,
    key: jax.Array,
) -> tuple[jax.Array, Logs]:
    """lambda [E max(0, |grad_x-hat D| - 1)^2 + E max(0, |grad_c D| - 1)^2]."""
    share = jax.random.uniform(key, (x.shape[0], 1, 1, 1))
    between = x + share * (fake - x)
    total = lambda x, c: gan.judge(params, x, c, train=False)[0].sum()
    in_x, in_c = jax.grad(total, argnums=(0, 1))(between, c)
    steep = one_sided(in_x) + one_sided(in_c)
    return hyper.lambda_ * steep, {"steepness": steep}
