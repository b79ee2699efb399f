"""A network that has learned MNIST, kept as data (float16), for tests where MNIST is absent.

`python -m tests.support.recorded_network` makes it anew.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lessons.lesson17_mnist import SIZES
from lessons.lesson24_speed import FastMLP
from models.jobs.reader import trained
from models.networks.torch_nn import MLP

FILE = Path(__file__).with_name("mnist_network.npz")


@dataclass(frozen=True)
class RecordedNetwork:
    """784–128–64–10, and how the pixels that it learned from were standardised."""

    model: MLP
    mean: float
    std: float

    @classmethod
    def load(cls) -> "RecordedNetwork":
        with np.load(FILE) as known:
            arrays = {name: torch.tensor(known[name].astype(np.float32)) for name in known.files}
        mean = arrays.pop("mean").item()
        std = arrays.pop("std").item()
        model = MLP(SIZES).eval()
        model.load_state_dict(arrays)
        return cls(model, mean, std)

    @torch.inference_mode()
    def answers(self, pictures: Tensor) -> list[int]:
        """pictures: (count, 28, 28), pixels from 0 to 1 → digits."""
        return self.model((pictures.flatten(1) - self.mean) / self.std).argmax(1).tolist()


def main() -> None:
    from curriculum.data import load

    data = load("mnist")
    model: FastMLP = trained(data)
    weights = {name: value.numpy().astype(np.float16) for name, value in model.params.items()}
    np.savez_compressed(FILE, mean=np.float32(data.mean), std=np.float32(data.std), **weights)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
