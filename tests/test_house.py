"""The house holds: who may import what, sizes, docstrings, nothing at import.

A rule takes a parsed module and returns complaints. Every rule is run over the
whole package, and over a small module that breaks it.
"""

import ast
import functools
import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import disentangle

ROOT = Path(__file__).resolve().parents[1]
FILE_LINES, FUNCTION_LINES = 350, 60

# Room -> the rooms it may import, besides itself. A new room needs a row.
BELOW = {
    "errors": (),
    "versions": ("__version__",),
    "progress": ("errors",),
    "processes": (),
    "files": ("errors", "processes"),
    "fields": ("errors",),
    "records": ("errors", "files"),
    "data": ("errors", "files", "progress"),
    "nn": ("errors",),
    "metrics": ("errors", "versions", "retrieval"),
    "affinity": ("errors", "files"),
    "weightings": (),
    "methods": ("errors", "fields", "data", "nn", "weightings"),
    "retrieval": ("errors", "files", "data"),
    "editing": ("errors", "files", "records", "data", "retrieval"),
    "training": (
        *("errors", "fields", "files", "records", "progress"),
        *("data", "nn", "methods", "weightings"),
    ),
}
BELOW["export"] = (*BELOW["training"], "training", "versions")
BELOW["oracle"] = (
    *BELOW["training"],
    "training",
    *BELOW["metrics"],
    "metrics",
    "affinity",
)
BELOW["statistics"] = ("errors",)
BELOW["study"] = (
    *BELOW["oracle"],
    *("oracle", "export", "statistics", "editing", "processes"),
)
BELOW["report"] = (*BELOW["study"], "study")
BELOW["commands"] = (*BELOW["report"], "report")
BELOW["__main__"] = (*BELOW["commands"], "commands")
BELOW["api"] = BELOW["report"]  # the notebook API draws nothing
BELOW["__init__"] = ("api",)

# Library -> where it may be imported: a room, or one module of it.
HOMES = {
    "flax": ("nn",),
    "optax": ("methods", "training", "oracle"),
    "orbax": ("training.checkpoint", "training.orbax_context"),
    "clu": ("training.writers",),
    "tensorboard": ("training.loggers.tensorboard",),
    "wandb": ("training.loggers.wandb",),
    "sklearn": ("metrics",),
    "joblib": ("metrics",),
    "threadpoolctl": ("metrics",),
    "scipy": ("data.cars3d", "metrics", "affinity", "oracle", "statistics"),
    "matplotlib": ("report",),
    "jinja2": ("report",),
    "pandas": ("statistics", "study", "report"),
    "pyarrow": ("oracle.long_form", "study.sweeps.table"),
    "h5py": ("data",),
    "PIL": ("data", "training.loggers.tensorboard"),
    "cv2": ("data",),
    "tqdm": ("progress",),
    "tensorflow_datasets": ("data",),
    "array_record": ("data",),
    "absl": ("__main__",),
    "filelock": ("training.workdir",),
    "msgspec": ("files",),
    "onnx": ("export",),
    "safetensors": ("export",),
    "flatbuffers": ("export",),
    "tensorflow": (),
    "torch": (),
    "ray": ("study.sweeps.executors.ray",),
    "submitit": ("study.sweeps.executors.slurm",),
}

REGISTRIES = {
    "METHODS": "methods",
    "WEIGHTINGS": "weightings",
    "LIKELIHOODS": "methods.likelihood",
    "KINDS": "methods.tasks",
    "TC_ESTIMATORS": "methods.total_correlation",
    "KERNELS": "methods.info_vae",
    "STATISTICS": "methods.info_vae",
    "METRICS": "metrics",
    "STUDIES": "report.studies",
    "EXECUTORS": "study.sweeps.executors",
    "BACKENDS": "metrics.trees",
    "ESTIMATORS": "affinity",
    "ONE_MODEL": "affinity",
    "FROM_GROUPS": "affinity",
    "DATASETS": "data",
    "ENCODERS": "nn.encoders",
    "DECODERS": "nn.decoders",
    "GENERATORS": "nn.generators",
    "CRITICS": "nn.critics",
    "GAN_LOSSES": "methods.gan_losses",
    "OPTIMIZERS": "training.optimizers",
    "SECTIONS": "report.page",
    "TASKS": "retrieval",
    "REFERENCES": "editing.references",
    "EDITORS": "study.editors",
    "ORACLES": "study.judges",
    "COMMANDS": "commands",
    "FORMATS": "export",
    "LOGGERS": "training.loggers",
}

# **fields are for these only; what checks their names stands behind each.
CHECKED_FIELDS = {
    "training.run.train",  # method_defaults
    "study.networks.training_config",  # read_experiment
    "report.page._render",  # jinja2.StrictUndefined
}


class Module(NamedTuple):
    """One file, parsed: "data.space", "data" for its __init__, "" for the root's."""

    name: str
    source: str

    @property
    def tree(self) -> ast.Module:
        return parsed(self.source)

    @property
    def room(self) -> str:
        return self.name.partition(".")[0] or "__init__"


@functools.cache
def parsed(source: str) -> ast.Module:
    """Once for all rules; they only look."""
    return ast.parse(source)


def read_modules() -> list[Module]:
    found = []
    for path in sorted((ROOT / "disentangle").rglob("*.py")):
        parts = path.relative_to(ROOT / "disentangle").with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Module(name, path.read_text()))
    return found


MODULES = read_modules()


def imports(module: Module) -> Iterator[str]:
    """Full dotted names, `from a import b` as a.b; also those inside functions."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module}.{a.name}" for a in node.names)


def points_down(module: Module) -> Iterator[str]:
    if module.room not in BELOW:
        yield f"{module.room} is no room of the house"
        return
    for name in imports(module):
        first, _, rest = name.partition(".")
        if not first:
            yield "relative import"
        target = rest.partition(".")[0]
        allowed = (module.room, *BELOW[module.room])
        if first == "disentangle" and target not in allowed:
            yield f"{module.room} imports {name}"


def lives_at_home(module: Module) -> Iterator[str]:
    for name in imports(module):
        homes = HOMES.get(name.partition(".")[0])
        if homes is not None and not {module.name, module.room} & set(homes):
            yield f"imports {name}, whose home is {homes or 'outside'}"


def is_documented(module: Module) -> Iterator[str]:
    def check(node: ast.AST, name: str) -> Iterator[str]:
        if not ast.get_docstring(node):
            yield f"{name or 'the file'} has no docstring"
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inside = isinstance(node, ast.FunctionDef)
                if not child.name.startswith("_") and not inside:
                    yield from check(child, f"{name}.{child.name}".strip("."))

    yield from check(module.tree, "")


def is_small(module: Module) -> Iterator[str]:
    lines = len(module.source.splitlines())
    if lines > FILE_LINES:
        yield f"{lines} lines"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef):
            count = span(node)
            if ast.get_docstring(node):
                count -= span(node.body[0])
            if count > FUNCTION_LINES:
                yield f"{node.name} has {count} lines"


def span(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def has_literal_registries(module: Module) -> Iterator[str]:
    for node in module.tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (t.id for t in targets if isinstance(t, ast.Name)):
                if REGISTRIES.get(name) == module.name and not (
                    isinstance(node.value, ast.Dict) and all(node.value.keys)
                ):
                    yield f"{name} is no dict literal"
    for node in ast.walk(module.tree):
        match node:
            case ast.Subscript(ast.Name(name), ctx=ast.Store() | ast.Del()):
                pass
            case ast.Attribute(ast.Name(name), "update" | "setdefault"):
                pass
            case _:
                continue
        if name in REGISTRIES:
            yield f"{name} is changed in line {node.lineno}"


def passes_nothing_on(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.FunctionDef) or not node.args.kwarg:
            continue
        if f"{module.name}.{node.name}" not in CHECKED_FIELDS:
            yield f"{node.name} takes **{node.args.kwarg.arg}"


def has_no_magic(module: Module) -> Iterator[str]:
    """No import by name, no eval, and jax.config is the command line's.

    The package itself reads its API when a name of it is first used (PEP 562).
    """
    for node in ast.walk(module.tree if module.name else ast.Pass()):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            banned = ("eval", "exec", "__import__", "importlib.import_module")
            if name in banned or (name == "getattr" and len(node.args) < 3):
                yield f"calls {name}"
            if name.startswith("jax.config") and module.room != "__main__":
                yield f"calls {name}"


def does_not_print(module: Module) -> Iterator[str]:
    if module.room in ("commands", "__main__"):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
            yield f"prints in line {node.lineno}"


RULES = {
    "points_down": points_down,
    "lives_at_home": lives_at_home,
    "is_documented": is_documented,
    "is_small": is_small,
    "has_literal_registries": has_literal_registries,
    "passes_nothing_on": passes_nothing_on,
    "has_no_magic": has_no_magic,
    "does_not_print": does_not_print,
}

LONG = "def f():\n" + "    x = 1\n" * FUNCTION_LINES
BAD = [
    ("points_down", "data.x", "from disentangle.training.run import train"),
    ("points_down", "data.x", "from disentangle import training"),
    ("points_down", "data.x", "import disentangle.methods.vae"),
    ("points_down", "metrics.x", "from disentangle.data.space import Factor"),
    ("points_down", "affinity.x", "from disentangle.metrics import score"),
    ("points_down", "training.x", "def f():\n    import disentangle.study"),
    ("points_down", "study.x", "from disentangle.report import write_report"),
    ("points_down", "", "from disentangle.report import write_report"),
    ("points_down", "nn.x", "from . import net"),
    ("points_down", "utils.x", "import os"),
    ("lives_at_home", "methods.x", "from flax import linen"),
    ("lives_at_home", "training.loop", "import orbax.checkpoint"),
    ("lives_at_home", "study.x", "def f():\n    from sklearn import tree"),
    ("lives_at_home", "study.x", "import matplotlib.pyplot"),
    ("lives_at_home", "training.x", "import tensorflow_datasets as tfds"),
    ("lives_at_home", "commands", "from absl import flags"),
    ("lives_at_home", "data.x", "import tensorflow"),
    ("is_documented", "data.x", "import os"),
    ("is_documented", "data.x", '"""File."""\ndef f(): pass'),
    ("is_documented", "data.x", '"""File."""\nclass A:\n    "A."\n    def f(s): 0'),
    ("is_small", "data.x", "\n" * (FILE_LINES + 1)),
    ("is_small", "data.x", LONG),
    ("has_literal_registries", "methods", "METHODS = dict(a=1)"),
    ("has_literal_registries", "methods", "METHODS: dict = {**a, 'b': 1}"),
    ("has_literal_registries", "methods.x", "METHODS['new'] = 1"),
    ("has_literal_registries", "methods.x", "METHODS.update(new=1)"),
    ("passes_nothing_on", "data.x", "def f(**kwargs): g(**kwargs)"),
    ("has_no_magic", "data.x", "importlib.import_module(name)"),
    ("has_no_magic", "data.x", "getattr(module, name)"),
    ("has_no_magic", "data.x", "jax.config.update('jax_enable_x64', True)"),
    ("does_not_print", "study.x", "def f(): print(1)"),
]


@pytest.mark.parametrize("rule", RULES)
def test_every_module_keeps_the_rule(rule):
    complaints = [
        f"disentangle/{module.name.replace('.', '/')}: {complaint}"
        for module in MODULES
        for complaint in RULES[rule](module)
    ]
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize(("rule", "name", "source"), BAD)
def test_the_rule_can_fail(rule, name, source):
    assert list(RULES[rule](Module(name, source)))


def test_every_rule_is_shown_to_fail_and_every_registry_exists():
    assert {rule for rule, _, _ in BAD} == set(RULES)
    defined = {
        (target.id, module.name)
        for module in MODULES
        for node in module.tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    assert set(REGISTRIES.items()) <= defined


IMPORT = """
import json, sys
import disentangle
from jax._src import xla_bridge
print(json.dumps([xla_bridge.backends_are_initialized(), list(sys.modules)]))
"""


def test_importing_does_nothing(tmp_path):
    """No device asked for, no heavy library, no file: in a fresh process."""
    nowhere = {"HOME": str(tmp_path), "DISENTANGLE_CACHE": str(tmp_path / "cache")}
    nowhere |= {"XDG_CACHE_HOME": str(tmp_path / "xdg")}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT],
        env=os.environ | nowhere,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    initialised, modules = json.loads(done.stdout)
    assert not initialised
    heavy = "sklearn numba matplotlib jinja2 tensorflow_datasets tensorflow"
    assert not {*heavy.split(), "tensorboard"} & set(modules)
    assert "jax" in modules  # the list is one of modules at all
    assert not list(tmp_path.iterdir())


# Written in two parts each, so that this file keeps its own rules.
MACHINE = re.compile(rf"(?<![\w.])/({'|'.join(('work', 'root', 'home', 'mnt'))})/")
HOSTS = re.compile(
    "|".join(
        "\\.".join(words)
        for words in (
            ("pypi", "org"),
            ("python" + "hosted", "org"),
            ("anaconda", "org"),
            ("pytorch", "org", "?/whl"),
        )
    )
)
UNFINISHED = re.compile(rf"\b({'TO' + 'DO'}|{'FIX' + 'ME'}|{'XX' + 'X'})\b")
TEXT = (".py", ".ipynb", ".md", ".html", ".cfg", ".toml", ".lock", ".json", ".csv")
FOLDERS = ("disentangle", "tests", "benchmarks", "experiments", "colab", "docs", ".ci")


def text_files() -> list[Path]:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    found += [path for path in ROOT.iterdir() if not path.name.startswith(".")]
    named = ("Makefile", "run", "LICENSE")
    return sorted(
        path
        for path in found
        if path.is_file() and (path.suffix in TEXT or path.name in named)
    )


@pytest.mark.parametrize("pattern", [MACHINE, HOSTS, UNFINISHED], ids="mhu")
def test_no_file_names_this_machine_a_registry_or_unfinished_work(pattern):
    files = text_files()
    assert len(files) > len(MODULES)
    hits = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]
    assert not hits, "\n".join(hits)


def test_the_patterns_can_fail():
    assert MACHINE.search("open('/" + "work/main/x')")
    assert not MACHINE.search("framework/main")
    assert HOSTS.search("https://files.python" + "hosted.org/simple")
    assert UNFINISHED.search("# TO" + "DO: later")
    assert not UNFINISHED.search("the method")


def test_a_name_that_is_read_late_is_no_module_of_its_package():
    """Once the module is imported it would stand for the name: `study.survey` did."""
    for info in pkgutil.iter_modules(disentangle.__path__):
        package = importlib.import_module(f"disentangle.{info.name}")
        if "__getattr__" in vars(package):
            modules = {found.name for found in pkgutil.iter_modules(package.__path__)}
            assert not modules & set(package.__all__), info.name
