"""Prototypes on planted ones: a ring is a ring, angles are those of a circle."""

import numpy as np
import pytest

import disentangle as dt
from disentangle.errors import UserError
from disentangle.report import prototypes as page
from disentangle.report.blocks import Row
from disentangle.study.prototypes import Prototypes, prototypes_of


@pytest.fixture
def planted():
    """Five hues on a circle, a line of three sizes, two shapes; chunks of four."""
    angle = 2 * np.pi * np.arange(5) / 5
    table = np.zeros((10, 12), np.float32)
    table[:5, 0], table[:5, 2] = 3 * np.cos(angle), 3 * np.sin(angle)
    table[5:8, 5] = 1.0, 2.0, 4.0
    table[8, 9], table[9, 10] = 1.0, -1.0
    names, sizes = np.array(["hue", "size", "shape"]), np.array([5, 3, 2])
    ordered, rings = np.array([True, True, False]), np.array([True, False, False])
    return Prototypes(table, names, sizes, ordered, rings)


def test_cosines_of_a_ring_go_round(planted):
    found = page.cosines(planted.parts["hue"])
    first = np.cos(2 * np.pi * np.arange(5) / 5)
    expected = np.stack([np.roll(first, k) for k in range(5)])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (page.cosines(np.zeros((2, 3))) == 0).all()


def test_a_ring_is_seen_whole_and_a_line_too(planted):
    flat, share = page.plane_of(planted.parts["hue"])
    np.testing.assert_allclose(np.linalg.norm(flat, axis=1), 3.0, rtol=1e-6)
    assert share == pytest.approx(1.0)
    flat, share = page.plane_of(planted.parts["size"])
    assert np.abs(flat[:, 1]).max() < 1e-6 and share == pytest.approx(1.0)
    np.testing.assert_allclose(np.abs(np.diff(flat[:, 0])), [1.0, 2.0], rtol=1e-6)
    assert page.plane_of(np.ones((3, 4)))[1] == 0.0


def test_the_section_has_three_figures_and_a_damaged_file_is_named(planted, tmp_path):
    assert page.prototypes(tmp_path) == []
    planted.save(tmp_path)
    _, row = page.prototypes(tmp_path)
    assert isinstance(row, Row) and len(row.items) == 3
    rings = page.rings_figure(planted).axes
    joined = [axes.lines[0].get_xydata().shape[0] for axes in rings[:2]]
    assert joined == [6, 3] and not rings[2].lines  # a ring ends where it began
    assert rings[0].get_title() == "hue, 100%"
    with pytest.raises(UserError, match="do not belong together"):
        Prototypes(
            planted.table[1:],
            *(planted.names, planted.sizes, planted.ordered, planted.rings),
        )


@pytest.mark.slow
def test_those_of_a_run_are_the_columns_of_its_memory(toy):
    settings = {"encoder": "dense", "batch_size": 8, "progress": False}
    first = dt.train("adde", toy, learns="attributes", steps=20, **settings)
    run = dt.train("adde", toy, steps=2, init_from=first, **settings)
    found = prototypes_of(run, toy)
    assert [*found.names] == [*run.method.subspaces.names]
    assert found.table.shape[0] == sum(toy.space.sizes)
    table = np.asarray(run.member(0)["memory"]["table"])  # (d, S)
    width, start = len(table), 0
    for a, size in enumerate(found.sizes):
        own = found.table[start : start + size, a * width : (a + 1) * width]
        np.testing.assert_allclose(own, table[:, start : start + size].T, rtol=1e-6)
        start += size
    assert np.count_nonzero(found.table) <= table.size
    assert prototypes_of(first, toy) is None
