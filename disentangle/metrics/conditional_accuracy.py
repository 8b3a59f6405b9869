"""Conditional accuracy: how often a generated image shows what was asked for.

y drawn from the data set, J the factors that the model was given, o-hat the value that
an oracle reads off the image; two values are the same up to a step of a position or of
an angle, and to symmetry (editing/equality.py), where the data set says so. `chance` is
what always drawing the value that is most often right would give, `oracle` how often
the oracle is right on real images. An accuracy is not quality: an image that no person
would take for one can be read without an error, so look at the Frechet distance beside
it.
"""

import numpy as np

from disentangle.metrics.base import Generated, Result, Settings
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import Protocols


def conditional_accuracy(given: Generated, settings: Settings) -> Result:
    r"""Accuracy of the oracle's readings, per factor and of all at once, in [0, 1].

    $$
    \mathrm{acc}_j = P[\hat o_j(G(z, y)) \equiv y_j], \qquad
    \mathrm{joint} = P[\forall j \in J: \hat o_j(G(z, y)) \equiv y_j]
    $$

    Args:
      given: reads `wanted`, `given` and `log_probabilities`.
      settings: not read.

    Returns:
      `mean` over the factors that were given, `joint` of all of them, `chance` and
      `oracle`, see above, of the mean. Per factor `mean`, also of factors that were not
      given, where it is chance.

    Raises:
      UserError: the model was given no factor.
    """
    del settings
    columns = given.asked("conditional_accuracy")
    right = given.same(given.readings())
    most = [_constant(given, column) for column in columns]
    return Result(
        values={
            "mean": float(right[:, columns].mean()),
            "joint": float(right[:, columns].all(axis=1).mean()),
            "chance": float(np.mean(most)),
            "oracle": float(np.mean([given.accuracy[column] for column in columns])),
        },
        per_factor={"mean": tuple(float(v) for v in right.mean(axis=0))},
        metadata={
            "definition": "share of generated images of which an oracle reads the "
            "values that were asked for; chance: of the most frequent value",
            "estimator": "the oracle's most probable values",
            "given": [given.factor_names[column] for column in columns],
        },
    )


def _constant(given: Generated, column: int) -> float:
    """The largest accuracy that always drawing one value of a factor has."""
    shares = []
    for value in range(given.log_probabilities[column].shape[1]):
        constant = np.array(given.wanted)
        constant[:, column] = value
        shares.append(given.same(constant)[:, column].mean())
    return float(max(shares))


METRIC = Metric(
    conditional_accuracy,
    {
        "mean": Part(
            "accuracy",
            "How often an oracle reads the given factors' values off a generated "
            "image, 0 to 1, mean over factors.",
        ),
        "joint": Part("joint", "How often all of them at once, 0 to 1."),
        "chance": Part(
            "chance",
            "The mean where the value most often right is always drawn, 0 to 1.",
            "neither",
        ),
        "oracle": Part(
            "oracle", "How often the oracle is right on real images, 0 to 1.", "neither"
        ),
    },
    needs="generator",
    protocols=Protocols(("own",), "a common score with many oracles"),
)
