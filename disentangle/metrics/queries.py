"""Retrieval as a score: three tasks that a data set with queries can be asked.

What is asked and how it is counted is in `disentangle.retrieval`; here are the parts
that a table of scores shows. They need no factor of a table: a data set says itself
what the edited picture is.
"""

from disentangle.metrics.base import Ask, Result, Settings
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import Protocols
from disentangle.retrieval.outcome import Outcome

OWN = Protocols(("own",), "papers ask it of photographs, without exact answers")
# part of a metric -> (way, score) of an Outcome
Chosen = dict[str, tuple[str, str]]
MAIN = "replace"  # the edit that scores speak of

EDIT_PARTS: Chosen = {
    "exact": (MAIN, "exact@1"),
    "target": (MAIN, "target@1"),
    "kept": (MAIN, "kept@1"),
    "hit_10": (MAIN, "hit@10"),
    "mrr": (MAIN, "mrr"),
    "nothing": ("nothing", "exact@1"),
    "filter": ("filter", "exact@1"),
    "expected": ("expected", "exact@1"),
}
SIMILAR_PARTS: Chosen = {
    "conflict": ("own", "conflict"),
    "random": ("own", "random"),
    "map": ("own", "map"),
    "whole": ("whole", "random"),
    "whole_map": ("whole", "map"),
}
COMPLETE_PARTS: Chosen = {
    "fitb_easy": ("learned", "fitb easy"),
    "fitb_hard": ("learned", "fitb hard"),
    "auc_easy": ("learned", "auc easy"),
    "auc_hard": ("learned", "auc hard"),
    "recall_10": ("learned", "recall@10"),
    "agreement": ("learned", "agreement"),
    "whole": ("whole", "fitb hard"),
}


def edit_retrieval(ask: Ask, settings: Settings) -> Result:
    r"""Retrieval of pictures "with this attribute in another value" (Hou et al. 2021).

    $$
    \mathrm{exact} = \frac{1}{A} \sum_a \frac{1}{|Q_a|} \sum_{q \in Q_a}
    [\mathrm{rank}(q) = 1]
    $$

    over edits q of attribute a, rank(q) the place of the one right picture among one of
    every combination of attributes without that asked with. The columns of the
    attribute are replaced by the mean code of the wanted value over 1,000 labelled
    images, or by the method's own prototype; 500 edits of each attribute, where
    `retrieve` has 2,000. `disentangle.retrieval.edit` says more.

    Raises:
      UserError: a data set without queries.
    """
    found = ask("edit", settings.seed, settings.bootstrap)
    return _result(found, EDIT_PARTS, f"leak {MAIN}", "the way 'replace' of an edit")


def similar_retrieval(ask: Ask, settings: Settings) -> Result:
    r"""Similarity in one respect only, by triplets and average precision (Veit 2017).

    $$
    \mathrm{conflict} = \frac{1}{A} \sum_a P(d_a(x, x^+) < d_a(x, x^-))
    $$

    of triplets whose positive shares with the anchor attribute a alone, and whose
    negative all but a; d_a is the distance in the columns of a. Whoever looks at the
    whole picture has 0, a guess 1/2. `disentangle.retrieval.similar` says more.

    Raises:
      UserError: a data set without queries.
    """
    found = ask("similar", settings.seed, settings.bootstrap)
    return _result(found, SIMILAR_PARTS, "map", "columns of one attribute")


def set_completion(ask: Ask, settings: Settings) -> Result:
    r"""Completion of sets whose items share one attribute with each other (Lin 2020).

    $$
    \mathrm{fitb} = P(\arg\min_s \sum_i d_{ij}(x_i, s) = \mathrm{hidden}), \qquad
    d_{ij}(x, s) = \sum_d w_{ij,d} (x_d - s_d - \mu_{ij,d})^2
    $$

    of four pictures s of slot j; masks w and offsets mu of each pair of slots are in
    closed form from 1,000 labelled images. A code whose columns carry one factor each
    wins, the same code turned loses. `disentangle.retrieval.complete` and
    `disentangle.retrieval.masks` say more.

    Raises:
      UserError: a data set without sets.
    """
    found = ask("complete", settings.seed, settings.bootstrap)
    return _result(found, COMPLETE_PARTS, "attention learned", "masks of two slots")


def _result(found: Outcome, chosen: Chosen, array: str, definition: str) -> Result:
    """The parts of an outcome that a table shows."""
    rows = {part: found.row(*where) for part, where in chosen.items()}
    metadata: dict[str, object] = {"definition": f"retrieval by {definition}"}
    if found.notes:
        metadata["note"] = "; ".join(found.notes)
    return Result(
        {part: row.value for part, row in rows.items() if row.value == row.value},
        intervals={p: (r.low, r.high) for p, r in rows.items() if r.low == r.low},
        arrays={array: found.arrays[array]},
        metadata=metadata,
    )


EDIT = Metric(
    edit_retrieval,
    {
        "exact": Part(
            "edit exact",
            "Share of edits whose nearest picture is exactly the edited one, 0 to 1.",
        ),
        "target": Part(
            "edit target", "Share whose nearest has the wanted value, 0 to 1."
        ),
        "kept": Part(
            "edit kept", "Share of other attributes that the nearest keeps, 0 to 1."
        ),
        "hit_10": Part("edit hit@10", "Share with the edited picture among 10."),
        "mrr": Part("edit MRR", "Mean of 1 / the edited picture's place, 0 to 1."),
        "nothing": Part(
            "edit nothing",
            "Exact share when the code is not edited: what an edit must beat.",
            "neither",
        ),
        "filter": Part(
            "edit filter",
            "Exact share of a classifier's labels with the wanted one put in.",
        ),
        "expected": Part(
            "edit expected", "The same by the classifier's probabilities, 0 to 1."
        ),
    },
    needs="queries",
    uses_factors=False,
    protocols=OWN,
)
SIMILAR = Metric(
    similar_retrieval,
    {
        "conflict": Part(
            "similar conflict",
            "Share of triplets that are right where all else speaks against, 0 to 1; "
            "a guess has 0.5.",
        ),
        "random": Part(
            "similar random", "Share of random triplets that are right; a guess: 0.5."
        ),
        "map": Part(
            "similar mAP", "Mean average precision of one attribute's columns, 0 to 1."
        ),
        "whole": Part(
            "similar whole",
            "Share of random triplets right by the whole code.",
            "neither",
        ),
        "whole_map": Part(
            "similar whole mAP", "Mean average precision of the whole code.", "neither"
        ),
    },
    needs="queries",
    uses_factors=False,
    protocols=OWN,
)
COMPLETE = Metric(
    set_completion,
    {
        "fitb_easy": Part(
            "sets FITB easy", "Share of blanks filled right, of four; a guess: 0.25."
        ),
        "fitb_hard": Part(
            "sets FITB hard", "The same where answers differ in one value, 0 to 1."
        ),
        "auc_easy": Part(
            "sets AUC easy",
            "Area under the ROC curve, compatible or not; a guess: 0.5.",
        ),
        "auc_hard": Part(
            "sets AUC hard", "The same where one pair of items does not go together."
        ),
        "recall_10": Part(
            "sets recall@10", "Share of hidden items among the 10 nearest, 0 to 1."
        ),
        "agreement": Part(
            "sets agreement",
            "Share of pairs of slots whose mask is most on what they share, 0 to 1.",
        ),
        "whole": Part(
            "sets FITB whole",
            "Share of hard blanks filled right by the whole code, 0 to 1.",
            "neither",
        ),
    },
    needs="queries",
    uses_factors=False,
    protocols=OWN,
)
