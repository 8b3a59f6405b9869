"""Which protocols each metric has, and which one a result was computed by."""

from typing import NamedTuple

BOTH = ("locatello", "paper")
NOT_THERE = "disentanglement_lib does not have it"


class Protocols(NamedTuple):
    """The definitions of one metric.

    Attributes:
      has: names among "locatello" (Locatello et al. 2019), "paper" (who proposed the
        score) and "own" (a common measure that this project defines).
      why: where `has` is BOTH, why the two are one and the same, or "" where they
        differ; else why there is no other.
    """

    has: tuple[str, ...]
    why: str = ""


# A metric without a line here is asked for its `metadata["protocol"]` alone.
PROTOCOLS_OF: dict[str, Protocols] = {
    "dci": Protocols(BOTH),
    "dci_forest": Protocols(("paper",), "Locatello et al. 2019 boost trees: see dci"),
    "dci_lasso": Protocols(("paper",), "Locatello et al. 2019 boost trees: see dci"),
    "dci_es": Protocols(("paper",), NOT_THERE),
    "mig": Protocols(BOTH),
    "mig_sup": Protocols(BOTH),
    "jemmig": Protocols(BOTH),
    "rmig": Protocols(("paper",), NOT_THERE),
    "wsepin": Protocols(("paper",), NOT_THERE),
    "dcimig": Protocols(("paper",), NOT_THERE),
    "infomec": Protocols(("paper",), NOT_THERE),
    "mcc": Protocols(("paper",), NOT_THERE),
    "r2": Protocols(("own",), "a common measure with many forms"),
    "snc_nk": Protocols(("paper",), NOT_THERE),
    "sap": Protocols(BOTH),
    "modularity": Protocols(
        BOTH, "Locatello et al. 2019 compute it as Ridgeway & Mozer 2018 define it"
    ),
    "explicitness": Protocols(BOTH),
    "irs": Protocols(BOTH),
    "unsupervised": Protocols(BOTH, "Locatello et al. 2019 proposed these scores"),
    "factor_vae": Protocols(BOTH),
    "beta_vae": Protocols(
        BOTH, "Higgins et al. 2017 leave the classifier and all numbers open"
    ),
    "z_max_variance": Protocols(("paper",), NOT_THERE),
    "downstream": Protocols(BOTH, "Locatello et al. 2019 proposed this task"),
    "fairness": Protocols(BOTH, "Locatello et al. 2019 proposed this score"),
    "compositional": Protocols(("own",), "a common task with many forms"),
    "udr": Protocols(BOTH, "disentanglement_lib has the code of Duan et al. 2020"),
}


def used(metric: str, asked: str) -> dict[str, object]:
    """The protocol that `metric` computes when `asked` is asked for, for its report.

    Returns:
      {"protocol": name}, with "protocol_note" where it is not the one asked for.
    """
    known = PROTOCOLS_OF.get(metric, Protocols((asked,)))
    if asked in known.has:
        return {"protocol": asked}
    return {
        "protocol": known.has[0],
        "protocol_note": f"{asked} was asked for: {known.why}",
    }


def said(metric: str) -> str:
    """The protocols of a metric in a few words, for a list of metrics."""
    known = PROTOCOLS_OF.get(metric, Protocols(BOTH))
    if known.has == BOTH:
        return "both protocols alike" if known.why else "protocols locatello, paper"
    return f"protocol {known.has[0]}"
