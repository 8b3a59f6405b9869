"""A categorical latent is one column wherever scores compare columns."""

import numpy as np
import pytest

from disentangle.metrics import METRICS, CodeTable, Settings
from disentangle.metrics.mcc import correlation_ratio

GAPS = ("mig", "mig_sup", "jemmig", "dcimig", "infomec", "modularity", "sap", "mcc")
SIZES = (3, 6, 8)


def tables(values=3, rows=1500):
    """The same latents with the first as one column, and as probabilities."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, k, rows) for k in (values, *SIZES[1:])], axis=1)
    rest = factors[:, 1:] + 0.1 * rng.normal(size=(rows, 2))
    sure = rng.uniform(0.6, 1.0, (rows, 1))
    one_hot = np.eye(values)[factors[:, 0]]
    likely = sure * one_hot + (1 - sure) * (1 - one_hot) / (values - 1)
    wide = np.hstack([rest[:, :1], likely, rest[:, 1:]])
    narrow = np.hstack([rest[:, :1], factors[:, :1], rest[:, 1:]])

    def table(codes, categorical):
        return CodeTable(
            codes[:1000],
            factors[:1000],
            codes[1000:],
            factors[1000:],
            ("a", "b", "c"),
            categorical=categorical,
        )

    columns = tuple(range(1, values + 1))
    return table(narrow, ((1,),)), table(wide, (columns,)), table(wide, ())


@pytest.mark.parametrize("name", GAPS)
def test_probabilities_score_as_their_most_probable_value(name):
    narrow, wide, apart = tables()
    one = METRICS[name](narrow, Settings())
    assert METRICS[name](wide, Settings()).parts == pytest.approx(one.parts)
    other = METRICS[name](apart, Settings()).parts
    assert max(abs(other[part] - one.parts[part]) for part in other) > 1e-3


def test_a_perfect_dsprites_code_is_not_capped():
    """As an outside test has it: one column .879 and .229, three at most .70, .10."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, k, 15_000) for k in (3, 6, 40, 32, 32)], axis=1)
    scaled = factors[:, 1:] / np.array([5, 39, 31, 31]) * 2 - 1
    noise = rng.normal(size=(15_000, 2))  # JointVAE has six Gaussian latents
    codes = np.hstack([scaled, np.eye(3)[factors[:, 0]], noise])

    def parts(name, categorical):
        table = CodeTable(
            codes[:10_000],
            factors[:10_000],
            codes[10_000:],
            factors[10_000:],
            tuple("abcde"),
            categorical=categorical,
        )
        return METRICS[name](table, Settings()).parts["score"]

    assert parts("mig", ()) < 0.7
    assert parts("mig", ((4, 5, 6),)) == pytest.approx(0.89, abs=0.015)
    assert parts("sap", ()) < 0.12
    assert parts("sap", ((4, 5, 6),)) == pytest.approx(0.229, abs=0.02)


def test_more_categories_than_bins_keep_apart():
    _, wide, _ = tables(values=30)
    result = METRICS["mig"](wide, Settings(bins=5))
    assert result.per_factor["score"][0] > 0.9
    assert 0 <= METRICS["jemmig"](wide, Settings(bins=5)).parts["score"] <= 1


def test_by_latent_by_hand():
    codes = np.array([[5.0, 0.1, 0.9, 7.0, 0.2, 0.7, 0.1], [6, 0.6, 0.4, 8, 0, 0, 1]])
    table = CodeTable(
        codes,
        np.array([[0], [1]]),
        codes[:1],
        np.array([[0]]),
        ("a",),
        logvars=codes,
        categorical=((4, 5, 6), (1, 2)),
    )
    found = table.by_latent()
    np.testing.assert_array_equal(found.codes, [[5, 1, 7, 1], [6, 0, 8, 2]])
    np.testing.assert_array_equal(found.test_codes, [[5, 1, 7, 1]])
    assert found.categorical == ((1,), (3,))
    assert found.logvars is None
    again = found.by_latent()
    np.testing.assert_array_equal(again.codes, found.codes)


def test_correlation_ratio_is_the_best_numbering():
    rng = np.random.default_rng(1)
    values, y = rng.integers(0, 3, 500), rng.normal(size=500)
    y = y + np.array([1.0, -1.0, 0.5])[values]
    best = 0.0
    for _ in range(4000):  # random numberings only come near the best
        numbers = rng.normal(size=3)[values]
        best = max(best, abs(np.corrcoef(numbers, y)[0, 1]))
    assert correlation_ratio(values, y[:, None])[0] == pytest.approx(best, abs=1e-3)
