"""Retrieval: the images of a gallery that a query asks for, and how often they come.

Embeddings of any encoder, queries of a data set whose edited pictures exist. TASKS are
the three that are asked; a task is one file: what is asked, the same for every model,
and what a model makes of it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from disentangle.retrieval import complete, edit, similar
from disentangle.retrieval.asking import Asking
from disentangle.retrieval.outcome import Outcome


class Task(NamedTuple):
    """A row of TASKS.

    Attributes:
      questions: (world, asking) -> what is asked, with `images` that must be encoded.
      answer: (questions, encoder, asking) -> Outcome.
      summary: what is asked, in a line.
      check: (questions, values (n, A) of the labelled images); UserError if these do
        not suffice.
    """

    questions: Callable[..., Any]
    answer: Callable[..., Outcome]
    summary: str
    check: Callable[[Any, Any], None] = lambda questions, values: None


TASKS: dict[str, Task] = {
    "edit": Task(edit.questions, edit.edit_retrieval, "this picture in another value"),
    "similar": Task(
        similar.questions, similar.similar_retrieval, "alike in one respect only"
    ),
    "complete": Task(
        complete.questions,
        complete.set_completion,
        "what completes this set",
        complete.check,
    ),
}

__all__ = ["TASKS", "Asking", "Outcome", "Task"]
