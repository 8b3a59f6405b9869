"""--config: whatever file it names, it is read, or one sentence says why not."""

import json

import pytest

from disentangle.__main__ import main, parse
from disentangle.commands import commands
from disentangle.commands.config import fields, load_config
from disentangle.errors import UserError

TAKE_CONFIG = [
    n for n, c in commands().items() if any(f.kind == "config" for f in c.flags)
]
GOOD = """
from ml_collections import ConfigDict

def get_config(argument="none"):
    return ConfigDict({"argument": argument, "steps": 3, "part": {"rate": 0.5}})
"""
WRONG = {
    "syntax": ("def get_config(:", "line 1"),
    "five": ("def get_config(): return 5", "gives 5, not a"),
    "none": ("def get_config(): return None", "gives None"),
    "raises": ("def get_config(): 1 / 0", "ZeroDivisionError: division by zero"),
    "top": ("1 / 0", "ZeroDivisionError"),
    "exits": ("import sys\ndef get_config(): sys.exit(3)", "SystemExit: 3"),
    "exits_at_once": ("raise SystemExit", "cannot be run: SystemExit"),
    "import": ("import no_such_module", "No module named 'no_such_module'"),
    "deep": ("def get_config(): return get_config()", "RecursionError"),
    "wrong_arity": ("def get_config(a, b): return {}", "missing 2 required"),
    "lacks": ("x = 1", "has no function get_config"),
    "not_callable": ("get_config = 3", "has no function get_config"),
    "empty": ("", "has no function get_config"),
    "keys": ("def get_config(): return {'a.b': 1, 3: 4}", "keys.py"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_config_file_that_is_none_is_one_sentence(name, tmp_path, capsys):
    text, says = WRONG[name]
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    assert main(["train", f"--config={path}", f"--workdir={tmp_path}/w"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("disentangle: ") and says in said and str(path) in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "is missing its file"),
        (":x", "unknown config file ':x'"),
        ("{folder}", "is a folder"),
        ("x" * 300 + ".py", "too long"),
        ("a\0b.py", "unknown config file"),
        ("~nobody_at_all/x.py", "home"),
        ("{folder}/binary.py", "binary.py"),
        ("{folder}/list.json", "list.json"),
        ("{folder}/broken.json", "broken.json"),
        ("{folder}/good.json:word", "takes no argument"),
        ("{folder}/godo.py", "Did you mean"),
    ],
)
def test_a_path_that_leads_nowhere_is_one_sentence(value, says, tmp_path):
    (tmp_path / "binary.py").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "broken.json").write_text('{"a": ')
    (tmp_path / "good.json").write_text("{}")
    (tmp_path / "good.py").write_text(GOOD)
    with pytest.raises(UserError, match=says):
        load_config(value.format(folder=tmp_path))


def test_python_and_json_give_the_same_and_fields_change_in_both(tmp_path, monkeypatch):
    (tmp_path / "good.py").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    held = load_config("good.py:a:b").to_dict()
    assert held == {"argument": "a:b", "steps": 3, "part": {"rate": 0.5}}
    assert load_config("~/good.py").argument == "none"
    (tmp_path / "config.json").write_text(json.dumps(held))
    for name in ("good.py:a:b", "config.json"):
        for spelt in ([f"--config={name}"], ["--config", name]):
            for command in TAKE_CONFIG:
                words = [*spelt, "--config.steps=7", "--config.part.rate=0.25"]
                values, _ = parse(command, [*words, "--workdir=w"])
                changed = held | {"steps": 7, "part": {"rate": 0.25}}
                assert values["config"].to_dict() == changed


def test_without_config_a_field_changes_that_of_the_workdir(tmp_path):
    (tmp_path / "config.json").write_text('{"steps": 3, "betas": [1, 4]}')
    values, _ = parse("train", [f"--workdir={tmp_path}", "--config.steps=9"])
    assert values["config"].to_dict() == {"steps": 9, "betas": (1, 4)}
    with pytest.raises(UserError, match="whose fields are to change"):
        parse("train", [f"--workdir={tmp_path}/none", "--config.steps=9"])


def test_fields_are_listed_as_flags(tmp_path, capsys):
    (tmp_path / "good.py").write_text(GOOD)
    assert main(["train", "--help", f"--config={tmp_path}/good.py"]) == 0
    said = capsys.readouterr().out
    assert "--config.part.rate=0.5" in said and "--config.steps=3" in said
    found = fields(load_config(f"{tmp_path}/good.py"))
    assert set(found) == {"config.argument", "config.steps", "config.part.rate"}
