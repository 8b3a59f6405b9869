"""What a graph computes, by the definitions of ONNX's operations in NumPy, float64."""

import numpy as np

ONE = {
    "Abs": np.abs,
    "Exp": np.exp,
    "Identity": lambda x: x,
    "Log": np.log,
    "Reciprocal": lambda x: 1 / x,
    "Relu": lambda x: np.maximum(x, 0),
    "Round": np.round,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Sqrt": np.sqrt,
    "Tanh": np.tanh,
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Max": np.maximum,
    "Min": np.minimum,
    "Equal": np.equal,
    "GreaterOrEqual": np.greater_equal,
    "MatMul": np.matmul,
    "Where": np.where,
}


NO_BIAS = np.zeros(1)


def convolution(x, kernel, bias=NO_BIAS, *, pad):
    """Stride 2: y[i] = sum_a x[2 i - pad + a] k[a], from (B, C, H, W), (O, C, k, k)."""
    window = kernel.shape[2]
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    patches = np.lib.stride_tricks.sliding_window_view(x, (window, window), (2, 3))
    found = np.einsum("bchwij,ocij->bohw", patches[:, :, ::2, ::2], kernel)
    return found + bias[:, None, None]


def transposed(x, kernel, bias=NO_BIAS, *, pad):
    """Stride 2: y[2 i - pad + a] += x[i] k[a], from (B, C, H, W), (C, O, k, k)."""
    (count, _, height, width), (_, outputs, window, _) = x.shape, kernel.shape
    sides = (2 * (height - 1) + window, 2 * (width - 1) + window)
    y = np.zeros((count, outputs, *sides))
    for i in range(window):
        for j in range(window):
            share = np.einsum("bchw,co->bohw", x, kernel[:, :, i, j])
            y[:, :, i : i + 2 * height : 2, j : j + 2 * width : 2] += share
    kept = slice(pad, -pad) if pad else slice(None)
    return y[:, :, kept, kept] + bias[:, None, None]


def compute(node, inputs, batch):
    """One operation."""
    x, known = inputs[0], node.attributes
    match node.op:
        case "Conv":
            return convolution(*inputs, pad=known["pads"][0])
        case "ConvTranspose":
            return transposed(*inputs, pad=known["pads"][0])
        case "Gemm":
            return x @ inputs[1].T + inputs[2]
        case "Transpose":
            return x.transpose(known["perm"])
        case "Reshape":
            return x.reshape(known["shape"])
        case "Expand":
            sizes = [batch if n == -1 else n for n in known["shape"]]
            return np.broadcast_to(x, sizes)
        case "Slice":
            spans = [known["spans"].get(i, (None,) * 3) for i in range(x.ndim)]
            return x[tuple(slice(*span) for span in spans)]
        case "Pad":
            low, high = np.reshape(known["pads"], (2, -1))
            pads = [*zip(low, high, strict=True)]
            return np.pad(x, pads, constant_values=inputs[1])
        case "Concat":
            return np.concatenate(inputs, known["axis"])
        case "ReduceSum":
            return x.sum(known["axes"])
        case "ReduceMax":
            return x.max(known["axes"])
        case "ArgMax":
            return x.argmax(known["axis"])
        case "ArgMin":
            return x.argmin(known["axis"])
        case "Cast":
            return x.astype(known["to"])
        case op:
            return ONE[op](*inputs)


def evaluate(graph, x):
    """What the graph gives for inputs (B, ...)."""
    wide = {n: a.astype(np.float64) if a.dtype.kind == "f" else a
            for n, a in graph.constants.items()}  # fmt: skip
    held = wide | {graph.input: x.astype(np.float64)}
    for node in graph.nodes:
        inputs = [held[name] for name in node.inputs]
        held[node.output] = compute(node, inputs, len(x))
    return held[graph.output]
