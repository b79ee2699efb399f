"""The part of MNIST that the page of digits learns from where `curriculum play` finds it."""

import base64
import json
from pathlib import Path

from curriculum.mnist_files import locate

TRAIN, VAL = (
    10_000,
    1_000,
)  # the first ones of the package's parts; all of them would take a browser a gigabyte


def is_there(data_dir: Path | None) -> bool:
    """Whether all files of MNIST lie on this machine."""
    _, missing = locate(data_dir)
    return not missing


def as_json(data_dir: Path | None) -> bytes:
    """mean, std, sizes, and as base64 of bytes: pixels (count · 784), 0 to 255, and target (count,)."""
    import torch

    from curriculum.data import load

    data = load("mnist", data_dir)
    x = torch.cat([data.train.x[:TRAIN], data.val.x[:VAL]])
    pixels = ((x * data.std + data.mean) * 255).round().to(torch.uint8)
    target = torch.cat([data.train.target[:TRAIN], data.val.target[:VAL]]).to(torch.uint8)
    facts = {"mean": data.mean, "std": data.std, "sizes": [TRAIN, VAL]}
    return json.dumps(
        {**facts, "pixels": _base64(pixels.numpy()), "target": _base64(target.numpy())}
    ).encode()


def _base64(numbers: object) -> str:
    return base64.b64encode(numbers.tobytes()).decode()  # type: ignore[attr-defined]
