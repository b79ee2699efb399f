"""Where tensors lie: in an argument, in a dictionary, in an object's attribute."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

OF_A_MODEL = ("params", "grads")  # may be properties, which `vars` does not show


class Place(NamedTuple):
    """`grads["weight"]` is Place("", "grads", "weight"), `self.x` is Place("self", "x")."""

    owner: str
    name: str
    key: str = ""

    def __str__(self) -> str:
        owner = f"{self.owner}." if self.owner and self.name not in OF_A_MODEL else ""
        if self.owner not in ("", "self"):
            owner = f"{self.owner}."
        return f"{owner}{self.name}" + (f'["{self.key}"]' if self.key else "")


def tensors_in(things: dict[str, Any]) -> dict[Place, Tensor]:
    """Every tensor among `things`, and one level down in their dictionaries and attributes."""
    found: dict[Place, Tensor] = {}
    for name, thing in things.items():
        found |= _in_one("", name, thing)
        if not isinstance(thing, Tensor | type) and hasattr(thing, "__dict__"):
            for attribute, value in _attributes(thing):
                found |= _in_one(name, attribute, value)
    return found


def copies(tensors: dict[Place, Tensor]) -> dict[Place, Tensor]:
    return {place: value.detach().clone() for place, value in tensors.items()}


def equal(one: Tensor, other: Tensor) -> bool:
    """But for a rounding; undefined numbers are equal to each other."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not one.is_floating_point():
        return torch.equal(one, other)
    rounding = 4 * torch.finfo(one.dtype).eps
    return torch.allclose(one, other, rtol=rounding, atol=rounding, equal_nan=True)


def _in_one(owner: str, name: str, thing: Any) -> dict[Place, Tensor]:
    if isinstance(thing, Tensor):
        return {Place(owner, name): thing}
    if isinstance(thing, dict):
        return {
            Place(owner, name, str(key)): value for key, value in thing.items() if isinstance(value, Tensor)
        }
    return {}


def _attributes(thing: Any) -> Iterator[tuple[str, Any]]:
    own = vars(thing)
    yield from list(own.items())
    for name in OF_A_MODEL:
        if name not in own:
            with contextlib.suppress(Exception):
                yield name, getattr(thing, name)
