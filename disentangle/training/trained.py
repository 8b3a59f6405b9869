"""Trained models: what a run gives back, to encode and to decode with."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from disentangle.data.precision import float32
from disentangle.errors import UserError, shown, unknown
from disentangle.methods import METHODS
from disentangle.methods.base import Method, Params, Subspaces
from disentangle.methods.supervision import combined
from disentangle.training import edits, encode
from disentangle.training.data_spec import DataSpec
from disentangle.training.members import Member

SHOWN = 3  # members that repr names


@dataclasses.dataclass(frozen=True, repr=False)
class Run:
    """P trained models of one method.

    Attributes:
      config: the config, plain data.
      population: (P,) the models: id, name, seed, and the numbers of each.
      method: the pure functions.
      params: the pytree, a leading axis P on every leaf.
      alive: (P,) bool, False for a member that diverged.
      step: steps taken.
      spec: the data set's factors, image shape, pixel range and hash.
      observed: what observers accumulated, by name, a leading axis P.
      workdir: where it lives on disk, if it does.
      before: steps that its parameters had when it began, 0 for fresh ones.
      learned: what they had been told by then (methods/supervision.py).
    """

    config: dict[str, Any]
    population: tuple[Member, ...]
    method: Method
    params: Params
    alive: np.ndarray
    step: int
    spec: DataSpec
    observed: dict[str, Any]
    workdir: Path | None = None
    before: int = 0
    learned: str = "none"

    @property
    def supervision(self) -> str:
        """What the models were told besides images, in this training and before it."""
        own = METHODS[self.config["method"]["name"]].supervision
        return combined([self.learned, own])

    @property
    def members(self) -> tuple[str, ...]:
        """(P,) names such as "beta=4,seed=0", for people."""
        return tuple(member.name for member in self.population)

    @property
    def swept(self) -> tuple[dict[str, Any], ...]:
        """(P,) what each member differs in, as values, its seed too."""
        return tuple(one.swept | {"seed": one.seed} for one in self.population)

    def __repr__(self) -> str:
        """Method, members, living, step and workdir in at most 300 characters."""
        names = list(self.members[:SHOWN])
        more = len(self.members) - len(names)
        shown = ", ".join(names) + (f" and {more} more" if more else "")
        text = (
            f"{_short(self.config['method']['name'], 40)}, {len(self.members)} models "
            f"({_short(shown, 110)}), {int(np.sum(self.alive))} alive, step {self.step}"
        )
        place = f", workdir {str(self.workdir)!r}" if self.workdir else ""
        return f"<Run {text}{_short(place, 110)}>"

    @float32()
    def encode(self, images: Any) -> np.ndarray:
        """Posterior means (or codes) of images.

        Args:
          images: (B, H, W, C), uint8 in 0..max_value as the data set gives them or
            float in [0, 1]; B may be 0.

        Returns:
          (P, B, D) float32.

        Raises:
          UserError: images of another shape or type, or with pixels out of range.
        """
        checked = encode.checked_images(images, self.spec)
        return self._batched(self.method.represent, checked)

    @float32()
    def posterior(self, images: Any) -> tuple[np.ndarray, np.ndarray]:
        """Means and log-variances, each (P, B, D), of the Gaussian codes of images.

        Raises:
          UserError: the method's codes are no Gaussians, or images as in `encode`.
        """
        function = self._offered(self.method.posterior, "has no Gaussian posterior")
        return self._batched(function, encode.checked_images(images, self.spec))

    @float32()
    def decode(self, codes: Any) -> np.ndarray:
        """Images (P, B, H, W, C) in [0, 1] of codes (P, B, D) or (B, D).

        Raises:
          UserError: the method has no decoder, or codes are of another shape or not
            finite numbers.
        """
        function = self._offered(self.method.decode, "has no decoder")
        return self._of_codes(function, codes)

    @float32()
    def sample(self, n: int, *, seed: int = 0) -> np.ndarray:
        """Images (P, n, H, W, C) in [0, 1] that the models draw.

        Args:
          n: how many of each model; the first of more are those of fewer.
          seed: of the draws, which are the same for all models.

        Raises:
          UserError: the method cannot sample, or or n or seed is below 0 or no int.
        """
        function = self._offered(self.method.sample, "cannot sample images")
        count, checked = (
            encode.whole_number(value, name)
            for name, value in (("n", n), ("seed", seed))
        )
        return encode.sampled(function, self.params, count, checked)

    @float32()
    def edit(self, images: Any, factors: Any, wanted: Any) -> np.ndarray:
        """The images with other factors and all else kept: (P, B, H, W, C) in [0, 1].

        Args:
          images: as in `encode`.
          factors: (B, F) whole numbers, the factors that the images have.
          wanted: (B, F), those that they are to have.

        Raises:
          UserError: the method cannot edit, images as in `encode`, or factors that are
            not in the space.
        """
        function = self._offered(self.method.edit, "cannot edit images")
        checked = encode.checked_images(images, self.spec)
        count, space = checked.shape[0], self.spec.space
        old = encode.checked_factors(factors, space, count)
        new = encode.checked_factors(wanted, space, count)
        max_value = self.spec.max_value
        return encode.edited(function, self.params, checked, old, new, max_value)

    @float32()
    def redraw(self, images: Any, codes: Any) -> np.ndarray:
        """The images with other codes and all else kept: (P, B, H, W, C) in [0, 1].

        Args:
          images: as in `encode`.
          codes: (P, B, D) or (B, D), those that they are to have.

        Raises:
          UserError: the method cannot, images as in `encode` or codes as in `decode`,
            or not one code per image.
        """
        lack = "does not draw images again: it decodes what a code says alone"
        function = self._offered(self.method.redraw, lack)
        checked = encode.checked_images(images, self.spec)
        count = np.shape(codes)[-2] if np.ndim(codes) > 1 else 0
        if len(checked) != count:
            raise UserError(
                f"{count} codes are for {len(checked)} images: one for each"
            )
        scale = self.spec.max_value if checked.dtype == np.uint8 else 1
        pictures = np.asarray(checked, np.float32) / np.float32(scale)
        return self._of_codes(encode.redrawing(function), codes, pictures)

    @float32()
    def generate(self, factors: Any, *, seed: int = 0) -> np.ndarray:
        """Images (P, B, H, W, C) in [0, 1] of the models' own, with these factors.

        Args:
          factors: (B, F) whole numbers; those that `method.given` names are obeyed.
          seed: of all else, the same for all models.

        Raises:
          UserError: the method cannot generate images of given factors, factors that
            are not in the space, or a seed as in `sample`.
        """
        lack = "cannot generate images of given factors"
        function = self._offered(self.method.generate, lack)
        checked = encode.whole_number(seed, "seed")
        count = len(factors) if np.ndim(factors) else 0
        wanted = encode.checked_factors(factors, self.spec.space, count)
        return encode.generated(function, self.params, wanted, checked)

    @float32()
    def log_prob(self, images: Any, *, seed: int = 0) -> np.ndarray:
        """Nats (P, B): the log-density of images, or a lower bound (see the method).

        Args:
          images: as in `encode`.
          seed: of what is drawn for it, where something is.

        Raises:
          UserError: the method has no density, or images as in `encode`.
        """
        function = self._offered(self.method.log_prob, "has no density of images")
        checked = encode.checked_images(images, self.spec)
        return self._batched(encode.seeded(function, seed), checked)

    @float32()
    def embed(self, images: Any) -> np.ndarray:
        """Embeddings (P, B, E) whose distances say how alike images are.

        Raises:
          UserError: the method has none, or images as in `encode`.
        """
        function = self._offered(self.method.embed, "has no embedding for retrieval")
        return self._batched(function, encode.checked_images(images, self.spec))

    @float32()
    def edit_codes(
        self,
        codes: Any,
        attribute: str | Sequence[str],
        value: Any,
        *,
        mode: str = "replace",
        old: Any = "predicted",
        alpha: Any = 1.0,
    ) -> np.ndarray:
        """Codes (P, B, D) of "the same with this attribute changed".

        Args:
          codes: (P, B, D) as `encode` gives them, or (B, D) for all models.
          attribute: what changes, a name or several, of `method.subspaces.names`.
          value: its new value, or (B,) of them; of several attributes a list of such.
          mode: "replace" puts the prototype of the value there; "add" adds it and takes
            that of the old value away.
          old: (B, A) labels of all attributes, -1 where one is missing, for which the
            method says what is taken away; "predicted" is what its classifier sees.
          alpha: how far, a number or (B,): 1 is the whole edit.

        Raises:
          UserError: the method cannot edit codes, or an argument as above is none.
        """
        known = self._subspaces()
        self._offered(known.edit, "cannot edit codes")
        edit = edits.editing(known, mode, isinstance(old, str))
        count = np.shape(codes)[-2] if np.ndim(codes) > 1 else 0
        rows = edits.asked(known, attribute, value, old, alpha, count)
        return self._of_codes(edit, codes, *rows)

    @float32()
    def classify(self, codes: Any) -> np.ndarray:
        """Log-probabilities (P, B, S) of the values of all attributes, of codes.

        Raises:
          UserError: the method has no classifiers, or codes as in `decode`.
        """
        function = self._offered(self._subspaces().classify, "has no classifiers")
        return self._of_codes(function, codes)

    @float32()
    def alike(self, codes: Any, attribute: str) -> np.ndarray:
        """Codes (P, B, E) whose distances say how alike images are in one attribute.

        Raises:
          UserError: the method has no attributes, or not this one, or codes as in
            `decode`.
        """
        known = self._subspaces()
        if attribute not in known.names:
            raise unknown("attribute", attribute, known.names)
        place = known.names.index(attribute)
        return self._of_codes(encode.alike(known.alike, place), codes)

    def _subspaces(self) -> Subspaces:
        return self._offered(self.method.subspaces, "has no attributes of its own")

    def _of_codes(self, function: Any, codes: Any, *rows: np.ndarray) -> np.ndarray:
        """function(params, codes) of every member, see `encode.decoded`."""
        members = len(self.members)
        latents = encode.width(self.method.represent, self.params, self.spec.shape)
        checked = encode.checked_codes(codes, members, latents)
        return encode.decoded(function, self.params, checked, members, *rows)

    def _offered(self, function: Any, lack: str) -> Any:
        """A function of the method; UserError where it is None."""
        if function is None:
            raise UserError(f"method {self.config['method']['name']!r} {lack}")
        return function

    def member(self, which: int | str | Member) -> Params:
        """The parameters of one model, without the axis P.

        Args:
          which: a Member, or its id, its name, or its place, 0 .. P - 1 in the order
            of `members` (below 0 from the end).

        Raises:
          UserError: there is no such model.
        """
        index = self.index(which)
        return jax.tree.map(lambda x: x[index], self.params)

    def index(self, which: int | str | Member) -> int:
        """The place of one model, 0 .. P - 1; arguments and errors as in `member`."""
        count = len(self.population)
        if isinstance(which, bool) or not isinstance(which, int | np.integer):
            return self._named(which)
        if not -count <= which < count:
            raise UserError(f"no model {shown(which)}: there are 0 to {count - 1}")
        return int(which) % count

    def _named(self, which: Any) -> int:
        """The place of a Member, an id or a name."""
        wanted = which.id if isinstance(which, Member) else which
        for i, member in enumerate(self.population):
            if isinstance(wanted, str) and wanted in (member.id, member.name):
                return i
        name = which.name if isinstance(which, Member) else which
        if isinstance(name, str):
            raise unknown("model", name, self.members)
        raise UserError(
            f"no model {shown(name)}: it is named by its place (0 to "
            f"{len(self.population) - 1}), its id or its name"
        )

    def _batched(self, function: Any, images: Any) -> Any:
        return encode.batched(function, self.params, images, self.spec.max_value)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
