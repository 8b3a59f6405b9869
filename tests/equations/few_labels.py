"""The S2 methods: the unsupervised equation and gamma_sup R_s."""

from typing import Any

import numpy as np

from equations import plain
from equations.reference import Case, Inputs, nll64

SIZES = np.array([2, 3, 4, 4])  # of the toy's factors


def distance(inputs: Inputs) -> float:
    """R_s of the labelled images, factor by factor."""
    mean, _ = inputs.posterior(inputs.batch.labelled.images)
    labels = np.asarray(inputs.batch.labelled.factors)
    kind, total = inputs.settings.supervised_loss, 0.0
    for i, size in enumerate(SIZES):
        p, y = 1 / (1 + np.exp(-mean[:, i])), labels[:, i] / size
        if kind == "xent":
            total += -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
        elif kind == "l2":
            total += ((p - y) ** 2).mean()
        elif kind == "scaled_l2":
            scale = np.float64(inputs.params["labels"]["scale"])
            total += ((scale * mean[:, i] - labels[:, i]) ** 2).mean()
        elif kind == "cov":
            others = [d for d in range(mean.shape[1]) if d != i]
            c = np.cov(mean[:, others].T, labels[:, i], ddof=0)[-1, :-1]
            total += (c**2).sum()
        else:
            place = np.float64(inputs.params["labels"][f"places_{i}"])
            weight = np.exp(-((mean[:, [i]] - place) ** 2))
            chosen = weight[np.arange(len(labels)), labels[:, i]]
            total += -np.log(chosen / weight.sum(1)).mean()
    return total


def with_labels(cases: list[Case], *fields: dict[str, Any]) -> list[Case]:
    """The cases of an unsupervised method, each with labels."""

    def labelled(case: Case) -> Any:
        def expected(inputs: Inputs) -> dict[str, float]:
            losses = dict(case.expected(inputs))
            losses["vae"] += inputs.hyper.gamma_sup * distance(inputs)
            return losses

        return expected

    return [
        Case(case.fields | more, labelled(case), case.step)
        for case in cases
        for more in (fields or ({"labels": 20},))
    ]


def reconstruction(inputs: Inputs) -> dict[str, float]:
    x = inputs.batch.images
    z = inputs.sample(*inputs.posterior(x), inputs.key)
    return {"vae": nll64(inputs.settings.likelihood, inputs.net("decoder", z), x)}


CASES = {
    "s2_beta_vae": with_labels(
        plain.CASES["beta_vae"][:1],
        *({"supervised_loss": k} for k in ("xent", "l2", "scaled_l2", "cov", "embed")),
    ),
    "supervised_vae": with_labels(
        [Case({"gamma_sup": 3.0}, reconstruction)], {"labels": 20}
    ),
}
