"""Which versions a number was computed with."""

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from disentangle import __version__


def versions(packages: Sequence[str]) -> dict[str, str]:
    """The versions of Python, of this package and of `packages`, by name.

    What is on the path without being installed is "not installed".
    """
    found = {"python": platform.python_version(), "disentangle": __version__}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
