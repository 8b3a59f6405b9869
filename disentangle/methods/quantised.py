"""What autoencoders with quantised codes share: Hsu et al. 2023 and 2024.

Both papers lower a mean over the pixels (and channels), L = BCE + penalties. Ours
are sums over the P = H W C numbers of an image like everywhere else: P L, so that a
penalty of weight w there has weight P w here. The fields of a method are in the
papers' units, and `adamw` divides the gradient by P again before anything of it
depends on the scale; an update is the papers' to the last bit but rounding.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import settings, static
from disentangle.fields.define import WIDEST
from disentangle.methods.base import Method, Params, Player
from disentangle.methods.likelihood import LIKELIHOODS
from disentangle.nn import DECODERS, ENCODERS, Net, decoder, encoder


@settings
class Settings:
    """What both methods can be told.

    The networks default to small ones that are normalised as the papers' are, without
    which all images start with one code. In those of Hsu et al. 2023, "hsu" for both,
    an image takes 30 times the multiplications; those of Hsu et al. 2024 are larger
    again, and not built here.
    """

    latents: int = static(
        0,
        "size D of the code; 0 is twice the number of factors",
        source="Hsu et al. 2023, 2024",
        least=0,
        most=WIDEST,
    )
    values: int = static(
        10,
        "V, distinct values of each latent",
        source="Hsu et al. 2023",
        least=2,
        most=WIDEST,
    )
    encoder: str = static("normalised", "network of images", choices=ENCODERS)
    decoder: str = static("normalised", "network of codes", choices=DECODERS)
    likelihood: str = static(
        "bernoulli",
        "p(x|z) of a pixel",
        source="Hsu et al. 2023, 2024",
        choices=LIKELIHOODS,
    )


class Model(NamedTuple):
    """The networks "encoder" and "decoder", and the ways through them."""

    nets: dict[str, Net]
    latents: int  # D
    numbers: int  # P = H W C of one image
    # encode(params, images (B, H, W, C)) -> (B, D), not quantised
    encode: Callable[[Params, jax.Array], jax.Array]
    # logits(params, z (B, D)) -> (B, H, W, C)
    logits: Callable[[Params, jax.Array], jax.Array]
    # likelihood(logits, images) -> (), -log p(x|z), nats per image
    likelihood: Callable[[jax.Array, jax.Array], jax.Array]


def model(settings: Settings, space: FactorSpace, shape: tuple[int, int, int]) -> Model:
    """The networks of `settings` for images of `shape` with factors `space`."""
    latents = settings.latents or 2 * len(space.names)
    if not latents:
        raise UserError(
            "method.latents=0 is twice the number of factors, but these images have no "
            "labels: give method.latents"
        )
    height, width, channels = shape
    nets = {
        "encoder": encoder(settings.encoder, shape, latents),
        "decoder": decoder(settings.decoder, shape, latents),
    }
    return Model(
        nets=nets,
        latents=latents,
        numbers=height * width * channels,
        encode=lambda params, x: nets["encoder"].apply(params["encoder"], x),
        logits=lambda params, z: nets["decoder"].apply(params["decoder"], z),
        likelihood=LIKELIHOODS[settings.likelihood],
    )


def method_of(
    ae: Model,
    player: Player,
    represent: Callable[[Params, jax.Array], jax.Array],
    nets: dict[str, Net] | None = None,
) -> Method:
    """The Method of one player; `nets`: what there is besides encoder and decoder."""
    return Method(
        nets=ae.nets | (nets or {}),
        players={"autoencoder": player},
        represent=represent,
        decode=lambda params, codes: jax.nn.sigmoid(ae.logits(params, codes)),
    )


def straight_through(z: jax.Array, quantised: jax.Array) -> jax.Array:
    """`quantised` to the bit, with the gradient of z (Bengio et al. 2013)."""
    return jax.lax.stop_gradient(quantised) + (z - jax.lax.stop_gradient(z))


def adamw(
    learning_rate: Any,
    weight_decay: Any,
    numbers: int,
    clipped: Callable[[Any], Any],
) -> optax.GradientTransformation:
    """AdamW as both papers' code has it, for losses that sum P = `numbers` numbers.

    Each entry of the gradient of the mean is clipped to [-1, 1] in the leaves for
    which `clipped(params)` is True: the kernels of QLAE, all of Tripod. The kernels
    (nothing else: no bias, no codebook) decay (Loshchilov & Hutter 2019: by
    learning_rate * weight_decay of themselves per step).
    """
    return optax.chain(
        optax.scale(1.0 / numbers),
        optax.masked(optax.clip(1.0), clipped),
        optax.scale_by_adam(),
        optax.add_decayed_weights(weight_decay, are_kernels),
        optax.scale_by_learning_rate(learning_rate),
    )


def are_any(params: Any) -> Any:
    """True at every leaf."""
    return jax.tree.map(lambda _: True, params)


def are_kernels(params: Any) -> Any:
    """True at every leaf named "kernel", False elsewhere."""
    return jax.tree.map_with_path(lambda path, _: path[-1].key == "kernel", params)
