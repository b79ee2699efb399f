"""Solution of exercise 24d."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results
from lessons.exercises import exercise24d_validation as stub

ANSWER = "validate"
REREAD = ("lesson15_normalization.py", "`train()` and `eval()`")
HINTS = (
    "Batch norm and dropout do one thing while a model learns and another while it is used. Who tells them?",
    "model.eval() before, and afterwards the mode that was: it stands in model.training. What keeps a graph "
    "from being made?",
    "mode = model.training; model.eval(); with torch.no_grad(): the loss; model.train(mode).",
)
AFTER = (
    "A look switches to eval(), asks for no gradients, and puts back what it found.",
    "Write it as a context manager that restores the mode of every single layer.",
)


def validate(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    mode = model.training
    model.eval()
    with torch.no_grad():
        loss = nn.functional.cross_entropy(model(x), target)
    model.train(mode)
    return loss


Answer = Callable[[nn.Module, Tensor, Tensor], Tensor]


def pairs(answer: Answer) -> list[Pair]:
    """Batch norm and dropout, while training and while in use; two looks each."""

    def pair(name: str, training: bool) -> Pair:
        def by_hand(case: Case) -> Results:
            # The answer has to switch autograd off by itself.
            with torch.inference_mode(False), torch.enable_grad():
                return two_looks(case, training, answer)

        def by_torch(case: Case) -> Results:
            return two_looks(case, training, torch_validate)

        return Pair(name, by_hand, by_torch)

    return [pair("while training", True), pair("while in use", False)]


def torch_validate(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """The same without switching anything: batch norm by its running statistics."""
    assert isinstance(model, nn.Sequential)
    norm: Any = model[1]
    with torch.no_grad():
        sums = model[0](x)
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        hidden = ((sums - norm.running_mean) * scale + norm.bias).clamp(min=0)
        return nn.functional.cross_entropy(model[4](hidden), target)


def two_looks(case: Case, training: bool, look: Answer) -> Results:
    model = nn.Sequential(
        nn.Linear(case.n_in, 6),
        nn.BatchNorm1d(6),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(6, case.n_out),
    )
    for name, value in model.named_parameters():
        value.data = case.upstream(name, value.shape)
    model.train(training)
    results: Results = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(case.seed)
        for count in range(2):
            x = case.tensor(f"x_{count}", case.batch + 1, case.n_in).clamp(-3, 3)
            target = case.classes(f"target_{count}", case.batch + 1, case.n_out)
            loss = look(model, x, target)
            results |= {
                f"loss_{count}": loss,
                f"loss_{count} has a graph": torch.tensor(loss.requires_grad),
                f"training_{count}": torch.tensor(model.training),
                f"x_{count}": x,
            }
    kept = {name: value.clone() for name, value in model.named_buffers()}
    return results | {f"buffer {name}": value for name, value in kept.items()}


def _left_in_eval(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    loss = validate(model, x, target)
    model.eval()
    return loss


def _always_train(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    loss = validate(model, x, target)
    model.train()
    return loss


def _no_grad_only(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    with torch.no_grad():
        return stub.validate(model, x, target)


def _eval_only(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    mode = model.training
    model.eval()
    loss = stub.validate(model, x, target)
    model.train(mode)
    return loss


MISTAKES = {
    "neither eval() nor no_grad()": stub.validate,
    "no_grad() in place of eval()": _no_grad_only,
    "eval() without no_grad()": _eval_only,
    "left in eval mode": _left_in_eval,
    "train() although it was in use": _always_train,
}
