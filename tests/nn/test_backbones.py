"""AlexNet and ResNet18 against torchvision's own outputs, where it is there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.nn import encoder, output_width
from disentangle.nn.backbones import (
    MEAN,
    SD,
    from_torchvision,
    pooled,
    shares,
)
from disentangle.nn.net import Variables


def theirs(name):
    """torchvision's network with random weights and statistics, cut as ADDE cuts it."""
    torch = pytest.importorskip("torch")
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    whole = {"alexnet": models.alexnet, "resnet18": models.resnet18}[name](weights=None)
    for part in whole.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(part.running_mean, 0.0, 0.3)
            torch.nn.init.uniform_(part.running_var, 0.5, 2.0)
            torch.nn.init.normal_(part.weight, 1.0, 0.3)
            torch.nn.init.normal_(part.bias, 0.0, 0.3)
    arrays = {n: x.numpy() for n, x in whole.state_dict().items()}
    if name == "alexnet":
        whole.classifier = whole.classifier[:-2]
    else:
        whole.fc = torch.nn.Identity()
    return torch, whole.eval(), arrays


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alexnet", "resnet18"])
@pytest.mark.parametrize("side", [224, 96])
def test_a_backbone_computes_what_torchvisions_does(name, side):
    torch, network, arrays = theirs(name)
    images = np.random.default_rng(0).random((2, side, side, 3)).astype(np.float32)
    white = (images - np.float32(MEAN)) / np.float32(SD)
    with torch.no_grad():
        wanted = network(torch.tensor(white.transpose(0, 3, 1, 2))).numpy()
    net = encoder(name, (side, side, 3), None, in_training=True)
    found = np.asarray(jax.jit(net.apply)(from_torchvision(name, arrays), images))
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=2e-4 * np.abs(wanted).max())


def arrays_of(name, shape=(64, 64, 3)):
    """Our random variables by torch's names: what a file would hold."""
    from disentangle.nn import backbones

    held = jax.device_get(
        encoder(name, shape, None, in_training=True).init(jax.random.key(0))
    )
    tree = held.state | {"params": held.params} if isinstance(held, Variables) else {}
    names = backbones.NAMES[name]()
    found = {}
    for path, (own, axes) in names.items():
        leaf = tree
        for part in path.split("."):
            leaf = leaf[part]
        found[own] = np.asarray(leaf).transpose(np.argsort(axes))
    return held, found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alexnet", "resnet18"])
def test_weights_by_torchs_names_are_ours_again(name):
    held, arrays = arrays_of(name)
    found = from_torchvision(name, arrays)
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(held), jax.tree.leaves(found), strict=True
    ):
        if name == "alexnet" and a.shape == (9216, 4096):
            a = a.reshape(256, 6, 6, 4096).transpose(1, 2, 0, 3).reshape(9216, 4096)
        np.testing.assert_array_equal(a, b, err_msg=str(path))
    broken = dict(arrays)
    first = next(iter(arrays))
    broken[first] = arrays[first][..., :2]
    with pytest.raises(UserError, match=f"array '{first}' has shape"):
        from_torchvision(name, broken)
    with pytest.raises(UserError, match=f"no array '{first}'"):
        from_torchvision(name, {k: v for k, v in arrays.items() if k != first})
    with pytest.raises(UserError, match="other than finite"):
        from_torchvision(name, arrays | {first: np.full_like(arrays[first], np.nan)})


def test_means_on_a_grid_are_pytorchs_adaptive_ones():
    """Cell i of n is floor(i s / n) .. ceil((i + 1) s / n), its places alike."""
    for size in (1, 6, 7, 13):
        values = np.random.default_rng(size).random(size)
        for i, mean in enumerate(shares(size, 6) @ values):
            cell = values[
                int(np.floor(i * size / 6)) : int(np.ceil((i + 1) * size / 6))
            ]
            assert mean == pytest.approx(cell.mean(), rel=1e-6)


def test_nothing_outside_of_an_image_is_its_largest_value():
    x = jnp.full((1, 4, 4, 1), -1.0)
    np.testing.assert_array_equal(pooled(x, 3, 2, 1), np.full((1, 2, 2, 1), -1.0))


def test_a_backbone_has_its_width_and_refuses_what_it_cannot_take():
    shape = (64, 64, 3)
    for name, outputs, width in (
        ("alexnet", None, 4096),
        ("resnet18", None, 512),
        ("resnet18", 7, 7),
    ):
        net = encoder(name, shape, outputs, in_training=True)
        assert output_width(net, shape) == width
    with pytest.raises(UserError, match="'resnet18' has batch norms or dropout"):
        encoder("resnet18", shape, None)
    with pytest.raises(UserError, match="1 or 3 channels"):
        encoder("alexnet", (64, 64, 2), None)
    with pytest.raises(UserError, match="at least 63 pixels"):
        encoder("alexnet", (32, 32, 3), None)
    with pytest.raises(UserError, match="Did you mean 'resnet18'"):
        from_torchvision("resnet8", {})
