"""Readers of fashion data sets, on tiny folders that are written here."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from disentangle.data import load
from disentangle.data.fashion import deepfashion, polyvore, splits, zappos
from disentangle.data.fashion.files import numbers, text_lines
from disentangle.data.fashion.splits import ABSENT, queries_of
from disentangle.data.samplers import split_published
from disentangle.errors import UserError
from disentangle.retrieval import Asking
from disentangle.study.sample import data_of
from disentangle.study.subjects import subject_of

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:1234\nsize 5\n"


def photo(path, shade, size=(20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, 10, 20)).save(path)


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(str(line) for line in lines) + "\n")


def shades(data):
    """The red of each image: which file it was."""
    return np.asarray(data.images(np.arange(len(data))))[:, 30, 30, 0].tolist()


def labels(data):
    rows = np.asarray(data.factors(np.arange(len(data))))
    known = data.known(np.arange(len(data)))
    return np.where(True if known is None else known, rows, -1).tolist()


def refused(call, *words):
    with pytest.raises(UserError) as error:
        call()
    for word in words:
        assert word in str(error.value), (word, str(error.value))


@pytest.fixture
def adde(tmp_path):
    """Three training and two test images; attributes of 2 and 3 values."""
    for i in range(5):
        photo(tmp_path / "Female" / f"{i}.png", 40 * i)
    write(tmp_path / "imgs_train.txt", *(f"Female/{i}.png" for i in (2, 0, 1)))
    write(tmp_path / "imgs_test.txt", *(f"Female/{i}.png" for i in (4, 3)))
    write(tmp_path / "labels_train.txt", "1 0 0 0 1", "0 1 1 0 0", "0 0 0 1 0")
    write(tmp_path / "labels_test.txt", "0 1 0 1 0", "1 0 0 0 0")
    write(tmp_path / "attr_num.txt", 2, 3, "")
    write(tmp_path / "triplet_train.txt", "0 1 2", "1 0 2")
    write(tmp_path / "triplet_train_ind.txt", "-1 1 0 0 0", "0 0 -1 0 1")
    write(tmp_path / "ref_test.txt", 1, 0)
    write(tmp_path / "indfull_test.txt", "-1 1 0 0 0", "0.0 0 0.0 -1 1")
    write(tmp_path / "gt_test.txt", "0 1 0 0 0", "0 1 0 0 1")
    return tmp_path


def test_splits_of_adde_are_read_in_their_order(adde):
    data = load("shopping100k", path=adde)
    assert shades(data) == [80, 0, 40, 160, 120] and data.shape == (64, 64, 3)
    assert data.space.names == ("attribute 0", "attribute 1")
    assert labels(data) == [[0, 2], [1, 0], [-1, 1], [1, 1], [0, -1]]
    streamed = load("deepfashion_splits", path=adde, source="stream")
    assert streamed.is_streamed and shades(streamed) == shades(data)
    found = splits.triplets(adde)
    assert found.reference.tolist() == [0, 1] and found.negative.tolist() == [2, 2]
    assert found.old.tolist() == [[0, -1], [-1, 0]]
    assert found.new.tolist() == [[1, -1], [-1, 2]]
    asked = splits.queries(adde)
    assert asked.reference.tolist() == [1, 0]
    assert asked.new.tolist() == [[1, -1], [-1, 2]]
    assert asked.wanted.tolist() == [[1, -1], [1, 2]]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("labels_test.txt", "0 1 0 1 1\n1 0 0 0 0", ["line 1", "attribute 1 two"]),
        ("labels_test.txt", "0 1 0 1 0\n1 0 0 0", ["line 2", "4 numbers", "5 values"]),
        ("labels_train.txt", "1 0 0 0 2\n" * 3, ["line 1", "holds 2, not 0 or 1"]),
        ("labels_train.txt", "1 0 0 0 x", ["line 1", "holds no numbers"]),
        ("labels_train.txt", POINTER, ["is a Git LFS pointer", "git lfs pull"]),
        ("imgs_test.txt", "Female/4.png", ["1 images", "2 rows"]),
        (
            "imgs_test.txt",
            "Female/4.png\nFemale/9.png",
            ["line 2", "9.png", "not there"],
        ),
        ("imgs_test.txt", "Female/4.png\n../x.png", ["line 2", "outside"]),
        ("attr_num.txt", "2 3", ["one number of values per line"]),
        ("attr_num.txt", "2\n0", ["line 2", "below 1"]),
    ],
)
def test_what_is_wrong_in_a_split_is_said_with_its_line(adde, name, text, words):
    (adde / name).write_text(text)
    refused(lambda: load("shopping100k", path=adde), name, *words)


def test_published_parts_and_queries_are_asked_as_they_are(adde):
    """Trained on images 0, 1, 2; the gallery is 3, 4, of which 4, then 3 are asked."""
    data = load("shopping100k", path=adde)
    split, tested = split_published(data, 0, 9, seed=0)
    assert sorted(np.asarray(split.subset).tolist()) == [0, 1, 2]
    assert tested.tolist() == [3, 4]
    assert split_published(data, 2, 1, seed=0)[0].size == 2
    refused(lambda: split_published(data, 4, 1, seed=0), "train_size=4", "at most 3")
    other = load("fashion_sprites")
    refused(lambda: split_published(other, 0, 1, seed=0), "not published in parts")

    published = Asking(split="published", labels=3)
    found = subject_of("edit", data, published, None)
    assert sorted(found.labelled.tolist()) == [0, 1, 2]
    asked = found.questions()
    assert asked.gallery.tolist() == [3, 4] and asked.labels.tolist() == [
        [1, 1],
        [0, -1],
    ]
    assert asked.attribute.tolist() == [0, 1] and asked.image.tolist() == [4, 3]
    assert asked.new.tolist() == [[1, -1], [-1, 2]]
    assert asked.wanted.tolist() == [[1, -1], [1, 2]]
    assert asked.excluded.tolist() == [1, 0]
    # One label of the other image is as wanted, then none.
    assert asked.matches.tolist() == [[0, 1, 0], [1, 0, 0]]

    write(adde / "labels_train.txt", "1 0 0 1 0", "0 1 1 0 0", "0 0 0 1 0")
    without = queries_of(load("shopping100k", path=adde))
    assert without.new.tolist() == [[1, -1], [-1, ABSENT]]
    assert without.wanted.tolist() == [[1, -1], [1, ABSENT]]
    assert queries_of(other) is None


def test_broken_images_and_pointers_name_the_line(adde):
    (adde / "Female" / "0.png").write_text(POINTER)
    said = ["0.png", "is a Git LFS pointer", "imgs_train.txt, line 2"]
    refused(lambda: load("shopping100k", path=adde), *said)
    streamed = load("shopping100k", path=adde, source="stream")
    refused(lambda: streamed.images(np.array([1])), *said)
    (adde / "Female" / "3.png").write_bytes(b"\x89PNG broken")
    photo(adde / "Female" / "0.png", 0)
    said = ["3.png", "cannot be read", "imgs_test.txt, line 2"]
    refused(lambda: load("shopping100k", path=adde), *said)
    (adde / "attr_num.txt").unlink()
    refused(lambda: load("shopping100k", path=adde), "attr_num.txt", "no such file")
    refused(lambda: load("shopping100k", path=adde / "x"), "is not there")


def test_questions_that_name_no_image_are_refused(adde):
    write(adde / "triplet_train.txt", "0 1 2", "1 0 3")
    refused(lambda: splits.triplets(adde), "line 2", "0 to 2", "[1, 0, 3]")
    write(adde / "triplet_train.txt", "0 1 2")
    refused(lambda: splits.triplets(adde), "1 lines", "has 2")
    write(adde / "ref_test.txt", 1, -1)
    refused(lambda: splits.queries(adde), "line 2", "below 0")


@pytest.fixture
def deep(tmp_path):
    """Three images; the second is a test image, the first has two textures."""
    anno = tmp_path / "Anno_coarse"
    names = [f"img/Blouse/{i}.jpg" for i in range(3)]
    for i, name in enumerate(names):
        image = Image.new("RGB", (40, 50), (255, 255, 255))
        image.paste((60 * i + 20, 0, 0), (10, 10, 30, 40))
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / name, quality=100)
    (tmp_path / "Anno_fine").mkdir()
    write(anno / "list_category_cloth.txt", 2, "name type", "Tee  1", "Anorak 1")
    cloth = ["floral print   1", "lace 1", "denim      2"]
    write(anno / "list_attr_cloth.txt", 3, "attribute_name attribute_type", *cloth)
    category = zip(names, (1, 2, 1), strict=True)
    write(anno / "list_category_img.txt", 3, "x", *(f"{n}  {c}" for n, c in category))
    told = zip(names, ("1 1 -1", "-1 1 1", "1 -1 0"), strict=True)
    write(anno / "list_attr_img.txt", 3, "x", *(f"{n}   {t}" for n, t in told))
    write(anno / "list_bbox.txt", 3, "x", *(f"{n} 10 10 30 40" for n in names))
    parts = zip(names, ("train", "test", "train"), strict=True)
    path = tmp_path / "Eval" / "list_eval_partition.txt"
    write(path, 3, "x", *(f"{n} {p}" for n, p in parts))
    return tmp_path


def test_deepfashion_is_cut_to_boxes_and_several_of_a_kind_are_none(deep, capsys):
    data = load("deepfashion", path=deep)
    found = np.asarray(data.images(np.arange(3)))
    assert np.abs(found[:, 2:-2, 2:-2, 0].mean((1, 2)) - [20, 140, 80]).max() < 3
    assert data.space.names == ("category", "texture", "fabric")
    assert data.space["category"].words == ("Anorak", "Tee")
    assert labels(data) == [[1, -1, -1], [1, 0, -1], [0, 1, 0]]
    said = capsys.readouterr().err
    assert "list_attr_img.txt: 1 images have several" in said
    assert "kind texture and no label of it here, the first in line 3" in said


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("Anno_coarse/list_bbox.txt", "3\n", "4\n", ["4 rows", "has 3"]),
        (
            "Anno_coarse/list_bbox.txt",
            "10 10 30 40",
            "10 10 30",
            ["line 3", "3 num"],
        ),
        ("Anno_coarse/list_bbox.txt", "10 10 30 40", "10 10 99 40", ["box", "line 3"]),
        (
            "Anno_coarse/list_category_img.txt",
            "/0.jpg  1",
            "/0.jpg  7",
            ["line 3", "7"],
        ),
        ("Anno_coarse/list_attr_img.txt", "/2.jpg", "/1.jpg", ["line 4 and in line 5"]),
        (
            "Anno_coarse/list_attr_cloth.txt",
            "lace 1",
            "lace",
            ["line 4", "no name"],
        ),
        ("Eval/list_eval_partition.txt", "test", "tset", ["line 4", "mean 'test'"]),
        (
            "Eval/list_eval_partition.txt",
            "/1.jpg",
            "/7.jpg",
            ["line 4", "not in"],
        ),
        ("Anno_coarse/list_attr_img.txt", "3\n", POINTER, ["Git LFS pointer"]),
    ],
)
def test_what_is_wrong_in_deepfashion_is_said_with_its_line(
    deep, name, old, new, words
):
    path = deep / name
    text = path.read_text()
    assert old in text
    path.write_text(new if new == POINTER else text.replace(old, new, 1))
    refused(lambda: load("deepfashion", path=deep), *words)


def test_deepfashion_without_annotations_says_what_there_is(deep):
    (deep / "Anno_coarse" / "list_bbox.txt").unlink()
    refused(lambda: load("deepfashion", path=deep), "list_bbox", "Anno_fine")


@pytest.fixture
def outfits(tmp_path):
    """Items a .. e; a training set of a, b, c and a test set of d, e."""
    for i, item in enumerate("abcde"):
        photo(tmp_path / "images" / f"{item}.jpg", 50 * i)
    told = {
        item: {"semantic_category": kind, "category_id": number}
        for item, kind, number in zip(
            "abcde",
            ("tops", "shoes", "bags", "tops", "shoes"),
            (1, 2, 1, 2, 1),
            strict=True,
        )
    }
    (tmp_path / "polyvore_item_metadata.json").write_text(json.dumps(told))
    write(tmp_path / "categories.csv", "1,boot,shoes", "2,blouse,tops")
    (tmp_path / "typespaces.p").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    sets = {"train": ("10", "abc"), "valid": ("11", "d"), "test": ("12", "dea")}
    for part, (name, items) in sets.items():
        listed = [{"item_id": item, "index": k + 1} for k, item in enumerate(items)]
        folder = tmp_path / "nondisjoint"
        folder.mkdir(exist_ok=True)
        one = [{"set_id": name, "items": listed}]
        (folder / f"{part}.json").write_text(json.dumps(one))
    question = {"question": ["12_1", "12_2"], "answers": ["12_3", "10_1"]}
    blanks = tmp_path / "nondisjoint" / "fill_in_blank_test.json"
    blanks.write_text(json.dumps([question | {"blank_position": 3}]))
    write(
        tmp_path / "nondisjoint" / "compatibility_test.txt",
        "1 12_1 12_2",
        "0 12_3 12_1",
    )
    return tmp_path


def test_polyvore_has_items_sets_and_questions(outfits):
    data = load("polyvore", path=outfits)
    assert len(data) == 5 and data.space.names == ("type", "category")
    assert data.space["type"].words == ("bags", "shoes", "tops")
    assert labels(data)[:3] == [[2, 1], [1, 0], [0, 1]]
    with pytest.raises(UserError, match=r"question number 0 names '10_1'"):
        polyvore.outfits(outfits, "test")
    path = outfits / "nondisjoint" / "fill_in_blank_test.json"
    path.write_text(path.read_text().replace("10_1", "12_2"))
    with pytest.raises(UserError, match=r"has 2 answers of its 1 sets"):
        polyvore.outfits(outfits, "test")
    both = [{"set_id": "10", "items": [{"item_id": "a", "index": 1}]}]
    test = outfits / "nondisjoint" / "test.json"
    test.write_text(json.dumps(json.loads(test.read_text()) + both))
    path.write_text(path.read_text().replace('"12_3", "12_2"', '"10_1", "12_3"'))
    found = polyvore.outfits(outfits, "test")
    assert found.sets == [(3, 4, 0), (0,)]
    assert found.blanks == [polyvore.Blank((3, 4), (0, 0), 1)]
    assert found.judged == [((3, 4), True), ((0, 3), False)]


def test_pairs_of_types_are_66_of_11():
    pairs = polyvore.type_pairs([f"type {i:02}" for i in range(11)] * 2)
    assert len(pairs) == len(set(pairs)) == 66
    assert all(first <= second for first, second in pairs)


def test_what_is_wrong_in_polyvore_is_said(outfits):
    call = lambda: load("polyvore", path=outfits)
    (outfits / "images" / "c.jpg").unlink()
    refused(call, "item c", "which a set of nondisjoint")
    (outfits / "images" / "c.jpg").write_text("no picture")
    refused(call, "polyvore_item_metadata.json, item c")
    photo(outfits / "images" / "c.jpg", 9)
    (outfits / "polyvore_item_metadata.json").write_text('{"a": {}}')
    refused(call, "item a has no 'semantic_category'")
    (outfits / "polyvore_item_metadata.json").write_text(POINTER)
    refused(call, "polyvore_item_metadata.json is a Git LFS pointer")
    (outfits / "nondisjoint" / "train.json").write_text('[{"set_id": "1"}]')
    refused(call, "set number 0 has no 'set_id' and 'items'")
    refused(lambda: polyvore.read(outfits, split="joint"), "Did you mean 'disjoint'")


def test_shoes_have_triplets_with_the_far_one_second(tmp_path):
    names = [f"Boots/Ankle/{i}.jpg" for i in range(3)]
    for i, name in enumerate(names):
        photo(tmp_path / "ut-zap50k-images" / name, 60 * i)
    write(tmp_path / "filenames.json", *names)
    listed = tmp_path / "tripletlists" / "heel_tripletlist_test.txt"
    write(listed, "0 1 2", "2 0 1")
    data = load("zappos50k", path=tmp_path)
    assert len(data) == 3 and data.space.names == ()
    found = zappos.triplets(tmp_path, "heel", "test")
    assert [found.anchor.tolist(), found.positive.tolist()] == [[0, 2], [2, 1]]
    assert found.negative.tolist() == [1, 0]
    write(listed, "0 1 2", "2 0 3")
    refused(lambda: zappos.triplets(tmp_path, "heel", "test"), "line 2", "0 to 2")
    refused(lambda: zappos.triplets(tmp_path, "heal", "test"), "Did you mean 'heel'")
    write(tmp_path / "filenames.json", names[0], "Boots/none.jpg")
    refused(lambda: load("zappos50k", path=tmp_path), "line 2", "none.jpg")


HEADER = (
    "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,"
    "productDisplayName"
)


def test_products_without_an_image_are_left_out_and_said(tmp_path, capsys):
    rows = [
        "15,Men,Apparel,Topwear,Shirts,Navy,Fall,2011,Casual,Turtle, Check, Shirt",
        '16,Women,Apparel,Topwear,Tops,NA,Fall,2012,Casual,"A top',
        "17,Men,Apparel,Bottomwear,Jeans,Blue,Summer,2012,Casual,Jeans",
    ]
    write(tmp_path / "styles.csv", HEADER, *rows)
    for i, name in enumerate((15, 17)):
        photo(tmp_path / "images" / f"{name}.jpg", 100 * i)
    data = load("fashion_products", path=tmp_path)
    assert "1 products have no image" in (said := capsys.readouterr().err)
    assert "line 3" in said
    assert len(data) == 2 and data.space["base_colour"].words == ("Blue", "Navy")
    photo(tmp_path / "images" / "16.jpg", 7)
    data = load("fashion_products", path=tmp_path)
    column = data.space.position("base_colour")
    assert [row[column] for row in labels(data)] == [1, -1, 0]
    write(tmp_path / "styles.csv", HEADER, rows[0], "16,Women")
    refused(lambda: load("fashion_products", path=tmp_path), "line 3", "2 cells")
    write(tmp_path / "styles.csv", HEADER, rows[0], rows[0])
    refused(lambda: load("fashion_products", path=tmp_path), "line 2 and in line 3")
    write(tmp_path / "styles.csv", "id,gender", "15,Men")
    refused(lambda: load("fashion_products", path=tmp_path), "no column 'masterCat")


def test_lines_and_numbers(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"\xef\xbb\xbf1 2.0\r\n3\n\n\n")
    assert text_lines(path) == ["1 2.0", "3"] and numbers(path) == [[1, 2], [3]]
    path.write_text("1 2.5")
    refused(lambda: numbers(path), "line 1", "not whole")
    path.write_bytes(b"\xff\xfe\x00")
    refused(lambda: text_lines(path), "cannot be read")


def test_images_that_do_not_fit_are_streamed(adde, monkeypatch, capsys):
    monkeypatch.setattr("disentangle.data.fashion.files.FIT", 1000)
    assert load("shopping100k", path=adde).is_streamed
    assert "read when they are needed" in capsys.readouterr().err


def clutter(rng, count):
    """(count, 64, 64, 3) uint8: smooth colours, edges and noise behind a garment."""
    coarse = rng.uniform(0, 255, (count, 5, 5, 3))
    smooth = coarse.repeat(13, 1).repeat(13, 2)[:, :64, :64]
    for axis in (1, 2):
        smooth = sum(np.roll(smooth, k, axis) for k in range(-4, 5)) / 9
    return np.clip(smooth + 12 * rng.normal(size=smooth.shape), 0, 255).astype(np.uint8)


@pytest.mark.slow
def test_garments_over_clutter_are_cut_out():
    pytest.importorskip("cv2")
    from disentangle.data.fashion.grab_cut import mask
    from disentangle.data.fashion_labels import boxes, masks

    data, rng = load("fashion_sprites"), np.random.default_rng(0)
    index = rng.integers(0, len(data), 60)
    factors = np.asarray(data.factors(index))
    there = np.asarray(masks(data, factors))
    garments = np.asarray(data.images(index))
    pictures = np.where(there[..., None], garments, clutter(rng, 60))
    found = []
    for picture, inside, box in zip(pictures, there, boxes(data, factors), strict=True):
        left, top, right, bottom = box.tolist()
        wide = (
            max(0, left - 2),
            max(0, top - 2),
            min(64, right + 2),
            min(64, bottom + 2),
        )
        cut = mask(picture, wide)
        found.append((cut & inside).sum() / (cut | inside).sum())
    assert np.mean(found) >= 0.85


def test_what_cannot_be_cut_is_refused(deep):
    pytest.importorskip("cv2")
    from disentangle.data.fashion.grab_cut import mask

    image = np.zeros((8, 9, 3), np.uint8)
    refused(lambda: mask(image, (0, 0, 9, 8)), "nothing outside")
    refused(lambda: mask(image, (0, 0, 10, 8)), "not inside an image of 9x8")
    refused(lambda: mask(image[..., 0], (0, 0, 3, 3)), "(H, W, 3) uint8")
    data = deepfashion.read(deep, cut=True)
    assert len(data) == 3


def test_cutting_needs_the_extra(deep, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "cv2", None)
    refused(lambda: deepfashion.read(deep, cut=True), "pip install -e '.[fashion]'")


def test_photographs_are_read_at_a_size_and_again_from_where_they_were(deep):
    """Also of the usual folders, where images are below Img."""
    (deep / "Img").mkdir()
    (deep / "img").rename(deep / "Img" / "img")
    for size, side in ((0, 64), (96, 96), (32, 32)):
        data = load("deepfashion", path=deep, size=size)
        assert data.shape == (side, side, 3)
        section = {"name": data.name, "path": data.path, "source": "", "size": 0}
        run = SimpleNamespace(
            config={"data": section},
            workdir=None,
            spec=SimpleNamespace(shape=data.shape, max_value=255),
        )
        assert data_of(run).digest == data.digest


def test_other_ways_to_read_are_data_sets_of_their_own(outfits, deep):
    (outfits / "nondisjoint").rename(outfits / "disjoint")
    assert load("polyvore_disjoint", path=outfits).name == "polyvore_disjoint"
    refused(lambda: load("polyvore", path=outfits), "nondisjoint")
    pytest.importorskip("cv2")
    assert load("deepfashion_cut", path=deep).name == "deepfashion_cut"
