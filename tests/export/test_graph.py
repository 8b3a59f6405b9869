"""The graph of a model computes its codes and images, and refuses by name."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluate_graph import evaluate
from export_models import expected, images_for, model

from disentangle.errors import UserError
from disentangle.export.parts import graphs_of
from disentangle.export.tidy import tidied
from disentangle.export.trace import traced
from disentangle.fields import fields_of
from disentangle.methods import METHODS

SMALL = {"encoder": "dense", "decoder": "dense"}
SMALL |= {"denoiser": "dense", "source": "dense"}
OF_ALL = {
    name: {part: "dense" for part in SMALL if part in fields_of(recipe.settings)}
    for name, recipe in METHODS.items()
}
OF_ALL["tripod"] = {"encoder": "dense", "decoder": "smooth"}
QUICK = ("conditional_vae", "joint_vae", "qlae", "supervised")
OF_SETS = ("adde_outfits", "csa_net", "type_aware")  # two factors make no set
DRAWN = ("diffusion_on_codes", "enc_diff")  # decoded in a loop: no rule
LOOPS = ("glow",)  # its steps are one, too
OTHERS = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name in METHODS
    if name not in (*OF_SETS, *DRAWN, *LOOPS)
]

SLOW = partial(pytest.param, marks=pytest.mark.slow)
NETWORKS = [
    ("padded", "padded", (28, 20, 1)),
    SLOW("chen", "chen", (20, 12, 1)),
    SLOW("pooled", "padded", (32, 32, 3)),
    SLOW("burgess", "burgess", (64, 64, 1)),
    SLOW("dupont", "locatello", (64, 64, 1)),
    SLOW("normalised", "normalised", (32, 32, 3)),
    SLOW("hsu", "hsu", (32, 48, 1)),
]


def agrees(run, count=3):
    """Both graphs give what the model gives, for a batch of this size."""
    images = images_for(run, count)
    codes, decoded = expected(run, 0, images)
    graphs = graphs_of(run, 0, "onnx")
    np.testing.assert_allclose(evaluate(graphs["encoder"], images), codes, atol=5e-6)
    assert set(graphs) == ({"encoder"} if decoded is None else {"encoder", "decoder"})
    if decoded is not None:
        found = evaluate(graphs["decoder"], codes)
        np.testing.assert_allclose(found, decoded, atol=5e-6)
    return graphs


@pytest.mark.slow
@pytest.mark.parametrize("method", DRAWN)
def test_what_is_decoded_in_a_loop_is_refused_by_name(method):
    run = model(method, (16, 16, 1), **OF_ALL[method])
    with pytest.raises(UserError, match=f"decoder of {method!r} cannot be written"):
        graphs_of(run, 0, "onnx")


@pytest.mark.parametrize("method", OTHERS)
def test_graphs_of_every_method(method):
    agrees(model(method, (16, 16, 1), **OF_ALL[method]))


@pytest.mark.slow
@pytest.mark.parametrize("method", LOOPS)
def test_a_loop_is_refused_by_name(method):
    with pytest.raises(UserError, match=f"the encoder of '{method}' cannot be written"):
        graphs_of(model(method, (16, 16, 1), depth=1, width=4), 0, "onnx")


@pytest.mark.parametrize(("encoder", "decoder", "shape"), NETWORKS)
def test_graphs_of_every_network(encoder, decoder, shape):
    agrees(model("beta_vae", shape, encoder=encoder, decoder=decoder))


@pytest.mark.slow
def test_a_network_is_as_few_nodes_as_by_hand():
    """Layouts cancel, biases are inside: one transpose, the layers, and a slice."""
    graphs = agrees(model("beta_vae", (32, 16, 3)))
    layers = ["Conv", "Relu"] * 4
    dense = ["Reshape", "Gemm", "Relu", "Gemm", "Slice"]
    found = [node.op for node in graphs["encoder"].nodes]
    assert found == ["Transpose", *layers, "Transpose", *dense]
    assert len(graphs["decoder"].nodes) == 15
    held = graphs["encoder"].constants
    assert {"encoder.Conv_0.kernel", "encoder.Dense_1.bias"} <= set(held)


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (lambda w, x: jnp.sort(x * w, axis=1), "'sort'"),
        (lambda w, x: jnp.cumsum(x * w, axis=1), "'cumsum'"),
        (lambda w, x: jnp.flip(x * w, 1), "'gather'|'rev'"),
        (lambda w, x: x * w * x.shape[0], "number of images"),
        (lambda w, x: w * jnp.einsum("bi,bi->b", x, x), "matrix product"),
        (lambda w, x: (x * w) ** 9, "power 9"),
    ],
)
def test_what_has_no_rule_is_named(function, named):
    with pytest.raises(UserError, match=named):
        traced(function, jnp.float32(2.0), (3,), ("x", "y"))


def test_a_convolution_of_another_kind_is_not_taken_for_ours():
    """It is called as ours is, and has other numbers: its operations are written."""

    @jax.custom_vjp
    def conv(x, kernel):
        return x[:, ::2, ::2] * kernel[None, None, None, 0, 0, 0]

    conv.defvjp(lambda x, k: (conv(x, k), None), lambda _, dy: (dy, dy))
    kernel = jnp.ones((4, 4, 2, 2), jnp.float32) * 3
    try:
        graph = traced(lambda k, x: conv(x, k), kernel, (4, 4, 2), ("x", "y"))
    except UserError:
        return  # refused is right too
    x = np.arange(32.0).reshape(1, 4, 4, 2)
    np.testing.assert_array_equal(evaluate(tidied(graph), x), 3 * x[:, ::2, ::2])
