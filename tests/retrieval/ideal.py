"""Codes of a world's pictures that are their attributes, with noise: known answers."""

import itertools

import numpy as np


def one_hot(world, noise=0.0, *, seed=0, turned=False):
    """encode(images) and the columns of each attribute, of one-hot codes.

    Args:
      world: of the data set.
      noise: sd of what is added, another for every image.
      seed: of the noise and of the rotation.
      turned: whether the code is rotated at random, so that no column is of one
        attribute; the columns are as they were.
    """
    of = world.attributes
    ends = np.cumsum((0, *of.sizes))
    width = int(ends[-1])
    rng = np.random.default_rng(seed)
    added = noise * rng.normal(size=(4096, width))
    turn = np.linalg.qr(rng.normal(size=(width, width)))[0] if turned else np.eye(width)

    def encode(images):
        images = np.asarray(images)
        labels = of.labels(images)
        parts = [np.eye(size)[labels[:, a]] for a, size in enumerate(of.sizes)]
        codes = np.concatenate(parts, axis=1)
        return ((codes + added[images * 769 % 4093]) @ turn).astype(np.float32)

    return encode, [np.arange(a, b) for a, b in itertools.pairwise(ends)]
