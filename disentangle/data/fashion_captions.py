"""Captions of FashionSprites: one sentence per garment, as text and as token ids.

    a midi sky floral dress with a collar, in a studio

The 8,640 combinations of the six attributes have 8,640 different captions. Tokens are
words and the comma; id 0 fills the end of a short caption.
"""

import functools

import numpy as np

CATEGORIES = ("tee", "long-sleeve shirt", "dress", "trousers", "skirt", "shoe")
COLOURS = ("white", "charcoal", "red", "mustard", "green", "sky", "navy", "pink")
PATTERNS = ("solid", "striped", "dotted", "checked", "floral")
_TOP = ("cropped", "waist-length", "hip-length", "tunic-length")
_SKIRT = ("mini", "knee-length", "midi", "maxi")
_LEG = ("short", "knee-length", "cropped", "full-length")
LENGTHS = (_TOP, _TOP, _SKIRT, _LEG, _SKIRT, ("low", "ankle", "mid-calf", "knee-high"))
_NECK = ("a round neck", "a V-neck", "a collar")
_WAIST = ("a belt", "pockets", "a hem band")
PARTS = (_NECK, _NECK, _NECK, _WAIST, _WAIST, ("laces", "a strap", "a heel"))
SCENES = ("in a studio", "in a room", "by a brick wall")
TUPLES = (6, 8, 5, 4, 3, 3)  # category, colour, pattern, length, part, scene
PLURAL = 3  # "knee-length navy trousers" have no article


def caption(
    category: int, colour: int, pattern: int, length: int, part: int, scene: int
) -> str:
    """The caption of one combination of attributes."""
    noun = "boot" if category == 5 and length else CATEGORIES[category]
    looks = (LENGTHS[category][length], COLOURS[colour], PATTERNS[pattern], noun)
    article = "" if category == PLURAL else "an " if looks[0] == "ankle" else "a "
    return f"{article}{' '.join(looks)} with {PARTS[category][part]}, {SCENES[scene]}"


@functools.cache
def captions() -> tuple[str, ...]:
    """All 8,640, in the order of the images: that of image i is number i // 60."""
    return tuple(caption(*labels) for labels in np.ndindex(*TUPLES))


@functools.cache
def vocabulary() -> tuple[str, ...]:
    """The token of each id; that of 0 is "", which is padding."""
    words = {word for text in captions() for word in _words(text)}
    return ("", *sorted(words))


def tokens() -> np.ndarray:
    """(8640, 15) uint8, the token ids of all captions, 0 after the end of each."""
    ids = {word: number for number, word in enumerate(vocabulary())}
    rows = [[ids[word] for word in _words(text)] for text in captions()]
    table = np.zeros((len(rows), max(map(len, rows))), np.uint8)
    for line, row in zip(table, rows, strict=True):
        line[: len(row)] = row
    return table


def _words(text: str) -> list[str]:
    return text.replace(",", " ,").split()
