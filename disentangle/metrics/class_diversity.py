"""Within-class diversity: how far apart images of the same given values are.

A class is a combination of the given factors' values. 0 says that every class is one
picture, which an inception score does not see; 1 that they differ as real ones do.
"""

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import Generated, Result, Settings
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import Protocols

PAIRS = 16  # neighbours in a class, in order, that an image is compared with


def class_distances(pixels: np.ndarray, classes: np.ndarray) -> dict[int, float]:
    """class -> mean absolute difference of the pixels of two of its images.

    Each image beside those that follow it within its class, the last beside the first,
    up to `PAIRS`; classes of one image are left out.
    """
    found = {}
    for one in np.unique(classes):
        own = np.asarray(pixels[classes == one], np.float64).reshape(-1, pixels[0].size)
        shifts = range(1, min(PAIRS, len(own) - 1) + 1)
        gaps = [np.abs(own - np.roll(own, shift, axis=0)).mean() for shift in shifts]
        if gaps:
            found[int(one)] = float(np.mean(gaps))
    return found


def class_diversity(given: Generated, settings: Settings) -> Result:
    r"""Mean distance of two generated images of a class over that of real ones.

    $$
    \frac{\mathbb{E}_y \, \mathbb{E}_{x_1, x_2 \sim G(\cdot, y)} \| x_1 - x_2 \|_1}
    {\mathbb{E}_y \, \mathbb{E}_{x_1, x_2 \sim p(\cdot | y)} \| x_1 - x_2 \|_1}
    $$

    Args:
      given: reads `pixels`, `wanted`, `real_pixels`, `real_factors` and `given`.
      settings: not read.

    Returns:
      `ratio` >= 0; `generated` and `real`, the mean absolute differences of pixels,
      each a mean over the classes that have two images of both kinds.

    Raises:
      UserError: no factor was given, or no class has two images of both kinds that
        differ.
    """
    del settings
    columns = given.asked("class_diversity")
    rows = np.concatenate([given.wanted, given.real_factors])[:, columns]
    classes = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
    count = len(given.wanted)
    drawn = class_distances(given.pixels, classes[:count])
    real = class_distances(given.real_pixels, classes[count:])
    both = sorted(set(drawn) & set(real))
    spread = float(np.mean([real[one] for one in both])) if both else 0.0
    if not spread:
        raise UserError(
            "class_diversity needs two different real images, and two generated ones, "
            "of the same values of the given factors: give more images, or fewer "
            "factors"
        )
    made = float(np.mean([drawn[one] for one in both]))
    return Result(
        values={"ratio": made / spread, "generated": made, "real": spread},
        metadata={
            "definition": "mean absolute difference of two images of the same given "
            "values, over that of real ones",
            "estimator": f"pixels, up to {PAIRS} partners per image",
            "classes": len(both),
        },
    )


METRIC = Metric(
    class_diversity,
    {
        "ratio": Part(
            "diversity",
            "How far apart images of one class are, over real ones of it, from 0; 1 is "
            "as real ones.",
        ),
        "generated": Part(
            "of generated", "Mean absolute difference of two, 0 to 1.", "neither"
        ),
        "real": Part("of real", "The same of real images, 0 to 1.", "neither"),
    },
    needs="generator",
    protocols=Protocols(("own",), "a common score with many distances"),
)
