"""Solution of exercise 17a."""

from collections.abc import Callable

import torch
from torch import Tensor

from curriculum.pair import Case, Pair, Results

ANSWER = "top_k_accuracy"
REREAD = ("lesson11_training.py", "def accuracy")
HINTS = (
    "What place does the right class take in its row? How many classes come before it?",
    "Pick the right class's logit of each row with `gather`, and count the logits that are larger. A row "
    "counts for k if that number is below k.",
    "before = (logits > logits.gather(1, target[:, None])).sum(1). Compare before[:, None] with 1 … classes, "
    "then take the mean over the rows.",
)
AFTER = (
    "The place of the right answer among the logits says it for every k at once.",
    "Two logits are equal. Which of them should count as first, and does your "
    "answer depend on the order of the classes?",
)


def top_k_accuracy(logits: Tensor, target: Tensor) -> Tensor:
    before = (logits > logits.gather(1, target[:, None])).sum(
        1, keepdim=True
    )  # larger ones: (batch, 1)
    k = torch.arange(1, logits.shape[1] + 1)
    return (before < k).to(logits.dtype).mean(0)  # (batch, classes) → (classes,)


def pairs(answer: Callable[[Tensor, Tensor], Tensor]) -> list[Pair]:
    """What the learner's `answer` is held against: torch's own."""

    def run(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Case], Results]:
        def results(case: Case) -> Results:
            count = 10 * case.batch
            logits = case.upstream(
                "logits", torch.Size((count, case.n_out))
            )  # no zeros, so no ties
            target = case.classes("target", count, case.n_out)
            return {
                "output": function(logits, target),
                "logits": logits,
                "target": target,
            }

        return results

    return [
        Pair("top-k accuracy", run(answer), run(torch_top_k_accuracy), drawn=False)
    ]  # drawn ones tie


def torch_top_k_accuracy(logits: Tensor, target: Tensor) -> Tensor:
    """The same with `torch.topk`, one k after the other."""
    found = [
        (logits.topk(k, 1).indices == target[:, None]).any(1)
        for k in range(1, logits.shape[1] + 1)
    ]
    return torch.stack(found).to(logits.dtype).mean(1)


def _one_place_too_many(logits: Tensor, target: Tensor) -> Tensor:
    return torch.cat([top_k_accuracy(logits, target)[1:], torch.ones(1)])


def _exactly_at_place_k(logits: Tensor, target: Tensor) -> Tensor:
    return torch.diff(top_k_accuracy(logits, target), prepend=torch.zeros(1))


def _in_place(logits: Tensor, target: Tensor) -> Tensor:
    result = top_k_accuracy(logits, target)
    logits -= logits.gather(1, target[:, None])
    return result


MISTAKES = {
    "one place too many": _one_place_too_many,
    "smallest instead of largest": lambda logits, target: top_k_accuracy(
        -logits, target
    ),
    "only those at place k, not those before": _exactly_at_place_k,
    "mean forgotten": lambda logits, target: (
        len(target) * top_k_accuracy(logits, target)
    ),
    "dtype lost": lambda logits, target: top_k_accuracy(logits, target).float(),
    "input changed in place": _in_place,
}
