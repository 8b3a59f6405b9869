r"""FactorQVAE: scalar codes of one codebook, their total correlation penalised.

$$
\mathcal{L} = \frac{P}{2} \Big[ \frac{1}{P} \| x - g(q) \|^2
+ w \sum_d \mathrm{KL}(q(k_d|x) \,\|\, \mathrm{uniform})
+ \gamma \, \mathbb{E} \log \frac{D(k)}{1 - D(k)} \Big], \qquad
q_d = e_{k_d}, \quad q(k_d = k|x) \propto e^{-(z_d - e_k)^2 / (2 s^2)}
$$

"Disentanglement with factor quantized variational autoencoders" (2025): a discrete
VAE whose D latents each take one of K scalars e_k, a codebook common to all latents,
with FactorVAE's second player (density_ratio.py) on the codes as one-hot vectors. P is
the numbers of an image; the bracket is in the paper's units, a mean over pixels.

Values known to us of the authors' configs: K = 64, w = 1e-3, gamma = 1e-4, squared
error, Adam at 1e-3, 512 images in halves, 100,000 steps; their rate falls on a cosine
to 1.25e-6 over 50,000. What is ours: the Bernoulli loss as default, as of the other
methods; codes are drawn by the Gumbel-max trick and go on hard, with the gradient of
the relaxed draw (Jang et al. 2017); the width s and the temperature; z is a tanh, for
beyond the codebook, which starts on [-1, 1], one scalar has all of q and no gradient is
left; small normalised networks, as for the quantised codes of qlae.py; the critic is
FactorVAE's, of networks and rate.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods import density_ratio
from disentangle.methods.base import LOCATELLO, Logs, Method, Params, Player, Recipe
from disentangle.methods.density_ratio import (
    COLLATES,
    critic_rate,
    discriminator_player,
    first_and_last,
    log_ratio,
)
from disentangle.methods.joint_vae import gumbel_softmax, kl_to_uniform
from disentangle.methods.likelihood import LIKELIHOODS
from disentangle.methods.quantised import straight_through
from disentangle.nn import DECODERS, ENCODERS, Net, decoder, discriminator, encoder

PAPER = "FactorQVAE's configs"


@settings
class Settings(density_ratio.Settings):
    """Of FactorQVAE."""

    latents: int = static(
        10, "size D of the code", source=LOCATELLO, least=1, most=1_000
    )
    encoder: str = static("normalised", "network of images", choices=ENCODERS)
    decoder: str = static("normalised", "network of codes", choices=DECODERS)
    values: int = static(
        64, "K, scalars of the codebook", source=PAPER, least=2, most=WIDEST
    )
    spread: float = static(
        0.05, "s of q(k|x), in units of the code", above=0.0, most=1e6
    )
    temperature: float = static(1.0, "of the relaxed draws", above=0.0, most=1e6)
    kl: float = swept(1e-3, "w, of the KL to the uniform distribution", source=PAPER)
    gamma: float = swept(1e-4, "weight of the total correlation", source=PAPER)
    discriminator_learning_rate: float = critic_rate()


def log_probabilities(z: jax.Array, values: jax.Array, spread: Any) -> jax.Array:
    """log q(k_d = k | x): (B, D) and (K,) -> (B, D, K)."""
    gap = (z[..., None] - values[None, None]) / spread
    return jax.nn.log_softmax(-0.5 * jnp.square(gap), axis=-1)


def draw(log_p: jax.Array, temperature: Any, *, key: jax.Array) -> jax.Array:
    """One-hot draws of q, hard, with the gradient of the relaxed ones: (B, D, K)."""
    relaxed = gumbel_softmax(log_p, temperature, key=key)
    hard = jax.nn.one_hot(relaxed.argmax(-1), log_p.shape[-1], dtype=log_p.dtype)
    return straight_through(relaxed, hard)


def codebook(values: int) -> Net:
    """The Net z (B, D) -> the nearest of K scalars, (B, D); at first on [-1, 1]."""

    def apply(params: Params, z: jax.Array) -> jax.Array:
        gap = jnp.abs(z[..., None] - params["values"][None, None])
        chosen = jax.nn.one_hot(gap.argmin(-1), values, dtype=z.dtype)
        return (chosen * params["values"][None, None]).sum(-1)

    start = jnp.linspace(-1.0, 1.0, values, dtype=jnp.float32)
    return Net(lambda key: {"values": start}, apply)


def critic(latents: int, values: int, hidden: tuple[int, ...]) -> tuple[Net, Net]:
    """The discriminator of one-hot codes (B, D, K), and the same of numbers (B, D).

    Numbers 0 .. K - 1, as floats, are what `permute_dims` shuffles.
    """
    net = discriminator(latents * values, hidden)
    flat = lambda k: k.reshape(k.shape[0], latents * values)
    ones = lambda k: jax.nn.one_hot(k.astype(jnp.int32), values, dtype=jnp.float32)
    of_ones = Net(net.init, lambda params, k: net.apply(params, flat(k)))
    return of_ones, Net(net.init, lambda params, k: of_ones.apply(params, ones(k)))


class Model(NamedTuple):
    """The networks but the critic, and the ways through them."""

    nets: dict[str, Net]
    read: Callable[[Params, jax.Array], jax.Array]  # images -> log q(k|x), (B, D, K)
    represent: Callable[[Params, jax.Array], jax.Array]  # images -> scalars (B, D)
    logits: Callable[[Params, jax.Array], jax.Array]  # scalars (B, D) -> (B, H, W, C)
    # numbers(params, images, *, key) -> drawn k, (B, D) as floats
    numbers: Callable[..., jax.Array]


def model(settings: Settings, shape: tuple[int, int, int]) -> Model:
    """The networks of `settings` for images of `shape`."""
    d = settings.latents
    nets = {
        "encoder": encoder(settings.encoder, shape, d),
        "decoder": decoder(settings.decoder, shape, d),
        "codebook": codebook(settings.values),
    }

    def encode(params: Params, images: jax.Array) -> jax.Array:
        return jnp.tanh(nets["encoder"].apply(params["encoder"], images))

    def read(params: Params, images: jax.Array) -> jax.Array:
        z = encode(params, images)
        return log_probabilities(z, params["codebook"]["values"], settings.spread)

    def represent(params: Params, images: jax.Array) -> jax.Array:
        return nets["codebook"].apply(params["codebook"], encode(params, images))

    def numbers(params: Params, images: jax.Array, *, key: jax.Array) -> jax.Array:
        ones = draw(read(params, images), settings.temperature, key=key)
        return ones.argmax(-1).astype(jnp.float32)

    logits = lambda params, codes: nets["decoder"].apply(params["decoder"], codes)
    return Model(nets, read, represent, logits, numbers)


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The FactorQVAE of `settings`; codes (B, D) are the scalars nearest to z."""
    del space
    vae, numbers = model(settings, shape), shape[0] * shape[1] * shape[2]
    of_ones, of_numbers = critic(
        settings.latents, settings.values, settings.discriminator
    )
    likelihood = LIKELIHOODS[settings.likelihood]

    def samples(
        params: Params, batch: Batch, *, key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Numbers of drawn codes, of the first and of the second batch."""
        first, last = first_and_last(batch, settings.batches)
        found = vae.numbers(params, first["images"], key=key)
        if settings.batches == 1:
            return found, found
        own = jax.random.fold_in(key, 1)
        return found, vae.numbers(params, last["images"], key=own)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del step
        images = first_and_last(batch, settings.batches)[0]["images"]
        log_p = vae.read(params, images)
        ones = draw(log_p, settings.temperature, key=key)
        codes = ones @ params["codebook"]["values"]
        reconstruction = likelihood(vae.logits(params, codes), images)
        kl = jax.vmap(kl_to_uniform, in_axes=1)(log_p).sum(1)
        tc = log_ratio(of_ones, params, ones).mean()
        penalty = hyper.kl * kl.sum() + hyper.gamma * tc
        logs = {"reconstruction": reconstruction, "kl": kl.sum(), "kl_by_latent": kl}
        value = reconstruction + numbers / 2 * penalty
        return value, logs | {"total_correlation": tc}

    decode = lambda params, codes: jax.nn.sigmoid(vae.logits(params, codes))

    def sample(params: Params, *, key: jax.Array, n: int) -> jax.Array:
        """Every latent takes each of the K values as often."""
        values = params["codebook"]["values"]
        return decode(params, jax.random.choice(key, values, (n, settings.latents)))

    return Method(
        nets=vae.nets | {"discriminator": of_numbers},
        players={
            "discriminator": discriminator_player(of_numbers, samples),
            "vae": Player(tuple(vae.nets), loss),
        },
        represent=vae.represent,
        decode=decode,
        collate=COLLATES[settings.batches],
        sample=sample,
    )


RECIPE = Recipe(
    build,
    Settings,
    "FactorQVAE, scalar codes and their total correlation (2025)",
    protocol={
        "method.likelihood": "gaussian",
        "optimizer.learning_rate": 1e-3,
        "batch_size": 256,
        "steps": 100_000,
    },
    published="the authors' configs, of 512 images in halves; their networks and the "
    "cosine of their rate are not built here",
)
