"""The names that files and other people's scripts rely on."""

import numpy as np
import pytest

from disentangle.metrics import METRICS, Settings, flatten, score_details

KEYS = {
    "dci": (
        "disentanglement",
        "completeness",
        "informativeness_train",
        "informativeness_test",
    ),
    "mig": ("score",),
    "sap": ("score",),
    "modularity": ("score",),
    "explicitness": ("train", "test"),
    "irs": ("score",),
    "unsupervised": (
        "gaussian_total_correlation",
        "wasserstein_correlation",
        "wasserstein_correlation_norm",
        "mutual_information",
    ),
    "factor_vae": ("score",),
    "beta_vae": ("score",),
    "mig_sup": ("score",),
    "jemmig": ("score", "raw"),
    "dcimig": ("score",),
    "infomec": (
        "explicitness",
        "modularity",
        "compactness",
        "modularity_iqr",
        "compactness_iqr",
    ),
    "dci_forest": (
        "disentanglement",
        "completeness",
        "informativeness_error_train",
        "informativeness_error_test",
    ),
    "dci_lasso": (
        "disentanglement",
        "completeness",
        "informativeness_error_train",
        "informativeness_error_test",
    ),
    "rmig": ("score", "raw"),
    "wsepin": ("score", "unweighted"),
    "r2": ("linear", "kernel"),
    "snc_nk": ("snc", "nk", "mlp"),
    "fairness": ("mean", "worst", "chance"),
    "compositional": ("linear", "linear_gap", "forest", "forest_gap"),
    "mcc": ("pearson", "spearman"),
    "dci_es": (
        "explicitness",
        "size",
        "disentanglement",
        "completeness",
        "informativeness_train",
        "informativeness_test",
    ),
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_of(name):
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, k, 240) for k in (3, 4)], axis=1)
    codes = factors + rng.normal(size=factors.shape)
    given = {"logvars": np.zeros(codes.shape)}
    found = score_details(codes, factors, name, Settings(backend="fast"), **given)
    assert list(flatten(found)) == [f"{name}/{part}" for part in KEYS[name]]


def test_the_names_of_the_field_are_there():
    assert set(KEYS) <= set(METRICS)
