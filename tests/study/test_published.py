"""Published questions of shoes and outfits, asked of a code whose answers are known."""

import itertools
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

import disentangle as dt
from disentangle.__main__ import main
from disentangle.data.fashion import zappos
from disentangle.errors import UserError
from disentangle.report.retrieval import retrieval_table
from disentangle.retrieval.encoder import unlabelled
from disentangle.retrieval.published import set_distances
from disentangle.study.retrieval import retrieve

QUIET = {"progress": False, "bootstrap": 20}


def photo(path, red, green):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (red, green, 0)).save(path)


def colours(images):
    """Red and green of each image."""
    return np.asarray(images, np.float32)[:, 30, 30, :2]


@pytest.fixture
def shoes(tmp_path):
    """20 shoes of which red tells the class and green the heel; 30 triplets of each."""
    shades = np.random.default_rng(0).permutation(250)[:40].reshape(20, 2)
    names = [f"{i}.png" for i in range(20)]
    for name, (red, green) in zip(names, shades.tolist(), strict=True):
        photo(tmp_path / "ut-zap50k-images" / name, red, green)
    (tmp_path / "filenames.json").write_text("\n".join(names) + "\n")
    rng, drawn = np.random.default_rng(1), {}
    for condition in zappos.CONDITIONS:
        rows = np.array([rng.permutation(20)[:3] for _ in range(30)])
        column = 0 if condition == "class" else 1
        gap = np.abs(shades[rows[:, 1:], column] - shades[rows[:, :1], column])
        swap = gap[:, 0] < gap[:, 1]  # the far one is the second of a line
        rows[swap] = rows[swap][:, [0, 2, 1]]
        drawn[condition] = rows
        path = tmp_path / "tripletlists" / f"{condition}_tripletlist_test.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            "".join(" ".join(map(str, row)) + "\n" for row in rows.tolist())
        )
    return tmp_path, shades, drawn


def test_the_published_triplets_of_shoes_are_asked(shoes):
    folder, shades, drawn = shoes
    data = dt.load("zappos50k", path=folder)
    rows = retrieve(colours, data, "similar", **QUIET)
    value = lambda way, name: rows[
        (rows.way == way) & (rows.attribute == name)
    ].value.item()
    for name, own in drawn.items():
        apart = ((shades[own[:, 1:]] - shades[own[:, :1]]) ** 2).sum(2)
        right = (np.sign(apart[:, 0] - apart[:, 1]) + 1) / 2
        assert value("whole", name) == pytest.approx(right.mean()), name
        assert value("chance", name) == 0.5
    assert set(rows.way) == {"chance", "whole"} and set(rows.score) == {"triplets"}
    mean = np.mean([value("whole", name) for name in drawn])
    assert value("whole", "all") == pytest.approx(mean) and mean < 1
    assert "triplets" in retrieval_table(rows)
    # Whoever knows the columns is always right.
    columns = {name: [int(name != "class")] for name in drawn}
    told = retrieve(colours, data, "similar", columns=columns, **QUIET)
    assert (told[told.way == "own"].value == 1).all()
    few = retrieve(colours, data, "similar", triplets=5, **QUIET)
    assert set((few[few.way == "whole"].value * 20).round(6) % 1) == {0.0}


@pytest.fixture
def outfits(tmp_path):
    """Three test sets of three items, and questions about them."""
    shades = np.random.default_rng(2).permutation(250)[:18].reshape(9, 2)
    told = {}
    for i, (red, green) in enumerate(shades.tolist()):
        photo(tmp_path / "images" / f"{i}.jpg", red, green)
        told[str(i)] = {"semantic_category": ("tops", "shoes", "bags")[i % 3]}
    (tmp_path / "polyvore_item_metadata.json").write_text(json.dumps(told))
    sets = {
        str(s): [{"item_id": str(3 * s + k), "index": k + 1} for k in range(3)]
        for s in range(3)
    }
    listed = [{"set_id": name, "items": items} for name, items in sets.items()]
    blanks = [
        {"question": [f"{s}_1", f"{s}_2"], "answers": [f"{o}_3" for o in order]}
        for s, order in zip(range(3), ([0, 1, 2], [2, 0, 1], [1, 2, 0]), strict=True)
    ]
    judged = [(1, [f"{s}_{k}" for k in (1, 2, 3)]) for s in range(3)]
    judged += [(0, [f"{s}_1", f"{(s + 1) % 3}_2"]) for s in range(3)]
    for split in ("nondisjoint", "disjoint"):
        folder = tmp_path / split
        folder.mkdir()
        for part in ("train", "valid", "test"):
            (folder / f"{part}.json").write_text(json.dumps(listed))
        (folder / "fill_in_blank_test.json").write_text(json.dumps(blanks))
        lines = [" ".join([str(label), *items]) for label, items in judged]
        (folder / "compatibility_test.txt").write_text("\n".join(lines) + "\n")
    place = lambda word: 3 * int(word[0]) + int(word[2]) - 1
    asked = [([place(w) for w in b["question"]], [place(w) for w in b["answers"]])
             for b in blanks]  # fmt: skip
    return tmp_path, asked, [(label, [place(w) for w in own]) for label, own in judged]


@pytest.mark.parametrize("name", ["polyvore", "polyvore_disjoint"])
def test_the_published_sets_are_completed_and_judged(outfits, name):
    folder, asked, judged = outfits
    data = dt.load(name, path=folder)
    x = np.float64(colours(data.images(np.arange(9))))
    away = lambda i, j: np.sqrt(((x[i] - x[j]) ** 2).sum())
    nearest = [min(a, key=lambda a: sum(away(i, a) for i in q)) for q, a in asked]
    right = [a == 3 * s + 2 for s, a in enumerate(nearest)]
    means = [
        np.mean([away(i, j) for i, j in itertools.combinations(own, 2)])
        for _, own in judged
    ]
    rows = retrieve(colours, data, "complete", **QUIET).set_index(["way", "score"])
    assert rows.value["whole", "fitb"] == pytest.approx(np.mean(right))
    auc = roc_auc_score([label for label, _ in judged], -np.array(means))
    assert rows.value["whole", "auc"] == pytest.approx(auc)
    assert rows.value["chance", "fitb"] == pytest.approx(1 / 3)
    for word in ("way", "0."):
        assert word in retrieval_table(rows.reset_index())


def test_sets_are_judged_by_distances_and_not_by_their_squares():
    """Three codes on a line: a set of 0, 1, 4 and one of 0, 3."""
    codes = np.float32([[0.0], [1.0], [4.0], [3.0]])
    encoder = unlabelled(lambda images: codes[images], [])
    found = set_distances(encoder, [((0, 1, 2), True), ((0, 3), False)])
    np.testing.assert_allclose(found, [(1 + 4 + 3) / 3, 3.0])


def test_what_published_questions_cannot_say_is_refused(outfits, shoes):
    data = dt.load("polyvore", path=outfits[0])
    with pytest.raises(UserError, match=r"'similar' is asked of .*, zappos50k: of a"):
        retrieve(colours, data, "similar", **QUIET)
    for given in ({"gallery": "mini"}, {"split": "comp"}):
        with pytest.raises(UserError, match="published test part"):
            retrieve(colours, data, "complete", **QUIET, **given)
    wrong = {"heal": [0]}
    with pytest.raises(UserError, match="Did you mean 'heel'"):
        data = dt.load("zappos50k", path=shoes[0])
        retrieve(colours, data, "similar", columns=wrong, **QUIET)


@pytest.mark.slow
def test_a_run_on_outfits_is_asked_on_the_command_line(outfits, tmp_path, capsys):
    """Trained on the items, asked its data set's questions, seen on its page."""
    folder = tmp_path / "run [1]"
    data = dt.load("polyvore", path=outfits[0])
    quick = {"steps": 2, "batch_size": 4, "encoder": "dense", "decoder": "dense"}
    dt.train("vae", data, workdir=folder, progress=False, **quick)
    words = [f"--workdir={folder}", "--tasks=complete", "--noprogress"]
    assert main(["retrieve", *words]) == 0
    assert "fitb" in capsys.readouterr().out
    assert main(["report", str(folder)]) == 0
    page = (folder / "report.html").read_text()
    assert "What completes this set" in page and ">fitb<" in page
    assert "questions that the data set was published with" in page
