r"""S2-: an unsupervised method that also sees a few labels (Locatello et al. 2020).

"Disentangling factors of variation using few labels" (ICLR 2020), section 4:

$$
\mathcal{L} = \mathcal{L}_{\mathrm{unsupervised}} + \gamma_{\mathrm{sup}} R_s(\mu(x), y)
$$

R_s the distance of the posterior means of labelled images from their labels
(label_losses.py). It is composed of whole methods: `with_labels` takes the recipe of
one and gives that of its S2 variant, with the same fields and four more.

The labels are exact and complete, and gamma_sup is constant; that paper also studies
binned, noisy, permuted and missing labels, and its code can let gamma_sup grow.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.data.samplers import (
    Batch,
    Collate,
    Split,
    named,
    part,
    shuffled,
    take,
)
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import settings as settings_class
from disentangle.fields import static, swept
from disentangle.methods.base import Loss, Method, Params, Recipe
from disentangle.methods.label_losses import LABEL_LOSSES, LabelLoss
from disentangle.methods.tasks import refuse_constant
from disentangle.nn import Net


def labelled_images(split: Split, labels: int, label_seed: int) -> jax.Array:
    """The images whose factors may be read, (n,) int32: the same at every step.

    The first `labels` of a permutation of the split, so that larger budgets contain
    smaller ones; all of a split that has fewer. Where labels are missing, only images
    that have at least one. Test images bring labels of their own,
    on which R_s tells how the labels generalise.
    """
    among = split.subset if split.labelled is None else split.labelled
    size = split.size if among is None else among.shape[0]
    order = shuffled(size, 0, min(labels, size), seed=label_seed)
    where = jnp.asarray(order, jnp.int32)
    return where if among is None else among[where]


def beside_labels(collate: Collate, labels: int, label_seed: int) -> Collate:
    """What `collate` gives, and B labelled images drawn with replacement.

    Their code goes through the labelled images in order instead, over and over.
    """

    def both(split: Split, index: jax.Array, key: jax.Array) -> Batch:
        own, which = jax.random.split(key)
        known = labelled_images(split, labels, label_seed)
        rows = jax.random.randint(which, index.shape, 0, known.shape[0])
        labelled = take(split.data, known[rows])
        return collate(split, index, own) | named("labelled", labelled)

    return both


def supervised(loss: Loss, method: Method, distance: LabelLoss) -> Loss:
    """loss + gamma_sup R_s of the posterior means of the labelled images."""

    def both(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[Any, ...]:
        value, logs, *state = loss(params, hyper, batch, key=key, step=step)
        labelled = part(batch, "labelled")  # `beside_labels` drew them
        means = method.represent(params, labelled["images"])
        known = labelled.get("known")
        own = params.get("labels", {})
        r = distance.loss(own, means, labelled["factors"], known)
        return value + hyper.gamma_sup * r, {**logs, "supervised": r}, *state

    return both


def with_labels(unsupervised: Recipe, name: str) -> Recipe:
    """The S2 variant of a method, to be named `name` in the list of methods.

    R_s goes to the player that moves "encoder". The settings are those of the
    method and `labels` (how many labelled images), `label_seed` (which),
    `supervised_loss` (a key of LABEL_LOSSES); swept is also `gamma_sup`, its weight.

    `build` raises UserError where there are fewer latents than factors.
    """

    def build(settings: Any, space: FactorSpace, shape: tuple[int, int, int]) -> Method:
        """The unsupervised method, its learner's loss with the labels' added."""
        space.require_labels(name)
        refuse_constant(space, space.names, "labels")
        if settings.latents < len(space.names):
            raise UserError(
                f"method.latents={settings.latents} is less than the "
                f"{len(space.names)} factors whose labels the codes are to follow"
            )
        method = unsupervised.build(settings, space, shape)
        distance = LABEL_LOSSES[settings.supervised_loss](space.sizes)
        learned = {} if distance.init is None else {"labels": _net(distance)}
        players = {
            key: player._replace(
                moves=(*player.moves, *learned),
                loss=supervised(player.loss, method, distance),
            )
            if "encoder" in player.moves
            else player
            for key, player in method.players.items()
        }
        return method._replace(
            nets=method.nets | learned,
            players=players,
            collate=beside_labels(method.collate, settings.labels, settings.label_seed),
        )

    return Recipe(
        build,
        _settings(unsupervised.settings),
        f"{name}, few labels (Locatello et al. 2020)",
        supervision="labels",
        protocol={"steps": 300_000},
        published="Locatello et al. 2020",
    )


def _net(distance: LabelLoss) -> Net:
    """What R_s learns itself, as a network: inputs (means, labels)."""
    assert distance.init is not None
    return Net(distance.init, lambda params, x: distance.loss(params, *x))


def _settings(unsupervised: Any) -> type:
    """The settings of the method, and those of the labels."""

    @settings_class
    class Settings(unsupervised):
        """Of the method, and of the labels."""

        labels: int = static(
            1000,
            "labelled images",
            source="Locatello et al. 2020: 100 and 1000",
            least=1,
            most=10**9,
        )
        label_seed: int = static(
            0, "which images are labelled", least=0, most=2**32 - 1
        )
        supervised_loss: str = static(
            "xent",
            "R_s, the distance of codes from labels",
            source="Locatello et al. 2020",
            choices=LABEL_LOSSES,
        )
        gamma_sup: float = swept(
            64.0,
            "weight of R_s, a mean over the labelled batch",
            source="Locatello et al. 2020: 1, of a sum over 64 images",
        )

    return Settings
