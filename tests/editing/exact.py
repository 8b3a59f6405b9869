"""Judges that are never wrong, and what the bench needs of a small data set."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from disentangle.editing import (
    REFERENCES,
    Asking,
    Bench,
    Judged,
    Known,
    Question,
    requests,
    rows,
)
from disentangle.editing.counterfactual import is_nearest, psnr


def small(toy):
    """Every fourth pixel of the toy: 16x16, all 96 pictures still differ."""
    images = jnp.asarray(toy.arrays)[:, ::4, ::4]
    return replace(toy, arrays=images, shape=(16, 16, 1))


def pictures(data):
    """(n,) images -> (n, H, W, C) in [0, 1]."""
    every = np.asarray(data.images(np.arange(len(data))), np.float32) / data.max_value
    return lambda index: every[np.asarray(index)]


def reader(data):
    """Pictures -> the factors of the data set's nearest one, by float64."""
    every = pictures(data)(np.arange(len(data))).reshape(len(data), -1)
    factors = np.asarray(data.factors(np.arange(len(data))))

    def read(images):
        flat = np.asarray(images, np.float64).reshape(len(images), -1)
        gaps = (every**2).sum(1)[None] - 2 * flat @ every.T.astype(np.float64)
        return factors[gaps.argmin(1)]

    return read


def question(data, asked, column):
    draw, own = pictures(data), asked.of(column)
    return Question(
        column,
        draw(asked.source[own]),
        data.factors(asked.source[own]),
        data.factors(asked.truth[own]),
        draw(asked.exemplar[own]),
        draw(asked.truth[own]),
    )


def judged(data, read, asked, question, edited):
    """Of pictures edited without a model: a source rebuilt is the source."""
    del asked
    return Judged(
        np.stack([read(edited)] * 2),
        np.stack([read(question.images)] * 2),
        question.target,
        question.factors,
        psnr(edited, question.truth),
        is_nearest(edited, question.target, data.space, pictures(data)),
    )


def bench_of(data, asked):
    return Bench(
        data.space, tuple(asked.judged.tolist()), np.ones(len(data.space.items))
    )


def known(data, gallery=None):
    every = np.arange(len(data))
    draw = pictures(data)
    rows_ = every if gallery is None else gallery
    return Known(draw(every), data.factors(every), draw(rows_))


def reference_rows(data, asking=None, gallery=None):
    """way -> {(attribute, score): value} of every reference row."""
    asking = asking or Asking(requests=100, bootstrap=0)
    asked = requests(data.name, data.space, asking)
    read, found = reader(data), {}
    for way, edit in REFERENCES.items():
        parts = {}
        for column in asked.judged.tolist():
            one = question(data, asked, column)
            edited = edit(one, known(data, gallery))
            parts[column] = judged(data, read, asked, one, edited)
        own = rows(way, bench_of(data, asked), parts, asking.bootstrap)
        found[way] = {(row.attribute, row.score): row.value for row in own}
    return found
