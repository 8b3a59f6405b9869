"""Figures of images: reconstructions and latent traversals."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from disentangle.errors import UserError
from disentangle.report.style import INK, new_figure, plotting

TILE = 0.46  # inches an image is wide
NARROW = 3.2  # inches: the least that a caption under a figure needs
GAP = 2  # pixels between images


def reconstruction_figure(
    images: Any, reconstructions: Any, *, columns: int = 8
) -> Figure:
    """Images over their reconstructions, pair below pair.

    Args:
      images: (n, H, W, C) in [0, 1], C 1 or 3.
      reconstructions: (n, H, W, C) in [0, 1].
      columns: pairs in a row.
    """
    images, reconstructions = _as_images(images), _as_images(reconstructions)
    if images.shape != reconstructions.shape:
        raise UserError(
            f"images have shape {images.shape}, reconstructions {reconstructions.shape}"
        )
    n, columns = len(images), min(columns, len(images))
    blank = np.zeros((-n % columns, *images.shape[1:]), np.uint8)
    rows, names = [], []
    for start in range(0, n, columns):
        for name, drawn in (("data", images), ("model", reconstructions)):
            rows.append(np.concatenate([drawn, blank])[start : start + columns])
            names.append(name)
    with plotting():
        tile = TILE * 8 / max(columns, 6)
        figure = new_figure(len(rows) * tile + 0.1, columns * tile + 0.7)
        _show(figure, np.stack(rows), names)
    return figure


def traversal_figure(
    traversals: Any,
    values: Sequence[float],
    kl: Any = None,
    captions: Any = None,
    *,
    limit: int = 16,
    columns: bool = False,
) -> Figure:
    """One latent a row, set to `values` from left to right, the others held.

    Args:
      traversals: (L, V, H, W, C) in [0, 1].
      values: (V,) what the latent is set to.
      kl: (L,) nats, printed on the right; rows come in falling order of it, ties as
        they are. None, or all 0 (the method has none), keeps the order.
      captions: L names of the rows, e.g. "z3: scale"; None numbers them z1, z2, ...
      limit: at most this many latents.
      columns: a latent a column instead, set to `values` from bottom to top, its
        name above and its KL below.

    Raises:
      UserError: shapes that do not belong together, pixels that are not finite.
    """
    images = np.asarray(traversals)
    if images.ndim != 5 or images.shape[1] != len(values):
        raise UserError(
            f"traversals must be (L, {len(values)}, H, W, C), got {images.shape}"
        )
    latents = len(images)
    names = _names(captions, latents)
    weights = _weights(kl, latents)
    order = np.argsort(-weights, kind="stable")[:limit]
    flat = _as_images(images.reshape(-1, *images.shape[2:]))
    rows = flat.reshape(images.shape[:2] + flat.shape[1:])[order]
    settings = [f"{value:.1f}".replace("-", "−") for value in values]
    printed = [f"{weights[i]:.2f}" for i in order] if weights.any() else []
    names = [names[i] for i in order]
    with plotting():
        if columns:
            return _in_columns(rows, names, settings, printed)
        return _in_rows(rows, names, settings, printed)


def _in_rows(
    rows: np.ndarray,
    names: Sequence[str],
    settings: Sequence[str],
    printed: Sequence[str],
) -> Figure:
    """Images (L, V, H, W, 4), names left, settings above, KL right."""
    figure = new_figure(len(rows) * TILE + 0.45, len(settings) * TILE + 2.1)
    axes = _show(figure, rows, names)
    axes.set_xticks(_centres(len(settings), rows.shape[3]), settings)
    if printed:
        right = axes.secondary_yaxis("right")
        right.set_yticks(_centres(len(rows), rows.shape[2]), printed)
        right.tick_params(length=0, labelcolor=INK)
        right.spines["right"].set_visible(False)
        right.set_ylabel("KL (nats)")
    return figure


def _in_columns(
    rows: np.ndarray,
    names: Sequence[str],
    settings: Sequence[str],
    printed: Sequence[str],
) -> Figure:
    """Images (L, V, H, W, 4) a latent a column: names above, KL below."""
    upright = rows.swapaxes(0, 1)[::-1]  # the largest setting on top
    names = [
        " ".join(name.replace(" of its entropy", "").split("\n")) for name in names
    ]
    longest = max(map(len, names))
    figure = new_figure(
        len(settings) * TILE + 0.075 * longest + 0.8,
        max(NARROW, len(rows) * TILE + 0.8 + 0.03 * longest),
    )
    axes = _show(figure, upright, settings[::-1])
    places = _centres(len(rows), rows.shape[3])
    axes.set_xticks(places, names, rotation=55, ha="left", rotation_mode="anchor")
    if printed:
        below = axes.secondary_xaxis("bottom")
        below.set_xticks(places, printed)
        below.tick_params(length=0, labelcolor=INK)
        below.spines["bottom"].set_visible(False)
        below.set_xlabel("KL (nats)")
    return figure


def _names(captions: Any, latents: int) -> list[str]:
    """One name per row, in short lines."""
    if captions is None:
        return [f"z{i + 1}" for i in range(latents)]
    if len(captions) != latents:
        raise UserError(f"there are {len(captions)} captions for {latents} latents")
    return [_two_lines(str(caption)) for caption in captions]


def _two_lines(caption: str) -> str:
    """What stands in brackets on lines of its own; lines of at most 22 letters."""
    name, bracket, rest = caption.partition(" (")
    lines = [name, "(" + rest] if bracket else [name]
    return "\n".join(part for line in lines for part in textwrap.wrap(line, 22))


def _weights(kl: Any, latents: int) -> np.ndarray:
    """(L,) KL in nats; zeros where there is none."""
    weights = np.zeros(latents) if kl is None else np.asarray(kl, np.float64)
    if weights.shape != (latents,) or not np.isfinite(weights).all():
        raise UserError(f"kl must be {latents} finite numbers, one per latent")
    return weights


def _as_images(images: Any) -> np.ndarray:
    """(n, H, W, 1 or 3) in [0, 1] -> (n, H, W, 4) uint8."""
    array = np.asarray(images, np.float32)
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or not array.size:
        raise UserError(f"images must be (n, H, W, 1 or 3), got {array.shape}")
    if not np.isfinite(array).all():
        raise UserError("an image has pixels that are not finite")
    pixels = np.rint(255 * array.clip(0, 1)).astype(np.uint8)
    colour = np.broadcast_to(pixels, (*pixels.shape[:3], 3))
    return np.concatenate([colour, np.full_like(colour[..., :1], 255)], axis=-1)


def crossed_figure(left: Any, above: Any, inside: Any) -> Figure:
    """Images of two kinds, and what is made of one of each.

    Args:
      left: (n, k, H, W, C) in [0, 1], k images in front of each row.
      above: (m, H, W, C), an image above each column.
      inside: (n, m, H, W, C), of row and column.

    Raises:
      UserError: shapes that do not belong together, pixels that are not finite.
    """
    left, above, inside = (np.asarray(part) for part in (left, above, inside))
    count, beside = left.shape[:2]
    if inside.shape[:2] != (count, len(above)):
        raise UserError(
            f"{inside.shape[0]} x {inside.shape[1]} images do not belong to {count} "
            f"rows and {len(above)} columns"
        )
    blank = np.zeros((1, beside, *above.shape[1:3], 4), np.uint8)
    flat = lambda part: _as_images(part.reshape(-1, *part.shape[-3:])).reshape(
        *part.shape[:-1], 4
    )
    top = np.concatenate([blank, flat(above)[None]], axis=1)
    rows = np.concatenate([flat(left), flat(inside)], axis=1)
    grid = np.concatenate([top, rows])
    with plotting():
        width = grid.shape[1] * TILE + 0.4
        figure = new_figure(len(grid) * TILE + 0.1, max(NARROW, width))
        _show(figure, grid, [""] * len(grid))
    return figure


def mosaic(images: Any, gap: int = GAP) -> np.ndarray:
    """(R, V, H, W, C) in [0, 1], C 1 or 3 -> one image (.., .., 4) uint8."""
    array = np.asarray(images)
    flat = _as_images(array.reshape(-1, *array.shape[2:]))
    return _grid(flat.reshape(*array.shape[:2], *flat.shape[1:]), gap)


def _grid(rows: np.ndarray, gap: int = GAP) -> np.ndarray:
    """(R, V, H, W, 4) uint8 side by side, `gap` clear pixels between them."""
    count, across, height, width, _ = rows.shape
    grid = np.zeros(
        (count * (height + gap) - gap, across * (width + gap) - gap, 4), np.uint8
    )
    for r, v in np.ndindex(count, across):
        top, left = r * (height + gap), v * (width + gap)
        grid[top : top + height, left : left + width] = rows[r, v]
    return grid


def _show(figure: Figure, rows: np.ndarray, names: Sequence[str]) -> Any:
    """Draws (R, V, H, W, 4) as one grid, one name per row."""
    count, _, height = rows.shape[:3]
    axes = figure.subplots()
    axes.imshow(_grid(rows), interpolation="none")
    for centre, name in zip(_centres(count, height), names, strict=True):
        lines = name.split("\n")  # a text each: in any font they end flush
        for i, line in enumerate(lines):
            place = centre + 0.36 * height * (i - (len(lines) - 1) / 2)
            axes.text(-6, place, line, ha="right", va="center", fontsize=10)
    axes.set_yticks([])
    axes.set_xticks([])
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelcolor=INK)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def _centres(count: int, size: int) -> np.ndarray:
    return np.arange(count) * (size + GAP) + (size - 1) / 2
