"""How QLAE and Tripod start and learn: codes in use, their spread, what pulls at them.

    python -m benchmarks.quantised_start

On dSprites, 100 steps of 32 images at a learning rate of 1e-3 (QLAE's own; Tripod's is
2e-4), with the networks of Locatello et al. 2019, which do not normalise, and with the
default ones, which do. Tripod refuses a ReLU decoder, so that its first block has the
old encoder only, and is not trained.

A line for the start and one for the end: the standard deviation of the encoder's
outputs over 3,000 images (mean over latents; before Tripod's tanh), different codes
among these images (all latents together), values that a latent takes (mean), and the
reconstruction of 512 images, nats per image, beside that of the mean of 20,000 images.
At the start also the norm of the encoder's gradient of the reconstruction and of each
weighted penalty. Arguments: --methods, --steps, --batch_size, --learning_rate.
"""

import argparse
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.command import execute, flags_of, positive
from disentangle.data import load
from disentangle.data.dataset import Dataset
from disentangle.data.samplers import take
from disentangle.methods import base
from disentangle.methods.base import Method
from disentangle.training.config import default_config
from disentangle.training.run import fit, prepare

IMAGES, JUDGED, AVERAGED, ENCODED = 3000, 512, 20_000, 250
PENALTIES = {
    "qlae": ("commitment",),
    "tripod": ("multi_information", "hessian"),
}


class Side(NamedTuple):
    """One block: a method, its networks ("" the default), whether it is trained."""

    method: str
    encoder: str = ""
    decoder: str = ""
    trained: bool = True


SIDES = (
    Side("qlae", "locatello", "locatello"),
    Side("qlae"),
    Side("tripod", "locatello", trained=False),
    Side("tripod"),
)


def config_of(side: Side, chosen: argparse.Namespace) -> dict[str, Any]:
    """The training config of a side."""
    config = default_config("dsprites", side.method).to_dict()
    method = config["method"]
    method["encoder"] = side.encoder or method["encoder"]
    method["decoder"] = side.decoder or method["decoder"]
    method["adamw_learning_rate"] = chosen.learning_rate
    ours = {"eval_every": 0, "steps": chosen.steps, "batch_size": chosen.batch_size}
    return config | ours


def rows_of(data: Dataset, count: int, seed: int) -> jax.Array:
    """Random image numbers."""
    rows = np.random.default_rng(seed).integers(0, len(data), count)
    return jnp.asarray(rows, jnp.int32)


def pulls(
    config: dict[str, Any], method: Method, params: Any, hyper: Any, data: Dataset
) -> str:
    """Norm of the encoder's gradient of each term of the loss."""
    (player,) = method.players.values()
    names = PENALTIES[config["method"]["name"]]
    batch = take(data, rows_of(data, config["batch_size"], seed=1))

    @jax.jit  # no constants, which XLA would fold
    def gradient_of(params, hyper, batch):
        loss = lambda own: player.loss(
            params | {"encoder": own}, hyper, batch, key=jax.random.key(2), step=0
        )[0]
        return jax.grad(loss)(params["encoder"])

    gradient = lambda hyper: gradient_of(params, hyper, batch)
    none = {name: jnp.float32(0.0) for name in names}
    alone = gradient(hyper._replace(**none))
    found = {"reconstruction": float(optax.tree.norm(alone))}
    for name in names:
        one = hyper._replace(**(none | {name: hyper._asdict()[name]}))
        found[name] = float(optax.tree.norm(optax.tree.sub(gradient(one), alone)))
    return ", ".join(f"{name} {value:.3g}" for name, value in found.items())


def state(method: Method, params: Any, hyper: Any, data: Dataset) -> str:
    """Spread, codes in use and reconstruction, in words."""

    @jax.jit
    def encode(params, images):
        outputs = method.nets["encoder"].apply(params["encoder"], images)
        return outputs, method.represent(params, images)

    rows = rows_of(data, IMAGES, seed=0).reshape(-1, ENCODED)
    encoded = [encode(params, take(data, some)["images"]) for some in rows]
    outputs, codes = (np.concatenate(x) for x in zip(*encoded, strict=True))
    values = np.mean([len(np.unique(column)) for column in codes.T])
    (player,) = method.players.values()
    judge = jax.jit(partial(player.loss, key=jax.random.key(3), step=0))
    parts = [
        judge(params, hyper, take(data, some))
        for some in rows_of(data, JUDGED, seed=2).reshape(-1, 64)
    ]
    found = np.mean([logs["reconstruction"] for _, logs in parts])
    return (
        f"std {outputs.std(0).mean():.4f}, "
        f"{len(np.unique(codes, axis=0)):,} codes, {values:.1f} values a latent, "
        f"reconstruction {found:.1f}"
    )


def mean_image(data: Dataset) -> float:
    """The reconstruction of the judged images by the mean image, nats per image."""
    images = np.asarray(
        take(data, rows_of(data, AVERAGED, seed=4))["images"], np.float64
    )
    p = np.clip(images.mean(axis=0), 1e-6, 1 - 1e-6)
    x = np.asarray(take(data, rows_of(data, JUDGED, seed=2))["images"], np.float64)
    return float(-(x * np.log(p) + (1 - x) * np.log1p(-p)).sum() / JUDGED)


def main() -> None:
    """Prints a block for each side."""
    parser = flags_of(__doc__)
    parser.add_argument("--methods", default="qlae,tripod")
    parser.add_argument("--steps", type=positive, default=100)
    parser.add_argument("--batch_size", type=positive, default=32)
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    chosen = parser.parse_args()
    data = load("dsprites")
    print(f"the mean image: reconstruction {mean_image(data):.1f}", flush=True)
    for side in (s for s in SIDES if s.method in chosen.methods.split(",")):
        config = config_of(side, chosen)
        experiment, method, _, _ = prepare(config, data)
        hyper = jax.tree.map(
            lambda x: jnp.asarray(x[0]), experiment.hyperparameters.method
        )
        params = base.init(method, key=jax.random.key(0))
        nets = config["method"]
        print(f"{side.method}, {nets['encoder']} and {nets['decoder']}")
        print("  gradients", pulls(config, method, params, hyper, data))
        print(f"  start: {state(method, params, hyper, data)}", flush=True)
        if side.trained:
            run = fit(config, data, progress=False)
            words = state(method, run.member(0), hyper, data)
            print(f"  {chosen.steps} steps: {words}", flush=True)


if __name__ == "__main__":
    execute(main)
