"""The class probe and the score `leakage` against finite differences and planted codes.

Classes of 4, so that a guess names one in four.
"""

import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.metrics import class_probe as probe
from disentangle.metrics import score_details

BLOCKS = ("(rest)", "(rest)", "kind", "kind")


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Fewer steps and a narrower network: these classes are far apart."""
    monkeypatch.setattr(probe, "LEAST_STEPS", 250)
    monkeypatch.setattr(probe, "PASSES", 4)
    monkeypatch.setattr(probe, "HIDDEN", (32, 32))


def planted(z, s, rows=900, seed=0):
    """Codes [z(class, noise), s(class, noise)] (N, 4), and factors (class, another)."""
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.integers(0, 4, rows), rng.integers(0, 2, rows)], 1)
    places = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])[factors[:, 0]]
    noise = rng.normal(size=(2, rows, 2))
    return np.hstack([z(places, noise[0]), s(places, noise[1])]), factors


def leaked(codes, factors, attributes=BLOCKS):
    found = score_details(
        codes,
        factors,
        "leakage",
        num_train=600,
        factor_names=("kind", "other"),
        attributes=attributes,
    )
    return found["leakage"]


tells = lambda places, noise: places + 0.1 * noise
silent = lambda places, noise: noise


def test_the_gradient_is_that_of_finite_differences():
    rng = np.random.default_rng(0)
    params = [np.float64(p) for p in probe.start(3, 4, rng)]
    params = [p + 0.1 * rng.normal(size=p.shape) for p in params]
    x, classes = rng.normal(size=(20, 3)), rng.integers(0, 4, 20)

    def loss(params):
        h = x
        for w, b in zip(params[:-2:2], params[1:-2:2], strict=True):
            h = h @ w
            h = (h - h.mean(0)) / np.sqrt(h.var(0) + probe.EPSILON) + b
            h = np.maximum(h, 0)
        logits = h @ params[-2] + params[-1]
        logits -= logits.max(1, keepdims=True)
        chosen = logits[np.arange(20), classes]
        return (np.log(np.exp(logits).sum(1)) - chosen).mean()

    found, _ = probe.gradient(params, x, classes)
    for i, gradient in enumerate(found):
        for _ in range(4):
            place = tuple(rng.integers(0, n) for n in gradient.shape)
            ends = []
            for sign in (1, -1):
                moved = [p.copy() for p in params]
                moved[i][place] += sign * 1e-6
                ends.append(loss(moved))
            slope = (ends[0] - ends[1]) / 2e-6
            assert gradient[place] == pytest.approx(slope, abs=1e-7)


def test_a_class_in_its_own_columns_alone_does_not_leak():
    found = leaked(*planted(silent, tells))
    assert found.values["own"] > 0.97
    assert found.values["rest"] < 0.36
    assert found.values["rest_standardised"] < 0.36
    assert 0.25 <= found.values["chance"] < 0.33
    assert np.isnan(found.per_factor["rest"][1])  # "other" has no columns


def test_a_degenerate_model_is_caught():
    """All of the image in z and a constant s: what the reverse cycle is against."""
    constant = lambda places, noise: np.ones_like(noise)
    found = leaked(*planted(tells, constant))
    assert found.values["rest"] > 0.97
    assert found.values["own"] < 0.36


def test_a_class_in_columns_of_small_deviation_is_read_from_standardised_codes_alone():
    """Beside columns of a thousand times their deviation."""
    codes, factors = planted(tells, tells)
    loud = np.random.default_rng(1).normal(size=(len(codes), 6))
    codes = np.hstack([1e-3 * codes[:, :2], loud, codes[:, 2:]])
    found = leaked(codes, factors, ("(rest)",) * 6 + BLOCKS)
    assert found.values["rest_standardised"] > 0.97
    assert found.values["rest"] < 0.6


def test_bins_and_classes_of_several_factors_own_their_columns():
    codes, factors = planted(silent, tells)
    for name in ("kind:2", "other+kind:2"):
        found = leaked(codes, factors, ("", "", name, name))
        assert found.values["own"] > 0.6
        assert np.isnan(found.per_factor["rest"][1]) == ("other" not in name)


def test_what_it_needs_is_a_sentence():
    codes, factors = planted(silent, tells)
    with pytest.raises(UserError, match="leakage is of methods whose codes have col"):
        leaked(codes, factors, ())
    with pytest.raises(UserError, match=r"no factor has some columns .*kind, other"):
        leaked(codes, factors, ("shape",) * 4)
