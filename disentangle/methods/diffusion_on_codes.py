r"""Diffusion that is told the code of a frozen encoder, which another run trained.

$$
\mathcal{L} = \mathbb{E}_{x, \epsilon, t}
|v_\theta(x_t, t, Q (e(x) - m) / \sigma) - v_t|^2
$$

e is the encoder of the run that this one starts with (`init_from`, or a stage before):

```python
codes = dt.train("beta_vae", data, beta=4)
run = dt.train("diffusion_on_codes", data, init_from=codes, source="locatello")
```

or in one job stages=[{"method.name": "beta_vae", "steps": 5000}, {"steps": 3000}]. m is
the mean code of some training images and sigma one number, the root mean square of
e - m, so that codes of any scale are told alike and their directions stay. Q is the
identity, or with `rotation` a fixed random orthogonal matrix: as much is known of the
image, and no number of the code is of what it was. Told as one vector ("film") the code
enters linearly, and a model of Q z is one of z; told as a token per number
("attention") it is not.

With a source that was not trained, codes are those of random layers. Codes are Q (e -
m) / sigma; `decode` draws them from one fixed noise.
"""

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Batch, Split, draw, take
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static
from disentangle.fields.define import WIDEST
from disentangle.methods import diffusion_model
from disentangle.methods.base import Method, Params, Recipe
from disentangle.methods.diffusion_model import MOVES, Shape, averages, model, player
from disentangle.nn import ENCODERS, Net, encoder

READ = 1_000  # images whose codes say what mean and spread are
PARTS = 10  # in which they are read


@settings
class Settings(diffusion_model.Settings):
    """Of diffusion on codes."""

    source: str = static(
        "locatello", "encoder of the run that this starts with", choices=ENCODERS
    )
    latents: int = static(10, "numbers of its code", least=1, most=WIDEST)
    gaussian: bool = static(
        True, "whether it gives means and log-variances, as that of a VAE does"
    )
    drop: float = static(
        0.0, "share of images whose code is left out", least=0.0, below=1.0
    )


def _scale(latents: int) -> Net:
    """x -> (x - mean) / size."""

    def init(key: jax.Array) -> dict[str, jax.Array]:
        del key
        return {"mean": jnp.zeros(latents), "size": jnp.ones(())}

    return Net(init, lambda p, x: (x - p["mean"][None]) / p["size"])


def build(settings: Settings, space: FactorSpace, shape: Shape) -> Method:
    """The denoiser on codes of a frozen encoder."""
    del space
    latents = settings.latents
    made = model(settings, shape, (1,) * latents)
    outputs = 2 * latents if settings.gaussian else latents
    nets = {"encoder": encoder(settings.source, shape, outputs, in_training=True)}
    nets |= {"scale": _scale(latents)} | made.nets
    turn = np.float32(diffusion_model.rotation(latents, settings.rotation))

    def raw(params: Params, images: jax.Array) -> jax.Array:
        found: jax.Array = nets["encoder"].apply(params["encoder"], images)
        return found[:, :latents]

    def represent(params: Params, images: jax.Array) -> jax.Array:
        code = nets["scale"].apply(params["scale"], raw(params, images))
        return code @ turn.T if settings.rotation else code

    def code_of(params: Params, batch: Batch) -> jax.Array:
        return jax.lax.stop_gradient(represent(params, batch["images"]))

    def begin(params: Params, split: Split) -> Params:
        """m and sigma of some training images."""
        index = draw(split, jax.random.key(READ), READ).reshape(PARTS, -1)
        one = lambda rows: raw(params, take(split.data, rows)["images"])
        codes = jax.lax.map(one, index).reshape(READ, latents)
        mean = codes.mean(0)
        size = jnp.sqrt(jnp.square(codes - mean[None]).mean())
        return params | {"scale": {"mean": mean, "size": jnp.maximum(size, 1e-6)}}

    def redraw(params: Params, codes: jax.Array, images: jax.Array) -> jax.Array:
        return made.redraw(params, images, represent(params, images), codes)

    return Method(
        nets=nets,
        players={"diffusion": player(made, code_of, MOVES)},
        represent=represent,
        decode=made.decode,
        redraw=redraw,
        averages=averages(MOVES),
        begin=begin,
        whole=("encoder",),
    )


RECIPE = Recipe(
    build,
    Settings,
    "diffusion on the codes of another run (after Preechakul et al. 2022)",
    protocol=None,
    published="Preechakul et al. 2022 learn the code, a vector of 512, and images of "
    "128x128 and more",
)
