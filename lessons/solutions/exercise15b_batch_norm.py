"""Solution of exercise 15b."""

from collections.abc import Callable

from torch import Tensor, nn

from curriculum.pair import Pair, layer_pair
from lessons.exercises import exercise15b_batch_norm as stub
from lessons.lesson15_normalization import several, used

ANSWER = "BatchNorm1d"
REREAD = ("lesson15_normalization.py", "The running variance")
HINTS = (
    "Two numbers, drawn again and again: how large is their mean squared distance from their own mean, "
    "beside the variance of what they are drawn from?",
    "The batch is standardised by the variance that divides by n. What is kept for use stands for all "
    "batches, and there PyTorch divides by n − 1: else it is too small by the factor (n − 1)/n.",
    "In `update`, and only there: x.var(0, correction=1).",
)
AFTER = (
    "What is measured on a batch is too small a spread, so what is kept for use "
    "is divided by n − 1.",
    "momentum=None averages all batches alike, as in nn.BatchNorm1d. Build it.",
)


class BatchNorm1d(stub.BatchNorm1d):
    def update(self, x: Tensor) -> None:
        """What stands for all batches is divided by n − 1: correction 1."""
        for name, new in (
            ("running_mean", x.mean(0)),
            ("running_var", x.var(0, correction=1)),
        ):
            self.buffers[name].mul_(1 - self.momentum).add_(new, alpha=self.momentum)
        self.buffers["num_batches_tracked"] += 1


def pairs(answer: type[stub.BatchNorm1d]) -> list[Pair]:
    return [
        layer_pair(
            "training",
            lambda c: answer(c.n_in),
            lambda c: nn.BatchNorm1d(c.n_in),
            several,
        ),
        layer_pair("use", lambda c: used(answer, c), lambda c: used(nn.BatchNorm1d, c)),
        Pair(
            "kept",
            lambda c: used(answer, c).buffers,
            lambda c: dict(used(nn.BatchNorm1d, c).named_buffers()),
        ),
    ]


class _UnbiasedEverywhere(BatchNorm1d):
    def normalise(self, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        return super().normalise(
            x, mean, x.var(0, correction=1) if self.training else var
        )


class _WrongPlace(stub.BatchNorm1d):
    def normalise(self, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        return super().normalise(
            x, mean, x.var(0, correction=1) if self.training else var
        )


def _kept(
    mean: Callable[[Tensor], Tensor], var: Callable[[Tensor], Tensor]
) -> type[BatchNorm1d]:
    """Batch norm whose running averages take in another mean and variance of a batch."""

    class Kept(BatchNorm1d):
        def update(self, x: Tensor) -> None:
            for name, new in (("running_mean", mean(x)), ("running_var", var(x))):
                self.buffers[name].mul_(1 - self.momentum).add_(
                    new, alpha=self.momentum
                )
            self.buffers["num_batches_tracked"] += 1

    return Kept


class _MomentumWrongWayRound(BatchNorm1d):
    def update(self, x: Tensor) -> None:
        self.momentum = 1 - self.momentum
        super().update(x)
        self.momentum = 1 - self.momentum


class _BatchInUse(BatchNorm1d):
    def normalise(self, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        return super().normalise(x, x.mean(0), x.var(0, correction=0))


MISTAKES = {
    "running variance divided by n": stub.BatchNorm1d,
    "n − 1 in training, too": _UnbiasedEverywhere,
    "n − 1 in training, n in the running variance": _WrongPlace,
    "n and n − 1 the wrong way round": _kept(
        lambda x: x.mean(0), lambda x: x.var(0, correction=0) * (len(x) - 1) / len(x)
    ),
    "momentum the wrong way round": _MomentumWrongWayRound,
    "mean divided by n − 1": _kept(
        lambda x: x.sum(0) / (len(x) - 1), lambda x: x.var(0, correction=1)
    ),
    "the batch's own statistics in use": _BatchInUse,
}
