"""Colours of the page in both themes: words and series that can be seen and told apart.

Luminance and contrast as WCAG 2.2 defines them; distances in CIELAB (CIE 1976), as all
see the colours and as by the two common colour blindnesses (Machado et al. 2009).
"""

import itertools
import re

import numpy as np
import pytest

from disentangle.report import write_report
from disentangle.report.style import SERIES, THEMES

XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
SEEN = {
    "all": np.eye(3),
    "protanopia": np.array(
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]
    ),
    "deuteranopia": np.array(
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]
    ),
}


def linear(colour):
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    high, low = sorted((float(XYZ[1] @ linear(c)) for c in (one, other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def lab(colour, kind):
    x = XYZ @ np.clip(SEEN[kind] @ linear(colour), 0, 1) / XYZ.sum(1)
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_the_measure_is_the_published_one():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert lab("#ff0000", "all") == pytest.approx([53.24, 80.09, 67.20], abs=0.1)


@pytest.mark.parametrize("theme", THEMES)
def test_words_and_series_stand_out_from_the_page(theme):
    colours = THEMES[theme]
    for words in ("--ink", "--muted", "--warn"):
        assert contrast(colours[words], colours["--paper"]) >= 4.5, words
    assert contrast(colours["--ink"], colours["--code"]) >= 4.5
    for name in SERIES:
        assert contrast(colours[name], colours["--paper"]) >= 3.0, name


@pytest.mark.parametrize(
    "kind, least", [("all", 38), ("protanopia", 24), ("deuteranopia", 24)]
)
@pytest.mark.parametrize("theme", THEMES)
def test_series_are_told_apart(theme, kind, least):
    for a, b in itertools.combinations(SERIES, 2):
        pair = [lab(THEMES[theme][name], kind) for name in (a, b)]
        assert np.linalg.norm(pair[0] - pair[1]) >= least, (a, b)


def test_the_page_sets_every_colour_of_both_themes(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    page = write_report(tmp_path).read_text()
    light, dark = page.partition("prefers-color-scheme: dark")[::2]
    for source, theme in ((light, "light"), (dark, "dark")):
        found = dict(re.findall(r"(--\w+): (#\w+);", source))
        assert found == THEMES[theme]
