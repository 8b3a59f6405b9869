"""Published weights as a start: an .npz of torchvision's AlexNet or ResNet18.

```python
run = dt.train("adde", data, encoder="resnet18", init_from="resnet18.npz", ...)
```

PyTorch's own files need PyTorch to be read; where it is, this makes an .npz of one:

```python
weights = torch.load("resnet18.pth", weights_only=True)
np.savez("resnet18.npz", **{name: x.numpy() for name, x in weights.items()})
```
"""

from pathlib import Path

import jax
import numpy as np

from disentangle.errors import UserError
from disentangle.files import read_arrays
from disentangle.nn.backbones import NAMES, from_torchvision
from disentangle.training.init_from import Given, table

TORCH = (".pth", ".pt", ".bin")


def read_weights(path: Path) -> Given:
    """The encoder of one model, from a file of arrays by their torch names.

    The names say which network they are of; the classes' layer is ignored.

    Raises:
      UserError: another kind of file, or arrays of neither network; see
        `nn.backbones.from_torchvision`.
    """
    if path.suffix in TORCH:
        raise UserError(
            f"init_from {path}: only PyTorch reads this; np.savez its arrays by their "
            "names, as training/weight_files.py says, and give the .npz"
        )
    if path.suffix != ".npz":
        raise UserError(
            f"init_from {path}: must be the workdir of a run, or an .npz of the arrays "
            f"of torchvision's {' or '.join(NAMES)}"
        )
    arrays = read_arrays(path)
    name = max(NAMES, key=lambda name: _found(name, arrays))
    if not _found(name, arrays):
        raise UserError(
            f"init_from {path}: its arrays are named unlike those of torchvision's "
            f"{' or '.join(NAMES)}: {', '.join(list(arrays)[:4])}"
        )
    try:
        held = from_torchvision(name, arrays)
    except UserError as error:
        raise UserError(f"init_from {path}: {error}") from None
    one = lambda tree: {"encoder": jax.tree.map(lambda x: x[None], tree)}
    state = one(held.state) if held.state else {}
    return Given(table(one(held.params), state), (path.name,), np.ones(1, bool))


def _found(name: str, arrays: dict[str, np.ndarray]) -> int:
    """How many of a network's arrays are there."""
    return sum(theirs in arrays for theirs, _ in NAMES[name]().values())
