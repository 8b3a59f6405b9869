"""A method that sees two data sets: images of both share their codes' distribution.

An autoencoder for each domain; L = |x - g_a(f_a(x))|^2 + |y - g_b(f_b(y))|^2, summed
over pixels, plus `match` times the squared distance of the codes' means and of their
variances. `decode` draws the first domain.
"""

import jax
import jax.numpy as jnp

from disentangle.data.samplers import part, with_others
from disentangle.fields import settings, static, swept
from disentangle.methods.base import Method, Player, Recipe
from disentangle.nn import DECODERS, ENCODERS, decoder, encoder


@settings
class Settings:
    """Of the method."""

    latents: int = static(4, "size of the code", least=1)
    encoder: str = static("padded", "network of images", choices=ENCODERS)
    decoder: str = static("padded", "network of codes", choices=DECODERS)
    match: float = swept(1.0, "weight of the distance of the codes")


def build(settings, space, shape, shapes):
    """The method for images of `shape`, and those of the data set "target"."""
    del space
    nets = {
        "encoder": encoder(settings.encoder, shape, settings.latents),
        "decoder": decoder(settings.decoder, shape, settings.latents),
        "target_encoder": encoder(settings.encoder, shapes["target"], settings.latents),
        "target_decoder": decoder(settings.decoder, shapes["target"], settings.latents),
    }

    def through(params, images, domain):
        codes = nets[f"{domain}encoder"].apply(params[f"{domain}encoder"], images)
        logits = nets[f"{domain}decoder"].apply(params[f"{domain}decoder"], codes)
        error = jnp.square(jax.nn.sigmoid(logits) - images).sum((1, 2, 3)).mean()
        return codes, error

    def loss(params, hyper, batch, *, key, step):
        del key, step
        codes, error = through(params, batch["images"], "")
        other, other_error = through(params, part(batch, "target")["images"], "target_")
        gap = jnp.square(codes.mean(0) - other.mean(0)).sum()
        gap += jnp.square(codes.var(0) - other.var(0)).sum()
        logs = {"gap": gap, "target": other_error}
        return error + other_error + hyper.match * gap, logs

    return Method(
        nets=nets,
        players={"both": Player(tuple(nets), loss)},
        represent=lambda params, x: nets["encoder"].apply(params["encoder"], x),
        decode=lambda params, z: jax.nn.sigmoid(
            nets["decoder"].apply(params["decoder"], z)
        ),
        collate=with_others,
    )


RECIPE = Recipe(
    build,
    Settings,
    "two autoencoders whose codes are alike",
    sources=("target",),
)
