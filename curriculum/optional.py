"""Packages that only who makes notebooks needs."""

import importlib
from types import ModuleType

from curriculum import UserError


def installed(package: str) -> ModuleType:
    """The package.

    Raises:
        UserError: It is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(
            f"{package} is not installed; install it with: pip install jupytext nbclient ipykernel"
        ) from error
