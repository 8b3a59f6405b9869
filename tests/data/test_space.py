"""Factor and index arithmetic against hand counts and NumPy's own."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle import data
from disentangle.errors import UserError

DSPRITES = data.DATASETS["dsprites"].space
SHAPES3D = data.DATASETS["shapes3d"].space


@pytest.mark.parametrize(
    ("space", "names", "sizes"),
    [
        (
            DSPRITES,
            ("shape", "scale", "orientation", "x_position", "y_position"),
            (3, 6, 40, 32, 32),
        ),
        (
            SHAPES3D,
            ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation"),
            (10, 10, 10, 8, 4, 15),
        ),
    ],
)
def test_names_and_sizes_are_those_of_tfds(space, names, sizes):
    assert space.names == names
    assert space.sizes == sizes
    assert space.size == math.prod(sizes)


@pytest.mark.parametrize(
    ("space", "factors", "index"),
    [
        (DSPRITES, (0, 0, 0, 0, 1), 1),
        (DSPRITES, (0, 0, 0, 1, 0), 32),
        (DSPRITES, (0, 0, 1, 0, 0), 1_024),
        (DSPRITES, (0, 1, 0, 0, 0), 40_960),
        (DSPRITES, (1, 0, 0, 0, 0), 245_760),
        (DSPRITES, (2, 5, 39, 31, 31), 737_279),
        (SHAPES3D, (0, 0, 0, 0, 1, 0), 15),
        (SHAPES3D, (1, 0, 0, 0, 0, 0), 48_000),
        (SHAPES3D, (9, 9, 9, 7, 3, 14), 479_999),
    ],
)
def test_index_by_hand(space, factors, index):
    assert space.index(factors) == index
    assert tuple(space.factors(index)) == factors


@pytest.mark.parametrize("space", [DSPRITES, SHAPES3D])
def test_index_and_factors_are_inverse_on_the_whole_grid(space):
    index = np.arange(space.size)
    factors = space.factors(index)
    assert factors.dtype == np.int32
    assert np.array_equal(factors.T, np.unravel_index(index, space.sizes))
    assert np.array_equal(space.index(factors), index)


@pytest.mark.parametrize("space", [DSPRITES, SHAPES3D])
def test_jax_arrays_give_the_same_under_jit_and_vmap(space):
    index = np.random.default_rng(0).integers(space.size, size=(5, 7))
    factors = space.factors(index)
    on_device = jax.jit(jax.vmap(space.factors))(jnp.asarray(index))
    assert isinstance(on_device, jax.Array) and on_device.dtype == jnp.int32
    assert np.array_equal(on_device, factors)
    small = jnp.asarray(factors).astype(jnp.uint8)  # 31 * 32 would overflow uint8
    assert np.array_equal(jax.jit(jax.vmap(space.index))(small), index)


def test_numpy_out_of_range_is_an_error():
    with pytest.raises(UserError, match=r"'scale' 6 is outside \[0, 6\)"):
        DSPRITES.index([[0, 0, 0, 0, 0], [0, 6, 0, 0, 0]])
    with pytest.raises(UserError, match=r"-1 is outside \[0, 737280\)"):
        DSPRITES.factors([3, -1])
    with pytest.raises(UserError, match="outside"):
        DSPRITES.factors(np.array([2**32]))  # 0 after a cast to int32
    with pytest.raises(UserError, match="last axis must be 5"):
        DSPRITES.index(np.zeros((4, 6), int))
    with pytest.raises(UserError, match="integers, not float64"):
        DSPRITES.factors(np.array([1.0]))


def test_unknown_factor_gets_a_guess():
    with pytest.raises(UserError, match="Did you mean 'orientation'"):
        DSPRITES["orientaton"]


def test_values_are_the_published_ones():
    scale, turn = DSPRITES["scale"].values, DSPRITES["orientation"].values
    assert scale == pytest.approx((0.5, 0.6, 0.7, 0.8, 0.9, 1.0))
    assert turn[0] == 0 and turn[-1] == pytest.approx(2 * math.pi)
    assert SHAPES3D["floor_hue"].values == pytest.approx([i / 10 for i in range(10)])
    assert SHAPES3D["scale"].values[::7] == (0.75, 1.25)
    assert SHAPES3D["orientation"].values[::7] == pytest.approx((-30, 0, 30))
    factors = np.array([[9, 0, 5, 7, 3, 7]])
    assert SHAPES3D.values(factors)[0] == pytest.approx([0.9, 0, 0.5, 1.25, 3, 0])


@pytest.mark.parametrize(
    ("shape", "orientation", "degrees"),
    [
        (2, 13, 120.0),  # heart: a third of a turn
        (1, 13, 240.0),  # ellipse: twice that
        (0, 13, 120.0),  # square: four times, minus a turn
        (2, 39, 0.0),  # a full turn is no turn
        (0, 39, 0.0),
        (0, 0, 0.0),
    ],
)
def test_angle_of_dsprites_orientation(shape, orientation, degrees):
    factors = np.array([shape, 3, orientation, 1, 2])
    angle = DSPRITES.angle("orientation", factors)
    assert angle.dtype == np.float32
    assert np.degrees(angle) == pytest.approx(degrees, abs=1e-4)
    traced = jax.jit(lambda f: DSPRITES.angle("orientation", f))(jnp.asarray(factors))
    assert traced.dtype == jnp.float32
    assert float(traced) == pytest.approx(float(angle), abs=1e-6)


def test_angle_of_a_hue_and_of_a_scale():
    factors = np.array([[0, 5, 9, 0, 0, 0], [1, 0, 0, 0, 0, 0]])
    assert SHAPES3D.angle("wall_hue", factors) == pytest.approx([math.pi, 0.0])
    with pytest.raises(UserError, match="'scale' is ordinal: it has no angle"):
        SHAPES3D.angle("scale", factors)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "circle"}, "Did you mean 'circular'"),
        ({"size": 3}, "size 3 but 2 values"),
        ({"steps_per_turn": 4}, "steps_per_turn belongs to circular"),
        ({"symmetry": data.Symmetry("a", (1, 1))}, "only a circular factor"),
    ],
)
def test_a_factor_that_contradicts_itself_is_refused(change, message):
    good = {"name": "a", "size": 2, "kind": "ordinal", "values": (0.0, 1.0)}
    with pytest.raises(UserError, match=message):
        data.Factor(**{**good, **change})


def test_a_symmetry_needs_one_order_a_value():
    shape = data.Factor("shape", 2, "categorical", (0.0, 1.0))
    turn = data.Factor(
        "turn", 2, "circular", (0.0, 1.0), 2, data.Symmetry("shape", (1, 2, 3))
    )
    with pytest.raises(UserError, match="3 orders for the 2 values"):
        data.FactorSpace((shape, turn))
    with pytest.raises(UserError, match="names repeat"):
        data.FactorSpace((shape, shape))
