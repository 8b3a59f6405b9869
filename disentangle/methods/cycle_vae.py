r"""Cycle-consistent VAE: what a class says, and all else, in two parts of a code.

$$
\mathcal{L}_A = -\mathbb{E} [\log p(x_1|z_1, s_2) + \log p(x_2|z_2, s_1)]
+ \beta \sum_i \mathrm{KL}(q(z|x_i) \,\|\, \mathcal{N}(0, I)), \qquad
\mathcal{L}_B = \lambda \, |\mu(x''_1) - \mu(x''_3)|_1, \quad
x''_i = D(z^*, s(x_i))
$$

Jha et al. 2018. x1 and x2 are of one class, x3 is unrelated to x1. The encoder gives
z ~ q(z|x), "unspecified", and a point s, "specified" by the class. Two players move one
after the other, each with an optimiser of its own:

* forward (encoder and decoder): x1 and x2 are decoded with the s of each other, so s
  can hold nothing but the class;
* reverse (the encoder alone): one z* ~ N(0, I) is decoded with the s of two unrelated
  images, and the codes of both pictures must be alike, so z can hold nothing of the
  class.

Two guards keep the reverse cycle from the shortcut of ignoring s, all of the image in
z: the two codes are compared with each other and not with z* (`back="z"` is the
ablation), and z* is a random draw, not the code of an image. Without the reverse cycle
(`reverse=0`) the class may stay in z, which the decoder then reads there
(`metrics/leakage.py`).

Where we differ from their code: sums over pixels, means over the batch, so that with
the Gaussian likelihood beta = 3/4 is their 3 KL / (C H W) beside 2 times the mean
squared error; networks of the house, the encoder with instance norms as theirs; at
`reverse=0` the second player's gradient is exactly 0, and at any other weight its Adam
takes steps of the same size. s has no prior: `sample` takes one of the last 256 that
were seen in training.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods.attributes import Attributes
from disentangle.methods.base import Method, Output, Params, Player, Recipe
from disentangle.methods.class_groups import (
    class_name,
    class_of,
    classed,
    same_class,
)
from disentangle.methods.gaussian_vae import kl_to_prior, sample_posterior
from disentangle.methods.likelihood import LIKELIHOODS
from disentangle.nn import DECODERS, ENCODERS, Net, Variables, decoder, encoder

BACK = ("pair", "z")
REST = "(rest)"  # the attribute of the columns of z
RECENT = 256  # codes s that are kept


@settings
class Settings:
    """Of the cycle-consistent VAE."""

    latents: int = static(
        16, "size of z, what the class does not say", least=1, most=WIDEST
    )
    specified: int = static(16, "size of s, what the class says", least=1, most=WIDEST)
    shared: tuple[str, ...] = classed()
    back: str = static(
        "pair",
        "the code of a decoded picture is compared with its partner's, or with z",
        source="Jha et al. 2018: pair",
        choices=BACK,
    )
    encoder: str = static(
        "normalised",
        "network of images; without norms s stays alike for all images at first",
        source="Jha et al. 2018: instance norms",
        choices=ENCODERS,
    )
    decoder: str = static("locatello", "network of codes", choices=DECODERS)
    likelihood: str = static(
        "gaussian",
        "p(x|z, s) of a pixel",
        source="Jha et al. 2018",
        choices=LIKELIHOODS,
    )
    beta: float = swept(0.75, "weight of the KL", source="Jha et al. 2018's code")
    reverse: float = swept(
        10.0, "weight of the reverse cycle; 0 is none", source="Jha et al. 2018's code"
    )


class Model(NamedTuple):
    """The networks, and the ways through them.

    Attributes:
      nets: "encoder", "decoder", and "recent", the last s that were seen.
      told: what the class is.
      encode: encode(params, images (B, H, W, C)) -> mean (B, Z), logvar (B, Z),
        s (B, S).
      logits: logits(params, z (B, Z), s (B, S)) -> (B, H, W, C); their sigmoid is the
        image.
    """

    nets: dict[str, Net]
    told: Attributes
    encode: Any
    logits: Any


def model(settings: Settings, space: FactorSpace, shape: tuple[int, int, int]) -> Model:
    """The networks of `settings`.

    Raises:
      UserError: a class of factors that do not exist.
    """
    latents, specified = settings.latents, settings.specified
    told = class_of(space, settings.shared)
    nets = {
        "encoder": encoder(settings.encoder, shape, 2 * latents + specified),
        "decoder": decoder(settings.decoder, shape, latents + specified),
        "recent": recent_codes(RECENT, specified),
    }

    def encode(params: Params, images: jax.Array) -> tuple[jax.Array, ...]:
        out = nets["encoder"].apply(params["encoder"], images)
        mean, logvar, s = jnp.split(out, [latents, 2 * latents], axis=1)
        return mean, logvar, s

    def logits(params: Params, z: jax.Array, s: jax.Array) -> jax.Array:
        return nets["decoder"].apply(params["decoder"], jnp.concatenate([z, s], axis=1))

    return Model(nets, told, encode, logits)


def recent_codes(count: int, width: int) -> Net:
    """The last s seen, as a network without parameters: places (B,) -> (B, S)."""

    def init(key: jax.Array) -> Variables:
        start = jax.random.normal(key, (count, width))
        return Variables({}, {"bank": {"table": start}})

    return Net(init, lambda held, places: held.state["bank"]["table"][places])


def forward_loss(net: Model, likelihood: str) -> Any:
    """L_A, mean over the 2 B images of the pairs."""

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        del step
        x = batch["images"]
        mean, logvar, s = net.encode(params, x)
        z = sample_posterior(mean, logvar, key=key)
        partner = jnp.roll(s, len(s) // 2, axis=0)  # x1 gets s2, and x2 s1
        value = LIKELIHOODS[likelihood](net.logits(params, z, partner), x)
        kl = kl_to_prior(mean, logvar).sum()
        table = params["recent"].state["bank"]["table"]
        table = jnp.concatenate([jax.lax.stop_gradient(s), table])[: len(table)]
        return Output(
            value + hyper.beta * kl,
            {"reconstruction": value, "kl": kl},
            {"recent": {"bank": {"table": table}}},
        )

    return loss


def reverse_loss(net: Model, latents: int, back: str) -> Any:
    """L_B, mean over the B pairs of unrelated images and the numbers of z."""

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        del step
        first = jnp.split(batch["images"], 2)[0]
        third = batch["unrelated/images"]
        s = net.encode(params, jnp.concatenate([first, third]))[2]
        z = jax.random.normal(key, (first.shape[0], latents))
        drawn = jax.nn.sigmoid(net.logits(params, jnp.concatenate([z, z]), s))
        drawn = jax.lax.stop_gradient(drawn)  # the decoder and s stay
        one, other = jnp.split(net.encode(params, drawn)[0], 2)
        if back == "z":
            apart = 0.5 * (jnp.abs(one - z) + jnp.abs(other - z)).mean()
        else:
            apart = jnp.abs(one - other).mean()
        return Output(hyper.reverse * apart, {"apart": apart})

    return loss


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The cycle-consistent VAE; codes are the means of z, then s.

    Raises:
      UserError: a class of factors that do not exist.
    """
    net = model(settings, space, shape)
    latents, specified = settings.latents, settings.specified

    def represent(params: Params, images: jax.Array) -> jax.Array:
        mean, _, s = net.encode(params, images)
        return jnp.concatenate([mean, s], axis=1)

    def decode(params: Params, codes: jax.Array) -> jax.Array:
        z, s = codes[:, :latents], codes[:, latents:]
        return jax.nn.sigmoid(net.logits(params, z, s))

    def sample(params: Params, *, key: jax.Array, n: int) -> jax.Array:
        """z of the prior with the s of images seen lately."""
        own, other = jax.random.split(key)
        places = jax.random.randint(own, (n,), 0, RECENT)
        s = net.nets["recent"].apply(params["recent"], places)
        z = jax.random.normal(other, (n, latents))
        return jax.nn.sigmoid(net.logits(params, z, s))

    return Method(
        nets=net.nets,
        players={
            "forward": Player(
                ("encoder", "decoder"), forward_loss(net, settings.likelihood)
            ),
            "reverse": Player(("encoder",), reverse_loss(net, latents, settings.back)),
        },
        represent=represent,
        decode=decode,
        attributes=(REST,) * latents + (class_name(net.told),) * specified,
        collate=same_class(net.told, 2, unrelated=True),
        sample=sample,
    )


RECIPE = Recipe(
    build,
    Settings,
    "cycle-consistent VAE, images of one class (Jha et al. 2018)",
    supervision="groups",
    published="epochs of pairs of MNIST, 2D sprites and Norb, Adam at 1e-4 and a tenth "
    "of it at the end, batches of 64",
)
