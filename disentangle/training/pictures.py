"""What a run shows of itself in its loggers: test images and their reconstructions."""

import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.training.trained import Run
from disentangle.training.writers import Images

COUNT = 8  # images side by side


def reconstructions(run: Run, data: Dataset, index: np.ndarray) -> dict[str, Images]:
    """member -> {"reconstruction": image}: above the data, below what is decoded of it.

    Args:
      run: trained models; those that diverged, or have no decoder, show nothing.
      data: what they were trained on.
      index: (N,) test images, of which the first `COUNT` are shown.

    Returns:
      Images (2 H, COUNT W, C) uint8 of all living members.
    """
    if run.method.decode is None or not len(index):
        return {}
    raw = np.asarray(data.images(jnp.asarray(index[:COUNT])))
    above = raw.astype(np.float32) / data.max_value
    below = run.decode(run.encode(raw))
    return {
        name: {"reconstruction": sheet(above, below[i])}
        for i, name in enumerate(run.members)
        if run.alive[i]
    }


def sheet(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Two rows of images (B, H, W, C) in [0, 1] as one (2 H, B W, C) uint8."""
    rows = [np.concatenate([*images], axis=1) for images in (above, below)]
    return np.rint(255 * np.clip(np.concatenate(rows), 0, 1)).astype(np.uint8)
