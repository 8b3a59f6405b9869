"""Strict numerics for every test, one cache of rendered data for the session."""

import gc
import os
import re
import time
import zlib
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from recipes import dense_denoiser, dense_gan

from disentangle.data.dataset import Dataset, draw_rows
from disentangle.data.space import Factor, FactorSpace, Symmetry
from disentangle.nn import CRITICS, DECODERS, DENOISERS, ENCODERS, GENERATORS, Net
from disentangle.nn.decoders import DenseDecoder
from disentangle.nn.encoders import Encoder
from disentangle.nn.net import from_module

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
# A GPU's products are TF32 unless this is asked for: 1e-3 from float64.
jax.config.update("jax_default_matmul_precision", "highest")

# Generated inputs are the same in every run, and nothing is kept of them.
settings.register_profile(
    "tests",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("tests")


def pytest_addoption(parser):
    text = "such as 3/12: the third of twelve shares of the chosen tests"
    parser.addoption("--share", default="1/1", help=text)
    text = "tests that would start later than this are skipped"
    parser.addoption("--minutes", default=float("inf"), type=float, help=text)


def pytest_collection_modifyitems(config, items):
    """Keeps one share: tests are dealt out by a hash of their names."""
    kept = share_of(items, config.getoption("--share"))
    if len(kept) < len(items):
        ids = set(map(id, kept))
        config.hook.pytest_deselected(items=[i for i in items if id(i) not in ids])
        items[:] = kept


def pytest_collection_finish():
    """Tracing makes millions of small objects that go when they are done with.

    The collector would look through what is alive after every 700 of them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def share_of(items, words):
    """The items whose share it is; `words` such as "3/12"."""
    found = re.fullmatch(r"(\d+)/(\d+)", words)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise pytest.UsageError(f"--share={words} must be such as 1/12 to 12/12")
    place, shares = int(found[1]) - 1, int(found[2])
    return [i for i in items if zlib.crc32(i.nodeid.encode()) % shares == place]


STARTED = time.monotonic()


def pytest_runtest_setup(item):
    minutes = item.config.getoption("--minutes")
    if time.monotonic() - STARTED > 60 * minutes:
        pytest.skip(f"the {minutes:g} minutes of this run are over")


def shared(tmp_path_factory):
    """The folder of this run, the same for both workers."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Rendered data sets are built once a session, in a folder of its own."""
    if "DISENTANGLE_CACHE" not in os.environ:
        os.environ["DISENTANGLE_CACHE"] = str(shared(tmp_path_factory) / "cache")
    return Path(os.environ["DISENTANGLE_CACHE"])


@pytest.fixture(scope="session", autouse=True)
def compiled(tmp_path_factory):
    """A program is compiled once a session, also for the processes tests start."""
    own = str(shared(tmp_path_factory) / "jax")
    folder = os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", own)
    least = os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.02")
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", float(least))


@pytest.fixture(scope="session", autouse=True)
def dense_networks():
    """Networks that compile in a second, where a test is not about convolutions.

    An architecture is one function and one line, also here.
    """

    def encoder(shape, outputs):
        return from_module(Encoder((), (256,), outputs), shape)

    def narrow(shape, outputs):
        return from_module(Encoder((), (64,), outputs), shape)

    def decoder(shape, latents):
        flat = from_module(Encoder((), (64,), int(np.prod(shape))), (latents,))
        return Net(flat.init, lambda p, z: flat.apply(p, z).reshape(-1, *shape))

    def smooth(shape, latents):
        return from_module(DenseDecoder((64,), shape), (latents,), smooth=True)

    ENCODERS["dense"], DECODERS["dense"] = encoder, decoder
    ENCODERS["narrow"] = narrow  # where `make test` would wait for products
    DECODERS["smooth"] = smooth  # tanh: for Tripod, which takes no ReLU

    def generator(shape, inputs, width):
        return from_module(dense_gan.Generator(shape, width), (inputs,))

    def critic(shape, width):
        return from_module(Encoder((), (width,), None), shape)

    GENERATORS["dense"], CRITICS["dense"] = generator, critic
    DENOISERS["dense"] = dense_denoiser.denoiser


TOY_SPACE = FactorSpace(
    (
        Factor("shape", 2, "categorical", (0.0, 1.0)),
        Factor("size", 3, "ordinal", (1.0, 2.0, 4.0)),
        Factor(
            "turn",
            4,
            "circular",
            tuple(np.pi / 2 * k for k in range(4)),
            steps_per_turn=4,
            symmetry=Symmetry("shape", (1, 2)),
        ),
        Factor("x", 4, "ordinal", (0.0, 1.0, 2.0, 3.0)),
    )
)


@pytest.fixture(scope="session")
def toy() -> Dataset:
    """96 images of a bar, 64x64x1 in {0, 1}: quick to learn, no file, no render."""
    images = np.zeros((TOY_SPACE.size, 64, 64, 1), np.uint8)
    for i, (shape, size, turn, x) in enumerate(
        TOY_SPACE.factors(np.arange(TOY_SPACE.size))
    ):
        length, width = 6 * (size + 1), 4 + 8 * int(shape)
        row, column = 20 + 8 * int(turn), 4 + 14 * int(x)
        images[i, row : row + width, column : column + length] = 1
    return Dataset(
        arrays=jax.numpy.asarray(images),
        name="toy",
        space=TOY_SPACE,
        shape=(64, 64, 1),
        max_value=1,
        draw=draw_rows,
    )
