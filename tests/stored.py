"""Files of arrays, read whole and closed."""

import numpy as np


def arrays(path):
    """name -> array of an `.npz`."""
    with np.load(path) as file:
        return dict(file)
