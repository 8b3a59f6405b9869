"""The trainings of the edit bench: a method of every family, in three sizes.

    .venv/bin/python -m disentangle train --workdir=runs/gan \
        --config=experiments/bench.py:shapes3d,conditional_gan
    .venv/bin/python -m disentangle train --workdir=runs/flow \
        --config=experiments/bench.py:shapes3d,glow,tiny

Argument: `dataset,row[,size]`. Rows are named like methods, and a few are a method in
another setting (`adde_diffusion`, `captioned_diffusion`, `enc_diff_film`). A run is
then asked for edits by `disentangle edit --workdir=runs/gan`.

cpu   32x32 pixels, what benchmarks/edit_table.py trains; it prints the CPU seconds
tiny  32x32 pixels, narrow networks, a fortieth of the steps, 16 images a step, nothing
      evaluated: it shows that all runs, no more, and most of its time is compilation
      (`python -m benchmarks.bench_sizes --size=tiny`)
gpu   64x64 pixels, wider where `gpu` of a row says so, 12.5 times the steps

Split, seed, steps and all other fields are the config's: --config.data.split=comp holds
out a hole of combinations, which `edit --split=comp` then asks for.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from disentangle.data import DATASETS
from disentangle.errors import UserError, unknown
from disentangle.training.config import default_config


class Recipe(NamedTuple):
    """How a row is trained.

    Attributes:
      method: in METHODS.
      steps: of each of its stages, at 32x32.
      fields: of the method; the value "factors" is replaced by the names of all.
      stages: what each stage has otherwise; None is one per resolution.
      rate: the learning rate, 0 for that of the method's own optimisers.
      batch: images per step.
      gpu: fields of the method that are otherwise there.
    """

    method: str
    steps: tuple[int, ...] = (4_000,)
    fields: dict[str, Any] = {}  # noqa: RUF012
    stages: tuple[dict[str, Any], ...] | None = ({},)
    rate: float = 1e-3
    batch: int = 64
    gpu: dict[str, Any] = {}  # noqa: RUF012


class Size(NamedTuple):
    """How large a training is.

    Attributes:
      pixels: a side.
      scale: of the steps.
      batch: images per step, 0 for the row's own.
      fields: of any method that has them.
      first: a side of the first stage of a method that grows.
    """

    pixels: int
    scale: float
    batch: int = 0
    fields: dict[str, Any] = {}  # noqa: RUF012
    first: int = 4


NARROW = {"width": 8, "levels": 2, "depth": 1, "hidden": 32, "discriminator": (64, 64)}
SIZES = {
    "cpu": Size(32, 1.0),
    "tiny": Size(32, 0.025, 16, NARROW, first=16),
    "gpu": Size(64, 12.5),
}
TOLD = {"condition": "factors"}
GROWING = (1_000, 2_000, 1_500, 500)  # steps at 4x4, 8x8, 16x16 and whole
CAPTIONS = {"draws": 10, "code": "text", "conditioning": "attention"}
STYLED = {"width": 12, "encoder": "small"}
MANY = {"draws": 50}
WIDE = {"width": 64}
DEEP = {"depth": 8, "width": 128}
ROWS: dict[str, Recipe] = {
    "autoencoder": Recipe("autoencoder"),
    "vae": Recipe("vae"),
    "beta_vae": Recipe("beta_vae", fields={"beta": 4.0}),
    "beta_tcvae": Recipe("beta_tcvae", fields={"beta": 4.0}),
    "factor_vae": Recipe("factor_vae", (3_000,)),
    "dip_vae_ii": Recipe("dip_vae_ii"),
    "control_vae": Recipe("control_vae"),
    "jacobian_l1_vae": Recipe("jacobian_l1_vae", (2_500,), {"columns": 1}),
    "lie_group_vae": Recipe("lie_group_vae", (3_000,)),
    "factor_qvae": Recipe("factor_qvae", (2_000,)),
    "ada_gvae": Recipe("ada_gvae", (2_500,)),
    "ml_vae": Recipe("ml_vae", (2_500,)),
    "cycle_vae": Recipe("cycle_vae", (2_000,)),
    "class_content_style": Recipe("class_content_style", (2_500,)),
    "dna_gan": Recipe("dna_gan", (3_000,), {"attributes": "factors"}, rate=0, batch=32),
    "slow_vae": Recipe("slow_vae", (2_500,)),
    "pcl": Recipe("pcl", (2_500,)),
    "s2_beta_vae": Recipe("s2_beta_vae", (3_000,)),
    "supervised_vae": Recipe("supervised_vae"),
    "ivae": Recipe("ivae", fields=TOLD),
    "conditional_vae": Recipe("conditional_vae", fields=TOLD),
    "dcgan": Recipe("dcgan", (6_000,), rate=0, batch=32),
    "conditional_gan": Recipe("conditional_gan", (6_000,), TOLD, rate=0, batch=32),
    "multi_conditional_gan": Recipe(
        "multi_conditional_gan", (6_000,), TOLD, rate=0, batch=32
    ),
    "cpggan": Recipe("cpggan", GROWING, TOLD, None, rate=0, batch=32, gpu=WIDE),
    "cdpggan": Recipe("cdpggan", GROWING, TOLD, None, rate=0, batch=32, gpu=WIDE),
    "stack_gan": Recipe(
        "stack_gan",
        (5_000, 2_000),
        TOLD,
        ({"method.stage": 1}, {"method.stage": 2}),
        rate=0,
        batch=32,
    ),
    "conditional_diffusion": Recipe(
        "conditional_diffusion", (2_000,), {"draws": 10}, rate=0, batch=32, gpu=MANY
    ),
    "captioned_diffusion": Recipe(
        "conditional_diffusion", (2_000,), CAPTIONS, rate=0, batch=32, gpu=MANY
    ),
    "diffusion_on_codes": Recipe(
        "diffusion_on_codes",
        (1_500, 2_000),
        {"draws": 10},
        ({"method.name": "ada_gvae", "optimizer.learning_rate": 1e-3}, {}),
        rate=0,
        batch=32,
        gpu=MANY,
    ),
    "adde_diffusion": Recipe(
        "diffusion_on_codes",
        (1_500, 2_000),
        {"draws": 10, "latents": 8, "heads": 64, "attributes": "factors"},
        (
            {
                "method.name": "adde",
                "method.learns": "attributes",
                "method.attributes": "factors",
                "method.subspace": 8,
                "optimizer.learning_rate": 1e-3,
            },
            {},
        ),
        rate=0,
        batch=32,
        gpu=MANY,
    ),
    "enc_diff": Recipe("enc_diff", (2_000,), {"draws": 10}, rate=0, batch=32, gpu=MANY),
    "enc_diff_film": Recipe(
        "enc_diff",
        (2_000,),
        {"draws": 10, "conditioning": "film"},
        rate=0,
        batch=32,
        gpu=MANY,
    ),
    "munit": Recipe("munit", (1_500,), {"domain": "shape"}, rate=0, batch=8),
    "style_gan": Recipe("style_gan", (4_000,), STYLED, rate=0, batch=16, gpu=WIDE),
    "conditional_style_gan": Recipe(
        "conditional_style_gan", (4_000,), TOLD | STYLED, rate=0, batch=16, gpu=WIDE
    ),
    "glow": Recipe(
        "glow",
        (1_500,),
        {"adamax_learning_rate": 2e-3},
        rate=0,
        batch=32,
        gpu=DEEP,
    ),
    "conditional_glow": Recipe(
        "conditional_glow",
        (1_500,),
        TOLD | {"adamax_learning_rate": 2e-3},
        rate=0,
        batch=32,
        gpu=DEEP,
    ),
    "supervised": Recipe("supervised", fields={"tasks": "classes", "subspace": 16}),
    "adde": Recipe(
        "adde",
        (1_500, 800),
        {"attributes": "factors"},
        ({"method.learns": "attributes"}, {"method.learns": "edits"}),
        batch=32,
    ),
    "csn": Recipe("csn", (2_000,), {"attributes": "factors"}),
    "fashion_search_net": Recipe(
        "fashion_search_net", (2_000,), {"attributes": "factors"}
    ),
}


def training(
    data: str, names: Sequence[str], row: str, size: Size, scale: float = 1.0
) -> ConfigDict:
    """The config of a row.

    Args:
      data: the name of the data set.
      names: of its factors.
      row: in ROWS.
      size: how large.
      scale: multiplies the steps once more.

    Raises:
      UserError: no such row.
    """
    if row not in ROWS:
        raise unknown("row of the bench", row, ROWS)
    recipe = ROWS[row]
    config = default_config(data, recipe.method)
    wanted = _named(recipe.fields, names) | (recipe.gpu if size == SIZES["gpu"] else {})
    wanted |= {k: v for k, v in size.fields.items() if k in config.method}
    config.method.update(wanted)
    if recipe.rate:
        config.optimizer.learning_rate = recipe.rate
    config.batch_size = size.batch or recipe.batch
    config.data.size = size.pixels
    config.eval_every = 0 if size == SIZES["tiny"] else config.eval_every
    stages = [_named(one, names) for one in stages_of(recipe, size, scale)]
    if len(stages) > 1:
        config.stages = tuple(stages)
    config.steps = stages[-1]["steps"]
    return config


def stages_of(recipe: Recipe, size: Size, scale: float = 1.0) -> list[dict[str, Any]]:
    """What each stage has otherwise than the config, its steps among it."""
    stages, steps = recipe.stages, recipe.steps
    if stages is None:
        sides = [2**n for n in range(20) if size.first <= 2**n < size.pixels]
        stages = tuple({"method.resolution": side} for side in (*sides, 0))
        middle = [steps[min(i, len(steps) - 2)] for i in range(len(sides))]
        steps = (*middle, steps[-1])
    counts = [max(2, round(n * size.scale * scale)) for n in steps]
    return [one | {"steps": n} for one, n in zip(stages, counts, strict=True)]


def _named(fields: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The fields, names of factors put in."""
    words = {
        "factors": tuple(names),
        "classes": tuple(f"{name}:classification" for name in names),
    }
    return {k: words.get(v, v) if isinstance(v, str) else v for k, v in fields.items()}


def get_config(argument: str = "shapes3d,conditional_gan") -> ConfigDict:
    """The training config for `dataset,row[,size]`."""
    words = argument.split(",")
    if not 2 <= len(words) <= 3:
        raise UserError(f"bench.py takes dataset,row[,size], not {argument!r}")
    data, row, size = (*words, "cpu")[:3]
    if data not in DATASETS:
        raise unknown("data set", data, DATASETS)
    if size not in SIZES:
        raise unknown("size of the training", size, SIZES)
    space = DATASETS[data].space
    if space is None:
        raise UserError(f"bench.py needs factors that are known, and {data} has none")
    return training(data, space.names, row, SIZES[size])
