"""The editor of layers on a generator whose layers are known; mixing matrices."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from editing.exact import pictures, reader, small

from disentangle.editing import Known, Question
from disentangle.methods.ways import Latents
from disentangle.study.editor import SEED
from disentangle.study.mixing import mixing_matrix
from disentangle.study.style_editors import chosen_spans, layers, own_latents

PLACES = (2, 0, 3, 1)  # factor -> the layer that it is told in


@pytest.fixture(scope="module")
def data(toy):
    return small(toy)


@pytest.fixture(scope="module")
def run(data):
    """w ~ U(0, 1)^4, of z by the normal distribution; layer PLACES[k] is told factor k
    as the share w_k of its values. Codes are what a picture says of w, exactly."""
    sizes = jnp.asarray(data.space.sizes, jnp.float32)[None]

    def mapped(params, z, factors):
        del params, factors
        return jax.scipy.stats.norm.cdf(z[:, :4])

    def draw(params, styles, z):
        del params, z
        told = jnp.stack([styles[:, PLACES[k], k] for k in range(4)], axis=1)
        values = jnp.clip((told * sizes).astype(jnp.int32), 0, sizes.astype(int) - 1)
        return data.images(data.space.index(values)).astype(jnp.float32)

    read = reader(data)
    every = np.asarray(data.space.sizes)
    return SimpleNamespace(
        method=SimpleNamespace(
            latents=Latents(6, 4, 4, mapped, draw), generate=None, decode=draw
        ),
        members=("one",),
        spec=SimpleNamespace(shape=data.shape),
        member=lambda which: {},
        encode=lambda x: ((read(x) + 0.5) / every)[None].astype(np.float32),
    )


def test_spans_are_the_layers_that_tell_each_factor(run, data):
    spans, notes = chosen_spans(run, reader(data), data.space)
    assert spans == [(layer, layer + 1) for layer in PLACES]
    assert "shape 3 to 3, size 1 to 1, turn 4 to 4, x 2 to 2" in notes[0]


@pytest.mark.slow
@pytest.mark.parametrize("psi", [1.0, 0.5])
def test_an_edit_of_layers_changes_the_factor_alone(run, data, psi):
    """Also where pictures of its own have styles nearer to the mean, .5."""
    every, draw = np.arange(96), pictures(data)
    known = Known(draw(every), data.space.factors(every), draw(every))
    truncated = lambda params, w: 0.5 + psi * (w - 0.5)
    ways = run.method.latents._replace(truncated=truncated)
    method = SimpleNamespace(**vars(run.method) | {"latents": ways})
    run = SimpleNamespace(**vars(run) | {"method": method})
    editor = layers(run, known, data.space)
    z = own_latents(run, 30, SEED)
    w = np.asarray(truncated({}, ways.mapped({}, z, None)))
    own = np.asarray(run.method.latents.draw({}, jnp.repeat(w[:, None], 4, 1), z))
    read, rng = reader(data), np.random.default_rng(0)
    factors = read(own)
    for column in range(4):
        beside = rng.integers(0, data.space.sizes, (30, 4))
        target = factors.copy()
        target[:, column] = beside[:, column]
        exemplars = draw(data.space.index(beside))
        asked = Question(
            column, own, factors, target, exemplars, draw(data.space.index(target))
        )
        np.testing.assert_array_equal(read(editor.edit(asked)), target)
        np.testing.assert_array_equal(editor.rebuild(asked), own)


def test_the_mixing_matrix_is_a_step_per_factor_at_its_layer(run, data):
    read = reader(data)
    judges = SimpleNamespace(
        each=(None, None), read=lambda images: np.stack([read(images)] * 2)
    )
    matrix, pairs = mixing_matrix(run, data, judges, 60)
    expected = [[float(PLACES[k] >= l) for k in range(4)] for l in range(5)]
    np.testing.assert_array_equal(matrix, expected)
    assert (pairs > 15).all()
