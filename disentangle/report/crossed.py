"""The sections on pictures that are made of two others."""

from pathlib import Path

import numpy as np

from disentangle.report import files
from disentangle.report.blocks import Block, Drawing, Row
from disentangle.report.matrices import information_figure
from disentangle.report.panels import crossed_figure
from disentangle.study.mixing import Mixing
from disentangle.study.translating import Translations


def translations(workdir: Path) -> list[Block]:
    """Within and across two domains: content from the left, style from above."""
    held = files.found(Translations, workdir)
    if held is None:
        return []
    drawings = []
    with files.reading(workdir / Translations.FILE):
        for d, inside in enumerate(held.translations):
            own, other = str(held.domains[d]), str(held.domains[1 - d])
            left = [held.images[d], held.reconstructions[d]]
            figure = crossed_figure(
                [list(pair) for pair in zip(*left, strict=True)],
                held.images[1 - d],
                inside,
            )
            alt = f"Images of {own} drawn as {other}."
            caption = (
                f"{own} to {other}, {files.model_name(workdir)}. Left: an image, and "
                "beside it what its own content and style give. Above: images of the "
                "other domain. Inside: the content of the row in the style of the "
                "column."
            )
            drawings.append(Drawing.of(figure, f"translations-{d}", alt, caption))
    return [Row(drawings)]


def mixing(workdir: Path) -> list[Block]:
    """Pictures with the styles of two sources, and what follows which of them."""
    held = files.found(Mixing, workdir)
    if held is None:
        return []
    drawings = []
    with files.reading(workdir / Mixing.FILE):
        for split, inside in zip(held.splits.tolist(), held.pictures, strict=True):
            figure = crossed_figure(held.first[:, None], held.second, inside)
            alt = f"Pictures with styles of two sources, split at layer {split}."
            caption = (
                f"{files.model_name(workdir)}: the first {split} layers have the style "
                "of the picture on the left, the others that of the one above."
            )
            drawings.append(Drawing.of(figure, f"mixing-{split}", alt, caption))
        if held.matrix is not None and held.factors is not None:
            drawings.append(_matrix(held.matrix, held.factors))
    return [Row(drawings)]


def _matrix(matrix: np.ndarray, names: np.ndarray) -> Drawing:
    """The heat map of the mixing matrix."""
    rows = [f"from layer {at + 1} on" for at in range(len(matrix) - 1)] + ["none"]
    figure = information_figure(np.nan_to_num(matrix), names.tolist(), rows)
    words = (
        "Where the layers of the row have the style of the second source: the share of "
        "pictures whose factor, by oracles, is that of the second source, among "
        "pictures whose sources differ in it."
    )
    return Drawing.of(figure, "mixing-matrix", f"Heat map: {words}", words)
