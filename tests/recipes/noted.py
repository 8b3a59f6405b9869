"""A logger: one line of text per value, in a file of the run's."""

from pathlib import Path

from disentangle.training.loggers import Logger
from disentangle.training.writers import Writer

FILE = "noted.txt"


class NotedWriter(Writer):
    """Appends "member name value" per scalar and per hyperparameter."""

    def __init__(self, folder: Path, ids):
        del ids
        self.path = folder / FILE

    def write_scalars(self, step, split, rows):
        """A line per scalar."""
        named = {m: {f"{split}/{k}": v for k, v in r.items()} for m, r in rows.items()}
        self.write_hyperparameters(named)

    def write_images(self, step, split, rows):
        """A line per image: its shape."""
        shapes = {m: {k: v.shape for k, v in r.items()} for m, r in rows.items()}
        self.write_scalars(step, split, shapes)

    def write_hyperparameters(self, rows):
        """A line per field."""
        with self.path.open("a") as file:
            for member, values in rows.items():
                for name, value in values.items():
                    file.write(f"{member} {name} {value}\n")


LOGGER = Logger(NotedWriter)
