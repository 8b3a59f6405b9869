"""Figures of latent spaces: the plane of two latents, and how many are in use."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from disentangle.errors import UserError, unknown
from disentangle.report import files
from disentangle.report.blocks import Block, Drawing, Row, Table, Text, plural
from disentangle.report.panels import crossed_figure, mosaic
from disentangle.report.style import (
    PALETTE,
    SEQUENTIAL,
    WIDTH,
    log_axis,
    new_figure,
    plotting,
)
from disentangle.study.swaps import Swaps
from disentangle.study.visualize import Plane, Units


def plane_figure(planes: Mapping[str, Plane], factor: str | None = None) -> Figure:
    """Two-dimensional latent spaces: codes on the left, what they decode to beside.

    A model a row. Both panels of a row have the values of the same two latents on
    their axes, but each row its own: an autoencoder's codes lie where they like, a
    VAE's about N(0, I).

    Args:
      planes: name -> the plane of a model with two latents.
      factor: colours the codes; None is the one of which latents tell most beyond
        what shuffled factors give.

    Raises:
      UserError: no planes, or a factor that they do not have.
    """
    if not planes:
        raise UserError("there is no latent plane to draw")
    first = next(iter(planes.values()))
    names = [str(name) for name in first.plane_factors]
    if factor is None:
        shares = np.mean([plane.told for plane in planes.values()], axis=0)
        factor = names[int(np.argmax(shares))]
    if factor not in names:
        raise unknown("factor", factor, names)
    column = names.index(factor)
    with plotting():
        figure = new_figure(height=2.7 * len(planes), width=1.25 * WIDTH)
        axes = figure.subplots(len(planes), 2, squeeze=False)
        for row, (name, plane) in zip(axes, planes.items(), strict=True):
            _draw_codes(row[0], plane, column)
            _draw_grid(row[1], plane)
            for axis in row:
                axis.set_box_aspect(1)
            row[0].set_title(name, loc="left")
            row[1].set_title("decoded", loc="left")
        axes[0, 0].set_title(f"{next(iter(planes))}\ncodes by {factor}", loc="left")
    return figure


def _draw_codes(axes: Any, plane: Plane, column: int) -> None:
    """The codes, in colours of one factor's values."""
    codes, values = plane.plane_codes, plane.plane_labels[:, column]
    style: dict[str, Any] = {"s": 5, "linewidths": 0, "rasterized": True}
    axes.scatter(codes[:, 0], codes[:, 1], c=values, cmap=SEQUENTIAL, **style)
    axes.set_xlabel("z1")
    axes.set_ylabel("z2")


def _draw_grid(axes: Any, plane: Plane) -> None:
    """Decoded images, each over the values of z1 and z2 it was decoded from."""
    x, y = plane.plane_x, plane.plane_y
    images = np.asarray(plane.plane_pictures)[::-1]  # z2 grows upwards
    step = np.array([x[1] - x[0], y[1] - y[0]]) / 2
    extent = (x[0] - step[0], x[-1] + step[0], y[0] - step[1], y[-1] + step[1])
    axes.imshow(mosaic(images, gap=0), extent=extent, aspect="auto")
    axes.set_xlabel("z1")
    axes.grid(False)


def write_planes(
    planes: Mapping[str, Plane], path: Path, factor: str | None = None
) -> Path:
    """Writes the planes' figure as an image; returns its path."""
    figure = plane_figure(planes, factor)
    with plotting():
        figure.savefig(path, dpi=144, facecolor="white")
    return path


def plane(workdir: Path) -> list[Block]:
    """The latent plane of a run with two latents."""
    found = files.found(Plane, workdir)
    if found is None:
        return []
    with files.reading(workdir / Plane.FILE):
        figure = plane_figure({files.model_name(workdir): found})
        told = bool(found.told.max() > 0)
    doubt = "" if told else ", though no more than of shuffled factors"
    caption = (
        f"Left: codes of images, coloured by the factor that they tell most of{doubt}. "
        "Right: images decoded from the values on the axes. `python -m disentangle "
        "plane` draws several runs with two latents together."
    )
    alt = "The codes of images in two dimensions, and images decoded on a grid."
    return [Row([Drawing.of(figure, "plane", alt, caption)])]


def swaps(workdir: Path) -> list[Block]:
    """What becomes of pictures when a part of their codes is another's."""
    found = files.found(Swaps, workdir)
    if found is None:
        return []
    with files.reading(workdir / Swaps.FILE):
        images = found.swap_images
        figure = crossed_figure(images[:, None], images, found.swap_pictures)
        part = str(found.swap_part)
    name = files.model_name(workdir)
    caption = (
        f"{name}: a picture has the code of the image on the left, but for the columns "
        f"that are of {part}, which are those of the image above. Down a column {part} "
        "should be alike, along a row all else. On the diagonal: reconstructions."
    )
    alt = f"Pictures of codes with the part of {part} exchanged."
    return [Row([Drawing.of(figure, "swaps", alt, caption)])]


def units_figure(
    values: Sequence[float], units: Sequence[int], name: str, latents: int
) -> Figure:
    """Active units against a swept number: a dot a model, a line through the means.

    Bars are standard deviations over the models (seeds) of one value. An axis of
    positive values that span a factor of 4 or more is logarithmic.

    Args:
      values: the swept number of each model.
      units: active units of each model.
      name: what is swept, e.g. "beta".
      latents: how many units there are.
    """
    at, active = np.asarray(values, np.float64), np.asarray(units, np.float64)
    places = np.unique(at)
    groups = [active[at == place] for place in places]
    means = [group.mean() for group in groups]
    spreads = [group.std(ddof=1) if len(group) > 1 else 0.0 for group in groups]
    with plotting():
        figure = new_figure(height=2.9)
        axes = figure.subplots()
        axes.plot(at, active, "o", color=PALETTE[0], markersize=4, alpha=0.4)
        axes.errorbar(
            places, means, yerr=spreads, color=PALETTE[0], marker="o", capsize=3
        )
        if places[0] > 0 and places[-1] >= 4 * places[0]:
            axes.set_xscale("log")
            log_axis(axes.xaxis)
        axes.set_ylim(0, latents + 0.5)
        axes.set_xlabel(name)
        axes.set_ylabel(f"active units of {latents}")
    return figure


def units(workdir: Path) -> list[Block]:
    """Active units of every model, and their figure where one number is swept."""
    found = files.found(Units, workdir)
    if found is None:
        return []
    with files.reading(workdir / Units.FILE):
        swept = files.swept(found)
    active = {row.member: row.active for row in found.rows}
    intro = Text(
        "A latent is active where the variance over images of its posterior mean is "
        "above 0.01 (Burda et al. 2016)."
    )
    table = Table(
        f"Active units of {plural(found.latents, 'latent')}.",
        ["model", "active"],
        [[name, f"{count}"] for name, count in active.items()],
        folded="Active units of every model" if len(active) > 4 else "",
    )
    if swept is None:
        return [intro, table]
    name, values = swept
    figure = units_figure(values, list(active.values()), name, found.latents)
    alt = f"Active units against {name}; the table holds the same numbers."
    caption = f"Active units against {name}. Bars: standard deviation over seeds."
    return [intro, Row([Drawing.of(figure, "units", alt, caption)]), table]
