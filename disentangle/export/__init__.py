"""Trained models for other programs: one function and one line per format.

Every format takes and gives what `Run.encode` and `Run.decode` do for one model: images
float32 (B, H, W, C) in [0, 1] to codes (B, D), and back; any B.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from disentangle.data.cache import writable_folder
from disentangle.errors import UserError, unknown
from disentangle.export.facts import Facts, facts_of, title
from disentangle.export.onnx_file import onnx_bytes, onnx_library
from disentangle.export.parts import graphs_of, params_of, parts_of
from disentangle.export.stablehlo import flatbuffers_library, stablehlo_bytes
from disentangle.export.torch_file import torch_arrays, torch_source
from disentangle.export.weights import SUFFIX, library, model_bytes, read_model
from disentangle.files import write_arrays, write_bytes, write_text
from disentangle.training.trained import Run

__all__ = [
    "FORMATS",
    "Facts",
    "export_run",
    "facts_of",
    "model_bytes",
    "read_model",
]

LONGEST = 100  # characters of a member's name that names a folder


class Format(NamedTuple):
    """A row of FORMATS.

    Attributes:
      write: (run, place of the model, folder) -> the files written.
      needs: raises UserError where what it is written with is not installed.
      summary: one line for people.
    """

    write: Callable[[Run, int, Path], list[Path]]
    needs: Callable[[], object]
    summary: str


def write_safetensors(run: Run, index: int, folder: Path) -> list[Path]:
    """model.safetensors: all arrays, and what `read_model` needs."""
    path = folder / f"model{SUFFIX}"
    write_bytes(path, model_bytes(run, index))
    return [path]


def write_stablehlo(run: Run, index: int, folder: Path) -> list[Path]:
    """encoder.stablehlo and decoder.stablehlo, for `jax.export.deserialize`."""
    params, written = params_of(run, index), []
    for part in parts_of(run):
        written.append(folder / f"{part.name}.stablehlo")
        data = stablehlo_bytes(part.function, params, part.shape)
        write_bytes(written[-1], data)
    return written


def write_onnx(run: Run, index: int, folder: Path) -> list[Path]:
    """encoder.onnx and decoder.onnx, opset 17."""
    facts, written = dataclasses.asdict(facts_of(run, index)), []
    for name, graph in graphs_of(run, index, "onnx").items():
        written.append(folder / f"{name}.onnx")
        write_bytes(written[-1], onnx_bytes(graph, facts))
    return written


def write_torch(run: Run, index: int, folder: Path) -> list[Path]:
    """model.py, a PyTorch module per part, and model.npz, their weights."""
    graphs = graphs_of(run, index, "torch")
    source, weights = folder / "model.py", folder / "model.npz"
    write_arrays(weights, torch_arrays(graphs))
    write_text(source, torch_source(graphs, title(run, index)))
    return [source, weights]


FORMATS: dict[str, Format] = {
    "safetensors": Format(write_safetensors, library, "arrays; dt.load_model reads it"),
    "stablehlo": Format(
        write_stablehlo, flatbuffers_library, "programs of jax.export: cpu, cuda, tpu"
    ),
    "onnx": Format(write_onnx, onnx_library, "graphs for ONNX runtimes, opset 17"),
    "torch": Format(write_torch, lambda: None, "a PyTorch module and its weights"),
}


def export_run(
    run: Run, out: Path, format: str, member: str | int | None = None
) -> list[Path]:
    """Writes the models of a run for other programs.

    Args:
      run: trained models; those that diverged are passed over.
      out: folder, made if missing; files in it are replaced. Of several models each
        has a folder in it, by its name (its id where that is long).
      format: a key of FORMATS.
      member: one model alone: its place, name or id.

    Returns:
      The files written; each appears when it is complete.

    Raises:
      UserError: an unknown format or model, a package that is missing, a part of the
        method that cannot be written, a folder that cannot be written, or there is no
        living model.
    """
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    FORMATS[format].needs()
    living = [i for i in range(len(run.members)) if run.alive[i]]
    chosen = living if member is None else [place_of(run, member)]
    if not chosen:
        raise UserError("all models of the run diverged: there is nothing to write")
    folder, written = writable_folder(out), []
    for index in chosen:
        alone = member is not None or len(run.members) == 1
        own = folder if alone else writable_folder(folder / folder_of(run, index))
        written += FORMATS[format].write(run, index, own)
    return written


def place_of(run: Run, member: str | int) -> int:
    """The place of the model that is named by its name, its id or its place."""
    named = [name for one in run.population for name in (one.name, one.id)]
    is_place = str(member).lstrip("-").isdigit() and member not in named
    return run.index(int(member) if is_place else member)


def folder_of(run: Run, index: int) -> str:
    """The name of a model as that of a folder."""
    one = run.population[index]
    return one.name if len(one.name) <= LONGEST else one.id
