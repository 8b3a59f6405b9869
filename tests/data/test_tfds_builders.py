"""SmallNORB and CelebA from small copies of tfds, with the stock features."""

import contextlib
import io

import numpy as np
import pytest

import disentangle as dt
from disentangle.data import celeba, smallnorb
from disentangle.data.tfds import png
from disentangle.errors import UserError

pytest.importorskip("tensorflow_datasets")

TOYS = {"train": [(4, 4, 8, 17, 5), (0, 6, 0, 0, 3)], "test": [(2, 0, 1, 9, 1)]}
FACES = {"train": [(1, 0)], "validation": [(0, 0)], "test": [(1, 1)]}


def prepared(name, version, features, splits, folder):
    """Writes a copy as `download_and_prepare` of the stock builder would."""
    import tensorflow_datasets as tfds

    made = {
        key: tfds.features.ClassLabel(num_classes=value)
        if isinstance(value, int)
        else {n: np.bool_ for n in value}
        if isinstance(value, list)
        else tfds.features.Image(shape=value)
        for key, value in features.items()
    }
    own = name

    with tfds.core.registered.skip_registration():

        class Builder(tfds.core.GeneratorBasedBuilder):
            name = own
            VERSION = tfds.core.Version(version)

            def _info(self):
                return tfds.core.DatasetInfo(
                    builder=self, features=tfds.features.FeaturesDict(made)
                )

            def _split_generators(self, dl_manager):
                return {n: enumerate(rows) for n, rows in splits.items()}

            def _generate_examples(self):
                raise AssertionError

        builder = Builder(data_dir=str(folder), file_format="array_record")
    with contextlib.redirect_stdout(io.StringIO()):
        builder.download_and_prepare()


def grey(value, shape):
    return io.BytesIO(png(np.full(shape, value, np.uint8)))


def attributes():
    """The 40 names of the stock builder."""
    import tensorflow_datasets as tfds

    return list(tfds.builder("celeb_a").info.features["attributes"].keys())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("tfds")
    names = ["label_category", "instance"]
    names += ["label_elevation", "label_azimuth", "label_lighting"]
    sizes = dict(zip(names, smallnorb.SPACE.sizes, strict=True))
    shape = (96, 96, 1)
    toys = {
        split: [
            {"image": grey(50 * row[0] + row[4], shape), "image2": grey(0, shape)}
            | dict(zip(names, row, strict=True))
            for row in rows
        ]
        for split, rows in TOYS.items()
    }
    images = {"image": shape, "image2": shape}
    prepared("smallnorb", "2.0.0", images | sizes, toys, place)
    names = attributes()
    faces = {
        split: [
            {
                "image": grey(100 * male + 50 * smiling, (218, 178, 3)),
                "attributes": dict.fromkeys(names, False)
                | {"Male": bool(male), "Smiling": bool(smiling)},
            }
            for male, smiling in rows
        ]
        for split, rows in FACES.items()
    }
    kinds = {"image": (218, 178, 3), "attributes": names}
    prepared("celeb_a", "2.1.0", kinds, faces, place)
    return place


@pytest.mark.slow
def test_smallnorb_has_both_splits_in_the_order_of_its_grid(folder):
    data = dt.load("smallnorb", path=folder, source="tfds")
    assert data.space.names == smallnorb.SPACE.names and data.shape == (64, 64, 1)
    shown = np.asarray(data.images(np.arange(3)))[:, 5, 40, 0]
    assert shown.tolist() == [3, 101, 205]


@pytest.mark.slow
def test_celeba_has_all_splits(folder):
    data = dt.load("celeba", path=folder, source="tfds")
    assert len(data.space.names) == 40 and data.shape == celeba.SHAPE
    columns = [data.space.position(name) for name in ("Male", "Smiling")]
    factors = np.asarray(data.factors(np.arange(3)))[:, columns]
    pixels = np.asarray(data.images(np.arange(3)))[:, 30, 30, 0]
    assert pixels.tolist() == (100 * factors[:, 0] + 50 * factors[:, 1]).tolist()
    assert factors.tolist() == [[1, 0], [0, 0], [1, 1]]


@pytest.mark.parametrize("name", ["smallnorb", "celeba"])
def test_what_is_not_prepared_is_said(name, tmp_path):
    with pytest.raises(UserError, match="no prepared tfds copy"):
        dt.load(name, path=tmp_path, source="tfds")
