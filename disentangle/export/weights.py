"""One model as one `.safetensors` file, and back: arrays by name, and its `Facts`.

The header's metadata is one JSON string, "disentangle"; other programs see the arrays,
named as "encoder.Conv_0.kernel", in this project's layouts (nn/conv.py).
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.precision import float32
from disentangle.errors import UserError
from disentangle.export.facts import Facts, facts_of
from disentangle.export.parts import params_of
from disentangle.export.trace import path_name
from disentangle.files import parse_json, place, read_bytes, reading
from disentangle.methods.base import init
from disentangle.training import older
from disentangle.training.build import build_method
from disentangle.training.config import read_experiment
from disentangle.training.trained import Run

SUFFIX = ".safetensors"
_KEY = "disentangle"  # of the metadata


def library() -> Any:
    """safetensors; UserError without the extra."""
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        raise UserError(
            "safetensors files need the extra: pip install -e '.[export]'"
        ) from None
    return safetensors


def model_bytes(run: Run, index: int, facts: Facts | None = None) -> bytes:
    """The file of one model.

    Args:
      run: trained models.
      index: the model's place in it.
      facts: what is written beside the arrays; None for `facts_of`.

    Raises:
      UserError: the model diverged, or safetensors is not installed.
    """
    leaves = jax.tree_util.tree_leaves_with_path(params_of(run, index))
    arrays = {path_name(path): np.ascontiguousarray(leaf) for path, leaf in leaves}
    found = facts or facts_of(run, index)
    text = dataclasses.replace(found, digest=digest(arrays)).text()
    data: bytes = library().numpy.save(arrays, metadata={_KEY: text})
    return data


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Hash of arrays by name: 16 hexadecimal digits."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        found.update(f"{name} {array.dtype} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


@float32()
def read_model(path: str | Path) -> Run:
    """The model in a `.safetensors` file, as a Run of one.

    It encodes, decodes and samples as the run that it was in; `workdir` is None.

    Raises:
      UserError: there is no such file, it is damaged, or holds no model of this
        project.
    """
    found = place(path, "path of a model")
    facts, arrays = read_parts(found)
    config = older.completed(facts.config)
    try:
        experiment = read_experiment(config)
        spec = facts.data.spec()
        method = build_method(experiment.recipe, experiment.settings, spec)
        like = jax.eval_shape(lambda: init(method, key=jax.random.key(0)))
    except UserError as error:
        raise UserError(f"{found} holds no model that can be read: {error}") from None
    return Run(
        config=experiment.config,
        population=experiment.population,
        method=method,
        params=_filled(found, like, arrays),
        alive=np.ones(1, bool),
        step=facts.step,
        spec=spec,
        observed={},
        before=facts.before,
        learned=facts.learned,
    )


def read_parts(path: Path) -> tuple[Facts, dict[str, np.ndarray]]:
    """The facts and arrays of a file; errors as `read_model`."""
    safetensors, data = library(), read_bytes(path)
    try:
        arrays = safetensors.numpy.load(data)
        with safetensors.safe_open(path, framework="numpy") as held:
            metadata = held.metadata() or {}
    except safetensors.SafetensorError as error:
        raise UserError(f"{path} is not a safetensors file: {error}") from None
    if _KEY not in metadata:
        raise UserError(f"{path} holds no model of this project: it has no {_KEY!r}")
    facts = parse_json(metadata[_KEY].encode(), path, Facts)
    if digest(arrays) != facts.digest:
        raise UserError(
            f"{path} is damaged: its arrays are not those that were written"
        )
    return facts, arrays


def _filled(path: Path, like: Any, arrays: dict[str, np.ndarray]) -> Any:
    """The tree `like` of arrays by name, with a population axis of one."""
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [path_name(own) for own, _ in leaves]
    with reading(path, "holds no model of its config"):
        for name, (_, leaf) in zip(names, leaves, strict=True):
            if arrays[name].shape != leaf.shape:
                raise UserError(
                    f"{name} has shape {arrays[name].shape}, not {leaf.shape}"
                )
        held = [jnp.asarray(arrays[name])[None] for name in names]
    return jax.tree.unflatten(tree, held)
