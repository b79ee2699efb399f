"""On a GPU: a whole step of `FastMLP` recorded once and replayed as one CUDA graph.

A step of a small network is some twenty kernels, each shorter than the time to launch it from Python. A graph
launches all of them at once. It replays the very same memory, so the batch and the learning rate are copied
into tensors that stay where they are, and every batch must have the size of the first.
"""

import torch
from torch import Tensor

from lessons.lesson24_speed import FastMLP

WARM_UP = 3  # steps before the recording, as PyTorch's notes on CUDA graphs ask for


class GraphedStep:
    """`FastMLP.step` with a fixed batch size; without CUDA it calls the step as it is.

    Args:
        model: on the device where it is to learn. Warming up changes no parameter.
        batch_size: of every batch that comes.

    Raises:
        ValueError: a batch of another size.
    """

    def __init__(self, model: FastMLP, batch_size: int) -> None:
        self.model = model
        first = next(iter(model.params.values()))
        n_in = first.shape[1]
        self.x = torch.zeros(batch_size, n_in, dtype=first.dtype, device=first.device)
        self.target = torch.zeros(batch_size, dtype=torch.int64, device=first.device)
        self.lr = torch.zeros((), dtype=first.dtype, device=first.device)
        self.graph = self._record() if first.is_cuda else None

    def __call__(self, x: Tensor, target: Tensor, lr: float) -> Tensor:
        """One step on x (batch_size, pixels) and target (batch_size,), int64; returns the loss before it, ().

        On a GPU it is the same tensor each time: copy what is to stay.
        """
        if x.shape != self.x.shape:
            raise ValueError(
                f"x is {tuple(x.shape)}; expected {tuple(self.x.shape)}, the shape of the recording"
            )
        self.x.copy_(x)
        self.target.copy_(target)
        self.lr.fill_(lr)
        if self.graph is None:
            return self.model.step(self.x, self.target, self.lr)
        self.graph.replay()
        return self.loss

    def _record(self) -> torch.cuda.CUDAGraph:
        """With a learning rate of 0, so that nothing is learned from the zeros in the buffers."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self.model.step(self.x, self.target, self.lr)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.loss = self.model.step(self.x, self.target, self.lr)
        return graph
