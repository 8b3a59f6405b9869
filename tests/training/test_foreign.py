"""A peer's trained VAE, read as a run: its own log of the first 1,000 images."""

import pathlib

import jax.numpy as jnp
import numpy as np
import pytest

import disentangle as dt
from disentangle.errors import UserError

SHARED = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reconstruction"),
    [("VAE", 4.051944), ("betaH", 14.351524), ("betaB", 34.205145)],
)
def test_reconstruction_is_the_peers_own_to_five_digits(name, reconstruction):
    """Rendered images, z = mean, nats an image."""
    path = SHARED / f"yanndubs_dsprites_{name}.npz"
    if not path.exists():
        pytest.skip("needs ../shared/data")
    run, data = dt.load_run(path), dt.load("dsprites")
    total = 0.0
    for start in range(0, 1000, 250):
        images = data.images(jnp.arange(start, start + 250))
        codes = run.encode(images)
        assert codes.shape == (1, 250, 10)
        params = run.member(0)["decoder"]
        logits = run.method.nets["decoder"].apply(params, jnp.asarray(codes[0]))
        x, l = np.float64(images), np.float64(logits)
        total += (np.logaddexp(0, l) - x * l).sum()
    assert total / 1000 == pytest.approx(reconstruction, rel=1e-5)


def test_wrong_files_are_named(tmp_path):
    path = tmp_path / "w.npz"
    with pytest.raises(UserError, match="no such file"):
        dt.load_run(path)
    path.write_text("not weights")
    with pytest.raises(UserError, match=r"not an \.npz of weights"):
        dt.load_run(path)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(UserError, match="hold no array"):
        dt.load_run(path)
