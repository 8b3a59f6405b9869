"""The protocols that a metric has, and which one a result was computed by."""

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


def used(known: Protocols | None, asked: str) -> dict[str, object]:
    """The protocol that is computed when `asked` is asked for, for a metric's report.

    Args:
      known: `Metric.protocols`; None is computed as asked.
      asked: a name in `base.PROTOCOLS`.

    Returns:
      {"protocol": name}, with "protocol_note" where it is not the one asked for.
    """
    if known is None or asked in known.has:
        return {"protocol": asked}
    return {
        "protocol": known.has[0],
        "protocol_note": f"{asked} was asked for: {known.why}",
    }


def said(known: Protocols | None) -> str:
    """The protocols of a metric in a few words, for a list of metrics."""
    if known is None or known.has == BOTH:
        alike = known is not None and known.why
        return "both protocols alike" if alike else "protocols locatello, paper"
    return f"protocol {known.has[0]}"
