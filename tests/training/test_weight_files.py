"""torchvision's weights as what a run starts with: what goes over, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.nn import backbones, encoder
from disentangle.training.config import default_config, read_experiment
from disentangle.training.init_from import Start
from disentangle.training.weight_files import read_weights

SHAPE = (64, 64, 3)


@pytest.fixture(scope="module")
def arrays():
    """Random arrays by torch's names, as `state_dict()` of a ResNet18 has them."""
    net, rng = encoder("resnet18", SHAPE, None, in_training=True), np.random
    held = jax.eval_shape(net.init, jax.random.key(0))
    found = {"fc.weight": np.zeros((1000, 512), np.float32)}
    for path, (theirs, axes) in backbones.NAMES["resnet18"]().items():
        leaf = held.state | {"params": held.params}
        for part in path.split("."):
            leaf = leaf[part]
        shape = tuple(leaf.shape[axes.index(i)] for i in range(len(axes)))
        found[theirs] = rng.default_rng(len(found)).random(shape, np.float32)
    return found


@pytest.fixture(scope="module")
def file(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "resnet18 [a].npz"
    np.savez(path, **arrays)
    return path


def test_the_whole_encoder_goes_over_and_nothing_else(file, arrays, toy):
    config = default_config("toy", "adde").to_dict()
    config["method"] |= {"encoder": "resnet18"}
    experiment = read_experiment(config | {"seeds": 2})
    method = experiment.recipe.build(experiment.settings, toy.space, SHAPE)
    start = Start(str(file), lambda: read_weights(file))
    origin = start.origin(experiment, method)
    assert {path.split(".")[1] for path in origin.copied} == {"encoder"}
    assert all(".encoder." not in path for path in origin.fresh)
    assert len(origin.copied) == len(backbones.NAMES["resnet18"]())
    assert origin.step == origin.before == 0
    kernel = start.source.arrays["params.encoder.conv1.kernel"]
    np.testing.assert_array_equal(
        kernel[0], arrays["conv1.weight"].transpose(2, 3, 1, 0)
    )
    mean = start.source.arrays["state.encoder.batch_stats.bn1.mean"]
    np.testing.assert_array_equal(mean[0], arrays["bn1.running_mean"])
    assert jnp.asarray(mean).dtype == jnp.float32


@pytest.mark.parametrize(
    ("name", "held", "message"),
    [
        ("a.pth", {}, "only PyTorch reads this"),
        ("a.txt", {}, "must be the workdir of a run, or an .npz"),
        ("a.npz", {"x.weight": np.ones(3)}, "named unlike those of .*: x.weight"),
        ("b.npz", {"conv1.weight": np.ones(3)}, "'conv1.weight'"),
    ],
)
def test_another_file_is_refused_with_what_to_do(tmp_path, name, held, message):
    path = tmp_path / name
    with path.open("wb") as file:
        np.savez(file, **held)
    with pytest.raises(UserError, match=message):
        read_weights(path)
