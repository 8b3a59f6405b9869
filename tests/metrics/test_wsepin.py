"""WSEPIN against the closed form of Gaussian codes of Gaussian images."""

import sys

import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.metrics import Settings, read_representation, score
from disentangle.metrics.wsepin import wsepin


def found(codes, variance, **settings):
    factors = np.arange(len(codes))[:, None] % 2
    table = read_representation(
        codes,
        factors,
        num_train=len(codes),
        logvars=np.full(codes.shape, np.log(variance)),
    )
    return wsepin(table, Settings(**settings), samples=2_000)


def gaussian(rows, columns, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, columns))


def test_independent_codes_add_what_they_know():
    """z = x + noise of variance v: I = 1/2 log(1 + 1/v), all of it each code's own."""
    result = found(gaussian(4_000, 3), variance=2.0)
    alone = 0.5 * np.log(1.5)
    # 2,000 draws; the deviation of log q(z|x) / q(z) is about 0.6.
    np.testing.assert_allclose(result.per_code["informativeness"], alone, atol=0.03)
    assert result.values["score"] == pytest.approx(alone, abs=0.03)
    assert result.values["unweighted"] == pytest.approx(alone, abs=0.03)


def test_a_copied_code_adds_only_what_averages_its_noise():
    """Two noisy views of x know 1/2 log(1 + 2/v) together; the dead code nothing."""
    x = gaussian(4_000, 1)
    result = found(np.hstack([x, x, 0.0 * x]), variance=1.0)
    alone, both = 0.5 * np.log(2.0), 0.5 * np.log(3.0)
    expected = [both - alone, both - alone, 0.0]
    np.testing.assert_allclose(result.per_code["sepin"], expected, atol=0.03)
    # The weights leave the dead code out, the mean does not.
    assert result.values["score"] == pytest.approx(both - alone, abs=0.03)
    assert result.values["unweighted"] == pytest.approx(
        2 / 3 * (both - alone), abs=0.02
    )


def test_narrow_posteriors_tell_the_row_and_leave_nothing_to_add():
    rng = np.random.default_rng(1)
    apart = np.stack([rng.permutation(300), rng.permutation(300)], axis=1)
    result = found(apart.astype(float), variance=1e-4)
    np.testing.assert_allclose(result.per_code["informativeness"], np.log(300))
    assert result.values["score"] == pytest.approx(0.0, abs=1e-9)


def test_order_of_codes_threads_and_chunks_change_nothing(monkeypatch):
    codes = gaussian(500, 3) * np.array([1.0, 2.0, 0.5])
    plain = found(codes, 0.5, jobs=1)
    moved = found(codes[:, [2, 0, 1]], 0.5, jobs=2)
    np.testing.assert_allclose(
        moved.per_code["sepin"], np.array(plain.per_code["sepin"])[[2, 0, 1]]
    )
    # The package's attribute of this name is the function.
    monkeypatch.setattr(sys.modules["disentangle.metrics.wsepin"], "CHUNK", 1_000)
    assert found(codes, 0.5).values == pytest.approx(plain.values, abs=1e-12)


def test_it_needs_log_variances():
    with pytest.raises(UserError, match="wsepin needs logvars"):
        score(gaussian(30, 2), np.arange(30)[:, None] % 3, "wsepin")
