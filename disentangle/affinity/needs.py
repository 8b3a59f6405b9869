"""What an estimator needs, declared beside it, so that nothing else is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from disentangle.affinity.point import Move, descend
from disentangle.errors import UserError

Estimate = TypeVar("Estimate", bound=Callable[..., Any])
PLAIN = "plain"  # the name of the lookahead step of the paper
FIELD = "needs"  # of an estimator that has declared them


class Needs(NamedTuple):
    """What a probe must hold, and a point must offer.

    Attributes:
      gradients: N backward passes.
      moves: steps by name; each is taken from every source's gradient and the losses
        after it are measured, N forward passes.
      point: the optional fields of `Point` that are used, of "halves", "update",
        "drift" and "key".
      groups: the result is (2^N - 1, N), a row per group of sources, not (N, N).
      most: the largest N; 0 for no limit.
      rate: whether eta changes the estimate by more than a factor.
      more: N -> forward passes beside those of the gradients and the moves.
    """

    gradients: bool = False
    moves: Mapping[str, Move] = MappingProxyType({})
    point: tuple[str, ...] = ()
    groups: bool = False
    most: int = 0
    rate: bool = True
    more: Callable[[int], int] = lambda tasks: 0

    def passes(self, tasks: int) -> int:
        """What one sample costs, in forward passes of the shared network.

        The losses take one, a gradient two more (one pass back), a look after a move
        one. Training on the same batch takes three. What the heads cost is left out.
        """
        looks = len(self.moves) * tasks
        back = 2 * tasks if self.gradients else 0
        return 1 + back + looks + self.more(tasks)


# Of an estimator that declares nothing, such as one of the user's own.
USUAL = Needs(gradients=True, moves=MappingProxyType({PLAIN: descend}))


def declared(needs: Needs) -> Callable[[Estimate], Estimate]:
    """Declares the needs of the estimator below."""

    def mark(estimate: Estimate) -> Estimate:
        setattr(estimate, FIELD, needs)
        return estimate

    return mark


def needs_of(estimate: Callable[..., Any]) -> Needs:
    """What an estimator declares: `USUAL` where it declares nothing."""
    found = getattr(estimate, FIELD, USUAL)
    assert isinstance(found, Needs)
    return found


def together(estimates: Sequence[Callable[..., Any]]) -> Needs:
    """What several estimators need of one probe."""
    all_needs = [needs_of(estimate) for estimate in estimates]
    moves = {name: move for needs in all_needs for name, move in needs.moves.items()}
    point = dict.fromkeys(field for needs in all_needs for field in needs.point)
    gradients = any(needs.gradients or needs.moves for needs in all_needs)
    return Needs(gradients, moves, tuple(point))


def check_tasks_count(name: str, estimate: Callable[..., Any], n: int) -> None:
    """Raises UserError where there are more tasks than the estimator can take."""
    most = needs_of(estimate).most
    if most and n > most:
        raise UserError(
            f"the estimator {name!r} takes a step for each of the {2**n - 1} groups of "
            f"{n} tasks; it is for at most {most} tasks"
        )


def rows_of(estimate: Callable[..., Any], n: int) -> int:
    """Rows of an estimate of n tasks: n sources, or 2^n - 1 groups of them."""
    return 2**n - 1 if needs_of(estimate).groups else n
