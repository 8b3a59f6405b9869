r"""QLAE: an autoencoder whose latents take few, learned values (Hsu et al. 2023).

Each of D latents has its own codebook of V scalars; a code is the nearest of them,
and the decoder's gradient goes straight through to the encoder. With the mean over
the pixels that the paper takes, and P of them,

$$
\mathcal{L} / P = \mathrm{BCE}(x, g(q)) + \lambda_q |\mathrm{sg}(z) - q|^2
+ \lambda_c |z - \mathrm{sg}(q)|^2, \qquad q = \mathrm{nearest}(z),
$$

sg the stopped gradient, squares a mean over the D latents.

Defaults are those of the authors' Shapes3D runs (`configs` of their repository):
V = 10 values from linspace(-1/2, 1/2), D twice the number of factors, both lambdas
0.01, AdamW with weight decay 0.1 on the kernels. A run of theirs has `batch_size`
128 and 200,000 `steps`, and their networks: `encoder="hsu"` and `decoder="hsu"`
(`paper_config`). The defaults are small networks, normalised as theirs: the codebook's
values are 0.11 apart, and codes that differ by less than that are one. Their decay
also pulls the scales of the encoder's norms to 0; ours leaves them.

Training may first get worse: the codes leave the codebook before it follows.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, swept
from disentangle.methods import quantised
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.quantised import (
    adamw,
    are_kernels,
    method_of,
    model,
    straight_through,
)
from disentangle.nn import Net


@settings
class Settings(quantised.Settings):
    """Of QLAE.

    The optimiser is the method's own: `optimizer.learning_rate` moves nothing here.
    """

    quantization: float = swept(
        0.01, "lambda_q, moves the codebook", source="Hsu et al. 2023"
    )
    commitment: float = swept(
        0.01, "lambda_c, moves the encoder", source="Hsu et al. 2023"
    )
    weight_decay: float = swept(
        0.1, "of the kernels of encoder and decoder", source="Hsu et al. 2023"
    )
    adamw_learning_rate: float = swept(
        1e-3, "of the method's AdamW", source="Hsu et al. 2023", above=0.0
    )


def nearest(values: jax.Array, z: jax.Array) -> jax.Array:
    """The value of each latent's codebook that is nearest.

    Args:
      values: (D, V).
      z: (B, D).

    Returns:
      (B, D); its gradient goes to the values chosen, none to z. Of two values equally
      near it is the first.
    """
    distance = jnp.abs(z[:, :, None] - values[None])
    chosen = jax.nn.one_hot(distance.argmin(-1), values.shape[1], dtype=values.dtype)
    return (chosen * values[None]).sum(-1)


def codebook(latents: int, values: int) -> Net:
    """The Net z (B, D) -> nearest values (B, D); all latents start with the same V."""
    start = jnp.linspace(-0.5, 0.5, values, dtype=jnp.float32)
    return Net(
        init=lambda key: {"values": jnp.tile(start[None], (latents, 1))},
        apply=lambda params, z: nearest(params["values"], z),
    )


def objective(
    reconstruction: jax.Array,
    z: jax.Array,
    q: jax.Array,
    hyper: Settings,
    numbers: int,
) -> tuple[jax.Array, Logs]:
    """P L: reconstruction (nats per image) plus P times the two penalties."""
    stop = jax.lax.stop_gradient
    quantization = jnp.square(stop(z) - q).mean()
    commitment = jnp.square(z - stop(q)).mean()
    penalty = hyper.quantization * quantization + hyper.commitment * commitment
    return reconstruction + numbers * penalty, {
        "reconstruction": reconstruction,
        "distance": commitment,  # mean square of z - q; both penalties have its value
    }


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The QLAE of `settings`; codes (B, D) are the values chosen."""
    ae = model(settings, space, shape)
    book = codebook(ae.latents, settings.values)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del key, step
        z = ae.encode(params, batch["images"])
        q = book.apply(params["codebook"], z)
        logits = ae.logits(params, straight_through(z, q))
        reconstruction = ae.likelihood(logits, batch["images"])
        return objective(reconstruction, z, q, hyper, ae.numbers)

    def optimizer(hyper: Settings) -> optax.GradientTransformation:
        return adamw(
            hyper.adamw_learning_rate, hyper.weight_decay, ae.numbers, are_kernels
        )

    return method_of(
        ae,
        Player(
            ("encoder", "decoder", "codebook"),
            loss,
            optimizer=optimizer,
            rate="adamw_learning_rate",
        ),
        represent=lambda params, images: book.apply(
            params["codebook"], ae.encode(params, images)
        ),
        nets={"codebook": book},
    )


RECIPE = Recipe(
    build,
    Settings,
    "QLAE, latent quantisation (Hsu et al. 2023)",
    protocol={
        "method.encoder": "hsu",
        "method.decoder": "hsu",
        "batch_size": 128,
        "steps": 200_000,
    },
    published="the authors' Shapes3D runs; they have none of dSprites",
)
