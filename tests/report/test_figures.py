"""Figures against the arrays they show, read back from what was drawn."""

import io
import re
from types import SimpleNamespace
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import PatchCollection

from disentangle.affinity import Affinity
from disentangle.errors import UserError
from disentangle.report import (
    affinity_figure,
    curves_figure,
    curves_of,
    importance_figure,
    parts_of,
    reconstruction_figure,
    task_losses_figure,
    traversal_figure,
)
from disentangle.report.blocks import listed, number
from disentangle.report.losses import POINTS
from disentangle.report.models import label
from disentangle.report.runs import plots
from disentangle.report.style import svg
from disentangle.training.members import members

TASKS = ("aa", "bb", "cc")
# source x target: 0.12 is what a step on aa (row 0) does to bb (column 1)
MATRIX = np.array([[0.5, 0.12, -0.34], [0.56, 0.6, 0.78], [-0.91, 0.23, 0.7]])


def places(figure):
    """text -> its x and y in the SVG, as a reader's eye would find it."""
    root = ElementTree.fromstring(svg(figure, "test", "A figure for a test."))
    found = {}
    for element in root.iter("{http://www.w3.org/2000/svg}text"):
        move = re.search(
            r"translate\(([-\d.]+) ([-\d.]+)\)", element.get("transform", "")
        )
        x, y = move.groups() if move else (element.get("x"), element.get("y"))
        found[element.text] = float(x), float(y)
    return found


def test_the_heat_map_has_sources_as_rows_and_targets_as_columns():
    found = places(affinity_figure(Affinity(MATRIX, TASKS)))
    cells = {
        f"{value:+.3f}".replace("-", "−"): at for at, value in np.ndenumerate(MATRIX)
    }
    labels = svg(affinity_figure(Affinity(MATRIX, TASKS)), "test", "alt")
    assert "takes the step (source)" in labels and "its loss moves (target)" in labels
    # every task stands twice, on the left and on top; the SVG tells them apart
    columns = sorted({round(found[c][0]) for c in cells})
    rows = sorted({round(found[c][1]) for c in cells})
    assert len(columns) == len(rows) == 3
    for text, (source, target) in cells.items():
        assert round(found[text][0]) == columns[target]
        assert round(found[text][1]) == rows[source]
    axes = affinity_figure(Affinity(MATRIX, TASKS)).axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == list(TASKS)
    assert [t.get_text() for t in axes.get_yticklabels()] == list(TASKS)
    assert axes.yaxis_inverted() and not axes.xaxis_inverted()


def test_the_heat_map_is_centred_at_zero_and_leaves_the_diagonal():
    axes = affinity_figure(Affinity(MATRIX, TASKS)).axes[0]
    faces = {}
    for patch in axes.patches:
        x, y = patch.get_x() + 0.47, patch.get_y() + 0.47
        faces[round(y), round(x)] = patch.get_facecolor()
    for (source, target), (red, _, blue, alpha) in faces.items():
        assert alpha == (0 if source == target else 1)
        if source != target:
            assert (blue > red) == (MATRIX[source, target] > 0)
    strongest = matplotlib.colormaps["RdBu"](0.0)  # -0.91 is the largest magnitude
    assert faces[2, 0] == pytest.approx(strongest)


def test_small_affinities_are_told_in_units_with_their_errors():
    errors = np.full((3, 3), 2.5e-5)
    likeness = SimpleNamespace(matrix=MATRIX / 1e3, tasks=TASKS, standard_error=errors)
    texts = [t.get_text() for t in affinity_figure(likeness).axes[0].texts]
    assert texts[2:4] == ["+0.120", "±0.025"]
    label = affinity_figure(likeness).axes[0].get_xlabel()
    assert label == "its loss moves (target), in units of 10⁻³"


def test_what_rounds_to_zero_has_no_sign():
    matrix = np.array([[1.0, -1e-6], [80.0, 1.0]])
    texts = affinity_figure(Affinity(matrix, ("a", "b"))).axes[0].texts
    assert [t.get_text() for t in texts] == ["+1.00", "0.00", "+80.00", "+1.00"]


@pytest.mark.parametrize("tasks", [1, 12])
def test_any_number_of_tasks_fits(tasks):
    names = tuple(f"attribute_{i}" for i in range(tasks))
    affinity = Affinity(np.zeros((tasks, tasks)), names)
    texts = [t.get_text() for t in affinity_figure(affinity).axes[0].texts]
    assert texts == ["0.000"] * tasks**2


def test_the_area_of_a_hinton_square_is_the_importance():
    importance = np.array([[0.9, 0.0], [0.1, 0.225], [0.0, 0.4]])
    figure = importance_figure(importance, ["f", "g"], ["a 1", "a 2", "b 1"])
    (squares,) = (c for c in figure.axes[0].collections if type(c) is PatchCollection)
    drawn = np.zeros_like(importance)
    for path in squares.get_paths():
        low, high = path.vertices.min(0), path.vertices.max(0)
        x, y = np.rint((low + high) / 2).astype(int)
        assert (low + high) / 2 == pytest.approx([x, y])
        drawn[y, x] = np.prod(high - low)
    assert drawn / drawn.max() == pytest.approx(importance / 0.9, abs=1e-9)
    parted = [line.get_ydata()[0] for line in figure.axes[0].lines]
    assert parted == [1.5]  # between block a and block b


def test_importance_is_checked():
    with pytest.raises(UserError, match=r"must be \(2, 3\), got \(3, 2\)"):
        importance_figure(np.zeros((3, 2)), ["f", "g", "h"], ["z1", "z2"])
    with pytest.raises(UserError, match="negative or not finite"):
        importance_figure([[np.nan]], ["f"], ["z1"])


def row(step, loss, member="seed=0", split="train", **more):
    return {"step": step, "split": split, "member": member, "loss": loss} | more


def test_curves_leave_out_what_is_not_finite_and_share_a_colour_by_label():
    rows = [row(s, 9.0 / s, m) for s in (1, 2, 3) for m in ("a", "b")]
    rows += [row(2, None, "a"), row(3, 5.0, "a", "test")]
    curves = curves_of(rows, "loss", {"a": "same", "b": "same"})
    assert [(c.label, c.split, len(c.steps)) for c in curves] == [
        ("same", "train", 3),
        ("same", "train", 3),
        ("same", "test", 1),
    ]
    assert curves[0].values.tolist() == [9.0, 4.5, 3.0]
    lines = curves_figure(curves, "loss").axes[0].lines
    assert len({line.get_color() for line in lines}) == 1
    assert [line.get_linestyle() for line in lines] == ["-", "-", "None"]


@pytest.mark.parametrize(
    "values, scale", [((8, 2), "log"), ((8, 3), "linear"), ((8, -1), "linear")]
)
def test_the_axis_is_logarithmic_only_for_positive_wide_values(values, scale):
    curves = curves_of(
        [row(i, v) for i, v in enumerate(values)], "loss", {"seed=0": ""}
    )
    assert curves_figure(curves, "loss").axes[0].get_yscale() == scale
    assert curves_figure(curves, "loss", log=False).axes[0].get_yscale() == "linear"


def test_long_curves_are_averaged_not_dropped():
    values = np.arange(10 * POINTS)
    (curve,) = curves_of([row(i, float(i)) for i in values], "loss", {"seed=0": ""})
    assert len(curve.values) == POINTS
    assert curve.values.mean() == pytest.approx(values.mean())
    assert curve.values[0] == np.arange(10).mean()


def test_parts_are_those_of_the_first_member():
    rows = [
        row(i, 0.0, m, kl=[i, i * k]) for i in (1, 2) for m, k in (("a", 3), ("b", 9))
    ]
    curves = parts_of(rows, "kl", ["z1", "z2"])
    assert [(c.label, c.values.tolist()) for c in curves] == [
        ("z1", [1.0, 2.0]),
        ("z2", [3.0, 6.0]),
    ]
    with pytest.raises(UserError, match="2 parts for 1 names"):
        parts_of(rows, "kl", ["z1"])


def test_more_labels_than_colours_keep_the_highest():
    rows = [row(1, float(i), f"m{i}") for i in range(10)]
    figure = curves_figure(
        curves_of(rows, "loss", {f"m{i}": f"m{i}" for i in range(10)}), ""
    )
    texts = [t.get_text() for t in figure.legends[0].get_texts()]
    assert texts == ["m4", "m5", "m6", "m7", "m8", "m9", "4 others"]


def test_single_tasks_have_a_figure_and_colours_of_their_own():
    tasks = ["shape", "scale", "orientation", "x_position", "y_position"]
    masks = [*np.eye(5, dtype=int).tolist(), [1, 0, 1, 0, 0], [0, 1, 0, 1, 1]]
    known = {m.name: m for m in members({"weights": masks}, 0, 2)}
    rows = [row(s, 1.0, m, task_losses=[0.5] * 5) for s in (1, 2) for m in known]
    single, mean = plots(rows, tasks, known)
    assert "10 models" in single.note and "4 models" in mean.note
    figure = curves_figure(single.curves, single.ylabel)
    assert [t.get_text() for t in figure.legends[0].get_texts()] == tasks
    assert len({line.get_color() for line in figure.axes[0].lines}) == 5
    texts = [
        t.get_text() for t in curves_figure(mean.curves, "").legends[0].get_texts()
    ]
    assert texts == ["shape + orientation", "scale + x_position + y_position"]


def test_names_are_wrapped_and_never_cut():
    name = " + ".join(f"attribute_{i}" for i in range(9))
    rows = [row(1, 1.0, "a"), row(1, 2.0, "b")]
    figure = curves_figure(curves_of(rows, "loss", {"a": name, "b": "other"}), "")
    (text, _) = (t.get_text() for t in figure.legends[0].get_texts())
    assert text.split() == name.split() and max(map(len, text.split("\n"))) <= 42
    caption = "z1: an_attribute_with_a_long_name (0.52 of its entropy)"
    figure = traversal_figure(np.zeros((1, 1, 4, 4, 1)), [0.0], captions=[caption])
    drawn = "".join(t.get_text() for t in figure.axes[0].texts)
    assert drawn.replace(" ", "") == caption.replace(" ", "")


def test_no_curve_is_an_error():
    with pytest.raises(UserError, match="no finite value of loss"):
        curves_figure([], "loss")


def test_task_losses_are_drawn_where_they_are():
    losses = {"grouped": [[0.2, 0.4], [0.4, 0.6]]}
    axes = task_losses_figure(["s", "t"], losses).axes[0]
    large = max(
        axes.lines, key=lambda line: line.get_markersize() * len(line.get_xdata())
    )
    assert [t.get_text() for t in axes.get_yticklabels()] == ["s", "t", "mean"]
    means = [line.get_xdata() for line in axes.lines if line.get_label() == "grouped"]
    assert np.concatenate(means).tolist() == pytest.approx([0.3, 0.5, 0.4])
    assert len(large.get_xdata()) == 3


def pixels(figure):
    return np.asarray(figure.axes[0].images[0].get_array())


def test_reconstructions_stand_under_their_images():
    images = np.stack([np.full((4, 4, 1), v) for v in (0.0, 0.2, 0.4)])
    grid = pixels(reconstruction_figure(images, 1 - images, columns=2))
    tile = lambda r, c: grid[6 * r + 1, 6 * c + 1].tolist()
    grey = lambda v: [v, v, v, 255]
    assert [tile(0, 0), tile(0, 1)] == [grey(0), grey(51)]
    assert [tile(1, 0), tile(1, 1)] == [grey(255), grey(204)]
    assert [tile(2, 0), tile(3, 0)] == [grey(102), grey(153)]
    assert tile(2, 1) == [0, 0, 0, 0]  # nothing there


def test_traversal_rows_fall_with_kl():
    values = [-1.0, 0.0, 1.0]
    frames = np.zeros((3, 3, 4, 4, 3))
    frames += np.array([0.2, 0.4, 0.6]).reshape(3, 1, 1, 1, 1)
    figure = traversal_figure(frames, values, [0.1, 2.0, 0.5], ["p", "q (most)", "r"])
    grid = pixels(figure)
    assert [grid[6 * r + 1, 1, 0] for r in range(3)] == [102, 153, 51]
    assert [t.get_text() for t in figure.axes[0].texts] == ["q", "(most)", "r", "p"]
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == [
        "−1.0",
        "0.0",
        "1.0",
    ]
    plain = traversal_figure(frames, values)
    assert [t.get_text() for t in plain.axes[0].texts] == ["z1", "z2", "z3"]


def test_traversal_columns_fall_with_kl_and_rise_with_the_value():
    frames = np.zeros((2, 2, 4, 4, 1))
    frames[0] += np.array([0.2, 0.4]).reshape(2, 1, 1, 1)
    frames[1] += np.array([0.6, 0.8]).reshape(2, 1, 1, 1)
    names = ["z1: p (0.10 of its entropy)", "z2: q"]
    figure = traversal_figure(frames, [-1.0, 1.0], [0.5, 2.0], names, columns=True)
    grid = pixels(figure)[1::6, 1::6, 0]
    assert grid.tolist() == [[204, 102], [153, 51]]  # the larger value on top
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["z2: q", "z1: p (0.10)"]
    assert [t.get_text() for t in axes.texts] == ["1.0", "−1.0"]
    (below,) = axes.child_axes
    assert [t.get_text() for t in below.get_xticklabels()] == ["2.00", "0.50"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((np.zeros((2, 3, 4, 4, 1)), [0.0]), "must be"),
        ((np.zeros((2, 1, 4, 4, 1)), [0.0], [1.0]), "2 finite numbers"),
        ((np.zeros((2, 1, 4, 4, 1)), [0.0], None, ["x"]), "1 captions for 2"),
        ((np.full((2, 1, 4, 4, 1), np.nan), [0.0]), "not finite"),
        ((np.zeros((2, 1, 4, 4, 2)), [0.0]), "1 or 3"),
    ],
)
def test_wrong_traversals_are_refused(arguments, words):
    with pytest.raises(UserError, match=words):
        traversal_figure(*arguments)


def test_a_notebook_shows_a_figure_without_pyplot():
    from PIL import Image

    figure = importance_figure(np.eye(2), ["f", "g"], ["z1", "z2"])
    image = Image.open(io.BytesIO(figure._repr_png_()))
    assert image.size[0] > 100 and len(image.getcolors(1 << 16)) > 2
    figure.text(1.5, 0.5, "right of it")
    wider = Image.open(io.BytesIO(figure._repr_png_()))
    assert wider.size[0] > image.size[0] + 100  # nothing is cut off


@pytest.mark.parametrize(
    "value, text",
    [
        (0.0, "0"),
        (0.21349, "0.213"),
        (12.345, "12.3"),
        (1234.5, "1,234"),
        (-0.0012345, "−0.00123"),
        (1.5e-7, "1.50e−07"),
        (0.9999, "1.000"),
        (float("nan"), "–"),
        (float("-inf"), "−∞"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


def test_words():
    assert listed(["a"]) == "a" and listed(["a", "b", "c"]) == "a, b and c"
    tasks = ["shape", "scale", "hue"]
    masks = {"weights": [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]}
    named = [label(m.name, m, tasks) for m in members(masks, 3, 1)]
    assert named == ["scale", "shape + hue"]
    (_, four), (alone,) = members({"beta": [1.0, 4.0]}, 1, 1), members({}, 1, 1)
    assert label(four.name, four, ()) == "beta=4"
    assert label(alone.name, alone, ()) == "all seeds"
    assert label("weights=1+0+0,seed=3", None, tasks) == "weights=1+0+0,seed=3"
