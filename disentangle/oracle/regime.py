"""A regime: what the networks of all groups are trained on, and how narrow they are."""

from disentangle.errors import UserError
from disentangle.fields import settings, static
from disentangle.fields.define import WIDEST


@settings
class Regime:
    """One way to train the networks of every group of tasks.

    A number per task is given in the order of the tasks; one number is for all of them.

    Raises:
      UserError: a field is out of its range, or `steps` is not a multiple of `every`.
    """

    tasks: tuple[str, ...] = static(
        (),
        "what is learned, 'FACTOR' or 'FACTOR:KIND' each; () is every factor",
        distinct=True,
    )
    train_size: int = static(
        10_000, "images to train on, other ones for every seed", least=2
    )
    labels: tuple[int, ...] = static(
        (), "how many of them have a label of each task; () is all of them", least=1
    )
    label_noise: tuple[float, ...] = static(
        (),
        "share of the labels of each task that are those of another training image; "
        "() is none",
        least=0,
        most=1,
    )
    pixel_noise: float = static(
        0.0,
        "standard deviation of the noise on training images, in units of the pixels' "
        "own; drawn anew every step",
        least=0,
        most=100,
    )
    pixels: int = static(16, "a side of the pooled images", least=1, most=256)
    hidden: int = static(64, "ReLUs of the encoder", least=1, most=WIDEST)
    latents: int = static(
        3, "z, the size of the linear code that all heads read", least=1, most=WIDEST
    )
    head: int = static(16, "ReLUs of each head", least=1, most=WIDEST)
    learning_rate: float = static(3e-3, "of Adam", above=0, most=1)
    batch_size: int = static(64, "images per step", least=1)
    steps: int = static(2000, "updates of every network", least=1)
    every: int = static(
        100, "steps between two looks at the validation and test images", least=1
    )

    def __post_init__(self) -> None:
        if self.steps % self.every:
            raise UserError(
                f"steps={self.steps} must be a multiple of every={self.every}"
            )


@settings
class Held:
    """The section `held`: the images that no seed trains on, the same for all seeds."""

    validation_size: int = static(
        1000, "images on which each task is stopped", least=1, most=10**6
    )
    test_size: int = static(
        1000, "images that test losses are the mean of", least=1, most=10**6
    )
    split_seed: int = static(0, "chooses them", least=0, most=2**32 - 1)


def per_task(name: str, values: tuple, tasks: int, default: float) -> tuple:
    """The N numbers of a field that has one per task, one for all, or none.

    Raises:
      UserError: it has another number of items.
    """
    if len(values) not in (0, 1, tasks):
        raise UserError(
            f"{name} has {len(values)} numbers for {tasks} tasks: give one per task, "
            "one for all, or none"
        )
    return values if len(values) == tasks else (values or (default,)) * tasks
