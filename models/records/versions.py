"""The versions that a run was made with."""

import functools
import importlib.metadata
import platform

PACKAGES = ("torch", "torchvision", "lightning", "tensorboard", "numpy")


@functools.cache
def versions() -> dict[str, str]:
    """Python's version and those of `PACKAGES`, by name."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        found[name] = importlib.metadata.version(name)
    return found
