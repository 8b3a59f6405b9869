"""Methods of classes and pieces on bars of 16x16: parts of codes are exchanged.

A picture of the code of one image with a part of another's must show that part's factor
as the other has it. The oracle is exact: the nearest of all 96 images. By chance 1/4 of
the places are right, and of turns, and 1/2 of the shapes.
"""

import dataclasses
import time

import jax.numpy as jnp
import numpy as np
import pytest

import disentangle as dt


@pytest.fixture(scope="module")
def bars(toy):
    """The toy set, averaged down to 16x16."""
    images = np.asarray(toy.arrays).reshape(96, 16, 4, 16, 4, 1).mean((2, 4))
    small = jnp.asarray((255 * images).round().astype(np.uint8))
    return dataclasses.replace(toy, arrays=small, shape=(16, 16, 1), max_value=255)


def read(images, bars):
    """Factors of the nearest image of each."""
    real = np.asarray(bars.images(np.arange(96)), np.float64).reshape(1, 96, -1) / 255
    gaps = np.square(np.asarray(images).reshape(len(images), 1, -1) - real).sum(2)
    return bars.space.factors(gaps.argmin(1))


DENSE = {"encoder": "dense"}
ADAM = {"generator_learning_rate": 1e-3, "critic_learning_rate": 1e-3}
# method -> steps, fields, and which others are kept above chance at this budget;
# of the cycle-VAE the turn was seen at .45, the rest of both near chance.
LEARN = {
    "cycle_vae": (3000, DENSE | {"decoder": "dense", "latents": 8}, {}),
    "class_content_style": (
        1500,
        DENSE | {"width": 16, "content": 8},
        {"shape": 0.6, "turn": 0.6},  # seen: .707, .737; the size .443
    ),
    "dna_gan": (
        1500,
        ADAM | {"attributes": ("shape", "x"), "piece": 4, "width": 16, "gamma": 1.0},
        {},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARN)
def test_a_part_of_the_code_carries_its_factor(bars, name):
    factor, (steps, fields, kept) = "x", LEARN[name]
    if name != "dna_gan":
        fields = fields | {"shared": (factor,), "learning_rate": 1e-3}
    began = time.process_time()
    run = dt.train(name, bars, steps=steps, batch_size=32, progress=False, **fields)
    spent = time.process_time() - began
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 96, (2, 300))
    codes = run.encode(bars.images(np.arange(96)))[0]
    part = np.array(run.method.attributes) == factor
    found = read(run.decode(np.where(part, codes[other], codes[one]))[0], bars)
    own = (read(run.decode(codes)[0], bars) == bars.space.factors(np.arange(96))).mean(
        0
    )
    column = bars.space.position(factor)
    wanted = bars.space.factors(one)
    wanted[:, column] = bars.space.factors(other)[:, column]
    right = (found == wanted).mean(0)
    print(f"{name}: {right.round(3)} ({own.round(3)}) in {spent:.0f} CPU seconds")
    assert right[column] > 0.9  # seen: 1.0, .990, .997
    for rest, least in kept.items():
        assert right[bars.space.position(rest)] > least
