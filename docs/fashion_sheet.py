"""Draws docs/fashion_sprites.png: samples, edits and sets of FashionSprites.

    python docs/fashion_sheet.py

Six rows of samples, a category each; true answers to edits, a dress in every pattern,
length and part, and a shirt in every colour and scene; three sets that belong together.
"""

from pathlib import Path

import numpy as np
from PIL import Image

import disentangle as dt
from disentangle.data import counted, outfits
from disentangle.data.dataset import Dataset
from disentangle.data.worlds import world

OUT = Path(__file__).resolve().parent / "fashion_sprites.png"
COLUMNS, GAP = 12, 2
MIDI_DRESS = (2, 2, 0, 2, 1, 0, 2, 1, 0)  # red, with a V-neck, in a studio
SHIRT = (1, 0, 1, 1, 0, 1, 3, 2, 1)  # striped, with a round neck, in a room


def rows(data: Dataset) -> np.ndarray:
    """(9, 12) int image indices of the sheet; -1 where it is empty."""
    space, asked = data.space, world("fashion_sprites")
    sheet = np.full((9, COLUMNS), -1)
    factors = counted.below("sheet", 2, 6 * COLUMNS, space.sizes)
    factors[:, 0] = np.repeat(np.arange(6), COLUMNS)
    factors[:, 3] = np.arange(6 * COLUMNS) % 4
    sheet[:6] = space.index(factors).reshape(6, COLUMNS)
    edits = {MIDI_DRESS: ("pattern", "length", "part"), SHIRT: ("colour", "scene")}
    for row, (base, names) in enumerate(edits.items(), 6):
        index, of = int(space.index(np.array(base))), asked.attributes
        every = [
            of.edited(index, name, value)
            for name in names
            for value in range(of.sizes[of.column(name)])
        ]
        sheet[row, : len(every)] = every
    found = outfits.sets(asked, asked.rules["k4"], 3, seed=5)
    sheet[8] = asked.view("query", found.items).ravel()
    return sheet


def draw(data: Dataset, out: Path = OUT) -> Path:
    """Writes the sheet as a PNG of 256 colours; returns its path."""
    sheet = rows(data)
    pictures = np.array(data.images(np.maximum(sheet, 0)))
    pictures[sheet < 0] = 255
    around = ((0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0))
    wide = np.pad(pictures, around, constant_values=255)
    height, width = (len(sheet) * (64 + GAP), COLUMNS * (64 + GAP))
    flat = wide.swapaxes(1, 2).reshape(height, width, 3)
    image = Image.fromarray(flat[:-GAP, :-GAP])
    image.quantize(256, dither=Image.Dither.NONE).save(out, optimize=True)
    return out


if __name__ == "__main__":
    print(draw(dt.load("fashion_sprites")))
