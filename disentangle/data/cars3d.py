"""Cars3D: 183 models of cars from all sides (Reed et al. 2015), 17,568 images.

From the folder `cars` of the published archive (nips2015-analogy-data.tar.gz): a file
`car_001_mesh.mat` per car, whose `im` is (128, 128, 3, 24, 4) uint8, and `list.txt`,
their names in order. Images are brought to 64x64 and the factors are in the order of
Locatello et al. 2019: elevation, azimuth, car; the last is fastest.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from disentangle import progress
from disentangle.data.dataset import Dataset, Recipe
from disentangle.data.grids import categorical, grid, ordinal, turning
from disentangle.data.space import FactorSpace
from disentangle.data.stream import THREADS
from disentangle.errors import UserError
from disentangle.files import reading

LIST = "list.txt"
SIDE, ELEVATIONS, AZIMUTHS = 64, 4, 24
RAW = (128, 128, 3, AZIMUTHS, ELEVATIONS)
SHAPE = (SIDE, SIDE, 3)


def read(path: Path) -> Dataset:
    """The images of all cars in the folder.

    Args:
      path: of `cars`, or of a folder that holds `cars` or `data/cars`.

    Raises:
      UserError: there are no such files, one is missing, or is not what it should be.
    """
    folder = _folder(path.absolute())
    files = _files(folder)
    table = np.empty((ELEVATIONS, AZIMUTHS, len(files), *SHAPE), np.uint8)
    with ThreadPoolExecutor(THREADS) as pool:
        found = [pool.submit(views, file) for file in files]
        for car, done in enumerate(progress.over(found, "read cars3d", unit="car")):
            table[:, :, car] = done.result()
    space = FactorSpace(
        (
            ordinal("elevation", ELEVATIONS),
            turning("azimuth", AZIMUTHS),
            categorical("object_type", len(files)),
        )
    )
    images = table.reshape(-1, *SHAPE)
    return grid(images, space, SHAPE, name="cars3d", path=folder)


def views(path: Path) -> np.ndarray:
    """The images of one car, (4 elevations, 24 azimuths, 64, 64, 3) uint8."""
    from PIL import Image
    from scipy import io

    with reading(path, "is no car of Cars3D"):
        try:
            raw = io.loadmat(path, variable_names=["im"])["im"]
        except io.matlab.MatReadError as error:  # of no kind that others raise
            raise UserError(str(error)) from None
        if raw.shape != RAW or raw.dtype != np.uint8:
            raise UserError(f"its im is {raw.dtype} {raw.shape}, not uint8 {RAW}")
    found = np.empty((ELEVATIONS, AZIMUTHS, *SHAPE), np.uint8)
    for elevation, azimuth in np.ndindex(ELEVATIONS, AZIMUTHS):
        image = Image.fromarray(np.ascontiguousarray(raw[..., azimuth, elevation]))
        small = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        found[elevation, azimuth] = np.asarray(small)
    return found


def _folder(path: Path) -> Path:
    places = (path, path / "cars", path / "data" / "cars")
    for place in places:
        if (place / LIST).is_file() or any(place.glob("car_*_mesh.mat")):
            return place
    raise UserError(f"{path} holds no Cars3D: no {LIST} and no car_..._mesh.mat")


def _files(folder: Path) -> list[Path]:
    """The file of every car, in the published order, else by name."""
    if not (folder / LIST).is_file():
        return sorted(folder.glob("car_*_mesh.mat"))
    with reading(folder / LIST):
        names = (folder / LIST).read_text(encoding="utf-8").split()
    files = [folder / f"{name.removesuffix('.mat')}.mat" for name in names]
    missing = next((file for file in files if not file.is_file()), None)
    if missing is not None or not files:
        name = missing or "nothing"
        raise UserError(f"{folder / LIST} names {name}, which is not there")
    return files


RECIPE = Recipe(
    read=read,
    about="17,568 images of 183 cars, 64x64: path= the folder of its .mat files",
)
