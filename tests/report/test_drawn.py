"""Pictures of a generator's own, by a planted one; bars of labels, by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import disentangle as dt
from disentangle.data.factor import Factor
from disentangle.data.space import FactorSpace
from disentangle.report import breakdown, write_report
from disentangle.report import drawn as page
from disentangle.report.blocks import Row
from disentangle.study.drawn import Drawn, drawn_of, said, shown_values
from disentangle.training.data_spec import data_spec, write_spec

SPACE = FactorSpace(
    (
        Factor("hue", 12, "circular", tuple(i / 12 for i in range(12)), 12),
        Factor("free", 3, "ordinal", (0.0, 1.0, 2.0)),
        Factor("kind", 2, "categorical", (0.0, 1.0), words=("hat", "bag")),
    )
)


def planted(given=("hue", "kind"), **can):
    """A run whose pictures are their factors: red the hue, green free, blue kind.

    Alpha is not there: the noise, by the place in a batch, is the lower half.
    """

    def generate(factors, seed=0):
        sizes = np.array(SPACE.sizes)
        pixel = np.asarray(factors) / sizes
        pictures = np.broadcast_to(pixel[:, None, None], (len(factors), 4, 4, 3)).copy()
        pictures[:, 2:] = (np.arange(len(factors)) / 10 + seed / 100)[
            :, None, None, None
        ]
        return pictures[None]

    method = SimpleNamespace(
        generate=generate, sample=generate, decode=None, given=given
    )
    for name, value in can.items():
        setattr(method, name, value)
    return SimpleNamespace(
        method=method,
        generate=generate,
        sample=lambda n, seed=0: np.zeros((1, n, 4, 4, 3)),
        spec=SimpleNamespace(space=SPACE),
        config={},
        workdir=None,
    )


def test_columns_are_values_rows_are_noises():
    found = drawn_of(planted())
    assert found.pictures.shape == (4, 10, 4, 4, 3) and str(found.name) == "hue"
    hue = found.pictures[:, :, 0, 0, 0] * 12
    expected = np.round(np.linspace(0, 11, 10)).astype(int)
    np.testing.assert_allclose(hue, np.broadcast_to(expected, (4, 10)), atol=1e-9)
    others = found.pictures[:, :, 0, 0, 1:]
    assert (others == others[:, :1]).all()  # all else stays in a row
    noise = found.pictures[:, :, 3, 0, 0]
    assert (noise == noise[:, :1]).all() and len(set(noise[:, 0])) == 4
    assert found.values.tolist()[:2] == ["0", "0.0833"]


def test_a_table_has_a_value_of_each_of_two_factors():
    found = drawn_of(planted())
    assert found.table.shape[:2] == (6, 2) and found.columns.tolist() == ["hat", "bag"]
    corner = found.table[:, :, 0, 0]
    np.testing.assert_allclose(corner[:, 0, 0] * 12, shown_values(SPACE["hue"], 6))
    np.testing.assert_allclose(corner[0, :, 2] * 2, [0, 1])
    assert (found.table[:, :, 3] == found.table[0, 0, 3]).all()  # one noise
    assert drawn_of(planted(given=("kind",))).table is None
    assert said(SPACE["kind"], 1) == "bag"


def test_what_rebuilds_pictures_is_left_to_traversals():
    assert drawn_of(planted(generate=None, decode=len)) is None
    assert drawn_of(planted(generate=None, sample=None)) is None
    alone = drawn_of(planted(generate=None))
    assert alone.pictures.shape[:2] == (4, 8) and not any(alone.values)


def test_figures_of_all_that_is_drawn(tmp_path):
    found = drawn_of(planted())
    grown = np.zeros((2, 3, 4, 4, 3))
    Drawn(
        found.pictures, found.values, found.name, found.table, found.table_names,
        found.rows, found.columns, grown, np.array(["stage 1", "stage 2"]),
    ).save(tmp_path)  # fmt: skip
    _, row = page.drawn(tmp_path)
    assert isinstance(row, Row) and len(row.items) == 3
    assert page.drawn(tmp_path / "nowhere") == []
    with pytest.raises(dt.UserError, match="not"):
        Drawn(found.pictures, found.values[:3], found.name)


def test_bars_by_hand():
    """Words by falling number, the rare ones together; numbers in runs."""
    words = Factor("kind", 3, "categorical", (0.0, 1.0, 2.0), words=("a", "b", "c"))
    counted = words.__class__(**vars(words) | {"counts": (2, 5, 1)})
    assert breakdown.bars_of(counted) == (["b", "a", "c"], [5, 2, 1])
    n = breakdown.MOST + 2
    many = Factor(
        "k", n, "categorical", tuple(map(float, range(n))),
        words=tuple(f"w{i}" for i in range(n)), counts=tuple(range(n, 0, -1)),
    )  # fmt: skip
    names, numbers = breakdown.bars_of(many)
    assert names[-1] == "3 others" and numbers[-1] == 1 + 2 + 3 and len(names) == 15
    real = Factor("x", 30, "real", tuple(i / 2 for i in range(30)), counts=(1,) * 30)
    names, numbers = breakdown.bars_of(real)
    assert names[0] == "0 to 0.5" and numbers == [2] * 15


def test_own_data_has_bars_and_a_grid_has_none(tmp_path, toy):
    images = np.zeros((5, 8, 8, 1), np.uint8)
    labels = {"kind": ["hat", "bag", "hat", None, "hat"]}
    factors = np.array([[0], [1], [0], [-1], [0]])
    data = dt.from_arrays(images, factors, names=list(labels))
    write_spec(tmp_path / "data.json", data_spec(data))
    text, row = breakdown.breakdown(tmp_path)
    assert "5 images" in str(text) and len(row.items) == 1
    assert "1 image without" in row.items[0].caption
    config = {"data": {"name": "own"}, "method": {"name": "vae"}, "steps": 1}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert "own, 5 images of the factors kind (2)" in write_report(tmp_path).read_text()
    write_spec(tmp_path / "data.json", data_spec(toy))
    assert breakdown.breakdown(tmp_path) == []
