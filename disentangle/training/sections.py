"""The sections of a training config that every method has: data, and the run itself.

Those of methods stand in methods/, those of optimisers in training/optimizers.py.
"""

from disentangle.data import SOURCES
from disentangle.errors import UserError
from disentangle.fields import settings, static
from disentangle.methods.base import LOCATELLO

MEMBERS = 100_000  # models of one run
SEEDS = 2**32  # seeds are uint32 on the device


@settings
class Source:
    """Where a data set comes from; what the names mean is asked when it is loaded."""

    name: str = static("", "the data set")
    path: str = static("", "its published file or folder; '' renders it")
    source: str = static(
        "", "how it is read; '' goes by the path", choices=("", *SOURCES)
    )
    size: int = static(
        0, "pixels of a side that images are made small to; 0 leaves them", least=0
    )


@settings
class Data(Source):
    """The section `data`: what is trained and tested on."""

    train_size: int = static(
        0, "labelled images to train on; 0 is the whole grid", least=0
    )
    test_size: int = static(2000, "images that test losses are the mean of", least=1)
    split_seed: int = static(
        0, "which images are trained and tested on", least=0, most=2**64 - 1
    )
    split: str = static(
        "",
        "the training images of data/worlds.py that they are of, such as 'rand' or "
        "'comp'; 'published' is the part that a data set was published with; '' is the "
        "whole data set",
    )


@settings
class Run:
    """The fields of a training config that stand in no section."""

    steps: int = static(
        20_000, "updates of every model", source=f"{LOCATELLO}: 300,000", least=1
    )
    batch_size: int = static(64, "images per step", source=LOCATELLO, least=1)
    seed: int = static(0, "the first seed", least=0, most=SEEDS - 1)
    seeds: int = static(
        1, f"models with seeds from `seed` on, at most {MEMBERS:,}", least=1
    )
    log_every: int = static(100, "steps per line of the log", least=1)
    eval_every: int = static(1000, "steps between test losses; 0 is never", least=0)
    checkpoint_every: int = static(1000, "steps between checkpoints", least=1)
    init_from: str = static(
        "",
        "a run, or an .npz of torchvision's weights, whose parameters it starts with, "
        "by path and shape; '' is fresh",
    )
    stages: tuple[dict, ...] = static(
        (), "what each stage has otherwise, field -> value; () is one stage"
    )

    def __post_init__(self) -> None:
        if self.seeds > MEMBERS:
            raise UserError(
                f"seeds={self.seeds} are more models than one run takes, {MEMBERS:,}"
            )
        if self.seed + self.seeds > SEEDS:
            raise UserError(
                f"seed={self.seed} with seeds={self.seeds} goes beyond 32 bits"
            )
