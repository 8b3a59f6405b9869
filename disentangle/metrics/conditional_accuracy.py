"""Conditional accuracy: how often a generated image shows what was asked for.

y drawn from the data set, J the factors that the model was given, o-hat the value that
an oracle reads off the image. `chance` is what always drawing the most frequent value
would give, `oracle` how often the oracle is right on real images. An accuracy is not
quality: an image that no person would take for one can be read without an error, so
look at the Frechet distance beside it.
"""

import numpy as np

from disentangle.metrics.base import Generated, Result, Settings
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import Protocols


def conditional_accuracy(given: Generated, settings: Settings) -> Result:
    r"""Accuracy of the oracle's readings, per factor and of all at once, in [0, 1].

    $$
    \mathrm{acc}_j = P[\hat o_j(G(z, y)) = y_j], \qquad
    \mathrm{joint} = P[\forall j \in J: \hat o_j(G(z, y)) = y_j]
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
    right = given.readings() == given.wanted
    most = [
        np.unique(column, return_counts=True)[1].max() / len(column)
        for column in given.wanted[:, columns].T
    ]
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
            "The mean where the most frequent value is always drawn, 0 to 1.",
            "neither",
        ),
        "oracle": Part(
            "oracle", "How often the oracle is right on real images, 0 to 1.", "neither"
        ),
    },
    needs="generator",
    protocols=Protocols(("own",), "a common score with many oracles"),
)
