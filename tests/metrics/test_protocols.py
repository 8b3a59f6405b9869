"""Each metric says which protocol it was computed by, and has those that it says."""

import numpy as np
import pytest

from disentangle.metrics import METRICS, Settings, score_details
from disentangle.metrics.base import PROTOCOLS
from disentangle.metrics.protocols import BOTH, said, used
from metrics.properties import SINGLE

SIZES = (3, 5, 6)
OTHER = {"locatello": "paper", "paper": "locatello"}


@pytest.fixture(scope="module")
def posteriors():
    """Codes beyond [-4, 4] here and there, of unequal scales, and their posteriors."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.unravel_index(np.arange(90), SIZES), axis=1)  # z_max needs it
    factors = np.concatenate([rng.permutation(grid) for _ in range(3)])
    mixed = factors @ rng.normal(size=(3, 4)) / np.array([1, 2, 3, 4])
    codes = 0.3 * (mixed + 0.5 * rng.normal(size=mixed.shape))
    return codes, factors, rng.normal(-1.0, 0.3, codes.shape)


def result(name, protocol, posteriors, logvars=True):
    codes, factors, spreads = posteriors
    # Fewer bins than a factor has values: one protocol of irs cuts factors.
    chosen = Settings(backend="fast", protocol=protocol, bins=4)
    given = spreads if logvars else None
    return score_details(codes, factors, name, chosen, logvars=given)[name]


def test_every_metric_says_its_protocols():
    for name, metric in METRICS.items():
        known = metric.protocols
        assert known.has, name
        assert set(known.has) <= {*PROTOCOLS, "own"}, name
        # One protocol, or two that are the same, come with a reason.
        assert known.has == BOTH or len(known.has) == 1, name
        assert known.why or known.has == BOTH, name


# What fits many estimators by either protocol is left to the slow run.
FITTED = ("downstream", "fairness", "dci", "dci_es")
QUICK = [
    pytest.param(name, marks=pytest.mark.slow if name in FITTED else ())
    for name in SINGLE
]


@pytest.mark.parametrize("name", QUICK)
def test_protocols_differ_or_are_said_not_to(name, posteriors):
    found = {asked: result(name, asked, posteriors) for asked in PROTOCOLS}
    known = METRICS[name].protocols
    differ = known.has == BOTH and not known.why
    assert (found["paper"].values != found["locatello"].values) == differ
    for asked, ran in ((asked, one.metadata) for asked, one in found.items()):
        if asked in known.has:
            assert ran["protocol"] == asked
            assert "protocol_note" not in ran
        else:
            assert ran["protocol"] == known.has[0]
            assert ran["protocol_note"] == f"{asked} was asked for: {known.why}"


@pytest.mark.parametrize("name", ["mig", "mig_sup"])
def test_without_posteriors_the_paper_is_not_what_ran(name, posteriors):
    """Their paper's estimate needs q(z|x); without it, it is the one on bins."""
    bare = result(name, "paper", posteriors, logvars=False)
    binned = result(name, "locatello", posteriors, logvars=False)
    assert bare.values == binned.values
    assert bare.metadata["protocol"] == "locatello"
    assert "no log-variances" in bare.metadata["note"]


def test_a_metric_without_a_line_keeps_the_protocol_that_was_asked_for():
    for asked in PROTOCOLS:
        assert used(None, asked) == {"protocol": asked}


def test_a_list_says_which_protocols_there_are():
    assert said(METRICS["dci"].protocols) == "protocols locatello, paper"
    assert said(METRICS["modularity"].protocols) == "both protocols alike"
    assert said(METRICS["r2"].protocols) == "protocol own"
