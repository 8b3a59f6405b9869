"""Scores of representations. A new metric is one file and one line in METRICS."""

from disentangle.metrics.base import (
    Images,
    Metric,
    Population,
    PopulationMetric,
    PopulationResult,
    Representation,
    Result,
    Settings,
)
from disentangle.metrics.beta_vae import beta_vae
from disentangle.metrics.codes import Codes, read_codes
from disentangle.metrics.compositional import compositional
from disentangle.metrics.dci import dci
from disentangle.metrics.dci_es import dci_es
from disentangle.metrics.dci_regression import dci_forest, dci_lasso
from disentangle.metrics.dcimig import dcimig
from disentangle.metrics.downstream import downstream
from disentangle.metrics.explicitness import explicitness
from disentangle.metrics.factor_vae import factor_vae
from disentangle.metrics.fairness import fairness
from disentangle.metrics.infomec import infomec
from disentangle.metrics.irs import irs
from disentangle.metrics.jemmig import jemmig
from disentangle.metrics.mcc import mcc
from disentangle.metrics.mig import mig
from disentangle.metrics.mig_sup import mig_sup
from disentangle.metrics.modularity import modularity
from disentangle.metrics.r2 import r2
from disentangle.metrics.rmig import rmig
from disentangle.metrics.sap import sap
from disentangle.metrics.score import (
    choose_metrics,
    flatten,
    notes,
    score,
    score_details,
)
from disentangle.metrics.snc_nk import snc_nk
from disentangle.metrics.table import read_representation
from disentangle.metrics.udr import udr
from disentangle.metrics.unsupervised import unsupervised
from disentangle.metrics.wsepin import wsepin
from disentangle.metrics.z_max_variance import z_max_variance

METRICS: dict[str, Metric] = {
    "dci": dci,
    "dci_forest": dci_forest,
    "dci_lasso": dci_lasso,
    "dci_es": dci_es,
    "mig": mig,
    "mig_sup": mig_sup,
    "jemmig": jemmig,
    "rmig": rmig,
    "wsepin": wsepin,
    "dcimig": dcimig,
    "infomec": infomec,
    "mcc": mcc,
    "r2": r2,
    "snc_nk": snc_nk,
    "sap": sap,
    "modularity": modularity,
    "explicitness": explicitness,
    "irs": irs,
    "unsupervised": unsupervised,
    "factor_vae": factor_vae,
    "beta_vae": beta_vae,
    "z_max_variance": z_max_variance,
    "downstream": downstream,
    "fairness": fairness,
    "compositional": compositional,
}

# Those that look at no factor.
WITHOUT_FACTORS = ("unsupervised", "wsepin")

# Those that compare several models; a run has several, a table of codes does not.
POPULATION_METRICS: dict[str, PopulationMetric] = {
    "udr": udr,
}

__all__ = [
    "METRICS",
    "POPULATION_METRICS",
    "Codes",
    "Images",
    "Metric",
    "Population",
    "PopulationResult",
    "Representation",
    "Result",
    "Settings",
    "choose_metrics",
    "flatten",
    "notes",
    "read_codes",
    "read_representation",
    "score",
    "score_details",
]
