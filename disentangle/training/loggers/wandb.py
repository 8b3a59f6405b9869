"""Weights & Biases: one run per member, in the mode that WANDB_MODE says.

`WANDB_MODE=offline` writes to `<workdir>/wandb` alone, and `wandb sync` sends it later.
The project is WANDB_PROJECT, "disentangle" where that is not set. A run that goes on
after a stop goes on there too: its id is that of the workdir's path and the member.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from disentangle.errors import UserError
from disentangle.training.writers import Images, Values, Writer


def library() -> Any:
    """wandb; UserError without the extra."""
    try:
        import wandb
    except ImportError:
        raise UserError(
            "Weights & Biases logging needs the extra: pip install -e '.[wandb]'"
        ) from None
    return wandb


class WandbWriter(Writer):
    """A run of Weights & Biases per member.

    Args:
      folder: the workdir.
      ids: name -> id of the members.
    """

    def __init__(self, folder: Path, ids: Mapping[str, str]):
        self._wandb, self._folder, self._ids = library(), folder, dict(ids)
        self._runs: dict[str, Any] = {}
        self._own: dict[str, dict[str, Any]] = {}

    def write_hyperparameters(self, rows: Mapping[str, Values]) -> None:
        """Keeps them for the config of each run, which begins with its numbers."""
        self._own |= {member: dict(values) for member, values in rows.items()}

    def write_scalars(self, step: int, split: str, rows: Mapping[str, Values]) -> None:
        """Writes the scalars of every member (vectors stay in metrics.jsonl)."""
        for member, values in rows.items():
            flat = {n: float(v) for n, v in values.items() if np.ndim(v) == 0}
            self._log(member, step, {f"{split}/{name}": v for name, v in flat.items()})

    def write_images(self, step: int, split: str, rows: Mapping[str, Images]) -> None:
        """Writes the images of every member."""
        for member, images in rows.items():
            shown = {
                f"{split}/{name}": self._wandb.Image(
                    image[..., 0] if image.shape[2] == 1 else image
                )
                for name, image in images.items()
            }
            self._log(member, step, shown)

    def close(self) -> None:
        """Ends every run."""
        for run in self._runs.values():
            run.finish()
        self._runs = {}

    def _log(self, member: str, step: int, values: dict[str, Any]) -> None:
        """Under a step of our own: theirs only grows, and a resumed run goes back."""
        if member not in self._runs:
            self._runs[member] = self._begun(member)
        self._runs[member].log({"step": step, **values})

    def _begun(self, member: str) -> Any:
        place = hashlib.sha256(str(self._folder.absolute()).encode()).hexdigest()[:8]
        try:
            run = self._wandb.init(
                project=os.environ.get("WANDB_PROJECT", "disentangle"),
                name=member,
                id=f"{place}-{self._ids.get(member, member)}",
                dir=str(self._folder),
                config=self._own.get(member, {}),
                resume="allow",
                reinit="create_new",
                settings=self._wandb.Settings(silent=True, console="off"),
            )
        except self._wandb.errors.Error as error:
            raise UserError(f"Weights & Biases: {error}") from None
        run.define_metric("*", step_metric="step")
        return run
