"""Published scores, to stand beside ours: each with its source and its protocol."""

from typing import NamedTuple


class Target(NamedTuple):
    """One published number.

    Attributes:
      data: name in DATASETS.
      method: name in METHODS.
      metric: "<metric>/<part>" of ours that it comes nearest to.
      value: as published, but in 0 to 1.
      spread: standard deviation over seeds as published, or None.
      source: who reports it, and where.
      protocol: what they trained and how they scored, as far as they say.
    """

    data: str
    method: str
    metric: str
    value: float
    spread: float | None
    source: str
    protocol: str


CFASL = "CFASL, table of baselines in the authors' project page"
CFASL_PROTOCOL = (
    "10 seeds, Adam 1e-4, batch 64, 300k steps (Shapes3D 500k), 10 latents "
    "(Shapes3D 6), beta the best of 1, 2, 4, 6; scores as in disentanglement_lib"
)
CR = "InfoGAN-CR (Lin et al. 2020), Table 1"
CR_PROTOCOL = "dSprites; own metric code: SAP and DCI by other estimators"
ENCDIFF = "EncDiff (Yang et al. 2024), Table 1"
ENCDIFF_PROTOCOL = "Shapes3D, 15 runs, best of a grid"
WEAK = "Locatello et al. 2020, weakly supervised (not checked against the paper)"
WEAK_PROTOCOL = "300k steps, median over seeds and strengths; disentanglement_lib"
RF = "Relevance Factor VAE (Kim et al. 2019), the authors' project page"
RF_PROTOCOL = (
    "oval dSprites (4 factors), gamma 35, 300k steps, 800 votes, "
    "score on the same votes"
)


def _row(
    data: str,
    method: str,
    source: str,
    protocol: str,
    scores: dict[str, tuple[float, ...]],
) -> tuple[Target, ...]:
    """Targets of one line of a published table: score -> (value[, spread])."""
    return tuple(
        Target(data, method, KEYS[k], v[0], (*v, None)[1], source, protocol)
        for k, v in scores.items()
    )


KEYS = {
    "factor": "factor_vae/score",
    "beta": "beta_vae/score",
    "mig": "mig/score",
    "sap": "sap/score",
    "dci": "dci/disentanglement",
    "modularity": "modularity/score",
    "z_max": "z_max_variance/score",
}

TARGETS: tuple[Target, ...] = (
    *_row(
        "dsprites",
        "beta_vae",
        CFASL,
        CFASL_PROTOCOL,
        {
            "factor": (0.7354, 0.0647),
            "beta": (0.8320, 0.0707),
            "mig": (0.1319, 0.0448),
            "sap": (0.0569, 0.0198),
            "dci": (0.2149, 0.0630),
        },
    ),
    *_row(
        "dsprites",
        "beta_tcvae",
        CFASL,
        CFASL_PROTOCOL,
        {
            "factor": (0.7919, 0.0587),
            "beta": (0.8920, 0.0473),
            "mig": (0.2395, 0.1013),
            "sap": (0.0720, 0.0066),
            "dci": (0.3533, 0.0907),
        },
    ),
    *_row(
        "dsprites",
        "control_vae",
        CFASL,
        CFASL_PROTOCOL,
        {
            "factor": (0.6964, 0.0767),
            "beta": (0.8280, 0.0779),
            "mig": (0.0593, 0.0278),
            "sap": (0.0389, 0.0189),
            "dci": (0.1242, 0.0495),
        },
    ),
    *_row(
        "shapes3d",
        "beta_vae",
        CFASL,
        CFASL_PROTOCOL,
        {
            "factor": (0.7954, 0.0696),
            "beta": (0.8933, 0.0589),
            "mig": (0.5196, 0.1386),
            "sap": (0.0848,),
            "dci": (0.6365, 0.0791),
        },
    ),
    *_row(
        "shapes3d",
        "beta_tcvae",
        CFASL,
        CFASL_PROTOCOL,
        {
            "factor": (0.7858, 0.0297),
            "beta": (0.8533, 0.0712),
            "mig": (0.6172, 0.0085),
            "sap": (0.0607, 0.0019),
            "dci": (0.6649, 0.0114),
        },
    ),
    *_row(
        "dsprites",
        "vae",
        CR,
        CR_PROTOCOL,
        {
            "factor": (0.63, 0.06),
            "dci": (0.30, 0.10),
            "mig": (0.10,),
        },
    ),
    *_row(
        "dsprites",
        "factor_vae",
        CR + ", gamma 40",
        CR_PROTOCOL,
        {
            "factor": (0.82, 0.01),
            "dci": (0.74, 0.01),
            "mig": (0.43, 0.01),
            "beta": (0.84, 0.01),
        },
    ),
    *_row(
        "shapes3d",
        "factor_vae",
        ENCDIFF,
        ENCDIFF_PROTOCOL,
        {
            "factor": (0.840, 0.066),
            "dci": (0.611, 0.082),
        },
    ),
    *_row(
        "shapes3d",
        "beta_tcvae",
        ENCDIFF,
        ENCDIFF_PROTOCOL,
        {
            "factor": (0.873, 0.074),
            "dci": (0.613, 0.114),
        },
    ),
    *_row(
        "dsprites",
        "ada_gvae",
        WEAK,
        WEAK_PROTOCOL,
        {
            "beta": (0.923,),
            "factor": (0.847,),
            "mig": (0.266,),
            "dci": (0.479,),
            "modularity": (0.913,),
            "sap": (0.071,),
        },
    ),
    *_row(
        "shapes3d",
        "ada_gvae",
        WEAK,
        WEAK_PROTOCOL,
        {
            "beta": (1.0,),
            "factor": (1.0,),
            "mig": (0.562,),
            "dci": (0.946,),
        },
    ),
    *_row(
        "dsprites", "rf_vae", RF, RF_PROTOCOL, {"factor": (0.9950,), "z_max": (0.9850,)}
    ),
)


def targets_of(data: str) -> list[Target]:
    """What is published for a data set, in the order above."""
    return [target for target in TARGETS if target.data == data]
