"""ADDE: a step of each stage by hand, triplets, prototypes, edits of codes."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equations import adde as by_hand

import disentangle as dt
from disentangle.data import from_arrays
from disentangle.data.samplers import Split, split_data
from disentangle.errors import UserError
from disentangle.fields import swept_names
from disentangle.methods import METHODS, base, prototypes
from disentangle.methods.adde_stages import Choices, Images, tie
from disentangle.methods.attributes import parse
from disentangle.methods.prototypes import PROTOTYPES, Evidence, edited
from disentangle.methods.triplets import triplets, without_replacement
from disentangle.nn import ENCODERS, Net
from disentangle.training.config import default_config, read_experiment
from disentangle.training.state import TrainHyperparameters, TrainState
from disentangle.training.step import make_step

RATE = 0.25
SIZES = (2, 3)


@pytest.fixture
def tiny(monkeypatch):
    """An encoder of 10 parameters: the four quarters of an image, one linear layer."""

    def build(shape, outputs):
        del outputs

        def init(key):
            return {"kernel": jax.random.normal(key, (4, 2)), "bias": jnp.zeros(2)}

        def apply(params, x):
            quarters = x.reshape(-1, 2, shape[0] // 2, 2, shape[1] // 2).mean((2, 4))
            return quarters.reshape(-1, 4) @ params["kernel"] + params["bias"][None]

        return Net(init, apply)

    monkeypatch.setitem(ENCODERS, "tiny", build)


def few_images():
    """12 random images of 4x4 with two attributes, some labels missing."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 4, 4, 1)).astype(np.uint8)
    labels = np.stack([np.arange(12) % 2, np.arange(12) // 2 % 3], axis=1)
    labels[3, 0] = labels[7, 1] = -1
    return from_arrays(images, labels, names=["a", "b"]), images, labels


def float64(tree):
    return jax.tree.map(np.float64, tree)


def forward64(params, images):
    """codes (n, 2, d) and two logits, in float64."""
    x = np.float64(images)[..., 0] / 255
    quarters = x.reshape(-1, 2, 2, 2, 2).mean((2, 4)).reshape(-1, 4)
    layer = lambda x, p: x @ p["kernel"] + p["bias"]
    features, heads = layer(quarters, params["encoder"]), params["heads"]
    codes = [
        layer(np.maximum(0, layer(features, heads[f"hidden_{a}"])), heads[f"code_{a}"])
        for a in range(2)
    ]
    logits = [layer(codes[a], heads[f"prediction_{a}"]) for a in range(2)]
    return np.stack(codes, axis=1), logits


def loss64(params, images, y, hyper, how):
    codes, logits = forward64(params, images)
    if how.learns == "attributes":
        return by_hand.first_stage(codes, logits, y, hyper, how.missing)
    table = params["memory"]["table"]
    matrix = table if how.memory == "dense" else by_hand.block(table, SIZES)
    layer = lambda r, p: r @ p["kernel"] + p["bias"]
    classify = lambda r: [
        layer(r[:, a], params["heads"][f"prediction_{a}"]) for a in range(2)
    ]
    return by_hand.second_stage(codes, logits, y, matrix, classify, hyper, how)


def gradient64(params, loss, step=1e-6):
    """Central differences of a function of parameters, in float64."""
    leaves, tree = jax.tree.flatten(params)
    found = [np.zeros_like(leaf) for leaf in leaves]
    for leaf, slope in zip(leaves, found, strict=True):
        for place in np.ndindex(leaf.shape):
            held, ends = leaf[place], []
            for sign in (1, -1):
                leaf[place] = held + sign * step
                ends.append(loss(params))
            leaf[place] = held
            slope[place] = (ends[0] - ends[1]) / (2 * step)
    return jax.tree.unflatten(tree, found)


STAGES = [
    ("adde", {"learns": "attributes", "whole_triplet": 0.5}),
    ("adde", {"learns": "edits"}),
    ("adde_paper", {"learns": "attributes"}),
    ("adde_paper", {"learns": "edits"}),
]


def built(name, data, **fields):
    config = default_config("own", name, "sgd").to_dict()
    config["method"] |= {"encoder": "tiny", "subspace": 2, "hidden": 3} | fields
    config["optimizer"] |= {"learning_rate": RATE}
    config["batch_size"] = 6
    experiment = read_experiment(config)
    method = experiment.recipe.build(experiment.settings, data.space, data.shape)
    hyper = jax.tree.map(lambda x: jnp.asarray(x[0]), experiment.hyperparameters.method)
    return experiment, method, hyper


ONE_QUICK = [
    pytest.param(*case, marks=() if i == 1 else pytest.mark.slow)
    for i, case in enumerate(STAGES)
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "fields"), ONE_QUICK)
def test_one_step_of_each_stage_is_that_by_hand(tiny, name, fields):
    """p - rate * gradient, the gradient by differences of float64 loops."""
    data, images, labels = few_images()
    experiment, method, hyper = built(name, data, **fields)
    index = jnp.arange(6, dtype=jnp.int32)
    batch = method.collate(Split(data), index, jax.random.key(1))
    numbers = image_numbers(batch, images)
    fixed = method._replace(collate=lambda split, index, key: batch)
    params = base.init(method, key=jax.random.key(2))
    optimizer = experiment.optimizer.build(jnp.float32(RATE))
    state = TrainState(
        params,
        {"adde": optimizer.init(params)},
        jax.random.key(0),
        jnp.int32(0),
        jnp.bool_(True),
        {},
        {},
        {},
    )
    step = jax.jit(make_step(fixed, experiment.optimizer, 6))
    after, _ = step(state, TrainHyperparameters(hyper, jnp.float32(RATE)), Split(data))
    assert bool(after.alive)

    how, numbers64 = experiment.settings, float64(hyper)
    loss = lambda p: loss64(p, images[numbers], labels[numbers], numbers64, how)
    slope = gradient64(float64(params), loss)
    moved = jax.tree.map(lambda p, g: p - RATE * g, float64(params), slope)
    for (path, ours), wanted in zip(
        jax.tree_util.tree_leaves_with_path(after.params),
        jax.tree.leaves(moved),
        strict=True,
    ):
        np.testing.assert_allclose(ours, wanted, atol=2e-6, rtol=2e-5, err_msg=path)
    assert max(np.abs(g).max() for g in jax.tree.leaves(slope)) > 0.01


def image_numbers(batch, images):
    """Which of the images a batch holds."""
    pixels = np.asarray(batch["images"]).reshape(len(batch["images"]), 1, -1)
    known = (images.astype(np.float32) / np.float32(255)).reshape(1, len(images), -1)
    return np.abs(pixels - known).max(2).argmin(1)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "fields"), STAGES)
def test_a_batch_without_labels_is_no_loss_and_no_gradient(tiny, name, fields):
    """But for L_mem, which no label is needed for, and for -1 as a class of its own."""
    data, _, _ = few_images()
    own = fields | {"off_block": 0.0, "missing": "ignore"}
    _, method, hyper = built(name, data, **own)
    index = jnp.arange(6, dtype=jnp.int32)
    batch = method.collate(Split(data), index, jax.random.key(1))
    batch = batch | {"known": jnp.zeros_like(batch["known"])}
    params = base.init(method, key=jax.random.key(2))
    loss = lambda p: method.players["adde"].loss(
        p, hyper, batch, key=jax.random.key(0), step=0
    )[0]
    if fields["learns"] == "edits":  # an edit of nothing: what compares r' is left
        batch = batch | {"paired": jnp.zeros_like(batch["paired"])}
    value, slope = jax.jit(jax.value_and_grad(loss))(params)
    assert float(value) == 0.0
    assert all(not np.asarray(leaf).any() for leaf in jax.tree.leaves(slope))


def drawn(data, negatives, size=None, seed=0, count=48):
    attributes = parse(data.space, ())
    split = Split(data)
    if size:
        split, _ = split_data(data, size, 8, seed=seed)
    subset = np.arange(data.space.size) if size is None else np.asarray(split.subset)
    index = jnp.asarray(subset[np.arange(count) % len(subset)], jnp.int32)
    batch = jax.jit(triplets(attributes, negatives))(split, index, jax.random.key(seed))
    y = np.asarray(attributes.of_batch(batch))
    return np.split(y, 3), batch, subset, attributes


@pytest.mark.parametrize(
    "negatives", ["hard", pytest.param("random", marks=pytest.mark.slow)]
)
def test_triplets_are_one_edit_and_what_is_no_answer_to_it(toy, negatives):
    (ref, pos, neg), batch, subset, _ = drawn(toy, negatives, size=70)
    assert bool(batch["paired"].all())
    changed = ref != pos
    assert (changed.sum(1) == 1).all()
    assert changed.any(0).all()  # every attribute is edited
    assert (neg != pos).any(1).all()
    inside = {tuple(row) for row in toy.space.factors(subset)}
    assert {tuple(row) for row in np.concatenate([ref, pos, neg])} <= inside
    third = np.arange(len(ref)) % 3
    undone, over = neg[third == 1], neg[third == 2]
    if negatives == "hard":
        np.testing.assert_array_equal(undone, ref[third == 1])
        once_more = ((over != pos[third == 2]).sum(1) == 1) & (
            (over != pos[third == 2]) & changed[third == 2]
        ).any(1).__invert__()
        assert once_more.mean() > 0.9  # where the training images have such a one
    else:
        assert (undone != ref[third == 1]).any(1).mean() > 0.5


def test_references_are_drawn_among_images_that_have_a_partner(toy):
    """Of 12 images few have one: still every triplet is an edit, if there is one."""
    (ref, pos, _), batch, subset, _ = drawn(toy, "hard", size=12, seed=3)
    rows = toy.space.factors(subset)
    pairs = [(a, b) for a, b in itertools.permutations(rows, 2) if (a != b).sum() == 1]
    assert 0 < len({tuple(a) for a, _ in pairs}) < 12
    assert bool(batch["paired"].all())
    assert ((ref != pos).sum(1) == 1).all()
    found = {(*a, *b) for a, b in zip(ref, pos, strict=True)}
    assert found <= {(*a, *b) for a, b in pairs}
    assert len(found) > len(pairs) // 2


def test_without_any_partner_a_positive_is_its_reference():
    images = np.random.default_rng(0).integers(0, 9, (8, 16, 16, 1)).astype(np.uint8)
    labels = np.stack([np.arange(8), np.arange(8)], axis=1)  # all differ in both
    labels[0] = 2, -1  # and from this one in a label that is missing
    data = from_arrays(images, labels)
    (ref, pos, neg), batch, _, _ = drawn(data, "hard", count=6)
    assert not bool(batch["paired"].any())
    np.testing.assert_array_equal(ref, pos)
    assert (neg[::3] != pos[::3]).any(1).all()


def test_a_batch_of_a_subset_has_no_image_twice(toy):
    split, _ = split_data(toy, 60, 8)
    split = split._replace(subset=split.subset[:37])
    seen = []
    for seed in range(40):
        index = jnp.zeros(16, jnp.int32)
        batch = without_replacement(split, index, jax.random.key(seed))
        rows = np.asarray(toy.space.index(batch["factors"]))
        assert len(set(rows.tolist())) == 16
        seen += rows.tolist()
    counts = np.unique(seen, return_counts=True)[1]
    assert len(counts) == 37  # all of them, about as often
    assert counts.min() > 5 and counts.max() < 35


def edit64(matrix, codes, old, new, alpha, mode):
    """Loops over rows and attributes."""
    d, found = codes.shape[1] // len(SIZES), codes.copy()
    for i, a in itertools.product(range(len(codes)), range(len(SIZES))):
        if new[i, a] < 0:
            continue
        start, own = sum(SIZES[:a]), slice(a * d, (a + 1) * d)
        if mode == "add":
            found[i] += alpha[i] * matrix[:, start + new[i, a]]
            if old[i, a] >= 0:
                found[i] -= alpha[i] * matrix[:, start + old[i, a]]
        else:
            target = matrix[own, start + new[i, a]]
            found[i, own] = (1 - alpha[i]) * codes[i, own] + alpha[i] * target
    return found


@pytest.mark.parametrize("mode", base.EDIT_MODES)
def test_edits_are_those_of_loops(mode):
    rng = np.random.default_rng(1)
    codes, matrix = rng.normal(size=(20, 6)), rng.normal(size=(6, 5))
    old = np.stack([rng.integers(-1, size, 20) for size in SIZES], axis=1)
    new = np.stack([rng.integers(-1, size, 20) for size in SIZES], axis=1)
    alpha = rng.uniform(-0.5, 1.5, 20)
    single = lambda *arrays: [jnp.asarray(x, jnp.float32) for x in arrays]
    whole = lambda *arrays: [jnp.asarray(x, jnp.int32) for x in arrays]
    found = edited(
        *single(matrix),
        SIZES,
        *single(codes),
        *whole(old, new),
        *single(alpha),
        mode=mode,
    )
    wanted = edit64(matrix, codes, old, new, alpha, mode)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    with pytest.raises(UserError, match="Did you mean 'replace'"):
        edited(
            *single(matrix),
            SIZES,
            *single(codes),
            *whole(old, new),
            *single(alpha),
            mode="replaced",
        )


def planted(n=4000, d=6, k=4):
    """Codes of classes with one anisotropic covariance, and the optimal classifier."""
    rng = np.random.default_rng(2)
    means = rng.normal(size=(k, d))
    root = np.linalg.qr(rng.normal(size=(d, d)))[0] * np.linspace(0.1, 1.2, d)
    labels = np.arange(n) % k
    codes = means[labels] + rng.normal(size=(n, d)) @ root.T
    kernel = np.linalg.inv(root @ root.T) @ means.T
    bias = -0.5 * (means.T * kernel).sum(0)
    predicted = (codes @ kernel + bias).argmax(1)
    known = np.where(np.arange(n) % 3, labels, -1)
    single = lambda x: jnp.asarray(x, jnp.float32)
    whole = lambda x: jnp.asarray(x[:, None], jnp.int32)
    evidence = Evidence(
        single(codes[:, None]), whole(known), whole(predicted), (single(kernel),)
    )
    return evidence, means, codes


def cosine(found, means):
    a, b = np.asarray(found).T, means
    a, b = a - a.mean(0), b - b.mean(0)
    return (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)


def test_prototypes_of_a_classifier_are_its_rows_times_the_covariance():
    """Planted classes: C w gives the means back, raw rows do not."""
    evidence, means, codes = planted()
    found = {name: PROTOTYPES[name](evidence) for name in PROTOTYPES}
    known = np.asarray(evidence.labels)[:, 0]
    for v in range(4):
        np.testing.assert_allclose(
            found["class_means"][:, v], codes[known == v].mean(0), atol=1e-5
        )
        own = np.asarray(evidence.predicted)[:, 0] == v
        np.testing.assert_allclose(
            found["own_means"][:, v], codes[own].mean(0), atol=1e-5
        )
    near = {name: cosine(table, means) for name, table in found.items()}
    assert near["covariance_rows"] > 0.9
    assert near["rows"] < 0.6
    assert abs(near["random"]) < 0.6
    assert near["covariance_rows"] > near["inverse_rows"]
    # The scale, too, and without a label.
    spread = np.linalg.norm(means - means.mean(0))
    scaled = np.asarray(found["covariance_rows"]).T
    assert np.linalg.norm(scaled - scaled.mean(0)) == pytest.approx(spread, rel=0.15)


def test_a_value_without_an_image_has_the_prototype_0():
    evidence, *_ = planted(n=8)
    none = evidence._replace(
        labels=jnp.where(evidence.labels == 1, -1, evidence.labels)
    )
    table = prototypes.class_means(none)
    assert not np.asarray(table)[:, 1].any()
    assert np.asarray(table)[:, 3].any()


def test_attributes_may_be_bins_and_are_those_of_queries(toy):
    from disentangle.data import dsprites, shapes3d

    found = parse(toy.space, ("x:2", "shape"))
    assert (found.names, found.sizes) == (("x", "shape"), (2, 2))
    factors = toy.space.factors(np.arange(96))
    known = np.ones((96, 4), bool)
    known[5, 3] = False
    y = np.asarray(found.labels(factors, known))
    wanted = np.stack([factors[:, 3] // 2, factors[:, 0]], axis=1)
    wanted[5, 0] = -1
    np.testing.assert_array_equal(y, wanted)
    assert parse(dsprites.SPACE, ()).sizes == (3, 6, 8, 8)
    assert "orientation" not in parse(shapes3d.SPACE, ()).names
    assert parse(toy.space, ()).names == toy.space.names
    for names, message in (
        (("colour",), "colour"),
        (("x:3",), "'3' is no number of bins"),
        (("x:a",), "'a' is no number of bins"),
        (("x", "x:2"), "named twice"),
    ):
        with pytest.raises(UserError, match=message):
            parse(toy.space, names)


def test_the_published_choices_are_fields_of_their_own():
    fixed, paper = (METHODS[name].settings() for name in ("adde", "adde_paper"))
    differ = {
        name
        for name in (*fixed.__dataclass_fields__,)
        if getattr(fixed, name) != getattr(paper, name)
    }
    assert differ == {
        *("memory", "missing", "tie", "unknown_old", "negatives", "whole_triplet")
    }
    assert {"margin", "whole_triplet", "off_block"} <= set(swept_names(paper))


FIELDS = {"encoder": "dense", "subspace": 4, "hidden": 16, "learning_rate": 3e-3}
ROWS = [
    {"method.learns": "attributes", "steps": 250},
    {"steps": 60},
]


@pytest.mark.slow
def test_both_stages_learn_to_edit(toy, tmp_path):
    """On 80 of 96 toy images: r' is nearest to an image with the labels of the edit."""
    run = dt.train(
        "adde",
        toy,
        train_size=80,
        batch_size=32,
        stages=ROWS,
        progress=False,
        workdir=tmp_path / "run",
        seeds=2,
        **FIELDS,
    )
    first = dt.load_run(tmp_path / "run" / "stage-1")
    assert first.method.subspaces.edit is None
    index = np.arange(96)
    labels = toy.space.factors(index)
    codes = run.encode(toy.images(index))
    gallery = run.embed(toy.images(index))
    right, undone = [], []
    for name, k in zip(toy.space.names, toy.space.sizes, strict=True):
        place = toy.space.position(name)
        value = (labels[:, place] + 1) % k
        target = labels.copy()
        target[:, place] = value
        moved = run.edit_codes(codes, name, value)
        unit = moved / np.linalg.norm(moved, axis=2, keepdims=True)
        for query, hits in ((unit, right), (gallery, undone)):
            near = np.einsum("pbe,pge->pbg", query, gallery)
            near[:, index, index] = -9  # not the reference
            hits.append((labels[near.argmax(2)] == target[None]).all(2).mean())
    assert np.mean(right) > 0.5 > 2 * np.mean(undone) > 0
    again = dt.load_run(tmp_path / "run")
    np.testing.assert_array_equal(again.encode(toy.images(index)), codes)
    own = run.classify(codes)
    assert own.shape == (2, 96, sum(toy.space.sizes))
    np.testing.assert_allclose(
        np.exp(own[..., : toy.space.sizes[0]]).sum(2), 1, rtol=1e-5
    )
    assert run.alike(codes, "x").shape == (2, 96, 4)


@pytest.mark.slow
def test_the_memory_starts_at_the_class_means_of_the_first_stage(toy):
    rows = [ROWS[0] | {"steps": 20}, {"steps": 1, "optimizer.learning_rate": 1e-12}]
    run = dt.train(
        "adde",
        toy,
        train_size=80,
        batch_size=16,
        stages=rows,
        progress=False,
        seeds=2,
        **FIELDS,
    )
    split, _ = split_data(toy, 80, 16)
    index = np.asarray(split.subset)
    codes = run.encode(toy.images(index)).reshape(2, 80, 4, 4)
    labels = toy.space.factors(index)
    tables = np.asarray(run.params["memory"]["table"])
    column = 0
    for a, k in enumerate(toy.space.sizes):
        for v in range(k):
            mean = codes[:, labels[:, a] == v, a].mean(1)
            np.testing.assert_allclose(tables[:, :, column], mean, rtol=2e-4, atol=1e-5)
            column += 1


@pytest.mark.slow
def test_edits_of_a_run_keep_their_laws_and_refuse_in_a_sentence(toy):
    run = dt.train(
        "adde", toy, train_size=80, batch_size=16, steps=2, progress=False, **FIELDS
    )
    images = toy.images(np.arange(10))
    codes, labels = run.encode(images), toy.space.factors(np.arange(10))
    edit = lambda codes, *rest, **more: run.edit_codes(codes, *rest, **more)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    close(edit(codes, "x", 2, alpha=0.0), codes)
    own = labels[:, 3]
    close(edit(codes, "x", own, mode="add", old=labels), codes)  # to the same value
    there = edit(codes, "x", (own + 1) % 4, mode="add", old=labels)
    after = labels.copy()
    after[:, 3] = (own + 1) % 4
    close(edit(there, "x", own, mode="add", old=after), codes)  # and back
    one = edit(edit(codes, "x", 1), "size", 2)
    close(edit(edit(codes, "size", 2), "x", 1), one)  # they commute
    close(edit(codes, ["x", "size"], [1, 2]), one)
    seen = run.classify(codes)[0]
    starts = np.cumsum((0, *toy.space.sizes))
    predicted = np.stack(
        [seen[:, a:b].argmax(1) for a, b in itertools.pairwise(starts)], axis=1
    )
    close(
        edit(codes, "x", 1, mode="add"), edit(codes, "x", 1, mode="add", old=predicted)
    )
    unknown = np.full((10, 4), -1)
    close(edit(codes, "x", 1, mode="add"), edit(codes, "x", 1, mode="add", old=unknown))
    for arguments, more, message in (
        (("y", 1), {}, "unknown attribute 'y'"),
        (("x", 4), {}, r"value of 'x' is 4, not in 0 \.\. 3"),
        (("x", [1, 2]), {}, r"or \(10,\) of them"),
        (("x", 0.5), {}, "must be a whole number"),
        ((["x", "x"], [1, 2]), {}, "different names"),
        (("x", 1), {"mode": "swap"}, "unknown mode 'swap'"),
        (("x", 1), {"old": "label"}, "unknown old 'label'"),
        (("x", 1), {"old": labels[:3]}, "old must be"),
        (("x", 1), {"alpha": float("nan")}, "must be finite"),
    ):
        with pytest.raises(UserError, match=message):
            run.edit_codes(codes, *arguments, **more)
    with pytest.raises(UserError, match="unknown attribute 'y'"):
        run.alike(codes, "y")


@pytest.mark.slow
def test_as_published_an_unknown_old_value_is_not_taken_away(toy):
    run = dt.train(
        "adde_paper",
        toy,
        train_size=80,
        batch_size=16,
        steps=1,
        progress=False,
        **FIELDS,
    )
    codes = run.encode(toy.images(np.arange(5)))
    unknown = np.full((5, 4), -1)
    moved = run.edit_codes(codes, "x", 1, mode="add", old=unknown)
    table = np.asarray(run.params["memory"]["table"])[0]
    np.testing.assert_allclose(
        moved - codes, np.tile(table[:, 10], (1, 5, 1)), atol=1e-5
    )
    assert np.abs(run.edit_codes(codes, "x", 1, mode="add") - moved).max() > 1e-6


@pytest.mark.parametrize(("missing", "expected"), [("ignore", 0.0), ("class", 0.3)])
def test_a_missing_label_pays_nothing_with_a_dense_memory(missing, expected):
    """M = [[1, .5], [.3, 1]], d = 1, y = (0, -1): M v = (1, .3), r = (1, 0).

    The mean of |M v - r| over two numbers is .15 of one attribute that is missing, and
    there are two images of it; "ignore" leaves the chunk out.
    """
    matrix = jnp.array([[1.0, 0.5], [0.3, 1.0]])
    labels = jnp.array([[0, -1], [0, -1]])
    codes = jnp.array([[[1.0], [0.0]], [[1.0], [0.0]]])
    seen = Images(codes, (jnp.zeros((2, 1)),) * 2, labels)
    choices = Choices((1, 1), "dense", missing, "edited", "whole")
    found = 2 * tie(matrix, seen, choices)
    assert float(found) == pytest.approx(expected, abs=1e-7)
    slopes = jax.grad(lambda m: tie(m, seen, choices))(matrix)
    assert (float(slopes[1, 0]) == 0.0) == (missing == "ignore")
