"""The command line on 96 small images and dense networks, in a process of its own.

    python tests/training/toy_program.py train --config=... --workdir=...

Its words are those of `python -m disentangle`; the data set is `toy`, the networks
`dense`. Nothing takes long to compile, so signals meet it at work.
"""

import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from disentangle.__main__ import program
from disentangle.data import DATASETS
from disentangle.data.dataset import Dataset, Recipe, draw_rows
from disentangle.data.space import Factor, FactorSpace
from disentangle.nn import DECODERS, ENCODERS
from disentangle.nn.encoders import Encoder
from disentangle.nn.net import Net, from_module

ROOT = Path(__file__).resolve().parents[2]
SPACE = FactorSpace(
    tuple(
        Factor(name, size, "ordinal", tuple(map(float, range(size))))
        for name, size in (("wide", 4), ("high", 4), ("x", 6))
    )
)
BEGUN = "the toy program has begun"
NETWORKS = ("encoder=dense", "decoder=dense")


def dataset(cache_dir: Path | None = None) -> Dataset:
    """Bars of 16x16x1 pixels in {0, 1}."""
    images = np.zeros((SPACE.size, 16, 16, 1), np.uint8)
    for i, (wide, high, x) in enumerate(SPACE.factors(np.arange(SPACE.size))):
        images[i, 2 : 4 + 2 * high, x : x + 2 + 2 * wide] = 1
    return Dataset(jnp.asarray(images), "toy", SPACE, (16, 16, 1), 1, draw_rows)


def register() -> None:
    """The data set and the networks under their names."""

    def encoder(shape, outputs):
        return from_module(Encoder((), (32,), outputs), shape)

    def decoder(shape, latents):
        flat = from_module(Encoder((), (32,), int(np.prod(shape))), (latents,))
        return Net(flat.init, lambda p, z: flat.apply(p, z).reshape(-1, *shape))

    ENCODERS["dense"], DECODERS["dense"] = encoder, decoder
    DATASETS["toy"] = Recipe(SPACE, dataset)


def train_words(workdir: Path, steps: int, *more: str) -> list[str]:
    """A command that trains two models of two seeds."""
    return [
        "train",
        f"--config={ROOT}/experiments/vae.py:toy,beta_vae,beta=1|4",
        f"--workdir={workdir}",
        *(f"--config.method.{network}" for network in NETWORKS),
        "--config.seeds=2",
        "--config.batch_size=8",
        f"--config.steps={steps}",
        *more,
    ]


def pipeline_words(command: str, workdir: Path, steps: int, *more: str) -> list[str]:
    """`pipeline` or `affinity`, three tasks and two seeds."""
    words = [
        command,
        f"--config={ROOT}/experiments/pipeline.py:toy,quick",
        f"--workdir={workdir}",
        "--config.data.train_size=64",
        "--config.data.test_size=32",
        "--config.score.metrics=('mig',)",
        "--config.score.num_train=300",
        "--config.score.num_test=150",
        "--config.unsupervised.method.decoder=dense",
    ]
    for part in ("supervised", "unsupervised"):
        words += [
            f"--config.{part}.{field}"
            for field in (
                "method.encoder=dense",
                "seeds=2",
                "batch_size=8",
                f"steps={steps}",
                f"eval_every={max(1, steps // 4)}",
                f"checkpoint_every={max(1, steps // 8)}",
            )
        ]
    return [*words, *more]


def study_words(workdir: Path, steps: int = 300) -> list[str]:
    """`compare` of two methods of two seeds."""
    config = Path(__file__).with_name("toy_study.py")
    return ["compare", f"--config={config}:{steps}", f"--workdir={workdir}"]


def theorem_words(workdir: Path, angles: int = 40) -> list[str]:
    """`impossibility` at so many angles."""
    turns = ",".join(str(angle / 100) for angle in range(1, angles + 1))
    return [
        "impossibility",
        f"--config={ROOT}/experiments/impossibility.py:toy",
        f"--workdir={workdir}",
        f"--config.angles=({turns},)",
        "--config.score.num_train=3000",
    ]


if __name__ == "__main__":
    register()
    print(BEGUN, file=sys.stderr, flush=True)
    program()
