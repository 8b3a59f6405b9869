"""What the functions of every method take and give, traced and never run.

The shapes and types are those that the docstrings of `Method` and `Player` promise.
"""

import jax
import jax.numpy as jnp
import pytest

from disentangle.data.samplers import Split
from disentangle.methods import METHODS, base
from disentangle.training.config import default_config, read_experiment

IMAGES, MORE = 6, 5  # of a batch (pairs need an even number); of a call without one
FLOAT, KEY = jnp.dtype("float32"), jax.eval_shape(lambda: jax.random.key(0))


def array(*shape, dtype=FLOAT):
    return jax.ShapeDtypeStruct(shape, dtype)


def form(tree):
    """Shapes and types of the leaves, without what only tracing knows."""
    return jax.tree.map(lambda x: (x.shape, jnp.dtype(x.dtype)), tree)


@pytest.fixture(params=METHODS, scope="module")
def built(request, toy):
    """(experiment, method, its parameters' shapes) with small networks."""
    config = default_config("toy", request.param).to_dict()
    small = {"encoder": "dense", "decoder": "smooth", "discriminator": (8,)}
    small |= {"generator": "dense", "critic": "dense", "width": 8, "resolution": 8}
    small |= {"denoiser": "dense", "source": "dense"}
    small |= {"levels": 2, "depth": 1}
    config["method"] |= {k: v for k, v in small.items() if k in config["method"]}
    experiment = read_experiment(config)
    method = experiment.recipe.build(experiment.settings, toy.space, toy.shape)
    params = jax.eval_shape(lambda key: base.init(method, key=key), KEY)
    return experiment, method, params


def test_codes_and_what_is_made_of_them_have_the_shapes_they_promise(built, toy):
    _, method, params = built
    images = array(MORE, *toy.shape)
    codes = jax.eval_shape(method.represent, params, images)
    assert codes.dtype == FLOAT
    assert codes.shape[0] == MORE
    assert codes.ndim == 2
    if method.attributes is not None:
        assert len(method.attributes) == codes.shape[1]
    for columns in method.categorical:
        assert max(columns) < codes.shape[1]
    if method.posterior is not None:
        means, logvars = jax.eval_shape(method.posterior, params, images)
        assert form(means) == form(logvars) == form(codes)
    if method.decode is not None:
        assert form(jax.eval_shape(method.decode, params, codes)) == form(images)


def test_what_a_method_offers_has_the_shapes_it_promises(built, toy):
    _, method, params = built
    images = array(MORE, *toy.shape)
    factors = array(MORE, len(toy.space.sizes), dtype=jnp.dtype("int32"))
    if method.embed is not None:
        embedded = jax.eval_shape(method.embed, params, images)
        assert embedded.shape[0] == MORE
        assert embedded.ndim == 2
    if method.edit is not None:
        edited = jax.eval_shape(method.edit, params, images, factors, factors)
        assert form(edited) == form(images)
    if method.redraw is not None:
        codes = jax.eval_shape(method.represent, params, images)
        again = jax.eval_shape(method.redraw, params, codes, images)
        assert form(again) == form(images)
    assert (method.generate is None) == (not method.given)
    if method.generate is not None:
        assert set(method.given) <= set(toy.space.names)
        generate = lambda p, f, key: method.generate(p, f, key=key)
        made = jax.eval_shape(generate, params, factors, KEY)
        assert form(made) == form(images)
    if method.log_prob is not None:
        found = jax.eval_shape(
            lambda p, x, key: method.log_prob(p, x, key=key), params, images, KEY
        )
        assert form(found) == ((MORE,), FLOAT)
    if method.sample is not None:
        made = jax.eval_shape(
            lambda p, key: method.sample(p, key=key, n=3), params, KEY
        )
        assert form(made) == ((3, *toy.shape), FLOAT)


def test_losses_give_a_scalar_or_one_per_task_and_small_logs(built, toy):
    experiment, method, params = built
    hyper = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape[1:], FLOAT),
        experiment.hyperparameters.method,
    )
    index = array(IMAGES, dtype=jnp.dtype("int32"))
    split = Split(toy)
    batch = jax.eval_shape(lambda i, k: method.collate(split, i, k), index, KEY)
    for player in method.players.values():
        loss = lambda p, h, b, key, step, player=player: base.Output(
            *player.loss(p, h, b, key=key, step=step)
        )
        step = array(dtype=jnp.dtype("int32"))
        found = jax.eval_shape(loss, params, hyper, batch, KEY, step)
        shape = (player.gradient.tasks,) if player.gradient else ()
        assert form(found.loss) == (shape, FLOAT)
        assert all(x.ndim < 2 for x in jax.tree.leaves(found.logs))
    if method.tasks is not None:
        found = jax.eval_shape(method.tasks.losses, params, batch)
        assert form(found) == ((len(method.tasks.names),), FLOAT)
