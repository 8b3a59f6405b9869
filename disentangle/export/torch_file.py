"""Graphs as one PyTorch module file: source that anyone can read, weights beside it.

Nothing here imports torch. The file needs torch and numpy, and nothing of this project.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from disentangle.export.graph import BATCH, Graph, Node

_BINARY = {
    "Add": "+",
    "Sub": "-",
    "Mul": "*",
    "Div": "/",
    "MatMul": "@",
    "Equal": "==",
    "Less": "<",
    "LessOrEqual": "<=",
    "Greater": ">",
    "GreaterOrEqual": ">=",
    "And": "&",
    "Or": "|",
}
_CALLED = {
    "Abs": "torch.abs",
    "Ceil": "torch.ceil",
    "Cos": "torch.cos",
    "Erf": "torch.erf",
    "Exp": "torch.exp",
    "Floor": "torch.floor",
    "Log": "torch.log",
    "Max": "torch.maximum",
    "Min": "torch.minimum",
    "Neg": "torch.neg",
    "Not": "torch.logical_not",
    "Pow": "torch.pow",
    "Reciprocal": "torch.reciprocal",
    "Relu": "functional.relu",
    "Round": "torch.round",
    "Sigmoid": "torch.sigmoid",
    "Sign": "torch.sign",
    "Sin": "torch.sin",
    "Sqrt": "torch.sqrt",
    "Tanh": "torch.tanh",
    "Where": "torch.where",
}
_HEAD = '''"""{title}

Images are float32 (B, {shape}) in [0, 1]; any B.

    from model import {classes}
    codes = Encoder()(images)

Needs torch and numpy. The weights are in model.npz beside this file, under the names of
each module's state_dict.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

WEIGHTS = Path(__file__).with_name("model.npz")


class Part(nn.Module):
    """A network whose arrays are in WEIGHTS under its name."""

    def __init__(self, name):
        super().__init__()
        with np.load(WEIGHTS) as held:
            for key in held.files:
                part, _, own = key.partition(".")
                if part != name:
                    continue
                array = torch.from_numpy(held[key])
                if own.startswith("constant"):
                    self.register_buffer(own, array)
                else:
                    self.register_parameter(own, nn.Parameter(array))
'''
_CLASS = '''

class {title}(Part):
    """{given} (B, {sizes}) -> {found} (B, {results})."""

    def __init__(self):
        super().__init__("{name}")

    def forward(self, {given}):
{lines}
'''


def torch_source(graphs: Mapping[str, Graph], title: str) -> str:
    """The text of model.py.

    Args:
      graphs: "encoder" and, where there is one, "decoder".
      title: of the file, one line.
    """
    shape = graphs["encoder"].shapes[0]
    classes = ", ".join(name.capitalize() for name in graphs)
    text = _HEAD.format(title=title, shape=", ".join(map(str, shape)), classes=classes)
    for name, graph in graphs.items():
        given, found = (", ".join(map(str, sizes)) for sizes in graph.shapes)
        body = _Body(name, graph)
        text += _CLASS.format(
            title=name.capitalize(),
            name=name,
            given=graph.input,
            found="codes" if name == "encoder" else "images",
            sizes=given,
            results=found,
            lines="\n".join(f"        {line}" for line in body.lines()),
        )
    return text


def torch_arrays(graphs: Mapping[str, Graph]) -> dict[str, np.ndarray]:
    """The arrays of model.npz, by part and name."""
    found: dict[str, np.ndarray] = {}
    for part, graph in graphs.items():
        body = _Body(part, graph)
        found |= {f"{part}.{body.own[n]}": a for n, a in graph.constants.items()}
    return found


class _Body:
    """The lines of a forward pass; `own` are the names of the arrays in the module."""

    def __init__(self, part: str, graph: Graph):
        self._graph = graph
        self.own: dict[str, str] = {}
        for name in graph.constants:
            stem = re.sub(r"\W", "_", name.removeprefix(f"{part}."))
            stem = stem.replace("_kernel", "_weight")  # their layout, not ours
            self.own[name] = _other(stem, self.own.values())
        self._names = {n: f"self.{own}" for n, own in self.own.items()}
        self._names[graph.input] = graph.input

    def lines(self) -> list[str]:
        """One line per operation, then the return."""
        lines = []
        for number, node in enumerate(self._graph.nodes, start=1):
            inputs = [self._names[name] for name in node.inputs]
            self._names[node.output] = f"x{number}"
            lines.append(f"x{number} = {self._expression(node, inputs)}")
        return [*lines, f"return {self._names[self._graph.output]}"]

    def _expression(self, node: Node, inputs: list[str]) -> str:
        if node.op in _BINARY:
            return f" {_BINARY[node.op]} ".join(inputs)
        if node.op in _CALLED:
            return f"{_CALLED[node.op]}({', '.join(inputs)})"
        return _WRITTEN[node.op](node, inputs, self._graph.input)


def _other(stem: str, taken: Any) -> str:
    name, count = stem, 0
    while name in taken:
        count += 1
        name = f"{stem}_{count}"
    return name


def _convolution(function: str) -> Callable[[Node, list[str], str], str]:
    def write(node: Node, inputs: list[str], given: str) -> str:
        padding = node.attributes["pads"][0]
        return (
            f"functional.{function}({', '.join(inputs)}, stride=2, padding={padding})"
        )

    return write


def _linear(node: Node, inputs: list[str], given: str) -> str:
    return f"functional.linear({', '.join(inputs)})"


def _permute(node: Node, inputs: list[str], given: str) -> str:
    return f"{inputs[0]}.permute({', '.join(map(str, node.attributes['perm']))})"


def _reshape(node: Node, inputs: list[str], given: str) -> str:
    return f"{inputs[0]}.reshape({', '.join(map(str, node.attributes['shape']))})"


def _expand(node: Node, inputs: list[str], given: str) -> str:
    sizes = [
        f"{given}.shape[0]" if size == BATCH else str(size)
        for size in node.attributes["shape"]
    ]
    return f"{inputs[0]}.expand({', '.join(sizes)})"


def _slice(node: Node, inputs: list[str], given: str) -> str:
    spans = node.attributes["spans"]
    parts = []
    for axis in range(max(spans) + 1):
        start, stop, step = spans.get(axis, (None, None, 1))
        span = ":" if start is None else f"{start}:{stop}"
        parts.append(span if step == 1 else f"{span}:{step}")
    return f"{inputs[0]}[{', '.join(parts)}]"


def _pad(node: Node, inputs: list[str], given: str) -> str:
    pads = node.attributes["pads"]
    rank = len(pads) // 2
    sides = [s for i in reversed(range(rank)) for s in (pads[i], pads[rank + i])]
    return f"functional.pad({inputs[0]}, {sides}, value={inputs[1]}.item())"


def _over_axes(function: str) -> Callable[[Node, list[str], str], str]:
    def write(node: Node, inputs: list[str], given: str) -> str:
        return f"torch.{function}({inputs[0]}, dim={tuple(node.attributes['axes'])})"

    return write


def _over_axis(function: str) -> Callable[[Node, list[str], str], str]:
    def write(node: Node, inputs: list[str], given: str) -> str:
        return f"torch.{function}({inputs[0]}, dim={node.attributes['axis']})"

    return write


def _concat(node: Node, inputs: list[str], given: str) -> str:
    return f"torch.cat([{', '.join(inputs)}], dim={node.attributes['axis']})"


def _cast(node: Node, inputs: list[str], given: str) -> str:
    return f"{inputs[0]}.to(torch.{node.attributes['to']})"


_WRITTEN: dict[str, Callable[[Node, list[str], str], str]] = {
    "ArgMax": _over_axis("argmax"),
    "ArgMin": _over_axis("argmin"),
    "Cast": _cast,
    "Concat": _concat,
    "Conv": _convolution("conv2d"),
    "ConvTranspose": _convolution("conv_transpose2d"),
    "Expand": _expand,
    "Gemm": _linear,
    "Identity": lambda node, inputs, given: inputs[0],
    "Pad": _pad,
    "ReduceMax": _over_axes("amax"),
    "ReduceMin": _over_axes("amin"),
    "ReduceSum": _over_axes("sum"),
    "Reshape": _reshape,
    "Slice": _slice,
    "Transpose": _permute,
}
