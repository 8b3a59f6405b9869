"""What every method says it is told, against what its loss and its batches read."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data.samplers import Split
from disentangle.fields import swept_names
from disentangle.methods import METHODS, base
from disentangle.methods.supervision import SUPERVISION
from disentangle.training.config import default_config, read_experiment


class Hidden:
    """Factors that can be handed on, in parts, and not read."""

    def __getitem__(self, rows):
        return self


def built(name, toy):
    config = default_config("toy", name).to_dict()
    known = config["method"]
    nets = ("encoder", "decoder", "generator", "critic", "denoiser", "source")
    known |= {k: "dense" for k in nets if k in known}
    known |= {"resolution": 4} if "resolution" in known else {}
    known |= {"decoder": "smooth"} if name == "tripod" else {}
    experiment = read_experiment(config)
    hyper = jax.tree.map(lambda x: jnp.asarray(x[0]), experiment.hyperparameters.method)
    return experiment.recipe.build(experiment.settings, toy.space, toy.shape), hyper


def batch_of(method, toy):
    index = jnp.arange(0, 96, 2, dtype=jnp.int32)
    return method.collate(Split(toy), index, jax.random.key(1)), len(index)


def runs(method, hyper, batch):
    """Whether every loss can be had of this batch."""
    key = jax.random.key(0)
    params = jax.eval_shape(lambda: base.init(method, key=key))
    evaluate = lambda params: base.evaluate_losses(
        method, params, hyper, batch, key=key, step=0
    )
    try:
        jax.eval_shape(evaluate, params)
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError):
        return False
    return True


def shared_in_every_pair(factors, count, seldom=False):
    """Whether all partners of the first `count` images share a factor with them.

    Where every factor may move, a pair that shares none is `seldom`: below 8 in 100;
    of independent pairs they are 19.
    """
    partners = range(count, len(factors), count)
    shared = [factors[:count] == factors[start : start + count] for start in partners]
    least = 0.92 if seldom else 1.0
    return bool(shared) and bool(np.any(shared, axis=2).mean() >= least)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_told_what_its_supervision_says(name, toy):
    """Factors hidden, labelled images taken away: which losses can be had then."""
    told = METHODS[name].supervision
    assert told in SUPERVISION
    method, hyper = built(name, toy)
    batch, count = batch_of(method, toy)
    assert runs(method, hyper, batch)
    unread = runs(method, hyper, batch | {"factors": Hidden()})
    assert unread == (told not in ("given", "all"))
    assert any(field.startswith("labelled/") for field in batch) == (told == "labels")
    without = {k: v for k, v in batch.items() if not k.startswith("labelled/")}
    assert runs(method, hyper, without) == (told != "labels")
    own = [player.rate for player in method.players.values() if player.optimizer]
    rates = [name for name in swept_names(hyper) if name.endswith("learning_rate")]
    assert own == rates
    moves = hasattr(METHODS[name].settings, "data_rate")
    go_together = shared_in_every_pair(np.asarray(batch["factors"]), count, moves)
    assert go_together == (told in ("pairs", "groups"))


def test_the_relevance_is_a_setting_where_it_is_given(toy):
    given = [n for n, recipe in METHODS.items() if recipe.supervision == "relevance"]
    fields = lambda n: default_config("toy", n)["method"]
    assert given == [n for n in METHODS if "relevance" in fields(n)]
