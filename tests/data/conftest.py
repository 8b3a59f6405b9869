"""Both data sets, built once in a test session, and small copies of them."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from stored import arrays

from disentangle import data
from disentangle.data import dsprites as dsprites_module
from disentangle.data import shapes3d as shapes3d_module
from disentangle.data.rendered import shapes3d as renderer

REFERENCE = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory) -> Path:
    shared = os.environ.get("DISENTANGLE_CACHE")
    return Path(shared) if shared else tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def dsprites(cache_dir) -> data.Dataset:
    return data.load("dsprites", cache_dir=cache_dir)


@pytest.fixture(scope="session")
def shapes3d(cache_dir) -> data.Dataset:
    return data.load("shapes3d", cache_dir=cache_dir)


@pytest.fixture(scope="session")
def fashion_sprites(cache_dir) -> data.Dataset:
    return data.load("fashion_sprites", cache_dir=cache_dir)


@pytest.fixture(scope="session")
def fashion(fashion_sprites) -> data.Dataset:
    return fashion_sprites


@pytest.fixture(scope="session")
def reference():
    """Opens a file of real images, or skips the test where there is none."""

    def load(name: str):
        if not (REFERENCE / name).exists():
            pytest.skip(f"no reference file {name}")
        return arrays(REFERENCE / name)

    return load


def subspace(space: data.FactorSpace, sizes: tuple[int, ...]) -> data.FactorSpace:
    """The first few values of each factor."""
    items = []
    for factor, size in zip(space.items, sizes, strict=True):
        symmetry = factor.symmetry
        if symmetry:
            by = sizes[space.position(symmetry.by)]
            symmetry = data.Symmetry(symmetry.by, symmetry.orders[:by])
        values = factor.values[:size]
        items.append(
            dataclasses.replace(factor, size=size, values=values, symmetry=symmetry)
        )
    return data.FactorSpace(tuple(items))


@pytest.fixture(scope="session")
def small_dsprites(dsprites) -> data.Dataset:
    """96 images: 2 shapes, 2 scales, 3 orientations, 2x4 positions."""
    space = subspace(dsprites.space, (2, 2, 3, 2, 4))
    index = dsprites.space.index(space.factors(np.arange(space.size)))
    return dsprites_module.dataset(np.asarray(dsprites.arrays)[index], space)


@pytest.fixture(scope="session")
def small_shapes3d() -> data.Dataset:
    """96 images: 2 hues each, 2 scales, 2 shapes, 3 orientations, drawn alone."""
    whole = shapes3d_module.SPACE
    space = subspace(whole, (2, 2, 2, 2, 2, 3))
    index = whole.index(space.factors(np.arange(space.size)))
    maps = renderer.render(first=(2, 2, 3))
    images = np.asarray(shapes3d_module.dataset(maps).images(index))
    return shapes3d_module.table(iter([(slice(None), images)]), space)
