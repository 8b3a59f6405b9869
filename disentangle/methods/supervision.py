"""What methods are told besides images, and a model by all of its trainings."""

from collections.abc import Iterable

# The word of a Recipe, and what it means.
SUPERVISION = {
    "none": "images alone",
    "relevance": "images, and which latents are to be used",
    "pairs": "pairs of images that differ in few factors",
    "groups": "groups of images that share the values of some factors",
    "labels": "images, and all factors of some of them",
    "given": "the values of some factors, beside every image",
    "domains": "which of two domains an image is of",
    "all": "all factors of every image of the training set",
}
AND = " + "


def combined(words: Iterable[str]) -> str:
    """What one trained after the other was told: "pairs", or "pairs + given".

    Keys of SUPERVISION, or such as this function gives. "none" adds nothing.
    """
    single = {word for several in words for word in several.split(AND)}
    return AND.join(word for word in SUPERVISION if word in single - {"none"}) or "none"


def meaning(told: str) -> str:
    """What `combined` gives, in words; of a later version as it is."""
    return ", and ".join(SUPERVISION.get(word, word) for word in told.split(AND))
