r"""EncDiff: a code is learned by what a diffusion model needs (Yang et al. 2024).

$$
\mathcal{L} = \mathbb{E}_{x, \epsilon, t} |v_\theta(x_t, t, S(x)) - v_t|^2, \qquad
S_i = \mathrm{MLP}_i(z_i), \quad z = e(x) \in \mathbb{R}^N
$$

An encoder gives N numbers; each becomes a token through three layers of its own, and
the denoiser's maps attend to the tokens. No term asks z to be disentangled: that the
information of an image comes through tokens that know of one number each, and a
denoiser that needs it at every noise level, are the inductive biases. Encoder and
denoiser are trained together by the diffusion loss alone.

`conditioning="film"` is their ablation AdaGN: z enters linearly and modulates all maps.
On Shapes3D they report DCI .969 with attention and .637 with AdaGN, of 20 numbers,
tokens of 32, batches of 64, Adam at 1e-4 and about a day of a V100 per model (another
group found .901). That is

```
.venv/bin/python -m disentangle train --workdir=runs/enc_diff \
    --config=experiments/vae.py:shapes3d,enc_diff,conditioning=attention|film \
    --config.steps=100000 --config.method.denoiser_learning_rate=1e-4 \
    --config.method.decay=0.9999 --config.method.width=64
```

on a GPU; `python -m benchmarks.edit_table --rows=enc_diff,enc_diff_film` trains both
within a CPU's budget and prints DCI and edits.

Where we differ: images are diffused, not the latents of a VQ autoencoder (their own
ablation has .981 with pixels); v is predicted, in 20 steps of DDIM (theirs: epsilon,
200 steps); the encoder is one of ours, the U-Net has no attention among its own pixels.

`decode` draws codes from one fixed noise, so that pictures differ in what codes say
alone; what an image has beyond its code is not rebuilt. `redraw` draws them from the
noise that an image itself comes from (DDIM inverted), which keeps that.
"""

import jax

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import settings, static
from disentangle.fields.define import WIDEST
from disentangle.methods import diffusion_model
from disentangle.methods.base import Method, Params, Recipe
from disentangle.methods.diffusion_model import (
    CONDITIONING,
    MOVES,
    Shape,
    averages,
    model,
    player,
)
from disentangle.nn import ENCODERS, encoder


@settings
class Settings(diffusion_model.Settings):
    """Of EncDiff."""

    latents: int = static(
        20, "numbers of the code", source="Yang et al. 2024", least=1, most=WIDEST
    )
    encoder: str = static("locatello", "network of the code", choices=ENCODERS)
    conditioning: str = static("attention", "how it is told", choices=CONDITIONING)
    drop: float = static(
        0.0, "share of images whose code is left out", least=0.0, below=1.0
    )


def build(settings: Settings, space: FactorSpace, shape: Shape) -> Method:
    """EncDiff; codes are the encoder's numbers.

    Raises:
      UserError: a rotation, which a learned code does not need.
    """
    del space
    if settings.rotation:
        raise UserError(
            f"rotation={settings.rotation}: a code that is learned is not turned; take "
            "method 'diffusion_on_codes', or set rotation=0"
        )
    made = model(settings, shape, (1,) * settings.latents)
    nets = {"encoder": encoder(settings.encoder, shape, settings.latents)} | made.nets
    moves = ("encoder", *MOVES)

    def represent(params: Params, images: jax.Array) -> jax.Array:
        found: jax.Array = nets["encoder"].apply(params["encoder"], images)
        return found

    def code_of(params: Params, batch: Batch) -> jax.Array:
        return represent(params, batch["images"])

    def redraw(params: Params, codes: jax.Array, images: jax.Array) -> jax.Array:
        return made.redraw(params, images, represent(params, images), codes)

    return Method(
        nets=nets,
        players={"diffusion": player(made, code_of, moves)},
        represent=represent,
        decode=made.decode,
        redraw=redraw,
        averages=averages(moves),
    )


RECIPE = Recipe(
    build,
    Settings,
    "EncDiff, the code of a diffusion model (Yang et al. 2024)",
    protocol={"method.denoiser_learning_rate": 1e-4, "method.draws": 200},
    published="Yang et al. 2024 for Shapes3D, on latents of a VQ autoencoder",
)
