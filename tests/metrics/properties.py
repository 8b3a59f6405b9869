"""What must hold of each metric; a new one has a row here.

`test_every_metric.py` runs over this table and over METRICS.
"""

from typing import NamedTuple

from disentangle.metrics import METRICS

# Those of one model; a population has its own tests.
SINGLE = tuple(  # of one table of codes
    n
    for n, m in METRICS.items()
    if m.needs not in ("population", "queries", "generator", "blocks", "latents")
)


class Property(NamedTuple):
    """Facts of one metric.

    Attributes:
      top: part -> the least it must be where every factor is one code's (a fifth
        code is noise).
      floor: part -> the most it may be on codes that are noise; "chance" is the mean
        of 1 / (values of a factor), plus 0.15.
      dead: parts that are 0 where every code is constant.
      scale: True where positive scales of codes do not matter (to 0.02).
      names: True where factor values are names only, not numbers.
      sampling: how far scores may lie apart where the metric draws or breaks ties.
      rows: of the test tables; more where the metric is noisy.
      logvars: log-variances of all posteriors, where the metric needs them.
      paper: `top` and `floor` of protocol "paper", where its parts are others.
    """

    top: dict[str, float]
    floor: dict[str, float | str]
    dead: tuple[str, ...]
    scale: bool = True
    names: bool = True
    sampling: float = 0.0
    rows: int = 360
    logvars: float | None = None
    paper: tuple[dict[str, float], dict[str, float | str]] | None = None


PROPERTIES: dict[str, Property] = {
    "dci": Property(
        top={"disentanglement": 0.9, "completeness": 0.9, "informativeness_test": 0.9},
        floor={
            "disentanglement": 0.15,
            "completeness": 0.15,
            "informativeness_test": "chance",
        },
        dead=("disentanglement", "completeness"),
        # Ties between splits: two or three of the 120 test rows.
        sampling=0.025,
        paper=(
            {
                "disentanglement": 0.9,
                "completeness": 0.9,
                "lasso_disentanglement": 0.8,
                "lasso_completeness": 0.8,
            },
            {"disentanglement": 0.15, "completeness": 0.15},
        ),
    ),
    "dci_forest": Property(
        top={"disentanglement": 0.9, "completeness": 0.9},
        floor={"disentanglement": 0.15, "completeness": 0.15},
        dead=("disentanglement", "completeness"),
        names=False,
        sampling=0.02,
    ),
    # On noise the lasso keeps few codes, which is not held against it.
    "dci_lasso": Property(
        top={"disentanglement": 0.8, "completeness": 0.8},
        floor={},
        dead=("disentanglement", "completeness"),
        names=False,
    ),
    # A flat curve, of codes that tell nothing, has explicitness 1 by definition.
    "dci_es": Property(
        top={"explicitness": 0.7, "informativeness_test": 0.9},
        floor={
            "disentanglement": 0.15,
            "completeness": 0.15,
            "informativeness_test": "chance",
        },
        dead=("disentanglement", "completeness"),
    ),
    "mig": Property({"score": 0.9}, {"score": 0.15}, ("score",)),
    # The fifth code is noise and active; the variance that makes it so has a scale.
    "mig_sup": Property({"score": 0.7}, {"score": 0.15}, ("score",), scale=False),
    # A clean code scores 1; noise in few of its bins is less than noise in all.
    "jemmig": Property({"score": 0.9}, {"score": 0.25}, ()),
    # A hundred bins of a few hundred rows: noise looks like information.
    "rmig": Property({"score": 0.5}, {"score": 0.15}, ("score", "raw"), scale=False),
    # It looks at no factor, and at posteriors, which have the codes' scale.
    "wsepin": Property(
        {}, {}, ("score", "unweighted"), scale=False, sampling=0.02, logvars=-2.0
    ),
    "dcimig": Property({"score": 0.9}, {"score": 0.15}, ("score",)),
    # The fifth code is active and knows nothing. Ranges are compared between codes.
    "infomec": Property(
        top={"modularity": 0.7, "compactness": 0.9, "explicitness": 0.9},
        floor={"explicitness": 0.15},
        dead=(
            "modularity",
            "compactness",
            "explicitness",
            "modularity_iqr",
            "compactness_iqr",
        ),
        scale=False,
    ),
    "mcc": Property(
        top={"pearson": 0.99, "spearman": 0.99},
        floor={"pearson": 0.25, "spearman": 0.25},
        dead=("pearson", "spearman"),
        names=False,
    ),
    "r2": Property(
        {"linear": 0.99, "kernel": 0.9}, {"linear": 0.1, "kernel": 0.1}, (), names=False
    ),
    # A perceptron's accuracy on 120 test rows.
    "snc_nk": Property(
        {"snc": 0.95, "nk": 0.4, "mlp": 0.9},
        {"snc": "chance", "nk": 0.1, "mlp": "chance"},
        (),
        sampling=0.05,
    ),
    "sap": Property({"score": 0.2}, {"score": 0.15}, (), scale=False),
    "modularity": Property({"score": 0.75}, {"score": 0.8}, ("score",)),
    "explicitness": Property(
        {"train": 0.9, "test": 0.9}, {"train": 0.75, "test": 0.65}, ()
    ),
    "irs": Property(
        {"score": 0.6}, {"score": 0.4}, ("score",), scale=False, names=False
    ),
    "unsupervised": Property(
        {},
        {"gaussian_total_correlation": 0.05, "wasserstein_correlation_norm": 0.05},
        (
            "gaussian_total_correlation",
            "wasserstein_correlation",
            "wasserstein_correlation_norm",
            "mutual_information",
        ),
        scale=False,
    ),
    # Votes are drawn anew in another order of factors.
    "factor_vae": Property(
        {"score": 0.9}, {"score": "chance"}, ("score",), sampling=0.1
    ),
    "beta_vae": Property(
        {"score": 0.9}, {"score": "chance"}, (), scale=False, sampling=0.1
    ),
    # The noise of the fifth code moves in every vote.
    "z_max_variance": Property(
        {"score": 0.6}, {"score": 0.55}, ("score",), sampling=0.1
    ),
    # Scales matter to the penalty of the linear classifier, ties to small trees.
    "downstream": Property(
        {"logistic_100_mean": 0.9, "trees_100_mean": 0.9},
        {"logistic_100_mean": "chance", "trees_100_mean": "chance"},
        (),
        scale=False,
        sampling=0.03,
    ),
    "fairness": Property({}, {}, ("mean", "worst", "chance"), sampling=0.05, rows=150),
    "compositional": Property(
        {"linear": 0.9, "forest": 0.9},
        {"linear": "chance", "forest": "chance"},
        (),
        sampling=0.05,
    ),
}
