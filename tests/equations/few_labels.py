"""The S2 methods, the unsupervised equation and gamma_sup R_s; the CVAE."""

from typing import Any

import numpy as np

from equations import critics, objectives, plain
from equations.reference import Case, Inputs, kl64, nll64

SIZES = np.array([2, 3, 4, 4])  # of the toy's factors


def distance(inputs: Inputs) -> float:
    """R_s of the labelled images, factor by factor."""
    mean, _ = inputs.posterior(inputs.batch["labelled/images"])
    labels = np.asarray(inputs.batch["labelled/factors"])
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
    x = inputs.batch["images"]
    z = inputs.sample(*inputs.posterior(x), inputs.key)
    return {"vae": nll64(inputs.settings.likelihood, inputs.net("decoder", z), x)}


def conditional(inputs: Inputs) -> dict[str, float]:
    """-E log p(x|z, c) + beta KL(q(z|x, c) || N(0, I)), c one-hot."""
    x, f = inputs.batch["images"], np.asarray(inputs.batch["factors"])
    given = {"shape": 0, "turn": 2, "x": 3}
    names = inputs.settings.condition or ["shape"]
    c = np.concatenate([np.eye(SIZES[i])[f[:, i]] for i in map(given.get, names)], 1)
    out = inputs.net("posterior", np.concatenate([inputs.net("encoder", x), c], 1))
    mean, logvar = np.split(out, 2, axis=1)
    z = inputs.sample(mean, logvar, inputs.key)
    logits = inputs.net("decoder", np.concatenate([z, c], 1))
    reconstruction = nll64(inputs.settings.likelihood, logits, x)
    kl = kl64(mean, logvar).sum(1).mean()
    return {"vae": reconstruction + inputs.hyper.beta * kl}


CASES = {
    "conditional_vae": [
        Case({"beta": 3.0}, conditional),
        Case({"condition": ["x", "turn"]}, conditional),
    ],
    "s2_beta_vae": with_labels(
        plain.CASES["beta_vae"][:1],
        *({"supervised_loss": k} for k in ("xent", "l2", "scaled_l2", "cov", "embed")),
    ),
    "s2_factor_vae": with_labels(critics.CASES["factor_vae"][:2]),
    "s2_annealed_vae": with_labels(objectives.CASES["annealed_vae"][1:2]),
    "s2_beta_tcvae": with_labels(objectives.CASES["beta_tcvae"][::3]),
    "s2_dip_vae_i": with_labels(objectives.CASES["dip_vae_i"][1:]),
    "s2_dip_vae_ii": with_labels(objectives.CASES["dip_vae_ii"][1:]),
    "supervised_vae": with_labels(
        [Case({"gamma_sup": 3.0}, reconstruction)], {"labels": 20}
    ),
}
