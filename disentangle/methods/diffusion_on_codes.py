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

or in one job stages=[{"method.name": "beta_vae", "steps": 5000}, {"steps": 3000}]. With
`heads` it is an ADDE of the same `attributes` (methods/adde.py), of either stage, whose
subspaces are the code: every column is of an attribute, and `latents` is d. m is
the mean code of some training images and sigma one number, the root mean square of
e - m, so that codes of any scale are told alike and their directions stay. Q is the
identity, or with `rotation` a fixed random orthogonal matrix: as much is known of the
image, and no number of the code is of what it was. Told as one vector ("film") the code
enters linearly, and a model of Q z is one of z; told as a token per number, or per
subspace of an ADDE ("attention"), it is not.

With a source that was not trained, codes are those of random layers. Codes are Q (e -
m) / sigma; `decode` draws them from one fixed noise.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Batch, Split, draw, take
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static
from disentangle.fields.define import WIDEST
from disentangle.methods import diffusion_model
from disentangle.methods.attributes import learned, parse
from disentangle.methods.base import Method, Params, Recipe
from disentangle.methods.diffusion_model import MOVES, Shape, averages, model, player
from disentangle.nn import ENCODERS, Net, attribute_heads, encoder, output_width

READ = 1_000  # images whose codes say what mean and spread are
PARTS = 10  # in which they are read


@settings
class Settings(diffusion_model.Settings):
    """Of diffusion on codes."""

    source: str = static(
        "locatello", "encoder of the run that this starts with", choices=ENCODERS
    )
    latents: int = static(
        10, "numbers of its code; with heads d, of each", least=1, most=WIDEST
    )
    gaussian: bool = static(
        True, "whether it gives means and log-variances, as that of a VAE does"
    )
    heads: int = static(
        0,
        "ReLUs of each head of an ADDE, if it is one; 0: no heads",
        least=0,
        most=WIDEST,
    )
    attributes: tuple[str, ...] = learned("with heads, what it learned")
    drop: float = static(
        0.0, "share of images whose code is left out", least=0.0, below=1.0
    )


class Source(NamedTuple):
    """The frozen networks, and the code they give.

    Attributes:
      nets: that are read.
      blocks: (N,) numbers of the code that belong together.
      attributes: of each number, where one is of one.
      code: code(params, images (B, H, W, C)) -> (B, sum of blocks).
    """

    nets: dict[str, Net]
    blocks: tuple[int, ...]
    attributes: tuple[str, ...] | None
    code: Callable[[Params, jax.Array], jax.Array]


def source(settings: Settings, space: FactorSpace, shape: Shape) -> Source:
    """A VAE's encoder, or an ADDE's with its heads.

    Raises:
      UserError: attributes that the space does not have.
    """
    latents = settings.latents
    if not settings.heads:
        outputs = 2 * latents if settings.gaussian else latents
        one = encoder(settings.source, shape, outputs, in_training=True)

        def means(params: Params, images: jax.Array) -> jax.Array:
            found: jax.Array = one.apply(params["encoder"], images)
            return found[:, :latents]

        return Source({"encoder": one}, (1,) * latents, None, means)
    told = parse(space, settings.attributes)
    shared = encoder(settings.source, shape, None, in_training=True)
    width = output_width(shared, shape)
    heads = attribute_heads(told.sizes, width, latents, settings.heads)

    def subspaces(params: Params, images: jax.Array) -> jax.Array:
        features = shared.apply(params["encoder"], images)
        codes: jax.Array = heads.apply(params["heads"], features).codes
        return codes.reshape(codes.shape[0], -1)

    names = tuple(name for name in told.names for _ in range(latents))
    blocks = (latents,) * len(told.names)
    return Source({"encoder": shared, "heads": heads}, blocks, names, subspaces)


def _scale(latents: int) -> Net:
    """x -> (x - mean) / size."""

    def init(key: jax.Array) -> dict[str, jax.Array]:
        del key
        return {"mean": jnp.zeros(latents), "size": jnp.ones(())}

    return Net(init, lambda p, x: (x - p["mean"][None]) / p["size"])


def build(settings: Settings, space: FactorSpace, shape: Shape) -> Method:
    """The denoiser on codes of a frozen encoder.

    Raises:
      UserError: with heads, attributes that the space does not have.
    """
    read = source(settings, space, shape)
    width = sum(read.blocks)
    made = model(settings, shape, read.blocks)
    nets = read.nets | {"scale": _scale(width)} | made.nets
    turn = np.float32(diffusion_model.rotation(width, settings.rotation))

    def represent(params: Params, images: jax.Array) -> jax.Array:
        code = nets["scale"].apply(params["scale"], read.code(params, images))
        return code @ turn.T if settings.rotation else code

    def code_of(params: Params, batch: Batch) -> jax.Array:
        return jax.lax.stop_gradient(represent(params, batch["images"]))

    def begin(params: Params, split: Split) -> Params:
        """m and sigma of some training images."""
        index = draw(split, jax.random.key(READ), READ).reshape(PARTS, -1)
        one = lambda rows: read.code(params, take(split.data, rows)["images"])
        codes = jax.lax.map(one, index).reshape(READ, width)
        mean = codes.mean(0)
        size = jnp.sqrt(jnp.square(codes - mean[None]).mean())
        return params | {"scale": {"mean": mean, "size": jnp.maximum(size, 1e-6)}}

    def redraw(params: Params, codes: jax.Array, images: jax.Array) -> jax.Array:
        return made.redraw(params, images, represent(params, images), codes)

    return Method(
        nets=nets,
        players={"diffusion": player(made, code_of, MOVES)},
        represent=represent,
        attributes=None if settings.rotation else read.attributes,
        decode=made.decode,
        redraw=redraw,
        averages=averages(MOVES),
        begin=begin,
        whole=tuple(read.nets),
    )


RECIPE = Recipe(
    build,
    Settings,
    "diffusion on the codes of another run (after Preechakul et al. 2022)",
    protocol=None,
    published="Preechakul et al. 2022 learn the code, a vector of 512, and images of "
    "128x128 and more",
)
