r"""ADDE: a subspace per attribute, and prototypes that edit codes (Hou et al. 2021).

$$
r_a = W_{2,a} \, \mathrm{relu}(W_{1,a} h(x) + b_{1,a}) + b_{2,a}, \qquad
r' = r + M (v_{\mathrm{new}} - v_{\mathrm{old}})
$$

"Learning attribute-driven disentangled representations for interactive fashion
retrieval" (ICCV 2021): a backbone h, a head of two layers and a linear classifier per
attribute, and a memory M with a prototype of each value in its columns. n(r) = r / |r|.

Stage 1, `learns="attributes"`, on images with labels y:

$$
\mathcal{L}_1 = 0.2 \sum_a \mathrm{CE}_a + 0.2 \sum_a \mathrm{T}(y_a, n(r_a))
+ w \, \mathrm{T}(y, n(r))
$$

Stage 2, `learns="edits"`, starts with the networks of stage 1 and M at the class means.
Of a reference, a positive with the labels after an edit, and a negative:

$$
\mathcal{L}_2 = 0.2 \mathcal{L}_{cls} + \mathcal{L}_{lt} + \mathcal{L}_c
+ \mathcal{L}_{ct} + 0.4 \mathcal{L}_{mem}
$$

L_cls are the cross-entropies of the three images and of r', which has the positive's
labels; L_lt semi-hard triplets T of whole rows of labels among n(r_ref), n(r') and
n(r_neg); L_c the triplet (n(r'), n(r_pos), n(r_neg)); L_ct the distance of codes from
the prototypes of their labels; L_mem the entries of M outside of the blocks. T, L_c and
the others are in methods/adde_losses.py.

`adde_paper` has the losses of the published code; `adde` has seven faults of it
repaired:

1. A batch without a label of an attribute gives NaN: its cross-entropy is 0 here (for
   both, as no training survives a NaN).
2. Missing labels of an attribute are one class, and pull such images together in T:
   they take no part (`missing`).
3. L_ct pulls the chunk of a missing label to 0: it takes no part (`missing`).
4. The first term of L_ct, |M v_pos - r'|, is its second one, |M v_ref - r_ref|, again,
   and no image ties its prototype as a positive: it is |M v_pos - r_pos| (`tie`).
5. M starts from 100 draws per value of an unseeded generator, and fails where a value
   has no image: here (in both) at the mean of all images there are of up to
   `EXAMPLES`, and at 0 without any.
6. An edit of an attribute whose label is missing adds a prototype and takes none away:
   the value that the classifier sees is taken away (`unknown_old`).
7. T of whole rows in stage 1 finds no two images of one row where labels are many, and
   then only pushes apart: its weight w is 0 (`whole_triplet`).

Besides, M has nothing outside of its blocks (`memory="block"`; L_mem is then 0), and a
third of the negatives are images that were not edited and a third that were edited too
far (`negatives`). Any width, batch and device goes. What is a fault of the protocol (a
model chosen on test images, the reference in the gallery, a constant ideal of NDCG) is
for `disentangle.retrieval`.

Where we differ from both: start values and optimiser are the project's, stage 1 draws
batches of different images instead of epochs, triplets are drawn in the step (see
methods/triplets.py) and an edit is one of them.
"""

from functools import partial
from typing import Any

import jax

from disentangle.data.samplers import Batch, Split
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods.adde_losses import MISSING
from disentangle.methods.adde_model import Model, model
from disentangle.methods.adde_stages import Images, attributes_loss, edits_loss
from disentangle.methods.attributes import learned
from disentangle.methods.base import LOCATELLO, Method, Output, Params, Player, Recipe
from disentangle.methods.prototypes import PROTOTYPES, memory, one_hot
from disentangle.methods.subspaces import UNKNOWN, chunked, evidence, unit
from disentangle.methods.triplets import NEGATIVES, triplets, without_replacement
from disentangle.nn import ENCODERS, predicted

PAPER = "Hou et al. 2021, code"
LEARNS = ("edits", "attributes")
MEMORIES = ("block", "dense")
TIES = ("positive", "edited")
LENGTHS = ("code", "chunk")


@settings
class Settings:
    """Of ADDE with the faults repaired."""

    learns: str = static("edits", "stage 2, or 'attributes', stage 1", choices=LEARNS)
    attributes: tuple[str, ...] = learned()
    encoder: str = static(
        "locatello", "network of images", source=LOCATELLO, choices=ENCODERS
    )
    subspace: int = static(
        32, "d, dimensions of each attribute; 340 in the paper", least=1, most=WIDEST
    )
    hidden: int = static(64, "ReLUs of each head; d in the paper", least=1, most=WIDEST)
    length: str = static(
        "code", "what has length 1 where codes are compared", choices=LENGTHS
    )
    memory: str = static(
        "block", "M by its blocks, or with all entries", choices=MEMORIES
    )
    start: str = static("class_means", "what M starts from", choices=PROTOTYPES)
    missing: str = static(
        "ignore", "missing labels take no part, or are a class", choices=MISSING
    )
    tie: str = static(
        "positive", "the code that L_ct ties to the positive's labels", choices=TIES
    )
    unknown_old: str = static(
        "predicted", "what an edit takes away where a label is missing", choices=UNKNOWN
    )
    negatives: str = static("hard", "of triplets", choices=NEGATIVES)
    margin: float = swept(0.5, "m of semi-hard triplets", source=PAPER)
    edit_margin: float = swept(0.5, "m of L_c", source=PAPER)
    entropy: float = swept(0.2, "weight of cross-entropies", source=PAPER)
    attribute_triplet: float = swept(0.2, "weight of T of an attribute", source=PAPER)
    whole_triplet: float = swept(0.0, "w, weight of T of whole rows in stage 1")
    label_triplet: float = swept(1.0, "weight of L_lt", source=PAPER)
    compositional: float = swept(1.0, "weight of L_c", source=PAPER)
    consistency: float = swept(1.0, "weight of L_ct", source=PAPER)
    off_block: float = swept(0.4, "weight of L_mem", source=PAPER)


@settings
class PaperSettings(Settings):
    """Of the published code's losses."""

    memory: str = static(
        "dense", "M by its blocks, or with all entries", source=PAPER, choices=MEMORIES
    )
    missing: str = static(
        "class",
        "missing labels take no part, or are a class",
        source=PAPER,
        choices=MISSING,
    )
    tie: str = static(
        "edited",
        "the code that L_ct ties to the positive's labels",
        source=PAPER,
        choices=TIES,
    )
    unknown_old: str = static(
        "nothing",
        "what an edit takes away where a label is missing",
        source=PAPER,
        choices=UNKNOWN,
    )
    negatives: str = static("random", "of triplets", source=PAPER, choices=NEGATIVES)
    whole_triplet: float = swept(
        1.0, "w, weight of T of whole rows in stage 1", source=PAPER
    )


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The loss of a stage; in stage 2 prototypes, and edits of codes.

    Raises:
      UserError: attributes that the space does not have.
    """
    made = model(settings, space, shape)
    is_second = settings.learns == "edits"

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[Any, ...]:
        """L_1 or L_2 of a batch."""
        del step
        seen, state = made.see(params, batch, key)
        if is_second:
            paired, matrix = batch["paired"].any(), made.matrix(params)
            edited = moved(made, params, seen)
            value, logs = edits_loss(seen, edited, matrix, paired, hyper, made.choices)
        else:
            value, logs = attributes_loss(seen, hyper, made.choices)
        return Output(value, logs, state) if state else (value, logs)

    def represent(params: Params, images: jax.Array) -> jax.Array:
        codes = made.describe(params, images).codes
        return codes.reshape(codes.shape[0], -1)

    names = made.attributes.names
    return Method(
        nets=made.nets,
        players={"adde": Player(tuple(made.nets), loss)},
        represent=represent,
        attributes=tuple(name for name in names for _ in range(settings.subspace)),
        collate=triplets(made.attributes, settings.negatives)
        if is_second
        else without_replacement,
        embed=lambda params, images: unit(
            made.describe(params, images).codes, settings.length
        ),
        subspaces=chunked(
            made.attributes,
            lambda params, codes: predicted(params["heads"], codes),
            made.matrix if is_second else None,
            settings.unknown_old,
            settings.length,
        ),
        begin=partial(started, made, settings.start) if is_second else None,
    )


def moved(made: Model, params: Params, seen: Images) -> Images:
    """r' = r_ref + M (v_pos - v_ref) of 3 B images, and the positives' labels."""
    count, sizes = seen.labels.shape[0] // 3, made.attributes.sizes
    old, new = seen.labels[:count], seen.labels[count : 2 * count]
    step = (one_hot(sizes, new) - one_hot(sizes, old)) @ made.matrix(params).T
    codes = seen.codes[:count] + step.reshape(count, *seen.codes.shape[1:])
    return Images(codes, predicted(params["heads"], codes), new)


def started(made: Model, start: str, params: Params, split: Split) -> Params:
    """M as it is read off the training images, 0 outside of its blocks."""

    def read(images: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        heads = made.describe(params, images)
        return heads.codes, heads.predictions

    sizes, heads = made.attributes.sizes, params["heads"]
    kernels = tuple(heads[f"prediction_{a}"]["kernel"] for a in range(len(sizes)))
    found = evidence(split, made.attributes, read, kernels)
    table = PROTOTYPES[start](found)
    return params | {
        "memory": {"table": memory(table, sizes) if made.is_dense else table}
    }


PUBLISHED = (
    "Hou et al. 2021: fashion images at 224 pixels, AlexNet or ResNet18 trained on "
    "ImageNet, d = 340, 25 epochs of each stage, batches of 128 and of 64 triplets, "
    "Adam at 1e-4, halved every 10 epochs"
)
RECIPE = Recipe(
    build,
    Settings,
    "ADDE, seven faults of its code repaired (Hou et al. 2021)",
    supervision="all",
    published=PUBLISHED,
)
PAPER_RECIPE = Recipe(
    build,
    PaperSettings,
    "ADDE, the losses of its code (Hou et al. 2021)",
    supervision="all",
    published=PUBLISHED,
)
