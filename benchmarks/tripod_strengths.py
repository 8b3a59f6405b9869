"""Which strength of Tripod's Hessian penalty leaves its latents in use on dSprites.

    python -m benchmarks.tripod_strengths --steps 2000 --batch_size 64 \
        --learning_rates 2e-4,1e-3 --informations 1e-6,1e-4 --hessians 0,1e-4,1e-3,1e-2

One population, a model for each combination. A line for each: different codes among
3,000 images (all latents together), latents in use (standard deviation of the codes
over these images above 0.1; codes lie in [-1, 1]), the Hessian penalty and the
reconstruction of 512 images, nats per image, beside that of the mean image. The
defaults end within minutes on two cores, at 16 images a step; the line above is for a
GPU.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.command import execute, flags_of, positive
from benchmarks.quantised_start import IMAGES, JUDGED, mean_image, rows_of
from disentangle.data import load
from disentangle.data.samplers import take
from disentangle.training.config import default_config
from disentangle.training.run import fit, prepare

IN_USE = 0.1


def main() -> None:
    """Prints a line for each model."""
    parser = flags_of(__doc__)
    numbers = lambda text: [float(x) for x in text.split(",")]
    parser.add_argument("--steps", type=positive, default=200)
    parser.add_argument("--batch_size", type=positive, default=16)
    parser.add_argument("--learning_rates", type=numbers, default=[1e-3])
    parser.add_argument("--informations", type=numbers, default=[1e-4])
    parser.add_argument("--hessians", type=numbers, default=[1e-3, 1e-2])
    chosen = parser.parse_args()
    data = load("dsprites")
    config = default_config("dsprites", "tripod").to_dict()
    config |= {"eval_every": 0, "steps": chosen.steps, "batch_size": chosen.batch_size}
    config["method"] |= {
        "adamw_learning_rate": chosen.learning_rates,
        "multi_information": chosen.informations,
        "hessian": chosen.hessians,
    }
    experiment, method, _, _ = prepare(config, data)
    (player,) = method.players.values()
    encode = jax.jit(method.represent)
    judge = jax.jit(partial(player.loss, key=jax.random.key(3), step=0))
    print(f"the mean image: reconstruction {mean_image(data):.1f}", flush=True)
    run = fit(config, data, progress=False)
    for index, hyper in enumerate(zip(*experiment.hyperparameters.method, strict=True)):
        hyper = type(experiment.hyperparameters.method)(*map(jnp.float32, hyper))
        params = run.member(index)
        rows = rows_of(data, IMAGES, seed=0).reshape(-1, 250)
        codes = np.concatenate([encode(params, take(data, r)["images"]) for r in rows])
        judged = rows_of(data, JUDGED, seed=2).reshape(-1, 64)
        logs = [judge(params, hyper, take(data, rows))[1] for rows in judged]
        penalty = np.mean([log["hessian"] for log in logs])
        distance = np.mean([log["reconstruction"] for log in logs])
        print(
            f"learning rate {hyper.adamw_learning_rate:.0e}, "
            f"multi_information {hyper.multi_information:.0e}, "
            f"hessian {hyper.hessian:.0e}: "
            f"{len(np.unique(codes, axis=0)):,} codes, "
            f"{(codes.std(0) > IN_USE).sum()} of {codes.shape[1]} latents in use, "
            f"penalty {penalty:.2f}, reconstruction {distance:.1f}",
            flush=True,
        )


if __name__ == "__main__":
    execute(main)
