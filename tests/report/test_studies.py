"""A study is one file and one line: its command, its page, `list`, going on."""

import json
from pathlib import Path

import pytest
from recipes import chance

from disentangle.__main__ import main
from disentangle.data import DATASETS
from disentangle.data.dataset import Recipe
from disentangle.report import write_report
from disentangle.report.page import SECTIONS, all_sections
from disentangle.report.studies import STUDIES, study_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def added(toy, monkeypatch):
    monkeypatch.setitem(DATASETS, "toy", Recipe(toy.space, lambda cache_dir: toy))
    monkeypatch.setitem(STUDIES, "chance", chance.STUDY)


@pytest.fixture
def words(tmp_path):
    config = f"--config={ROOT}/tests/recipes/chance.py:toy"
    return ["chance", config, f"--workdir={tmp_path / 'w'}", "--noprogress"]


def rows(folder):
    found = [json.loads(path.read_text()) for path in folder.glob("rows-*/chance.json")]
    return sorted(one["rows"] for one in found)


def test_it_has_a_command_a_page_and_a_line_in_the_list(words, tmp_path, capsys):
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "300 rows: {'mig/score': 0." in said
    page = (tmp_path / "w/report.html").read_text()
    assert f"report: {tmp_path / 'w/report.html'}" in said
    assert "<h1>Scores of noise on toy</h1>" in page
    assert '<section id="noise">' in page
    assert "chance --config=config.json --workdir=again" in page
    assert main(["--help"]) == 0
    assert "  chance         what scores say of noise\n" in capsys.readouterr().out
    assert main(["chance", "--help"]) == 0
    assert "python -m disentangle chance --config=tests" in capsys.readouterr().out
    assert main(["list", "chance"]) == 0
    assert "config.metrics=('mig',)" in capsys.readouterr().out
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert "  chance         what scores say of noise\n" in listed
    assert "  noise          Scores of noise\n" in listed


def test_a_stopped_study_goes_on_and_a_finished_one_computes_nothing(
    words, tmp_path, monkeypatch, capsys
):
    computed, score = [], chance.score

    def stopping(codes, *arguments):
        if len(computed) == 1:
            raise KeyboardInterrupt
        computed.append(len(codes))
        return score(codes, *arguments)

    monkeypatch.setattr(chance, "score", stopping)
    assert main(words) == 1
    assert "stopped" in capsys.readouterr().err
    assert (rows(tmp_path / "w"), computed) == ([300], [300])
    computed.clear()
    assert main(["chance", f"--workdir={tmp_path / 'w'}", "--noprogress"]) == 0
    assert (rows(tmp_path / "w"), computed) == ([300, 3000], [3000])
    monkeypatch.setattr(chance, "score", None)
    assert main(words) == 0


def test_mistakes_are_one_line_before_any_compute(words, capsys, tmp_path):
    for field, says in (
        ("--config.metrics=('mgi',)", "Did you mean 'mig'"),
        ("--config.rows=(300,1)", "rows=1"),
        ("--config.data.name=tyo", "Did you mean 'toy'"),
        ("--config.row=(3,)", "rows"),
    ):
        assert main([*words, field]) == 2
        assert says in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


def test_a_workdir_says_which_study_it_is_of(words, tmp_path, monkeypatch):
    assert main([*words, "--quiet"]) == 0
    config = json.loads((tmp_path / "w/config.json").read_text())
    assert json.loads((tmp_path / "w/study.json").read_text()) == {"study": "chance"}
    assert study_of(tmp_path / "w", config) == "chance"
    (tmp_path / "w/study.json").unlink()  # as before there was such a file
    assert study_of(tmp_path / "w", config) == "chance"
    monkeypatch.delitem(STUDIES, "chance")
    assert study_of(tmp_path / "w", config) == ""
    assert "<h1>A run on toy</h1>" in write_report(tmp_path / "w").read_text()


@pytest.mark.parametrize("name", ["pipeline", "compare", "impossibility"])
def test_configs_of_before_are_known_by_their_fields(name, tmp_path):
    config = STUDIES[name].load().default("toy").to_dict()
    assert study_of(tmp_path, config) == name
    older = dict(config)
    older.pop("score")
    assert study_of(tmp_path, older) == name


def test_a_training_run_is_of_no_study(tmp_path):
    assert study_of(tmp_path, {"data": {}, "method": {}, "optimizer": {}}) == ""
    assert study_of(tmp_path, {"data": {}}) == ""


def test_every_study_is_whole():
    for name, study in STUDIES.items():
        job = study.load()
        checked = job.check(job.default("dsprites"))
        assert job.page.title(checked).strip(), name
        assert name in study.example or "--config=" in study.example
        own = list(all_sections(name))[: len(job.page.sections)]
        assert own == list(job.page.sections)
        assert set(SECTIONS) <= set(all_sections(name))
