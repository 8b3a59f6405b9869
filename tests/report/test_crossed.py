"""The sections on pictures that are made of two others."""

import json

import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.report.blocks import Drawing, Row
from disentangle.report.crossed import mixing, translations
from disentangle.report.panels import crossed_figure
from disentangle.study.mixing import Mixing
from disentangle.study.translating import Translations

RNG = np.random.default_rng(0)


def drawings(blocks):
    (row,) = blocks
    assert isinstance(row, Row)
    return [one for one in row.items if isinstance(one, Drawing)]


@pytest.fixture
def workdir(tmp_path):
    config = {"method": {"name": "munit"}, "data": {"name": "toy"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def test_both_directions_and_every_split_are_drawn(workdir):
    assert translations(workdir) == [] and mixing(workdir) == []
    images = RNG.random((2, 2, 8, 8, 3))
    across = RNG.random((2, 2, 2, 8, 8, 3))
    Translations(np.array(["a", "b"]), images, images, across).save(workdir)
    found = drawings(translations(workdir))
    assert ["a to b" in one.caption for one in found] == [True, False]
    shares = np.array([[1.0, 1.0], [0.4, np.nan], [0.0, 0.0]])
    grids = RNG.random((2, 2, 2, 8, 8, 1))
    sources = RNG.random((2, 2, 8, 8, 1))
    held = Mixing(*sources, np.array([1, 2]), grids)
    held.save(workdir)
    assert len(drawings(mixing(workdir))) == 2
    whole = Mixing(
        *sources, held.splits, grids, shares, np.array([9, 9]), np.array(["x", "y"])
    )
    whole.save(workdir)
    assert len(drawings(mixing(workdir))) == 3


def test_pictures_that_do_not_belong_together_are_refused():
    left, above = np.zeros((2, 1, 8, 8, 1)), np.zeros((3, 8, 8, 1))
    with pytest.raises(UserError, match="2 x 2 images do not belong to 2 rows and 3"):
        crossed_figure(left, above, np.zeros((2, 2, 8, 8, 1)))
