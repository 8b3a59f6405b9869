"""Are w and its layers better latents than z? StyleGAN by two oracles.

    python -m benchmarks.style_spaces --steps=1200 --batch=16
    python -m benchmarks.style_spaces --steps=20000 --batch=32 --width=32 --seeds=3

The second line is for a GPU.

A StyleGAN of a data set at --size pixels; with --condition it is told these factors.
Printed of every seed: steps, CPU seconds, perceptual path length and linear
separability in z and in w (Karras et al. 2019: both lower in w; FFHQ at 1024 pixels,
paths 664.9 and 233.3, separability 165.0 and 3.74, by other features and labels), and
what independent labels would give; how far pictures are from real ones (Frechet
distance on an oracle's features, beside that of two halves of real ones) and the share
that both oracles read alike; R^2 of w as the encoder reads it; and the mixing matrix:
of every layer l and factor the share of pictures that follow the second source where
the layers from l on have its style, among those whose sources differ in it. Workdirs
are kept in --out and go on where they stopped; mixing.npz there is what `report` shows.
"""

import argparse
import dataclasses
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import disentangle as dt
from benchmarks.command import execute, flags_of, natural, positive
from disentangle.editing.equality import equal
from disentangle.study.judges import Judges, judges_of
from disentangle.study.latent_spaces import latents_of
from disentangle.study.mixing import mixing_matrix, mixing_of
from disentangle.training.config import default_config
from disentangle.training.final import final_rows
from disentangle.training.run import Run, fit

SCORES = ("path_length", "linear_separability", "frechet")


def trained(given: argparse.Namespace, data: Any, seed: int) -> Run:
    """The run of a seed."""
    told = [name.strip() for name in given.condition.split(",") if name.strip()]
    name = "conditional_style_gan" if told else "style_gan"
    config = default_config(data.name, name).to_dict()
    config["method"] |= {"width": given.width, "gamma": given.gamma}
    config["method"] |= {"encoder": given.encoder}
    config["method"] |= {"condition": told} if told else {}
    config["data"] |= {"test_size": 64}
    config |= {"steps": given.steps, "batch_size": given.batch, "seed": seed}
    config |= {"eval_every": given.steps, "checkpoint_every": max(1, given.steps // 4)}
    folder = f"{name}-{data.name}-{given.size}-{given.width}-{given.gamma:g}-{seed}"
    return fit(config, data, workdir=given.out / folder, progress=False)


def told(run: Run, data: Any, judges: Judges, count: int) -> None:
    """Prints the scores of a run, and its mixing matrix, which is kept."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = dt.evaluate(
            run,
            list(SCORES),
            data=data,
            oracle=judges.each[0].run,
            num_train=200,
            num_test=count,
            progress=False,
        )
    for name, value in zip(table["metric"], table["value"], strict=True):
        print(f"  {name:30s} {value:10.3f}")
    readings = judges.read(np.clip(run.sample(count, seed=3)[0], 0.0, 1.0))
    first = np.broadcast_to(readings[:1], readings.shape)
    alike = equal(data.space, readings, first).all((0, 2)).mean()
    explained = final_rows(run, data)[run.members[0]].get("explained", float("nan"))
    print(f"  read alike by both oracles {alike:.3f}, R^2 of w {explained:.3f}")
    matrix, pairs = mixing_matrix(run, data, judges, count)
    print("  layer " + " ".join(f"{name:>12s}" for name in data.space.names))
    for layer, row in enumerate(matrix):
        where = f"{layer:5d} " if layer < latents_of(run).layers else " none "
        print("  " + where + " ".join(f"{value:12.2f}" for value in row))
    print("  pairs " + " ".join(f"{n:12d}" for n in pairs))
    if run.workdir is not None:
        held = dataclasses.replace(
            mixing_of(run, data),
            matrix=matrix,
            pairs=pairs,
            factors=np.array(data.space.names),
        )
        held.save(Path(run.workdir))


def main() -> None:
    """The command line."""
    parser = flags_of(__doc__)
    parser.add_argument("--data", default="shapes3d")
    parser.add_argument("--size", type=natural, default=32, help="pixels; 0 is whole")
    parser.add_argument("--condition", default="", help="factors it is told")
    parser.add_argument("--steps", type=positive, default=1_200)
    parser.add_argument("--batch", type=positive, default=16)
    parser.add_argument("--width", type=positive, default=12)
    parser.add_argument("--gamma", type=float, default=5.0)
    parser.add_argument("--encoder", default="small")
    parser.add_argument("--seeds", type=positive, default=1)
    parser.add_argument(
        "--count", type=positive, default=500, help="pictures per score"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/style_spaces"))
    given = parser.parse_args()
    data = dt.load(given.data, size=given.size)
    judges = judges_of(data, progress=False)
    for seed in range(given.seeds):
        began = time.process_time()
        run = trained(given, data, seed)
        spent = time.process_time() - began
        print(f"seed {seed}: {run.step} steps of {given.batch}, {spent:.0f} CPU s")
        told(run, data, judges, given.count)


if __name__ == "__main__":
    execute(main)
