"""Solution of exercise 23b."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results
from lessons.exercises import exercise23b_last_batch as stub
from lessons.exercises.exercise23b_last_batch import gradient
from lessons.lesson17_mnist import MLP, TorchMLP, first_weights
from lessons.lesson23_machines import ring

ANSWER = "shared_gradient"
REREAD = ("lesson23_machines.py", "def shares_must_be_equal")
HINTS = (
    "45 examples, two workers. How many does each get, and how much does one example of each count?",
    "The mean of means is the mean only if the shares are equal. A sum of sums always is the sum.",
    "Send the share's gradient times the number of its examples. Divide the total by the size of the batch.",
)
AFTER = (
    "Each worker counts by its number of examples. Equal shares are a special case.",
    "One worker is twice as fast. Give it twice as many examples, and keep the "
    "gradient.",
)


def shared_gradient(model: MLP, x: Tensor, target: Tensor, workers: int) -> Tensor:
    parts = torch.zeros(workers, sum(param.numel() for param in model.params.values()))
    for rank in range(workers):
        mine = slice(rank, None, workers)
        if count := len(target[mine]):
            parts[rank] = count * gradient(
                model, x[mine], target[mine]
            )  # the sum over the share
    return ring(parts)[0][-1][0] / len(target)


def pairs(answer: Callable[..., Tensor]) -> list[Pair]:
    """One to four workers: most share a batch of 5 or 7 unequally, and a batch of 1 leaves some without."""

    def pair(workers: int) -> Pair:
        def by_hand(case: Case) -> Results:
            model = MLP(sizes(case))
            model.load_state_dict(first_weights(sizes(case), case.seed))
            x, target = (
                case.tensor("x", case.batch, case.n_in),
                case.classes("target", case.batch, case.n_out),
            )
            return {"gradient": answer(model, x, target, workers)}

        return Pair(f"{workers} workers", by_hand, by_torch)

    return [pair(workers) for workers in (1, 2, 4)]


def sizes(case: Case) -> tuple[int, ...]:
    return case.n_in, 6, case.n_out


def by_torch(case: Case) -> Results:
    """One process, the whole batch."""
    model = TorchMLP(sizes(case))
    model.load_state_dict(first_weights(sizes(case), case.seed))
    x, target = (
        case.tensor("x", case.batch, case.n_in),
        case.classes("target", case.batch, case.n_out),
    )
    nn.functional.cross_entropy(model(x), target).backward()
    return {
        "gradient": torch.cat(
            [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        )
    }


Answer = Callable[[MLP, Tensor, Tensor, int], Tensor]


def _times(
    factor: Callable[[int, int], float], shared: Answer = shared_gradient
) -> Answer:
    return lambda model, x, target, n: (
        shared(model, x, target, n) * factor(len(target), n)
    )


def _largest_share(model: MLP, x: Tensor, target: Tensor, workers: int) -> Tensor:
    return (
        shared_gradient(model, x, target, workers)
        * len(target)
        / (-(-len(target) // workers) * workers)
    )


MISTAKES = {
    "shares weighed alike": stub.shared_gradient,
    "mean forgotten": _times(lambda batch, workers: batch),
    "mean taken twice": _times(lambda batch, workers: 1 / workers),
    "weighted, then divided by the workers": _times(
        lambda batch, workers: batch / workers
    ),
    "all shares counted as the largest": _largest_share,
    "means added up": _times(lambda batch, workers: workers, stub.shared_gradient),
}
