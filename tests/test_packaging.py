"""What is declared is imported, locked and described; make does what it says."""

import ast
import configparser
import hashlib
import importlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
APACHE = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
EXTRAS = dict(SETUP["options.extras_require"])
IMPORT_NAMES = {"scikit-learn": "sklearn", "orbax-checkpoint": "orbax", "pillow": "PIL"}
# Imported inside functions, by those who installed the extra.
OPTIONAL = {"tensorflow_datasets": "tfds", "tensorboard": "tensorboard"}
OPTIONAL |= dict.fromkeys(("flatbuffers", "onnx", "safetensors"), "export")
OPTIONAL |= {"ray": "ray", "submitit": "slurm", "cv2": "fashion", "wandb": "wandb"}
OTHER_NAMES = {"cv2": "opencv-python-headless"}


def requirements(text: str) -> list[Requirement]:
    return [Requirement(line) for line in text.strip().splitlines()]


def imported() -> set[str]:
    """Top-level names of other people's packages that disentangle/ imports."""
    names = set()
    for path in (ROOT / "disentangle").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {"disentangle"}


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[^ @;]+", pin) for pin in pins), pins
    return {canonicalize_name(n): v for n, v in (pin.split("==") for pin in pins)}


def test_core_is_what_is_imported_and_has_no_tensorflow():
    core = requirements(SETUP["options"]["install_requires"])
    names = {IMPORT_NAMES.get(r.name, r.name.replace("-", "_")) for r in core}
    names = {"absl" if name == "absl_py" else name for name in names}
    assert names == imported() - set(OPTIONAL) - {"jaxlib"}
    for name, extra in OPTIONAL.items():
        package = OTHER_NAMES.get(name, name.replace("_", "-"))
        assert package in {r.name for r in requirements(EXTRAS[extra])}
    assert not any(name.startswith("tensorflow") for name in names)


def test_extras_are_all_there():
    named = {"tfds", "tensorboard", "cuda", "test", "docs", "bench", "notebook"}
    named |= {"export", "ray", "slurm", "fashion", "wandb"}
    assert set(EXTRAS) == named
    for name in named:
        assert f"| `{name}` |" in README


def closure(roots: list[Requirement]) -> Iterator[str]:
    """Names of all that the roots need here, by the installed metadata."""
    seen, queue = set(), [(r, e) for r in roots for e in (r.extras or {""})]
    queue += [(r, "") for r in roots if r.extras]
    while queue:
        requirement, extra = queue.pop()
        key = (canonicalize_name(requirement.name), extra)
        if key in seen:
            continue
        seen.add(key)
        yield key[0]
        for line in importlib.metadata.requires(requirement.name) or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                queue += [(needed, e) for e in {"", *needed.extras}]


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the lock is for 3.11")
def test_lock_holds_all_that_the_tests_need():
    declared = requirements(SETUP["options"]["install_requires"])
    declared += requirements(EXTRAS["tfds"]) + requirements(EXTRAS["tensorboard"])
    declared += [r for r in requirements(EXTRAS["test"]) if r.name != "disentangle"]
    pins = locked()
    for requirement in declared:
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])
    assert set(closure(declared)) - {"setuptools"} <= set(pins)  # not frozen by pip
    assert "tensorflow" not in pins
    assert "tensorflow-cpu" not in pins


def test_every_file_of_the_package_is_shipped():
    data = {
        str(path.relative_to(ROOT))
        for package, names in SETUP["options.package_data"].items()
        for name in names.split()
        for path in ROOT.joinpath(*package.split(".")).glob(name)
    }
    found = [
        path
        for path in (ROOT / "disentangle").rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    ]
    others = {
        str(p.relative_to(ROOT)) for p in found if p.suffix not in (".py", ".pyc")
    }
    assert others == data
    for folder in {p.parent for p in found if p.suffix == ".py"}:
        assert (folder / "__init__.py").exists()


def test_licence_is_the_whole_apache_2():
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE
    assert SETUP["metadata"]["license"] == "Apache-2.0"


def make(folder: Path, *words: str) -> str:
    held = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON", "ARGS")
    environment = {k: v for k, v in os.environ.items() if k not in held}
    command = ["make", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_make_lists_its_targets_and_the_readme_names_no_other():
    text = (ROOT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", text, re.M)[1].split()
    listed = re.findall(r"^make ([\w-]+) +\w", make(ROOT), re.M)
    assert sorted(listed) == sorted(targets)
    named = set(re.findall(r"(?:^|`)make ([\w-]+)", README, re.M))
    assert {"quickstart", "test", "bench", "picture"} <= named <= set(targets)


def test_make_sets_up_once(tmp_path):
    """Installs into nothing, and when a declaration is newer; else it only runs."""
    for name in ("Makefile", "setup.cfg", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    job = "--config=experiments/pipeline.py:dsprites,quick --workdir=runs/quickstart"
    first = make(tmp_path, "-n", "quickstart")
    assert "pip install" in first
    assert job in " ".join(first.replace("\\\n", " ").split())
    (tmp_path / ".venv").mkdir()
    for name in ("setup.cfg", "pyproject.toml", "requirements.lock"):
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / ".venv/.installed").touch()
    assert "pip install" not in make(tmp_path, "-n", "quickstart")
    assert "'.[test]'" in make(tmp_path, "-n", "test")
    (tmp_path / ".venv/.installed-test").touch()
    for target in ("test", "lint"):
        assert "pip install" not in make(tmp_path, "-n", target)
    (tmp_path / "requirements.lock").touch()
    os.utime(tmp_path / "requirements.lock", (2**32, 2**32))
    assert "pip install" in make(tmp_path, "-n", "test")


def test_bench_runs_every_benchmark_beside_the_declared_torch(tmp_path):
    said = make(ROOT, "-n", "bench")
    workers = {
        "__init__",
        "adde_asked",
        "command",
        "figures",
        "kept_lines",
        "slides",
        "study_kills",
    }
    workers |= {"torch_vae", "torch_population"}
    for path in (ROOT / "benchmarks").glob("*.py"):
        assert (path.stem in said) == (path.stem not in workers)
    torch, *_ = requirements(EXTRAS["bench"])
    assert f" {torch} " in (ROOT / "Makefile").read_text()


def test_ci_lints_and_tests():
    path = ROOT / ".ci" / "run"
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", str(path)], check=True)
    text = path.read_text()
    assert "set -euo pipefail" in text
    parts = [text.index(part) for part in (" lint\n", " test\n")]
    assert parts == sorted(parts)


@pytest.mark.slow
def test_make_test_leaves_the_slow_tests_to_test_all():
    quick, everything = make(ROOT, "-n", "test"), make(ROOT, "-n", "test-all")
    assert '-m "not slow"' in quick
    assert "pytest" in everything and "slow" not in everything
    assert SETUP["tool:pytest"]["markers"].strip().startswith("slow:")


def test_readme_links_lead_somewhere():
    links = re.findall(r'src="([^"]+)"|\]\(([^)#]+)\)', README)
    folders = "docs|tests|colab|benchmarks|disentangle"
    named = re.findall(rf"`((?:{folders})/[^` ]*)`", README)
    for path in [a or b for a, b in links] + named:
        assert (ROOT / path).exists(), path
    for image in (ROOT / "docs").glob("*.png"):
        assert image.stat().st_size < 300_000
        assert f"docs/{image.name}" in README
    for name in re.findall(r"-m benchmarks\.(\w+)", README):
        assert (ROOT / "benchmarks" / f"{name}.py").exists(), name


def test_nothing_sends_the_reader_to_somebody_elses_package():
    """The name on the index is not ours: an extra is installed from the clone."""
    for path in (ROOT / "disentangle").rglob("*.py"):
        text = " ".join(path.read_text().replace('"', " ").replace("'", " ").split())
        assert not re.search(r"pip install +disentangle", text), path


def test_readme_recipe_is_the_tested_one():
    assert (ROOT / "tests" / "recipes" / "correlation.py").read_text() in README


def test_images_are_drawn_from_a_finished_job(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "docs")
    monkeypatch.syspath_prepend(ROOT / "tests" / "report")
    from picture import UserError, draw
    from synthetic_workdir import write_pipeline

    with pytest.raises(UserError, match="make quickstart"):
        draw(tmp_path, tmp_path, tmp_path)
    write_pipeline(tmp_path / "job")
    paths = draw(tmp_path / "job", tmp_path / "job", tmp_path)
    assert [path.name for path in paths] == ["affinity.png", "traversals.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_workflows_run_every_python_that_is_declared():
    declared = re.findall(r"Python :: (3\.\d+)", SETUP["metadata"]["classifiers"])
    text = (ROOT / ".github/workflows/tests.yml").read_text()
    (tried,) = re.findall(r"python: \[(.*)\]", text)
    assert re.findall(r"\d+\.\d+", tried) == declared
    (targets,) = re.findall(r"^.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)
    made = {
        word for words in re.findall(r"run: make (.*)", text) for word in words.split()
    }
    assert made - {"PYTHON=python"} <= set(targets.split())


def test_the_console_script_is_the_module():
    (line,) = SETUP["options.entry_points"]["console_scripts"].split("\n")[1:]
    name, _, place = line.partition(" = ")
    module, _, function = place.partition(":")
    assert name == "disentangle"
    assert callable(getattr(importlib.import_module(module), function))
