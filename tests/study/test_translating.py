"""What follows content and style, on translations that are known."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from editing.exact import pictures, reader, small

from disentangle.editing import Known, Question
from disentangle.methods.ways import Translation
from disentangle.study.style_editors import translation
from disentangle.study.translating import allocation, translations_of


@pytest.fixture(scope="module")
def data(toy):
    return small(toy)


@pytest.fixture(scope="module")
def run(data):
    """The shape is the domain, turn and place the content, the size the style; the
    turn becomes the next one in the other domain, which nothing forbids."""
    every = jnp.asarray(pictures(data)(np.arange(96))).reshape(96, -1)
    factors = jnp.asarray(data.factors(np.arange(96)), jnp.float32)

    def encode(params, images):
        del params
        flat = images.reshape(images.shape[0], -1)
        gaps = (every**2).sum(1)[None] - 2 * flat @ every.T
        found = factors[gaps.argmin(1)]
        turned = (found[:, 2] + found[:, 0]) % 4  # of domain 1 its content is one more
        return jnp.stack([turned, found[:, 3], found[:, 1]], axis=1)

    def decode(domain, params, codes):
        del params
        turn, x, size = codes.astype(jnp.int32).T
        shape, size = jnp.full_like(turn, domain), jnp.clip(size, 0, 2)
        index = data.space.index(jnp.stack([shape, size, turn, x], axis=1))
        return data.images(index).astype(jnp.float32)

    ways = Translation(
        ("shape 0", "shape 1"),
        "shape",
        (0, 1),
        1,
        (encode, encode),
        (
            lambda params, codes: decode(0, params, codes),
            lambda params, codes: decode(1, params, codes),
        ),
    )
    return SimpleNamespace(
        method=SimpleNamespace(translation=ways),
        members=("one",),
        params={"any": jnp.zeros((1, 2))},
        spec=SimpleNamespace(shape=data.shape, max_value=1),
        config={"method": {"name": "planted"}},
    )


@pytest.mark.slow
def test_factors_follow_what_they_are_told_by(run, data):
    read = reader(data)
    judges = SimpleNamespace(read=lambda images: np.stack([read(images)] * 2))
    found = allocation(run, data, judges, 0, 80)
    same = np.testing.assert_array_equal
    same(found.exemplar.second, [1, 1, found.exemplar.second[2], 0])
    same(found.exemplar.first[[0, 1, 3]], [0, 0, 1])
    same(found.random.first[[0, 3]], [0, 1])
    assert found.hit == (1.0, 1.0)
    # The turn is another one, so that it follows neither, and the content alone.
    same(found.same_content[[0, 2, 3]], [1, 1, 1])
    same(found.same_style[:2], [1, 1])
    assert found.same_content[1] < 0.6 and found.same_style[3] < 0.6
    held = translations_of(run, data)
    assert held.translations.shape == (2, 6, 6, 16, 16, 1)
    same(held.reconstructions[0], held.images[0])


@pytest.mark.slow
def test_the_editor_translates_between_the_two_values(run, data):
    editor = translation(run, Known(None, None, None), data.space)
    read, draw, rng = reader(data), pictures(data), np.random.default_rng(1)
    factors, beside = rng.integers(0, data.space.sizes, (2, 20, 4))
    beside[:, 0] = 1 - factors[:, 0]
    truth = factors.copy()
    truth[:, 0] = beside[:, 0]
    parts = [draw(data.space.index(each)) for each in (factors, beside, truth)]
    asked = Question(0, parts[0], factors, truth, *parts[1:])
    found = read(editor.edit(asked))
    np.testing.assert_array_equal(found[:, :2], beside[:, :2])
    np.testing.assert_array_equal(found[:, 3], factors[:, 3])
    other = asked._replace(column=3)
    own = np.c_[factors[:, :2], (factors[:, 2] + factors[:, 0]) % 4, factors[:, 3]]
    np.testing.assert_array_equal(read(editor.edit(other)), own)
