"""One's own images through training and scores: what needs labels says so."""

import jax
import numpy as np
import pytest

import disentangle as dt
from disentangle.errors import UserError
from disentangle.methods import METHODS
from disentangle.study.sample import choose_sample, labels_of
from disentangle.training.build import build_method
from disentangle.training.config import default_config, read_experiment
from disentangle.training.run import prepare

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (90, 12, 20), dtype=np.uint8)
FACTORS = np.stack([RNG.integers(-1, 3, 90), RNG.integers(0, 2, 90)], axis=1)
SMALL = {"encoder": "dense", "decoder": "dense", "batch_size": 8, "progress": False}


@pytest.mark.slow
def test_images_without_labels_are_kept_found_and_scored(tmp_path):
    data = dt.from_arrays(IMAGES)
    dt.train("beta_vae", data, steps=2, workdir=tmp_path / "run", **SMALL)
    with pytest.warns(UserWarning, match="mig has no factor to score: there are no"):
        table = dt.evaluate(tmp_path / "run", ["mig", "unsupervised"], progress=False)
    assert (table["num_train"][0], table["num_test"][0]) == (60, 30)
    values = table.set_index("metric")["value"]
    assert np.isnan(values["mig"]) and np.isfinite(values.drop("mig")).all()
    (tmp_path / "run/images.npz").unlink()
    with pytest.raises(UserError, match=r"given as arrays and not kept .*give data="):
        dt.evaluate(tmp_path / "run", ["unsupervised"], progress=False)
    again = dt.evaluate(tmp_path / "run", ["unsupervised"], data=data, progress=False)
    np.testing.assert_array_equal(again["value"], values.drop("mig"))


def test_scores_are_of_images_with_all_labels(tmp_path):
    data = dt.from_arrays(IMAGES, FACTORS, ["a", "b"])
    complete = np.flatnonzero(FACTORS[:, 0] >= 0)
    chosen = choose_sample(data, (10_000, 5_000), seed=0)
    assert sorted(chosen.images) == complete.tolist()
    assert sum(chosen.rows) == len(complete) and chosen.rows[1] == len(complete) // 3
    np.testing.assert_array_equal(chosen.factors, FACTORS[chosen.images])
    few = choose_sample(data, (20, 7), seed=0)
    assert len(set(few.images.tolist())) == 27 and set(few.images) <= set(complete)


def test_real_labels_are_scored_in_ten_bins_of_equally_many_images():
    values = RNG.normal(size=200) ** 3
    data = dt.from_arrays(np.zeros((200, 2, 2), np.uint8), values, ["x"])
    bins = labels_of(data, np.arange(200))[:, 0]
    assert np.bincount(bins).tolist() == [20] * 10
    assert (np.diff(bins[np.argsort(values)]) >= 0).all()


def test_test_images_of_a_table_are_not_trained_on():
    config = default_config("own", "beta_vae").to_dict()
    config["method"] |= {"encoder": "dense", "decoder": "dense"}
    config["batch_size"] = 8
    for train_size, trained, tested in ((0, 72, 18), (50, 50, 40)):
        config["data"]["train_size"] = train_size
        _, _, split, test = prepare(config, dt.from_arrays(IMAGES))
        used = set(np.asarray(split.subset).tolist())
        assert (len(used), len(test)) == (trained, tested)
        assert not used & set(test.tolist())


NEEDS = "needs labels|needs a full grid"


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_every_method_takes_images_without_labels_or_says_what_it_needs(name):
    """Built, nothing computed: grey 28x28, RGB 30x50; networks that take any size."""
    for images in (np.zeros((9, 28, 28), np.uint8), np.zeros((9, 30, 50, 3), np.uint8)):
        data = dt.from_arrays(images)
        config = default_config("own", name).to_dict()
        known = config["method"]
        known |= {k: "padded" for k in ("encoder", "decoder", "source") if k in known}
        known |= {"decoder": "chen"} if name == "tripod" else {}
        known |= {"latents": 4} if known.get("latents") == 0 else {}
        experiment = read_experiment(config)
        if METHODS[name].supervision not in ("none", "relevance"):
            with pytest.raises(UserError, match=NEEDS):
                build_method(experiment.recipe, experiment.settings, data)
            continue
        method = build_method(experiment.recipe, experiment.settings, data)
        params = jax.eval_shape(
            lambda m=method: {k: n.init(jax.random.key(0)) for k, n in m.nets.items()}
        )
        if method.decode is None:  # a generator: from noise alone
            key = jax.random.key(0)
            drawn = jax.eval_shape(
                lambda p, m=method, k=key: m.sample(p, key=k, n=2), params
            )
            assert drawn.shape == (2, *data.shape)
            continue
        image = jax.ShapeDtypeStruct((2, *data.shape), np.float32)
        codes = jax.eval_shape(method.represent, params, image)
        drawn = jax.eval_shape(method.decode, params, codes)
        assert drawn.shape == (2, *data.shape)
