"""TensorBoard: scalars, images and hyperparameters, one run per member.

TensorBoard's own event files and protocol buffers; TensorFlow is not needed.
"""

import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from disentangle.errors import UserError
from disentangle.training.writers import Images, Values, Writer


def library() -> Any:
    """tensorboard's summaries; UserError without the extra."""
    try:
        from tensorboard import summary
    except ImportError:
        raise UserError(
            "TensorBoard logging needs the extra: pip install -e '.[tensorboard]'"
        ) from None
    return summary


class TensorBoardWriter(Writer):
    """Event files in a folder per member.

    Vectors stay in metrics.jsonl. After a stop the values of some steps come twice;
    TensorBoard shows the last ones.

    Args:
      folder: of the folders of the members.
    """

    def __init__(self, folder: Path):
        summary = library()
        self._make = lambda member: summary.Writer(str(folder / member))
        self._folder = folder
        self._scalars: dict[str, Any] = {}
        self._events: dict[str, Any] = {}

    @classmethod
    def of(cls, workdir: Path, ids: Mapping[str, str]) -> "TensorBoardWriter":
        """The writer of a run: `workdir`/tensorboard."""
        del ids
        return cls(workdir / "tensorboard")

    def write_scalars(self, step: int, split: str, rows: Mapping[str, Values]) -> None:
        """Writes the scalars of every member."""
        for member, values in rows.items():
            if member not in self._scalars:
                self._scalars[member] = self._make(member)
            for name, value in values.items():
                if np.ndim(value) == 0:
                    tag = f"{split}/{name}"
                    self._scalars[member].add_scalar(tag, float(value), step)

    def write_images(self, step: int, split: str, rows: Mapping[str, Images]) -> None:
        """Writes the images of every member, as PNG."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        for member, images in rows.items():
            for name, image in images.items():
                height, width, channels = image.shape
                shown = Summary.Image(
                    height=height,
                    width=width,
                    colorspace=channels,
                    encoded_image_string=png(image),
                )
                value = Summary.Value(tag=f"{split}/{name}", image=shown)
                self._write(member, Summary(value=[value]), step)

    def write_hyperparameters(self, rows: Mapping[str, Values]) -> None:
        """Writes what the HParams page shows of every member."""
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        for member, values in rows.items():
            self._write(member, hparams_pb(dict(values), trial_id=member), 0)

    def _write(self, member: str, summary: Any, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        if member not in self._events:
            place = str(self._folder / member)
            self._events[member] = EventFileWriter(place, filename_suffix=".images")
        event = Event(summary=summary, step=step, wall_time=time.time())
        self._events[member].add_event(event)

    def flush(self) -> None:
        """Flushes every run."""
        for writer in (*self._scalars.values(), *self._events.values()):
            writer.flush()

    def close(self) -> None:
        """Closes every run."""
        for writer in (*self._scalars.values(), *self._events.values()):
            writer.close()


def png(image: np.ndarray) -> bytes:
    """An image (H, W, 1 or 3) uint8 as a PNG file."""
    from PIL import Image

    held = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(held, "PNG")
    return held.getvalue()
