"""The page against the files it is made from, read back with an HTML parser."""

import json
import os
import re
import shutil
from html.parser import HTMLParser
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from stored import arrays
from synthetic_workdir import FACTORS, dump, write_pipeline

from disentangle.affinity import Affinity
from disentangle.errors import UserError
from disentangle.report import affinity_figure, statistics, write_report
from disentangle.report.page import all_sections
from disentangle.report.style import svg

VOID = {"meta", "link", "img", "br", "hr", "image", "path", "use", "rect"}
OTHERS = {"best-groups", "gains", "joint", "overall", "regimes", "truth"}
OTHERS |= {"ends", "published", "ranking", "relevance", "downstream", "prototypes"}
OTHERS |= {"breakdown", "drawn", "translations", "mixing"}
OTHERS |= {*statistics.SECTIONS}  # of a study of many models
ALL = {*all_sections(), "reproduce"} - OTHERS


class Page(HTMLParser):
    """The parts of a page a test asks for; fails on tags that do not nest."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.open, self.sections, self.texts, self.attributes = [], {}, [], []
        self.tables: list[tuple[str, list[list]]] = []
        self.caption = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.attributes.append((tag, attrs))
        if tag == "section":
            self.sections[attrs["id"]] = ""
        if tag == "table":
            self.tables.append((self.caption.strip(), []))
        if tag == "figcaption":
            self.caption = ""
        if tag == "tr":
            self.tables[-1][1].append([])
        if tag in ("td", "th"):
            self.tables[-1][1][-1].append("")
        if tag == "data":
            self.tables[-1][1][-1][-1] = float(attrs["value"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if self.sections:
            self.sections[list(self.sections)[-1]] += data
        if "figcaption" in self.open:
            self.caption += data
        if "table" in self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][1][-1][-1] += data.strip()
        if "data" in self.open:
            self.shown = (self.tables[-1][1][-1][-1], data)
            check_rounding(*self.shown)

    def table(self, words):
        """Column names, and row name -> cells, of the one table so captioned."""
        (rows,) = [rows for caption, rows in self.tables if words in caption]
        return rows[0][1:], {row[0]: row[1:] for row in rows[1:]}


def check_rounding(value, text):
    """What is printed is the value, to two digits and half a unit of the last."""
    mean = text.split(" ± ")[0].replace("−", "-").replace(",", "")
    digits = len(mean.split("e")[0].partition(".")[2])
    power = int(mean.partition("e")[2] or 0)
    assert abs(float(mean) - value) <= 0.5000001 * 10.0 ** (power - digits), text
    assert value == 0 or abs(float(mean) - value) <= 0.051 * abs(value), text


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """Folders with one and with three seeds, their pages written."""
    root = tmp_path_factory.mktemp("pipelines")
    for seeds in (1, 3):
        write_report(write_pipeline(root / str(seeds), seeds=seeds))
    return root


@pytest.fixture(scope="module")
def page(pristine):
    return Page(pristine / "1" / "report.html")


@pytest.fixture
def folder(pristine, tmp_path):
    """A copy to damage."""
    return shutil.copytree(pristine / "1", tmp_path / "run")


@pytest.fixture
def alone(pristine, tmp_path):
    """alone(name): a folder with that file and the config, nothing else."""

    def make(name):
        for each in ("config.json", name):
            shutil.copy(pristine / "1" / each, tmp_path)
        return tmp_path

    return make


def read(pristine, name, seeds=1):
    return json.loads((pristine / str(seeds) / name).read_text())


def test_every_section_and_every_task_is_there(page):
    assert set(page.sections) == ALL
    for name in ("affinity", "groups", "losses", "importance", "training"):
        for task in FACTORS:
            assert task in page.sections[name], (name, task)
    assert not [t for t, a in page.attributes if a.get("class") == "problem"]


@pytest.mark.parametrize("seeds", [1, 3])
def test_test_losses_are_those_of_the_file(pristine, seeds):
    page = Page(pristine / str(seeds) / "report.html")
    table = read(pristine, "losses.json", seeds)
    columns, rows = page.table("same in numbers")
    assert columns == list(table["networks"])
    for i, task in enumerate(table["tasks"]):
        for cell, losses in zip(rows[task], table["networks"].values(), strict=True):
            mean = sum(row[i] for row in losses) / seeds
            assert float(str(cell).split("±")[0]) == pytest.approx(mean, rel=0.01)
    for network, name in (("grouped", "grouped networks"), ("single-task",) * 2):
        mean = np.mean(table["networks"][network])
        said = re.search(rf"{name}(?: networks)? ([\d.]+)", "".join(page.texts))[1]
        check_rounding(mean, said)


def test_scores_are_those_of_the_file(pristine):
    page = Page(pristine / "1" / "report.html")
    columns, rows = page.table("higher is better")
    assert columns == ["D", "C", "I train", "I test", "MIG"]
    for row in read(pristine, "scores.json")["rows"]:
        scores = [value for key, value in row.items() if "/" in key]
        assert [float(first(c)) for c in rows[row["representation"]]] == pytest.approx(
            scores, abs=5e-4
        )
    assert "scikit-learn trees" in page.sections["scores"]
    assert "num train 3,000" in page.sections["scores"]
    assert "Protocol of all scoresseed 0." in page.sections["scores"]
    assert "codes 10" not in page.sections["scores"]


def first(cell):
    """The number of a cell, whether the exact one or the one printed."""
    return str(cell).split(" ±")[0]


def test_spread_over_seeds_is_the_sample_deviation(pristine):
    source = (pristine / "3" / "report.html").read_text()
    rows = read(pristine, "scores.json", 3)["rows"]
    values = [r["mig/score"] for r in rows if r["representation"] == "grouped"]
    mean = sum(values) / 3
    spread = (sum((v - mean) ** 2 for v in values) / 2) ** 0.5
    assert f">{mean:.3f} ± {spread:.3f}</data>" in source


def test_affinity_tables_have_sources_as_rows(page, pristine):
    for name, table in read(pristine, "affinity.json").items():
        columns, rows = page.table(f"{name}: row, the task that takes the step")
        assert columns == table["tasks"]
        for source, values in zip(table["tasks"], table["matrix"], strict=True):
            assert [exact(c) for c in rows[source]] == pytest.approx(values, rel=6e-3)


def exact(cell):
    return float(str(cell).split(" ±")[0].replace("−", "-"))


def test_the_affinity_that_chose_the_groups_comes_first(page):
    tables = [c for c, _ in page.tables if "takes the step" in c]
    assert [caption.split(":")[0] for caption in tables] == ["lookahead", "cosine"]
    assert "chosen by the lookahead affinity" in page.sections["affinity"]


def test_groups_say_who_serves_whom(page, pristine):
    table = read(pristine, "groups.json")
    tasks, rows = page.table("Rows: networks")
    for place, group in enumerate(table["groups"]):
        for task, mark in zip(tasks, rows[f"network {place + 1}"], strict=True):
            serves, helps = table["serves"][task] == place, task in group
            assert ("serves" in mark, "helps" in mark) == (serves, helps and not serves)
    _, proof = page.table("How good")
    for name in ("objective", "bound", "gap", "margin"):
        assert exact(proof[name][0]) == pytest.approx(table[name], rel=0.01)
    assert exact(proof["runner-up"][0]) == pytest.approx(table["runner_up"], rel=0.01)


def test_nothing_is_fetched(page):
    for tag, attributes in page.attributes:
        assert tag not in ("script", "link", "iframe", "object")
        for name in ("src", "href", "xlink:href", "srcset", "data", "action"):
            target = attributes.get(name, "#") or "#"
            assert target.startswith(("#", "data:image/")), (tag, target)
    assert not re.search(r"url\((?!#)|@import", page.source)


def test_every_figure_is_whole_and_described(page):
    figures = re.findall(r"<svg.*?</svg>", page.source, re.DOTALL)
    assert len(figures) >= 12
    ids: list[str] = []
    for text in figures:
        root = ElementTree.fromstring(text)
        assert root.attrib["role"] == "img" and len(root.attrib["aria-label"]) > 20
        own = [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
        used = set(re.findall(r"(?:url\(#|href=\"#)([^\")]+)", text))
        assert used <= set(own)
        ids += own
    assert len(ids) == len(set(ids))


def test_letters_stay_readable_on_a_phone(page):
    """At 358 px of width, or where it scrolls, no text is under 8.8 px."""
    names = tuple(f"attribute_{i}" for i in range(12))
    wide = svg(affinity_figure(Affinity(np.eye(12), names)), "wide", "A wide one.")
    for text in [wide, *re.findall(r"<svg.*?</svg>", page.source, re.DOTALL)]:
        least = float(re.search(r"min-width:(\d+)px", text)[1])
        full = float(re.search(r"[; \"]width:(\d+)px", text)[1])
        shown = max(min(358.0, full), least)
        sizes = [float(s) for s in re.findall(r"font(?:-size)?: ([\d.]+)px", text)]
        # the SVG's user unit is a point: 4/3 of a CSS pixel
        if sizes:  # pictures alone have no letters
            assert min(sizes) * 4 / 3 * shown / full >= 8.8


@pytest.mark.slow
def test_the_same_files_give_the_same_page(pristine, tmp_path):
    copy = shutil.copytree(pristine / "1", tmp_path / "elsewhere")
    before = (copy / "report.html").read_bytes()
    with matplotlib.rc_context({"font.size": 30, "xtick.major.pad": 20.0}):
        assert write_report(copy).read_bytes() == before
    assert str(tmp_path).encode() not in before


def test_matplotlib_is_left_as_it_was(alone):
    before = dict(matplotlib.rcParams)
    write_report(alone("affinity.json"))
    assert dict(matplotlib.rcParams) == before


FILES = {
    "affinity.json": {"affinity"},
    "groups.json": {"groups"},
    "losses.json": {"losses"},
    "scores.json": {"scores"},
    "importance.npz": {"importance"},
    "information.npz": {"information"},
    "units.json": {"units"},
    "plane.npz": {"plane"},
    "swaps.npz": {"swaps"},
    "panels.npz": {"reconstructions", "traversals"},
    "impossibility.json": {"rotations"},
    "retrieval.json": {"retrieval"},
    "edit.json": {"edits"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_section_is_there_when_its_file_is(alone, name):
    assert set(Page(write_report(alone(name))).sections) == {*FILES[name], "reproduce"}


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "list", "folder", "other"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_gives_a_sentence(alone, name, damage):
    path = alone(name) / name
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "noise":
        path.write_bytes(bytes(range(256)) * 8)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "list":
        path.write_text("[1]")
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    elif path.suffix == ".json":
        dump(path, {"unexpected": [1, 2, 3]})
    else:
        ones = dict.fromkeys(("images", "reconstructions"), np.ones(3))
        np.savez(path, traversals=np.ones(2), traversal_values=np.ones(4), **ones)
    page = Page(write_report(path.parent))
    assert set(page.sections) == {*FILES[name], "reproduce"}
    for section in FILES[name]:
        assert f"{name} cannot be shown" in page.sections[section]
        assert "Traceback" not in page.sections[section]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damage_inside_the_archive_is_found(alone, save):
    path = alone("panels.npz") / "panels.npz"
    frames = np.random.default_rng(0).integers(0, 2, (1, 3, 32, 32, 3))
    save(path, traversals=frames, traversal_values=np.zeros(3))
    content = bytearray(path.read_bytes())
    content[200:240] = bytes(40)
    path.write_bytes(bytes(content))
    page = Page(write_report(path.parent))
    assert "panels.npz cannot be shown" in page.sections["traversals"]


@pytest.mark.parametrize("field", ["steps", "seeds", "batch_size"])
def test_a_damaged_config_is_refused(alone, field):
    folder = alone("groups.json")
    config = read(folder.parent, "config.json", folder.name)
    config["supervised"][field] = {"not": "a number"}
    dump(folder / "config.json", config)
    with pytest.raises(UserError, match=r"config\.json cannot be shown"):
        write_report(folder)


def test_damage_in_what_only_adds_is_passed_over(folder):
    for name in FILES:
        (folder / name).unlink()
    dump(folder / "summary.json", {"seconds": {"load": "x"}, "versions": [1]})
    dump(folder / "multitask" / "data.json", {"space": {"items": [["shape"], {}]}})
    assert "dsprites" in "".join(Page(write_report(folder)).texts)


def test_one_damaged_run_leaves_the_others(folder):
    for name in FILES:
        (folder / name).unlink()
    (folder / "vae" / "metrics.jsonl").write_text('{"torn": ')
    training = Page(write_report(folder)).sections["training"]
    assert "The unsupervised model: metrics.jsonl cannot be shown" in training
    assert "One network on all tasks: loss of each task." in training


@pytest.mark.slow
def test_names_are_escaped(tmp_path):
    evil = ("<b>bold</b>", 'a&b"c', "$x_1$", "task-'4'", "<!-- 5")
    page = Page(write_report(write_pipeline(tmp_path / "run", tasks=evil)))
    assert not {"b"} & {tag for tag, _ in page.attributes}
    for name in evil:
        assert name in page.sections["losses"]
        assert name in page.table("lookahead: row")[0]


@pytest.mark.parametrize("name", ["vae", "networks", "multitask"])
def test_a_training_workdir_has_its_own_page(pristine, name):
    page = Page(write_report(pristine / "3" / name))
    assert set(page.sections) == {"breakdown", "training", "ends", "reproduce"}
    rows = (pristine / "3" / name / "metrics.jsonl").read_text().splitlines()
    tests = [r for r in map(json.loads, rows) if r["split"] == "test"]
    header, table = page.table("last line of the log")
    members = {r["member"]: r for r in tests}
    assert list(table) == list(members)
    for member, row in members.items():
        cells = dict(zip(header, table[member], strict=True))
        assert exact(cells["loss"]) == pytest.approx(row["loss"], rel=6e-3)
        if name == "networks":  # only the tasks it is trained on
            weights = member.split(",")[0].split("=")[1].split("+")
            shown = [cells[task] != "–" for task in FACTORS]
            assert shown == [w == "1" for w in weights]


def test_panels_of_a_training_workdir_are_shown(folder):
    shutil.copy(folder / "panels.npz", folder / "vae")
    page = Page(write_report(folder / "vae"))
    assert {"reconstructions", "traversals"} <= set(page.sections)
    assert "z4: y_position" in page.sections["traversals"]


def test_relevance_is_drawn_over_training(folder):
    path = folder / "vae" / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    lines = [json.dumps(row | {"relevance": [0.9] * 3 + [0.1] * 7}) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    training = Page(write_report(folder / "vae")).sections["training"]
    assert "relevance of each latent, 0 to 1." in training


def test_information_is_a_share_of_the_entropy(pristine):
    source = (pristine / "1" / "report.html").read_text()
    stored = arrays(pristine / "1" / "information.npz")
    share = stored["beta_vae"] / stored["entropy"]
    for value in share.ravel():
        assert f">{value:.2f}</text>" in source


@pytest.mark.slow
def test_the_shuffled_floor_stands_below_the_information(alone):
    folder = alone("information.npz")
    held = arrays(folder / "information.npz")
    source = write_report(folder).read_text()
    assert ">shuffled</text>" not in source
    floor = np.array([0.111, 0.122, 0.133, 0.144, 0.155])
    held["grouped:shuffled"] = floor * held["entropy"]
    np.savez(folder / "information.npz", **held)
    source = write_report(folder).read_text()
    assert source.count(">shuffled</text>") == 1
    for value in floor:
        assert f">{value:.2f}</text>" in source


def test_dead_latents_have_no_names(alone):
    """Panels as they were written before the floor: 4 of 10 KLs are below 0.1 nat."""
    folder = alone("panels.npz")
    section = Page(write_report(folder)).sections["traversals"]
    assert section.count(": shape") == 3 and "No name" not in section
    held = arrays(folder / "panels.npz")
    held |= {
        "factors": np.array(["shape", "scale"]),
        "shuffled": np.array([0.1, 0.2]),
    }
    np.savez(folder / "panels.npz", **held)
    section = Page(write_report(folder)).sections["traversals"]
    assert "than it would of shuffled factors (0.10 of shape and 0.20 of sc" in section


def test_active_units_are_those_of_the_file(page):
    _, rows = page.table("Active units of 10 latents")
    assert rows["beta=1,seed=0"] == ["8"] and rows["beta=4,seed=1"] == ["4"]
    assert "Active units against beta" in page.sections["units"]


def test_a_diverged_model_is_named(folder):
    path = folder / "vae" / "metrics.jsonl"
    lost = {"step": 700, "split": "train", "member": "seed=0", "loss": None}
    row = lost | {"kl_by_latent": [None] * 10}
    path.write_text(path.read_text() + json.dumps(row) + "\n")
    training = Page(write_report(folder / "vae")).sections["training"]
    assert "1 model of 1 diverged: seed=0." in training


def test_a_folder_without_config_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no config\.json in .*is not the folder"):
        write_report(tmp_path)
    with pytest.raises(UserError, match=r"no config\.json"):
        write_report(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match="not JSON"):
        write_report(tmp_path)
    assert os.listdir(tmp_path) == ["config.json"]


def test_a_failed_write_leaves_the_old_page(alone, monkeypatch):
    def full(file):
        raise OSError(28, "No space left on device")

    folder = alone("groups.json")
    (folder / "report.html").write_text("old")
    before = set(os.listdir(folder))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_report(folder)
    assert (folder / "report.html").read_text() == "old"
    assert set(os.listdir(folder)) == before
