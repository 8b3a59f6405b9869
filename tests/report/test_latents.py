"""Figures of latent spaces and of information, read back from what was drawn."""

import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.report import information_figure, plane_figure, units_figure
from disentangle.report.matrices import FADED
from disentangle.study.visualize import Plane


def plane(**changes):
    """Three codes; images 0.0 .. 0.3 on a 2 x 2 grid, [y, x]."""
    shades = np.array([[0.0, 0.1], [0.2, 0.3]])
    arrays = {
        "plane_codes": np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]),
        "plane_labels": np.array([[0, 2], [1, 1], [1, 0]]),
        "plane_factors": np.array(["shape", "x"]),
        "plane_share": np.array([0.2, 0.9]),
        "plane_x": np.array([-1.0, 1.0]),
        "plane_y": np.array([10.0, 30.0]),
        "plane_pictures": np.ones((2, 2, 3, 3, 1)) * shades[..., None, None, None],
    }
    return Plane(**(arrays | changes))


def test_the_plane_has_the_axis_values_of_its_codes():
    codes, grid = plane_figure({"vae": plane()}).axes
    assert codes.get_title(loc="left") == "vae\ncodes by x"  # told most
    (dots,) = codes.collections
    assert dots.get_offsets().tolist() == plane().plane_codes.tolist()
    assert dots.get_array().tolist() == [2, 1, 0]
    (image,) = grid.images
    assert image.get_extent() == [-2.0, 2.0, 0.0, 40.0]
    # z1 grows to the right, z2 upwards
    assert image.get_array()[::3, ::3, 0].tolist() == [[51, 76], [0, 26]]


def test_planes_share_the_factor_that_they_tell_most_of():
    other = plane(plane_share=np.array([1.0, 0.0]))
    figure = plane_figure({"ae": plane(), "vae": other})
    assert figure.axes[0].get_title(loc="left") == "ae\ncodes by shape"
    assert len(figure.axes) == 4
    chosen = plane_figure({"ae": plane()}, "shape").axes[0]
    assert chosen.collections[0].get_array().tolist() == [0, 1, 1]


def test_a_share_that_shuffled_factors_have_too_does_not_choose_the_colour():
    told = plane(plane_shuffled=np.array([0.0, 0.8]))
    assert plane_figure({"vae": told}).axes[0].get_title(loc="left").endswith("shape")


def test_planes_are_checked():
    with pytest.raises(UserError, match="no latent plane"):
        plane_figure({})
    with pytest.raises(UserError, match="Did you mean 'shape'"):
        plane_figure({"ae": plane()}, "shap")


def test_active_units_have_their_mean_and_deviation():
    figure = units_figure([4, 1, 4, 1], [2, 9, 6, 9], "beta", 10)
    axes = figure.axes[0]
    line = next(line for line in axes.lines if line.get_linestyle() == "-")
    assert line.get_xydata().tolist() == [[1.0, 9.0], [4.0, 4.0]]
    (bars,) = axes.collections
    low, high = bars.get_segments()[1]
    assert high[1] - low[1] == pytest.approx(2 * np.sqrt(8.0))  # n - 1: (4 + 4) / 1
    assert axes.get_xscale() == "log" and axes.get_xlabel() == "beta"
    assert units_figure([0, 1], [1, 2], "beta", 3).axes[0].get_xscale() == "linear"


def test_information_is_printed_where_it_is():
    share = [[0.25, 0.5], [0.75, 1.0]]
    axes = information_figure(share, ["f", "g"], ["z1", "z2"]).axes[0]
    found = {
        (t.get_position()[1], t.get_position()[0]): t.get_text() for t in axes.texts
    }
    assert found == {(0, 0): "0.25", (0, 1): "0.50", (1, 0): "0.75", (1, 1): "1.00"}
    blue = [1 - patch.get_facecolor()[0] for patch in axes.patches]
    assert blue == sorted(blue)
    with pytest.raises(UserError, match="2 codes and 2 factors"):
        information_figure([[1.0]], ["f", "g"], ["z1", "z2"])
    with pytest.raises(UserError, match="finite"):
        information_figure([[np.nan]], ["f"], ["z1"])


def test_information_stands_above_what_shuffled_factors_give():
    share = [[0.25, 0.5], [0.04, 1.0]]
    axes = information_figure(share, ["f", "g"], ["z1", "z2"], [0.05, 0.06]).axes[0]
    cells = {t.get_position()[::-1]: t for t in axes.texts}
    assert [cells[2, x].get_text() for x in (0, 1)] == ["0.05", "0.06"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["z1", "z2", "shuffled"]
    faded = {at for at, text in cells.items() if text.get_color() == FADED}
    assert faded == {(1, 0), (2, 0), (2, 1)}
