"""How QLAE and Tripod start and learn: codes in use, their spread, what pulls at them.

    python -m benchmarks.quantised_start

On dSprites, with the default networks and, for QLAE, those of Locatello et al. 2019.
At the start and after 200 steps of 64 images: the standard deviation of the encoder's
outputs over 3,000 images (mean over latents; before Tripod's tanh), different codes
among these images (all latents together), values that a latent takes (mean), and the
reconstruction, nats per image. At the start also the norm of the encoder's gradient
of the reconstruction and of each weighted penalty. Arguments: --steps, --batch_size.
"""

import argparse
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from disentangle.data import load
from disentangle.data.dataset import Dataset
from disentangle.data.samplers import take
from disentangle.methods import base
from disentangle.training.config import default_config
from disentangle.training.run import fit, prepare

IMAGES = 3000
SIDES = (
    ("qlae", "locatello", "locatello"),
    ("qlae", "", ""),
    ("tripod", "", ""),
)
PENALTIES = {
    "qlae": ("commitment",),
    "tripod": ("multi_information", "hessian"),
}


def pulls(config: dict[str, Any], data: Dataset) -> dict[str, float]:
    """Norm of the encoder's gradient of each term of the loss, at the start."""
    planned, method, _, _ = prepare(config, data)
    params = base.init(method, key=jax.random.key(0))
    (player,) = method.players.values()
    hyper = jax.tree.map(lambda x: jnp.asarray(x[0]), planned.traced.method)
    names = PENALTIES[config["method"]["name"]]
    rows = np.random.default_rng(1).integers(0, len(data), config["batch_size"])
    batch = take(data, jnp.asarray(rows, jnp.int32))

    @jax.jit
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
    return found


def state(config: dict[str, Any], data: Dataset, steps: int) -> str:
    """One line: spread, codes in use and reconstruction after `steps` steps.

    Of no steps it is the start: one step at a learning rate of 1e-12.
    """
    method = config["method"]
    if not steps:
        method = method | {"adamw_learning_rate": 1e-12}
    run = fit(config | {"steps": max(steps, 1), "method": method}, data, progress=False)
    images = np.random.default_rng(0).integers(0, len(data), IMAGES)
    images = data.images(jnp.asarray(images, jnp.int32))
    codes = run.encode(images)[0]
    outputs = jax.jit(run.method.nets["encoder"].apply)(
        run.member(0)["encoder"], jnp.asarray(images, jnp.float32) / data.peak
    )
    values = np.mean([len(np.unique(column)) for column in codes.T])
    player = next(iter(run.method.players.values()))
    hyper = jax.tree.map(jnp.float32, default_hyper(config, data))
    batch = take(data, jnp.arange(0, len(data), len(data) // 512, dtype=jnp.int32))
    logs = player.loss(run.member(0), hyper, batch, key=jax.random.key(3), step=0)[1]
    return (
        f"std {np.asarray(outputs).std(0).mean():.4f}, "
        f"{len(np.unique(codes, axis=0)):,} codes, {values:.1f} values a latent, "
        f"reconstruction {float(logs['reconstruction']):.1f}"
    )


def default_hyper(config: dict[str, Any], data: Dataset) -> Any:
    """The traced numbers of the config's only member."""
    return jax.tree.map(lambda x: x[0], prepare(config, data)[0].traced.method)


def main() -> None:
    """Prints a block for each side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch_size", type=int, default=64)
    chosen = parser.parse_args()
    data = load("dsprites")
    for name, encoder, decoder in SIDES:
        config = default_config("dsprites", name).to_dict()
        method = config["method"]
        method["encoder"] = encoder or method["encoder"]
        method["decoder"] = decoder or method["decoder"]
        config |= {"eval_every": 0, "batch_size": chosen.batch_size}
        print(f"{name}, {method['encoder']} and {method['decoder']}")
        gradients = pulls(config, data).items()
        print("  gradients", ", ".join(f"{k} {v:.3g}" for k, v in gradients))
        for steps in (0, chosen.steps):
            print(f"  {steps} steps: {state(config, data, steps)}", flush=True)


if __name__ == "__main__":
    main()
