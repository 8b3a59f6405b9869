"""Diffusion models on bars: what is told is drawn, learned codes say what is there.

The oracle is exact: the nearest of all 96 images.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import disentangle as dt
from benchmarks.rotated_codes import swapped
from disentangle.methods.conditional_diffusion import Settings, told
from disentangle.methods.diffusion_model import rotation


def averaged(toy, side):
    """The toy set, averaged down."""
    parts = np.asarray(toy.arrays).reshape(96, side, 64 // side, side, 64 // side, 1)
    small = jnp.asarray((255 * parts.mean((2, 4))).round().astype(np.uint8))
    return dataclasses.replace(toy, arrays=small, shape=(side, side, 1), max_value=255)


def read(images, bars):
    """The factors of the nearest of all images, (n, 4)."""
    real = np.asarray(bars.images(np.arange(96)), np.float64).reshape(1, 96, -1) / 255
    gaps = np.square(np.asarray(images).reshape(len(images), 1, -1) - real).sum(2)
    return bars.space.factors(gaps.argmin(1))


FIELDS = {"batch_size": 32, "width": 16, "draws": 10, "progress": False}


def swap_scores(run, member, bars, turn):
    """(share of pictures drawn with their own code that are read as they are, share of
    block swaps that are exact), by the codes of true factors; `turn`, or None, is what
    the code is turned by where it is swapped, and back."""
    config = dict(run.config["method"])
    config.pop("name")
    found = told(Settings(**config), bars.space, bars.shape)
    params = jax.tree.map(lambda leaf: leaf[member], run.params)
    decode = jax.jit(found.made.decode)
    rng = np.random.default_rng(1)
    own, other = (bars.space.factors(rng.integers(0, 96, 200)) for _ in "12")
    codes = [np.asarray(found.encode(jnp.asarray(f, jnp.int32))) for f in (own, other)]
    around = np.eye(codes[0].shape[1]) if turn is None else turn
    kept = (read(decode(params, jnp.asarray(codes[0])), bars) == own).all(1).mean()
    exact = []
    for j in range(4):
        target = np.array(own)
        target[:, j] = other[:, j]
        turned = [code @ around.T for code in codes]
        mixed = np.float32(swapped(*turned, found.blocks, j) @ around)
        pictures = read(decode(params, jnp.asarray(mixed)), bars)
        asked = own[:, j] != other[:, j]
        exact.append((pictures == target).all(1)[asked].mean())
    return kept, np.mean(exact)


@pytest.mark.slow
def test_block_swaps_collapse_for_a_turned_code_with_the_same_information(toy):
    """Told as one vector, one training gives both rows: the same pictures of codes as
    they are, and of swapped blocks a quarter as many that are exact. After 700 steps of
    32 it is no good model yet; one picture for all would be right 1 time in 96."""
    bars = averaged(toy, 8)
    run = dt.train("conditional_diffusion", bars, steps=700, **FIELDS)
    kept, exact = swap_scores(run, 0, bars, None)
    same, few = swap_scores(run, 0, bars, rotation(sum(bars.space.sizes), 1))
    print(f"kept {kept:.3f} {same:.3f} turned, exact {exact:.3f} {few:.3f} turned")
    assert kept > 0.1 and exact > 0.1  # seen: .190 and .216
    assert abs(kept - same) < 0.02
    assert few < exact / 2  # seen: .053
