"""Splits, edits, triplets and sets, by brute force on a small world and by counts."""

import itertools
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data import counted, outfits, queries
from disentangle.data.attributes import Attributes
from disentangle.data.space import Factor, FactorSpace
from disentangle.data.worlds import (
    TEST,
    TRAIN,
    VALIDATION,
    VIEWS,
    WORLDS,
    Hole,
    Rule,
    World,
    world,
)
from disentangle.errors import UserError

SIZES = {"kind": 4, "view": 3, "a": 3, "b": 2, "c": 6}
SPACE = FactorSpace(
    tuple(
        Factor(name, size, "categorical", tuple(map(float, range(size))))
        for name, size in SIZES.items()
    )
)
RULE = Rule("kind", ((0,), (1,), (2,), (3,)), ("a", "b", "c"))
SMALL = World(  # c is two bins of three values, the rest of it is nuisance
    Attributes(SPACE, ("c", "a", "kind", "b"), (2, 1, 1, 1)),
    gallery=(0,),
    query=(2,),
    validation=(5,),
    held=(2,),
    holes={"comp": Hole(("a", "c"), 3)},
    rules={"k4": RULE},
)
OF = SMALL.attributes
EVERY = list(WORLDS)


def plain(index: int) -> dict[str, int]:
    """Factors of an image, by divisions written out."""
    found = {}
    for name, size in reversed(SIZES.items()):
        index, found[name] = divmod(index, size)
    return found


def test_tuples_and_states_of_a_small_world():
    assert (OF.sizes, OF.tuples, OF.states) == ((3, 3, 4, 2), 72, 6)
    index = np.arange(SPACE.size)
    tuples, states = OF.tuple_of(index), OF.state_of(index)
    assert len(set(zip(tuples.tolist(), states.tolist(), strict=True))) == 432
    assert np.array_equal(OF.index(tuples, states), index)
    assert np.array_equal(OF.values(tuples), OF.labels(index))
    for i in (0, 17, 240, 431):
        f = plain(i)
        assert OF.labels(i).tolist() == [f["c"] // 2, f["a"], f["kind"], f["b"]]
        assert states[i] == f["view"] * 2 + f["c"] % 2


@pytest.mark.parametrize("name", EVERY)
def test_tuples_and_states_of_every_world(name):
    of = world(name).attributes
    assert of.tuples * of.states == of.space.size
    index = np.arange(0, of.space.size, 997)
    assert np.array_equal(of.index(of.tuple_of(index), of.state_of(index)), index)
    expected = {"dsprites": 1_152, "shapes3d": 32_000, "fashion_sprites": 8_640}
    edits = {"dsprites": 21, "shapes3d": 37, "fashion_sprites": 23}
    assert of.tuples == expected[name]
    assert sum(size - 1 for size in of.sizes) == edits[name]


def test_an_edit_changes_one_attribute_and_nothing_else_also_under_jit():
    edit = jax.jit(lambda i, v: OF.edited(i, "c", v))
    for i, value in itertools.product(range(0, 432, 5), range(3)):
        new = int(OF.edited(i, "c", value))
        expected = plain(i) | {"c": plain(i)["c"] % 2 + 2 * value}
        assert plain(new) == expected
    index = np.arange(60)
    assert np.array_equal(edit(jnp.asarray(index), 2), OF.edited(index, "c", 2))
    others = OF.variants(np.array([3, 77]), "a")
    assert others.shape == (2, 2)
    for i, row in zip((3, 77), others.tolist(), strict=True):
        wanted = [
            j
            for j in range(432)
            if j != i and plain(j) | {"a": 0} == plain(i) | {"a": 0}
        ]
        assert row == wanted


def test_refusals():
    with pytest.raises(UserError, match="does not divide"):
        Attributes(SPACE, ("a",), (2,))
    with pytest.raises(UserError, match="repeat"):
        Attributes(SPACE, ("a", "a"))
    with pytest.raises(UserError, match="widths"):
        Attributes(SPACE, ("a",), (1, 1))
    with pytest.raises(UserError, match="kind"):
        OF.column("kindd")
    with pytest.raises(UserError, match="comp"):
        SMALL.parts("compp")
    with pytest.raises(UserError, match="gallery"):
        SMALL.view("galery", np.arange(3))
    with pytest.raises(UserError, match="shapes3d"):
        world("shapes")
    with pytest.raises(UserError, match="conflict"):
        queries.triplets(SMALL, "a", 3, kind="conflicts")
    with pytest.raises(UserError, match="at least 1"):
        queries.edits(SMALL, "a", 0)
    with pytest.raises(UserError, match="4 slots need 3 attributes"):
        outfits.shared(SMALL, RULE._replace(attributes=("a", "b")))
    asked = outfits.sets(SMALL, RULE, 4)
    for ask in (outfits.blanks, outfits.pairs):
        with pytest.raises(UserError, match="easy"):
            ask(SMALL, RULE, asked, "eesy")


@pytest.mark.parametrize(
    ("name", "split", "parts"),
    [
        ("shapes3d", "comp", (24_000, 4_000, 4_000)),
        ("shapes3d", "hues", (25_600, 3_200, 3_200)),
        ("dsprites", "comp", (864, 144, 144)),
        ("fashion_sprites", "comp", (5_760, 1_440, 1_440)),
        ("fashion_sprites", "pairs", (5_760, 1_440, 1_440)),
    ],
)
def test_holes(name, split, parts):
    asked = world(name)
    found = asked.parts(split)
    assert tuple(np.bincount(found)) == parts
    hole, of = asked.holes[split], asked.attributes
    columns = [of.column(n) for n in hole.names]
    values = of.values(np.arange(of.tuples))[:, columns]
    kinds = {0: TEST, 1: VALIDATION}
    for row, part in zip(values[::37].tolist(), found[::37], strict=True):
        assert part == kinds.get(sum(row) % hole.modulus, TRAIN)
    seen = values[found == TRAIN]
    for i, j in itertools.combinations(range(len(columns)), 2):
        every = of.sizes[columns[i]] * of.sizes[columns[j]]
        met = len(np.unique(seen[:, [i, j]], axis=0))
        assert (met == every) == (len(columns) == 3)  # every pair is seen, no triple


@pytest.mark.parametrize("split", ["rand", "comp"])
def test_what_may_be_trained_on(split):
    """All but held states, the tuples' own views and tuples of the hole."""
    views = {int(i) for v in VIEWS for i in SMALL.view(v, np.arange(72))}
    expected = []
    for i in range(432):
        f = plain(i)
        held = f["view"] * 2 + f["c"] % 2 == 2
        in_hole = split == "comp" and (f["a"] + f["c"] // 2) % 3 < 2
        if not held and not in_hole and i not in views:
            expected.append(i)
    assert SMALL.training(split).tolist() == expected
    assert len(expected) == (72 if split == "rand" else 24) * 3


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_views_are_never_trained_on(name):
    asked = world(name)
    of, tuples = asked.attributes, np.arange(asked.attributes.tuples)
    views = [asked.view(which, tuples) for which in VIEWS]
    for images in views:
        assert np.array_equal(of.tuple_of(images), tuples)
    assert len(np.unique(np.concatenate(views))) == 3 * len(tuples)
    for split in ("rand", *asked.holes):
        training = asked.training(split)
        assert len(np.unique(training)) == len(training)
        assert not np.isin(np.concatenate(views), training).any()
        there = np.unique(of.tuple_of(training))
        assert np.array_equal(there, asked.tuples(split, TRAIN))
    counts = {
        "shapes3d": 32_000 * 12,
        "dsprites": 1_152 * (39 * 16 - 3),
        "fashion_sprites": 8_640 * 30,
    }
    assert len(asked.training("rand")) == counts[name]


def test_shapes3d_views_and_dsprites_views_are_the_protocol():
    shapes, sprites = world("shapes3d"), world("dsprites")
    tuples = np.array([0, 5, 31_999])
    orientation = shapes.attributes.space.factors(shapes.view("gallery", tuples))[:, 5]
    assert orientation.tolist() == [7, 7, 7]
    tuples = np.array([0, 1, 40, 1_151])
    factors = sprites.attributes.space.factors(sprites.view("gallery", tuples))
    assert factors[:, 2].tolist() == (7 * tuples % 624 % 39).tolist()
    assert [len(world(n).mini()) for n in EVERY] == [3 * 3 * 16, 2_000, 1_296]


@pytest.mark.parametrize("split", ["rand", "comp"])
@pytest.mark.parametrize("attribute", OF.names)
def test_edits_are_all_there_are(attribute, split):
    found = queries.edits(SMALL, attribute, 10**6, split=split)
    parts = SMALL.parts(split)
    expected = set()
    for start, value in itertools.product(range(72), range(6)):
        labels = OF.values(np.array(start)).tolist()
        column = OF.names.index(attribute)
        if value >= OF.sizes[column] or value == labels[column]:
            continue
        target = int(
            OF.number(np.array([*labels[:column], value, *labels[column + 1 :]]))
        )
        if split == "rand" or parts[target] == TEST:
            expected.add((start, labels[column], value, target))
    rows = [found.reference, found.old, found.value, found.target]
    assert set(zip(*(row.tolist() for row in rows), strict=True)) == expected
    assert len(found.reference) == len(expected)
    assert np.array_equal(found.image, SMALL.view("query", found.reference))
    assert np.array_equal(OF.tuple_of(found.truth), found.target)
    assert np.array_equal(OF.state_of(found.truth), OF.state_of(found.image))


@pytest.mark.parametrize("name", EVERY)
def test_edits_of_every_world(name):
    asked = world(name)
    for split, attribute in itertools.product(("rand", "comp"), asked.attributes.names):
        found = queries.edits(asked, attribute, 250, split=split)
        assert len(set(zip(found.reference, found.value, strict=True))) == 250
        before, after = (asked.attributes.space.factors(i) for i in found[-2:])
        assert ((before != after).sum(1) == 1).all()
        if split == "comp":
            assert (asked.parts("comp")[found.target] == TEST).all()
        values, counts = np.unique(found.value, return_counts=True)
        assert len(values) == asked.attributes.sizes[asked.attributes.column(attribute)]
        assert counts.min() > 125 / len(values)
    mini = asked.mini()
    small = queries.edits(asked, asked.attributes.names[0], 10**6, gallery=mini)
    assert np.isin(small.reference, mini).all() and np.isin(small.target, mini).all()


@pytest.mark.parametrize("kind", queries.KINDS)
@pytest.mark.parametrize("attribute", OF.names)
def test_triplets(attribute, kind):
    found = queries.triplets(SMALL, attribute, 400, kind=kind, split="comp")
    assert (SMALL.parts("comp")[found.anchor] == TEST).all()
    column = OF.names.index(attribute)
    for anchor, positive, negative in zip(*map(OF.values, found[1:]), strict=True):
        assert anchor[column] == positive[column] != negative[column]
        if kind == "conflict":
            rest = np.arange(4) != column
            assert (anchor != positive)[rest].all() and (anchor == negative)[rest].all()
    assert len(np.unique(found.positive)) > 4
    again = queries.triplets(SMALL, attribute, 400, kind=kind, split="comp")
    assert np.array_equal(again.negative, found.negative)
    other = queries.triplets(SMALL, attribute, 400, kind=kind, split="comp", seed=1)
    assert not np.array_equal(other.anchor, found.anchor)


def test_owners_are_a_factorisation():
    for n in (4, 6, 8):
        table = outfits.owners(n)
        assert np.array_equal(table, table.T)
        assert all(sorted(row) == list(range(-1, n - 1)) for row in table.tolist())
    assert outfits.owners(3).tolist() == [[-1, 2, 1], [2, -1, 0], [1, 0, -1]]


def test_rules_of_the_worlds_are_those_of_the_protocol():
    def owner(name: str, rule: str, i: int, j: int) -> str:
        asked = world(name)
        return asked.attributes.names[outfits.shared(asked, asked.rules[rule])[i, j]]

    hues = {(0, 1): "object_hue", (2, 3): "object_hue", (0, 2): "wall_hue"}
    hues |= {(1, 3): "wall_hue", (0, 3): "floor_hue", (1, 2): "floor_hue"}
    for pair, hue in hues.items():
        assert owner("shapes3d", "k4", *pair) == hue
    assert owner("dsprites", "k3", 0, 1) == "x_position"
    assert owner("dsprites", "k3", 0, 2) == "y_position"
    assert owner("dsprites", "k3", 1, 2) == "scale"
    top, bottom, gown, shoe = range(4)
    matchings = {"colour": ((top, bottom), (gown, shoe))}
    matchings |= {"pattern": ((top, shoe), (bottom, gown))}
    matchings |= {"length": ((top, gown), (bottom, shoe))}
    for name, matched in matchings.items():
        for pair in matched:
            assert owner("fashion_sprites", "k4", *pair) == name
    counts = {("shapes3d", "k4"): 1_000, ("fashion_sprites", "k4"): 160}
    counts |= {("fashion_sprites", "k6"): 1_440}
    for (name, rule), count in counts.items():
        asked = world(name)
        for slot in range(len(asked.rules[rule].slots)):
            assert len(outfits.candidates(asked, asked.rules[rule], slot)) == count


def test_only_the_answer_completes_a_set():
    """Each candidate is put into the blank."""
    asked = outfits.sets(SMALL, RULE, 60)
    assert outfits.is_compatible(SMALL, RULE, asked.items).all()
    assert set(asked.hidden) == {0, 1, 2, 3}
    found = outfits.answers(SMALL, RULE, asked)
    for items, slot, row in zip(asked.items, asked.hidden, found, strict=True):
        choices = outfits.candidates(SMALL, RULE, slot)
        assert len(choices) == 18
        filled = np.repeat(items[None], 18, 0)
        filled[:, slot] = choices
        assert np.flatnonzero(outfits.is_compatible(SMALL, RULE, filled)) == [row]
    free = np.array([len(np.unique(OF.values(asked.items)[..., i])) for i in range(4)])
    assert np.array_equal(free, OF.sizes)


RULES = [(name, rule) for name in EVERY for rule in world(name).rules]


@pytest.mark.parametrize(("name", "rule"), RULES)
@pytest.mark.parametrize("kind", outfits.DIFFICULTIES)
def test_blanks_and_pairs(name, rule, kind):
    asked, rule = world(name), world(name).rules[rule]
    found = outfits.sets(asked, rule, 150)
    assert outfits.is_compatible(asked, rule, found.items).all()
    four = outfits.blanks(asked, rule, found, kind)
    rows = np.arange(150)
    truth = found.items[rows, found.hidden]
    assert np.array_equal(four.answers[rows, four.right], truth)
    assert set(four.right) == {0, 1, 2, 3}
    values, own = asked.attributes.values(four.answers), asked.attributes.values(truth)
    for place in range(4):
        filled = found.items.copy()
        filled[rows, found.hidden] = four.answers[:, place]
        right = outfits.is_compatible(asked, rule, filled)
        assert np.array_equal(right, four.right == place)
        if kind == "hard":
            differ = (values[:, place] != own).sum(1)
            assert np.array_equal(differ, (four.right != place).astype(int))
    assert all(len(set(row)) == 4 for row in four.answers.tolist())
    both = outfits.pairs(asked, rule, found, kind)
    said = outfits.is_compatible(asked, rule, both.items)
    assert np.array_equal(said, both.compatible) and said.sum() == 150
    if kind == "hard":
        assert ((both.items[:150] != both.items[150:]).sum(1) == 1).all()


def test_sets_of_a_split_keep_to_its_parts():
    asked = world("fashion_sprites")
    rule, parts = asked.rules["k4"], asked.parts("comp")
    train = outfits.sets(asked, rule, 200, split="comp", part=TRAIN)
    assert (parts[train.items] == TRAIN).all()
    test = outfits.sets(asked, rule, 200, split="comp")
    hidden = test.items[np.arange(200), test.hidden]
    assert (parts[hidden] == TEST).all() and len(test.items) == 200


def noisy_codes(of: Attributes, tuples: np.ndarray, seed: int) -> list[np.ndarray]:
    """One-hot codes of the tuples by attribute, with normal noise of 0.2."""
    noise, values = np.random.default_rng(seed), of.values(tuples)
    codes = [np.eye(k)[values[..., i]] for i, k in enumerate(of.sizes)]
    return [code + 0.2 * noise.normal(size=code.shape) for code in codes]


@pytest.mark.parametrize(
    ("kind", "least", "most"), [("easy", 0.97, 0.6), ("hard", 0.9, 0.45)]
)
def test_only_who_looks_at_the_shared_attribute_fills_blanks(kind, least, most):
    """Simulated before: .99 and .92 by the right attribute; chance is .25."""
    asked = world("fashion_sprites")
    rule, of = asked.rules["k4"], asked.attributes
    found = outfits.blanks(asked, rule, outfits.sets(asked, rule, 800), kind)
    items = noisy_codes(of, found.items, 0)
    answers = noisy_codes(of, found.answers, 1)
    told, whole = np.zeros((800, 4)), np.zeros((800, 4))
    for j in range(4):
        owner = outfits.shared(asked, rule)[found.hidden, j]
        for i in range(len(of.sizes)):
            apart = np.linalg.norm(answers[i] - items[i][:, j, None], axis=-1)
            told += (owner == i)[:, None] * apart
            whole += (owner >= 0)[:, None] * apart
    assert (told.argmin(1) == found.right).mean() >= least
    assert (whole.argmin(1) == found.right).mean() <= most


def test_who_compares_whole_pictures_is_wrong_in_conflict():
    of = world("shapes3d").attributes
    for kind, low, high in (("random", 0.7, 0.8), ("conflict", 0.0, 0.03)):
        found = queries.triplets(world("shapes3d"), "scale", 1_000, kind=kind)
        anchor, positive, negative = (
            noisy_codes(of, tuples, seed) for seed, tuples in enumerate(found[1:])
        )
        near = [np.square(a - p).sum(1) for a, p in zip(anchor, positive, strict=True)]
        far = [np.square(a - n).sum(1) for a, n in zip(anchor, negative, strict=True)]
        own = of.column("scale")
        assert (near[own] < far[own]).mean() > 0.9
        assert low <= (np.sum(near, 0) < np.sum(far, 0)).mean() <= high


def test_numbers_are_those_of_splitmix64():
    """Whose first outputs for the seed 1234567 are published with it."""
    golden = 0x9E3779B97F4A7C15

    def mixed(z: int) -> int:
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    published = [mixed((1234567 + k * golden) % 2**64) for k in (1, 2)]
    assert published == [6457827717110365317, 3203168211198807973]
    start = zlib.crc32(b"x 3") << 32
    expected = [mixed((start + k) * golden % 2**64) for k in range(1, 7)]
    assert counted.numbers("x", 3, (2, 3)).ravel().tolist() == expected
    drawn = counted.below("x", 3, 9_000, [3, 7])
    for column, size in enumerate((3, 7)):
        counts = np.bincount(drawn[:, column], minlength=size)
        assert abs(counts - 9_000 / size).max() < 5 * np.sqrt(9_000 / size)
    for total, count in ((7, 7), (10, 4), (1_000, 30), (12, 40)):
        places = counted.spread(total, count)
        assert len(set(places.tolist())) == len(places) == min(total, count)
        assert places.max() < total
