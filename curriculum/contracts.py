"""What a layer, a loss or an optimiser is given is looked at where it comes in.

One clear error, not a wrong number: PyTorch stretches shapes that differ, and (3, 1) minus (3,) is (3, 3),
each with each, without a word. These functions compare shapes and plain numbers, never the values of tensors,
so a training step does not feel them.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor


def same_shape(what: str, one: Tensor, other_name: str, other: Tensor) -> None:
    """Both have one shape.

    Raises:
        ValueError: they differ; the message names both.
    """
    if one.shape != other.shape:
        raise ValueError(
            f"{what} has the shape {tuple(one.shape)}, {other_name} {tuple(other.shape)}; expected the same"
        )


def shaped(what: str, value: Tensor, expected: Sequence[int | str]) -> None:
    """Its sizes are as many as expected, and those that are given as numbers are equal.

    >>> import torch
    >>> shaped("x", torch.zeros(5, 3), ("batch", 4))
    Traceback (most recent call last):
    ValueError: x has the shape (5, 3); expected (batch, 4)

    Raises:
        ValueError: they are not.
    """
    fits = value.dim() == len(expected) and all(
        size == wanted for size, wanted in zip(value.shape, expected, strict=True) if isinstance(wanted, int)
    )
    if not fits:
        wanted = ", ".join(map(str, expected)) + ("," if len(expected) == 1 else "")
        raise ValueError(f"{what} has the shape {tuple(value.shape)}; expected ({wanted})")


def class_per_row(prediction: Tensor, target: Tensor) -> None:
    """prediction: (batch, classes); target: (batch,), the number of a class for each row.

    Raises:
        ValueError: they are not.
    """
    if prediction.dim() != 2 or target.shape != prediction.shape[:1]:
        raise ValueError(
            f"prediction has the shape {tuple(prediction.shape)}, target of classes {tuple(target.shape)}; "
            "expected (batch, classes) and (batch,)"
        )


def within(what: str, value: float, low: float = 0.0, high: float = math.inf, below: bool = False) -> None:
    """low ≤ value ≤ high, or low ≤ value < high where it must lie `below`.

    Raises:
        ValueError: it lies outside, or is nan.
    """
    if not low <= value <= high or (below and value == high):
        end = f"below {high:g}" if below else f"{high:g} or less"
        expected = f"{low:g} or more" if high == math.inf else f"{low:g} or more, {end}"
        raise ValueError(f"{what} is {value}; expected {expected}")


def used_once(layers: Sequence[Any]) -> None:
    """No layer stands in two places: it remembers one forward pass, that of the last place.

    Raises:
        ValueError: one does.
    """
    seen: set[int] = set()
    for layer in _with_inner(layers):
        if id(layer) in seen:
            raise ValueError(
                f"one {type(layer).__name__} stands in two places, and it remembers one forward pass only; "
                "make a second one"
            )
        seen.add(id(layer))


def _with_inner(layers: Sequence[Any]) -> list[Any]:
    """The layers, and those inside of them."""
    return [inner for layer in layers for inner in (layer, *_with_inner(getattr(layer, "layers", ())))]


def copy_into(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Copy a state dict into tensors of the same names and shapes.

    Raises:
        KeyError: a name is missing or unknown.
        ValueError: a shape is another.
    """
    missing = sorted(own.keys() - state.keys())
    unknown = sorted(state.keys() - own.keys())
    if missing or unknown:
        raise KeyError(f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}")
    for name, tensor in own.items():
        same_shape(f"{name} of the state", state[name], "that of the model", tensor)
    for name, tensor in own.items():
        tensor.copy_(state[name])
