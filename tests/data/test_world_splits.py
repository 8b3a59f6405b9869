"""Training images of a world: nothing that is asked about, budgets within budgets."""

import numpy as np
import pytest

from disentangle.data import shapes3d
from disentangle.data.dataset import Dataset
from disentangle.data.worlds import TEST, VALIDATION, VIEWS, split_world, world
from disentangle.errors import UserError


@pytest.fixture(scope="module")
def unread():
    """Shapes3D whose images nobody looks at."""
    return Dataset(
        np.zeros(1, np.uint8),
        "shapes3d",
        shapes3d.SPACE,
        (64, 64, 3),
        255,
        lambda *_: 0,
    )


@pytest.mark.parametrize("split", ["rand", "comp"])
def test_no_image_that_is_asked_about_is_trained_on(unread, split):
    asked = world("shapes3d")
    found, tested = split_world(unread, split, 0, 500)
    images = np.asarray(found.subset)
    assert len(set(images.tolist())) == len(images) == found.size
    tuples = np.arange(asked.attributes.tuples)
    for view in VIEWS:
        assert not np.isin(asked.view(view, tuples), images).any()
    held = asked.tuples(split, TEST)
    trained = np.unique(asked.attributes.tuple_of(images))
    if split == "comp":
        assert not np.isin(trained, held).any()
        parts = asked.parts(split)[asked.attributes.tuple_of(tested)]
        assert (parts == VALIDATION).all()
    else:
        np.testing.assert_array_equal(trained, tuples)
    assert len(tested) == len(set(tested.tolist())) == 500
    assert np.isin(tested, asked.view("validation", tuples)).all()


def test_a_smaller_budget_is_a_part_of_a_larger_one(unread):
    few, tested = split_world(unread, "rand", 100, 50)
    many, _ = split_world(unread, "rand", 1000, 50)
    np.testing.assert_array_equal(few.subset, many.subset[:100])
    other, again = split_world(unread, "rand", 100, 50, seed=1)
    assert set(np.asarray(other.subset)) != set(np.asarray(few.subset))
    np.testing.assert_array_equal(tested, again)


def test_splits_that_there_are_not_are_sentences(unread, toy):
    with pytest.raises(UserError, match="Did you mean 'comp'"):
        split_world(unread, "compp", 0, 50)
    with pytest.raises(UserError, match="train_size=999999 must be at most"):
        split_world(unread, "rand", 999_999, 50)
    with pytest.raises(UserError, match="unknown data set with queries 'toy'"):
        split_world(toy, "rand", 0, 50)
    renamed = Dataset(
        toy.arrays, "shapes3d", toy.space, toy.shape, toy.max_value, toy.draw
    )
    with pytest.raises(UserError, match="needs all images of shapes3d"):
        split_world(renamed, "rand", 0, 50)
