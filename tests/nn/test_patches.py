"""The encoder of patches."""

import jax.numpy as jnp
import numpy as np

from disentangle.nn.patches import joined


def test_the_pixels_of_a_patch_stand_in_a_row():
    x = jnp.arange(2 * 4 * 6 * 3.0).reshape(2, 4, 6, 3)
    found = joined(x)
    assert found.shape == (2, 2, 3, 12)
    for i, row, column in np.ndindex(2, 2, 3):
        patch = x[i, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        np.testing.assert_array_equal(found[i, row, column], patch.reshape(-1))
