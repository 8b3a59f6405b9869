"""The peer's trained networks compute in ours what they computed in PyTorch."""

import json
import pathlib

import jax
import numpy as np
import pytest
from stored import arrays

from disentangle.data.rendered.dsprites import all_positions
from disentangle.errors import UserError
from disentangle.nn import decoder, encoder
from disentangle.nn.torch_weights import from_disvae

SHARED = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture(scope="module")
def real_images():
    path = SHARED / "dsprites_real.npz"
    if not path.exists():
        pytest.skip("needs ../shared/data")
    return arrays(path)["images"][:24, :, :, None].astype(np.float32)


def weights_of(name):
    path = SHARED / f"yanndubs_dsprites_{name}.npz"
    if not path.exists():
        pytest.skip("needs ../shared/data")
    with np.load(path) as file:
        return {key: file[key] for key in file.files}


def torch_like_encoder(weights, images):
    """The peer's encoder in its own layout, channel first, float64."""
    x = images.transpose(0, 3, 1, 2).astype(np.float64)
    for name in ("conv1", "conv2", "conv3", "conv_64"):
        w = np.float64(weights[f"encoder.{name}.weight"])
        x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (4, 4), axis=(2, 3))
        x = np.tensordot(windows[:, :, ::2, ::2], w, ((1, 4, 5), (1, 2, 3)))
        x = x.transpose(0, 3, 1, 2) + weights[f"encoder.{name}.bias"][:, None, None]
        x = np.maximum(x, 0)
    x = x.reshape(len(x), -1)
    for name in ("lin1", "lin2", "mu_logvar_gen"):
        x = x @ np.float64(weights[f"encoder.{name}.weight"]).T
        x = x + weights[f"encoder.{name}.bias"]
        x = np.maximum(x, 0) if name != "mu_logvar_gen" else x
    return x[:, 0::2], x[:, 1::2]


@pytest.mark.slow
def test_codes_equal_the_peers_own_formula(real_images):
    weights = weights_of("betaH")
    params, _ = from_disvae(weights)
    codes = encoder("burgess", (64, 64, 1), 20).apply(params, real_images)
    mean, log_variance = torch_like_encoder(weights, real_images)
    np.testing.assert_allclose(codes[:, :10], mean, atol=2e-4)
    np.testing.assert_allclose(codes[:, 10:], log_variance, atol=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["VAE", "betaH", "betaB"])
def test_losses_equal_the_peers_log(name):
    """The log holds both terms in nats an image, first 1000 images in index order."""
    weights = weights_of(name)
    logged = json.loads(str(weights["__meta__"]))["test_first_batch_losses"]
    images = np.unpackbits(all_positions(0, 0, 0).reshape(-1, 512), axis=1)[:1000]
    images = images.reshape(-1, 64, 64, 1).astype(np.float32)
    params = from_disvae(weights)
    codes = jax.jit(encoder("burgess", (64, 64, 1), 20).apply)(params[0], images)
    mean, log_variance = np.float64(codes[:, :10]), np.float64(codes[:, 10:])
    logits = jax.jit(decoder("burgess", (64, 64, 1), 10).apply)(
        params[1], codes[:, :10]
    )
    logits = np.float64(logits)
    nats = np.logaddexp(0, (1 - 2 * images.astype(np.float64)) * logits)
    kl = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1)
    np.testing.assert_allclose(nats.sum() / 1000, logged["recon_loss"], rtol=1e-4)
    np.testing.assert_allclose(kl.sum() / 1000, logged["kl_loss"], rtol=1e-4)


def test_a_missing_array_is_named():
    weights = weights_of("VAE")
    del weights["decoder.convT1.bias"]
    with pytest.raises(UserError, match=r"decoder\.convT1\.bias"):
        from_disvae(weights)
