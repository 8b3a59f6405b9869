"""Odd representations: every metric gives numbers in its range, or a reason.

What is wrong with a whole table is one sentence before any work; what one metric cannot
do costs that metric only; a fault of ours is a traceback, and no test lets it pass.
"""

import functools
import json
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disentangle import metrics
from disentangle.errors import UserError
from disentangle.metrics import boosting
from disentangle.metrics.base import PROTOCOLS, Population, Settings
from disentangle.metrics.factor_vae import Constants
from disentangle.metrics.score import score, score_details
from disentangle.metrics.udr import ESTIMATORS, gaussian_kl, udr
from metrics.properties import SINGLE

# Documented ranges that are not [0, 1]: of a metric, or of one of its parts.
INFINITE = np.inf
RANGES = {
    "dci/lasso_informativeness_error": (0, INFINITE),
    "dci/informativeness_error": (0, INFINITE),
    "dci_forest/informativeness_error": (0, INFINITE),
    "dci_lasso/informativeness_error": (0, INFINITE),
    "dci_es/explicitness": (-1, 1),
    "dci_es/size": (0, INFINITE),
    "jemmig/raw": (0, INFINITE),
    "rmig/raw": (0, INFINITE),
    "wsepin": (-INFINITE, INFINITE),
    "infomec/explicitness": (-INFINITE, 1),
    "r2": (-INFINITE, 1),
    "irs": (-1, 1),
    "snc_nk/nk": (-1, 1),
    "unsupervised/wasserstein_correlation_norm": (0, 2),
    "unsupervised": (0, INFINITE),
    "downstream/logistic_efficiency": (0, INFINITE),
    "downstream/trees_efficiency": (0, INFINITE),
    "compositional/linear_gap": (-1, 1),
    "compositional/forest_gap": (-1, 1),
}
ROUNDING = 1e-9


def documented(part):
    """The range of "<metric>/<part>": that of its longest beginning in RANGES."""
    known = [start for start in RANGES if part.startswith(start)]
    return RANGES[max(known, key=len)] if known else (0, 1)


# What a column of codes is made of, from a generator, the rows and the factors.
CODES = {
    "normal": lambda rng, n, f: rng.normal(size=n),
    "factor": lambda rng, n, f: f[:, 0] + 0.1 * rng.normal(size=n),
    "exact factor": lambda rng, n, f: f[:, -1].astype(float),
    "constant": lambda rng, n, f: np.full(n, 0.1),
    "zero": lambda rng, n, f: np.zeros(n),
    "few values": lambda rng, n, f: rng.integers(0, 2, n).astype(float),
    "one differs": lambda rng, n, f: (np.arange(n) == 0).astype(float),
    "huge": lambda rng, n, f: 9e29 * rng.uniform(-1, 1, n),
    "tiny": lambda rng, n, f: 1e-30 * rng.normal(size=n),
    "smallest": lambda rng, n, f: 5e-324 * rng.integers(0, 3, n),
    "last digit": lambda rng, n, f: 1e8 * (1 + 2e-16 * rng.integers(0, 3, n)),
    "wide": lambda rng, n, f: np.exp(rng.uniform(-60, 60, n)),
    "line": lambda rng, n, f: np.arange(n) * 1.0,
}
FACTORS = {
    "three": lambda rng, n: rng.integers(0, 3, n),
    "two": lambda rng, n: rng.integers(0, 2, n),
    "own": lambda rng, n: rng.permutation(n),
    "many": lambda rng, n: rng.integers(0, max(2, n // 2), n),
    "constant": lambda rng, n: np.full(n, 3),
    "late": lambda rng, n: (np.arange(n) >= n - n // 4).astype(int),
    "rare": lambda rng, n: (np.arange(n) == 1).astype(int),
    "unseen": lambda rng, n: np.where(np.arange(n) < n // 2, rng.integers(0, 2, n), 9),
    "far apart": lambda rng, n: rng.integers(0, 2, n) * (2**62),
    "blocks": lambda rng, n: np.arange(n) * 3 // n,
}
LOGVARS = (None, -1.0, -1e30, 1e30, 0.0)


@st.composite
def tables(draw):
    """Keyword arguments of `score`, its arrays among them."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    rows = draw(st.sampled_from([2, 3, 5, 9, 16, 36, 36, 45, 45]))
    factors = np.stack(
        [
            FACTORS[kind](rng, rows)
            for kind in draw(
                st.lists(st.sampled_from([*FACTORS]), min_size=1, max_size=3)
            )
        ],
        axis=1,
    )
    columns = [
        CODES[kind](rng, rows, factors)
        for kind in draw(st.lists(st.sampled_from([*CODES]), min_size=1, max_size=4))
    ]
    if draw(st.booleans()):
        columns.append(columns[0])
    codes = np.stack(columns, axis=1).astype(draw(st.sampled_from(["f4", "f8"])))
    width = codes.shape[1]
    spread = draw(st.sampled_from(LOGVARS))
    groups = [(), [(0,)], [tuple(range(width))], [(0, width - 1)] if width > 1 else ()]
    splits = [None] * 5 + [2, rows - 1, rows, max(2, rows // 2)]
    return {
        "codes": codes,
        "factors": factors.astype(draw(st.sampled_from([int, float]))),
        "logvars": None if spread is None else np.full(codes.shape, spread),
        "categorical": draw(st.sampled_from(groups)),
        "num_train": draw(st.sampled_from(splits)),
        "bins": draw(st.sampled_from([2, 20, 300])),
        "protocol": draw(st.sampled_from(PROTOCOLS)),
        "backend": draw(st.sampled_from(["fast"] * 5 + ["reference"])),
        "bootstrap": draw(st.sampled_from([0, 0, 0, 2])),
        "seed": draw(st.integers(0, 3)),
    }


FEWER = {"dci_es": {"trees": 3, "depths": (1, 2, 4)}, "compositional": {"trees": 2}}
FEWER |= {"dci_forest": {"trees": 2, "depths": (2, 4)}, "downstream": {"sizes": (10,)}}


@pytest.fixture(scope="module")
def small():
    """The metrics with few votes, trees and rounds: what is odd is not how many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["disentangle.metrics.beta_vae"], "POINTS", 60)
        patch.setattr(sys.modules["disentangle.metrics.beta_vae"], "JUDGED", 30)
        votes = {name: Constants(8, 40, 20) for name in PROTOCOLS}
        patch.setattr(sys.modules["disentangle.metrics.factor_vae"], "CONSTANTS", votes)
        patch.setattr(sys.modules["disentangle.metrics.z_max_variance"], "VOTES", 20)
        patch.setattr(sys.modules["disentangle.metrics.snc_nk"], "EPOCHS", 2)
        patch.setattr(boosting, "ROUNDS", 3)
        for name, constants in FEWER.items():
            row = metrics.METRICS[name]
            fewer = functools.partial(row.compute, **constants)
            patch.setitem(metrics.METRICS, name, replace(row, compute=fewer))
        yield


def check(given, names="all"):
    """What `score` does with this table is in order."""
    given = dict(given)
    arrays = given.pop("codes"), given.pop("factors")
    rest = {name: given.pop(name) for name in ("num_train", "logvars", "categorical")}
    how = Settings(jobs=1, **given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            results = score_details(*arrays, names, how, **rest)
        except UserError as error:
            assert str(error) and "\n" not in str(error)
            return
    for name, result in results.items():
        assert bool(result.values) != bool(result.why_not), name
        assert "\n" not in result.why_not
        assert json.dumps(result.metadata)
        for part, value in result.values.items():
            low, high = documented(f"{name}/{part}")
            assert low - ROUNDING <= value <= high + ROUNDING, (name, part, value)
        more = (result.per_factor, result.per_code, result.intervals, result.arrays)
        for part, values in [pair for some in more for pair in some.items()]:
            assert np.isfinite(values).all(), (name, part)


FEW = settings(max_examples=40)
SOME = st.lists(st.sampled_from([*SINGLE]), min_size=3, max_size=3)


@pytest.mark.slow
@settings(FEW, max_examples=30)
@given(tables(), SOME)
def test_a_few_metrics_of_odd_tables(small, table, names):
    check(table | {"backend": "fast"}, sorted({*names}))


@pytest.mark.slow
@settings(FEW, max_examples=400)
@given(tables())
def test_all_metrics_of_hundreds_of_odd_tables(small, table):
    check(table)


@st.composite
def populations(draw):
    """Several models of the same images, some of them dead or exploded."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    models, rows = draw(st.integers(1, 3)), draw(st.sampled_from([2, 3, 30]))
    width = draw(st.integers(1, 3))
    kinds = [draw(st.sampled_from([*CODES])) for _ in range(models * width)]
    factors = rng.integers(0, 3, (rows, 2))
    columns = [CODES[kind](rng, rows, factors) for kind in kinds]
    means = np.stack(columns, 1).reshape(rows, models, width).transpose(1, 0, 2)
    spread = draw(st.sampled_from([-1.0, -1e30, 1e30, 0.0]))
    labels = draw(st.sampled_from([None, "same", "own"]))
    return {
        "codes": means.astype(draw(st.sampled_from(["f4", "f8"]))),
        "kl": gaussian_kl(means, np.full(means.shape, spread)),
        "settings": labels
        and tuple("a" if labels == "same" else str(m) for m in range(models)),
    }


@FEW
@given(populations(), st.sampled_from(ESTIMATORS))
def test_udr_of_odd_populations(population, estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = udr(Population(**population), Settings(jobs=1), estimator=estimator)
        except UserError as error:
            assert "\n" not in str(error)
            return
    scores = found.values["score"]
    assert scores.shape == (len(population["codes"]),) and json.dumps(found.metadata)
    assert (np.isfinite(scores) & (scores >= 0)).all()
    assert estimator == "lasso" or (scores <= 1 + ROUNDING).all()


def test_a_code_of_any_size_has_its_explicitness():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (90, 2))
    codes = (factors + 0.3 * rng.normal(size=(90, 2))).astype(np.float32)
    plain = score(codes, factors, "explicitness")
    for size in (1e-30, 1e25):
        scaled = codes * np.float32(size)
        assert score(scaled, factors, "explicitness") == pytest.approx(plain, abs=1e-3)


@pytest.mark.parametrize("name", ["sap", "dci_es", "dci", "snc_nk"])
def test_values_of_few_rows_are_classes_without_a_word(small, name):
    rng = np.random.default_rng(0)
    factors = np.stack([rng.permutation(45), rng.integers(0, 3, 45)], axis=1)
    codes = factors + rng.normal(size=factors.shape)
    assert score(codes, factors, name, backend="fast")  # any warning is an error


def test_a_lasso_that_does_not_converge_is_named_in_one_line():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.permutation(45) // 2, rng.integers(0, 3, 45)], axis=1)
    codes = (factors + 0.3 * rng.normal(size=(45, 2))) @ rng.normal(size=(2, 3))
    with pytest.warns(UserWarning) as told:
        score(codes, factors, "dci_lasso", factor_names=["a", "b"])
    said = [str(w.message) for w in told if "lasso" in str(w.message)]
    assert len(said) == 1 and "did not converge in 1,000 passes for 'b'" in said[0]
