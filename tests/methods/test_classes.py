"""Methods of classes: who goes together, and what the reverse cycle moves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data import from_arrays
from disentangle.data.samplers import Split, part
from disentangle.errors import UserError
from disentangle.methods import METHODS, base
from disentangle.methods.attributes import parse
from disentangle.methods.class_groups import class_of, same_class
from disentangle.methods.dna_pieces import opposites


def grouped(toy, names, members=3, subset=None, rows=400):
    split = Split(toy, subset)
    pool = jnp.arange(96) if subset is None else subset
    index = pool[jax.random.randint(jax.random.key(0), (rows,), 0, len(pool))]
    collate = same_class(class_of(toy.space, names), members, unrelated=True)
    batch = jax.jit(lambda i, k: collate(split, i, k))(index, jax.random.key(1))
    return np.asarray(batch["factors"]).reshape(members, rows, 4), batch


def test_groups_share_their_class_and_nothing_else_and_the_rest_is_drawn_anew(toy):
    found, batch = grouped(toy, ("turn", "x:2"))
    label = np.stack([found[..., 2], found[..., 3] // 2])
    assert (label == label[:, :1]).all()
    for column, size in ((0, 2), (1, 3), (3, 2)):
        alike = (found[1] == found[0])[:, column].mean()
        assert abs(alike - 1 / size) < 5 * np.sqrt(1 / size / 400)
    assert (found[1] != found[2]).any()
    other = np.asarray(part(batch, "unrelated")["factors"])
    assert abs((other[:, 2] == found[0, :, 2]).mean() - 1 / 4) < 0.11


def test_partners_are_images_that_may_be_trained_on(toy):
    """Those of a subset; who is alone in a class is its own partner."""
    subset = jnp.asarray([3, 5, 40, 90], jnp.int32)
    factors = toy.space.factors(np.asarray(subset))
    assert np.unique(factors[:, 0]).size == 2
    found, _ = grouped(toy, (), members=2, subset=subset)
    seen = {tuple(row) for row in found.reshape(-1, 4)}
    assert seen == {tuple(row) for row in factors}
    alone, _ = grouped(toy, ("shape", "size", "turn"), members=2, subset=subset[:3])
    same = alone[0] == alone[1]
    assert same.all(1).mean() > 0.2
    with pytest.raises(UserError, match="members=1 must be at least 2"):
        same_class(class_of(toy.space, ()), 1)


@pytest.mark.slow
def test_the_reverse_cycle_moves_the_encoder_alone_and_stops_where_z_has_no_class(toy):
    """A constant mean of z: both pictures have one code. Weight 0: no gradient."""
    recipe = METHODS["cycle_vae"]
    chosen = recipe.settings(encoder="dense", decoder="dense")
    method = recipe.build(chosen, toy.space, toy.shape)
    assert method.players["reverse"].moves == ("encoder",)
    params = base.init(method, key=jax.random.key(0))
    batch = method.collate(Split(toy), jnp.arange(8), jax.random.key(1))

    def gradient(params, **fields):
        hyper = recipe.settings(**fields)
        run = lambda p: method.players["reverse"].loss(
            p, hyper, batch, key=jax.random.key(2), step=0
        )
        return jax.value_and_grad(lambda p: run(p).loss, allow_int=True)(params)

    value, slopes = gradient(params)
    assert value > 0
    size = lambda tree: sum(np.abs(x).sum() for x in jax.tree.leaves(tree))
    assert size(slopes["encoder"]) > 0
    assert size(slopes["decoder"]) == 0
    value, slopes = gradient(params, reverse=0.0)
    assert value == size(slopes["encoder"]) == 0
    head = params["encoder"]["Dense_1"]
    head["kernel"] = head["kernel"].at[:, :16].set(0.0)
    assert gradient(params)[0] == 0


@pytest.mark.slow
def test_who_has_no_opposite_gives_its_place_to_one_that_has():
    """Image 2 has no label: no pair shows it, and every pair is of a 1 and a 0."""
    images = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 8), np.uint8)
    data = from_arrays(images, np.array([[1], [0], [-1], [1]]), names=["a"])
    collate = opposites(parse(data.space, ()))
    for seed in range(5):
        index = jnp.array([2, 0, 1, 2, 3])
        batch = collate(Split(data), index, jax.random.key(seed))
        shown = np.rint(255 * np.asarray(batch["images"])[:, 0, 0, 0]).astype(int)
        assert set(shown[:5]) <= {0, 3} and set(shown[5:]) == {1}
    alone = collate(Split(data), jnp.array([2, 2]), jax.random.key(0))
    assert (np.rint(255 * np.asarray(alone["images"])[:, 0, 0, 0]) == 2).all()
