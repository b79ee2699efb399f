"""The judge names by numbers alone what is wrong and accuses nobody else, and its example is a small one."""

import math
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import find, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from curriculum import discover
from curriculum.grader import judge, shrink
from curriculum.grader.finite_differences import finite_difference
from curriculum.grader.shrink import VALUES, Whole
from curriculum.grader.trials import try_out
from curriculum.grader.verdict import Verdict
from curriculum.pair import Case, Pair, Results, function_pair, layer_pair, loss_pair
from lessons.lesson03_activations import ReLU
from lessons.lesson04_layers import Linear
from lessons.lesson05_losses import MSELoss


def linear_pair(answer: Any) -> Pair:
    return layer_pair("linear", lambda c: answer(c.n_in, c.n_out), lambda c: nn.Linear(c.n_in, c.n_out))


def relu_pair(answer: Any) -> Pair:
    return layer_pair("relu", lambda case: answer(), lambda case: nn.ReLU())


def mse_pair(answer: Any, mode: str = "mean") -> Pair:
    return loss_pair(mode, lambda case: answer(mode), lambda case: nn.MSELoss(reduction=mode))


def verdict(answer: Any, pair: Callable[[Any], Pair] = linear_pair, **other: Any) -> Verdict:
    """On an answer to an exercise whose solution lists no mistake, if no `other` is given."""
    solution = {
        "ANSWER": "answer",
        "answer": answer,
        "MISTAKES": {},
        "REREAD": ("lesson04_layers.py", "class Linear"),
        "pairs": lambda answer: [pair(answer)],
        "__file__": str(discover.FOLDER / "solutions" / "any.py"),
    }
    module = ModuleType("solution")
    vars(module).update(solution | other)
    return judge.judge(answer, module)


def test_the_right_ones_pass() -> None:
    assert verdict(Linear).passed
    assert verdict(ReLU, relu_pair).passed
    assert verdict(MSELoss, mse_pair).passed


def with_dropout(x: Tensor) -> Tensor:
    """As an answer and torch would draw it, each for itself."""
    return x * (torch.rand(x.shape) < 0.5)


def test_both_sides_draw_the_same_numbers() -> None:
    def pair(answer: Any) -> Pair:
        return function_pair("dropout", answer, with_dropout, lambda case: case.tensor("x", 5, 4))

    assert verdict(with_dropout, pair).passed


class ByTorch(ReLU):
    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return nn.functional.relu(x)


def test_where_the_solution_is_about_torch_an_answer_may_use_it() -> None:
    assert verdict(ByTorch, relu_pair, ANSWER="relu", relu=ReLU).kind == "not by hand"
    assert verdict(ByTorch, relu_pair, ANSWER="relu", relu=ByTorch).passed
    stub = SimpleNamespace(relu=ByTorch)
    assert verdict(ByTorch, relu_pair, ANSWER="relu", relu=ReLU, stub=stub).passed


# ---------------------------------------------------------------- gradients of the wrong steps or examples


class NotReset(Linear):
    def backward_params(self, grad_y: Tensor) -> None:
        before = self.grads
        super().backward_params(grad_y)
        self.grads = {name: grad + before.get(name, 0) for name, grad in self.grads.items()}


class BiasNotReset(Linear):
    """The sum of the bias goes on over all examples of all steps."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out)
        self.sum = torch.zeros(n_out)

    def backward_params(self, grad_y: Tensor) -> None:
        for row in grad_y:
            self.sum += row
        self.grads = {"weight": grad_y.T @ self.x, "bias": self.sum.clone()}


class HalfReset(NotReset):
    """As a moving sum does: something of the step before, but not all of it."""

    def backward_params(self, grad_y: Tensor) -> None:
        self.grads = {name: grad / 2 for name, grad in self.grads.items()}
        super().backward_params(grad_y)


class LastAlone(Linear):
    def backward_params(self, grad_y: Tensor) -> None:
        for x, grad in zip(self.x, grad_y, strict=True):
            self.grads = {"weight": torch.outer(grad, x), "bias": grad}


class FirstAlone(Linear):
    def backward_params(self, grad_y: Tensor) -> None:
        for x, grad in zip(self.x, grad_y, strict=True):
            self.grads = {"weight": torch.outer(grad, x), "bias": grad}
            return


class LastWeightFirstBias(Linear):
    def backward_params(self, grad_y: Tensor) -> None:
        self.grads = {"weight": torch.outer(grad_y[-1], self.x[-1]), "bias": grad_y[0]}


class LastForgotten(Linear):
    def backward_params(self, grad_y: Tensor) -> None:
        self.grads = {"weight": grad_y[:-1].T @ self.x[:-1], "bias": grad_y[:-1].sum(0)}


class Doubled(Linear):
    def backward_params(self, grad_y: Tensor) -> None:
        super().backward_params(2 * grad_y)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (NotReset, "pattern", "gradient not reset: that of the step before is still in it"),
        (BiasNotReset, "pattern", "gradient not reset: that of the step before is still in it"),
        (LastAlone, "pattern", "gradient not accumulated: it is torch's for the last example alone"),
        (FirstAlone, "pattern", "gradient not accumulated: it is torch's for the first example alone"),
        (HalfReset, "values", "grad_weight"),
        (LastWeightFirstBias, "values", "grad_"),
        (LastForgotten, "values", "grad_"),
        (Doubled, "pattern", "it is 2 times torch's"),
    ],
)
def test_gradients_of_the_wrong_steps_or_examples(answer: type, kind: str, words: str) -> None:
    found = verdict(answer)
    assert found.kind == kind
    assert words in found.message


class SevenTimesInOneSize(Linear):
    """By numbers alone it could be the batch size or a factor of 7, which are the same here."""

    def backward_params(self, grad_y: Tensor) -> None:
        super().backward_params(7 * grad_y if len(grad_y) == 7 else grad_y)


def test_a_failure_with_one_batch_size_alone_does_not_accuse_of_a_mean() -> None:
    found = verdict(SevenTimesInOneSize)
    assert (found.kind, found.message) == ("pattern", "it is 7 times torch's")


class SevenTimes(Linear):
    def backward_params(self, grad_y: Tensor) -> None:
        super().backward_params(7 * grad_y)


def test_a_mistake_that_is_wrong_elsewhere_too_is_not_this_one() -> None:
    mistakes = {"seven times": SevenTimes}
    assert verdict(SevenTimes, MISTAKES=mistakes).bug == "seven times"
    assert verdict(SevenTimesInOneSize, MISTAKES=mistakes).bug == ""


class ThriceTheLoss(MSELoss):
    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return 3 * super().forward(prediction, target)


class HardlyOff(Linear):
    """So little that what it is told to be would be 1 times torch's."""

    def backward(self, grad_y: Tensor) -> Tensor:
        return super().backward(grad_y) * (1 + 1e-7)


def test_a_factor_needs_several_numbers_and_is_not_one() -> None:
    """One number is always a multiple of another."""
    found = verdict(ThriceTheLoss, mse_pair)
    assert (found.kind, found.message.startswith("mean, batch ")) == ("values", True)
    found = verdict(HardlyOff)
    assert (found.kind, found.message.startswith("linear, batch ")) == ("values", True)


def test_a_case_that_torch_refuses_does_not_count() -> None:
    """As a batch of one for batch normalisation."""

    def refuse_one_example(answer: Any) -> Pair:
        pair = linear_pair(answer)

        def by_torch(case: Case) -> Results:
            if case.batch == 1:
                raise ValueError("expected more than one example")
            return pair.torch(case)

        return replace(pair, torch=by_torch)

    assert verdict(Linear, refuse_one_example).passed


# ---------------------------------------------------------------- finite differences


class Squares(Linear):
    """Another function, with its own right gradients."""

    def forward(self, x: Tensor) -> Tensor:
        self.root = x
        return super().forward(x**2)

    def backward(self, grad_y: Tensor) -> Tensor:
        return super().backward(grad_y) * 2 * self.root


class InputAdded(Linear):
    def backward(self, grad_y: Tensor) -> Tensor:
        return super().backward(grad_y) + self.x.abs()


class ThriceAndInputAdded(InputAdded):
    def forward(self, x: Tensor) -> Tensor:
        return 3 * super().forward(x)


class TooLittleToTell(Linear):
    def backward(self, grad_y: Tensor) -> Tensor:
        return super().backward(grad_y) + 3e-6 * self.x.abs()


class OtherKink(ReLU):
    def backward(self, grad_y: Tensor) -> Tensor:
        return grad_y * (self.x >= 0)


class CoarseInSingle(InputAdded):
    def backward(self, grad_y: Tensor) -> Tensor:
        return super().backward(grad_y) if grad_y.dtype == torch.float32 else Linear.backward(self, grad_y)


class Cubes(MSELoss):
    """Another function, with its own right gradient."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        self.error = prediction - target
        return self.reduce(self.error**3)

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        return 3 * self.error**2 * self.share(self.error.numel(), grad_loss)


class Absolute(MSELoss):
    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        return super().backward(grad_loss).abs() + 1


def slopes(found: Verdict) -> list[str]:
    return [line.partition("; ")[2] for line in found.details if line.startswith("finite differences")]


@pytest.mark.parametrize(
    ("answer", "pair", "said"),
    [
        (InputAdded, linear_pair, ["backward does not fit forward"]),
        (Squares, linear_pair, ["backward fits it: mend forward"]),
        (ThriceAndInputAdded, linear_pair, ["forward is wrong, and backward does not fit it"]),
        (OtherKink, relu_pair, []),
        (TooLittleToTell, linear_pair, []),
        (CoarseInSingle, linear_pair, []),
        (Cubes, mse_pair, ["backward fits it: mend forward"]),
        (Cubes, lambda answer: mse_pair(answer, "none"), ["backward fits it: mend forward"]),
        (Absolute, mse_pair, ["backward does not fit forward"]),
        (Absolute, lambda answer: mse_pair(answer, "none"), ["backward does not fit forward"]),
        (Absolute, lambda answer: replace(mse_pair(answer), objective=None), []),
    ],
)
def test_finite_differences_tell_which_half_is_wrong(
    answer: type, pair: Callable[[Any], Pair], said: list[str]
) -> None:
    found = verdict(answer, pair)
    assert found.kind == "values"
    assert slopes(found) == said


def test_finite_differences_agree_with_torch(lesson: discover.Lesson) -> None:
    """For every layer and loss of the lessons, wherever they can be taken."""
    pairs = [pair for pair in lesson.pairs() if pair.objective]
    for trial in try_out(pairs, [Case(batch=3)]):
        for name in [name for name in trial.wanted.results if name.startswith("grad_")]:
            wanted = trial.wanted.results[name]
            entry = tuple(int(i) for i in torch.unravel_index(wanted.abs().argmax(), wanted.shape))
            slope = finite_difference(trial, name.removeprefix("grad_"), entry)
            assert slope is None or math.isclose(slope, wanted[entry].item(), rel_tol=1e-5, abs_tol=1e-6), (
                trial.pair.name, name, slope, wanted[entry].item(),
            )  # fmt: skip


# ---------------------------------------------------------------- the smallest example


def fails(pair: Pair, case: Case) -> bool:
    return any(trial.problems for trial in try_out([pair], [case]))


WRONG = [
    linear_pair(NotReset),
    linear_pair(LastAlone),
    linear_pair(InputAdded),
    relu_pair(OtherKink),
    mse_pair(Cubes),
]


@pytest.mark.parametrize("pair", WRONG, ids=["not reset", "last alone", "input added", "kink", "cubes"])
def test_hypothesis_finds_no_plainer_numbers(pair: Pair) -> None:
    found = shrink.smallest([pair], fails)
    assert found is not None
    _, case = found
    assert isinstance(case, Whole)
    assert fails(pair, case)
    ours = [VALUES.index(number) for value in case.known.values() for number in value.flatten().tolist()]

    def fails_with(chosen: list[int]) -> bool:
        numbers = torch.tensor([VALUES[i] for i in chosen], dtype=torch.float64)
        parts = numbers.split([value.numel() for value in case.known.values()])
        known = {key: part.view(key[1]) for key, part in zip(case.known, parts, strict=True)}
        return fails(pair, replace(case, known=known))

    lists = st.lists(st.integers(0, len(VALUES) - 2), min_size=len(ours), max_size=len(ours))
    assert fails_with(ours)
    assert find(lists, fails_with, settings=settings(derandomize=True, database=None, deadline=None)) == ours


def test_the_search_is_the_same_each_time_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    once, again = (verdict(InputAdded) for _ in range(2))
    assert once == again
    monkeypatch.setattr(shrink, "SECONDS", 0.0)
    hasty = verdict(InputAdded)
    assert hasty.kind == "values"
    assert "grad_x[" in hasty.message
    assert shrink.smallest([linear_pair(Linear)], fails) is None


def test_a_case_of_whole_numbers_gives_all_sides_the_same() -> None:
    case = Whole(seed=3)
    x, upstream = case.tensor("x", 40, 40), case.upstream("y", torch.Size((40, 40)))
    assert torch.equal(x, case.tensor("x", 40, 40))
    x.zero_()
    assert case.tensor("x", 40, 40).abs().sum() > 0
    assert set(case.tensor("x", 40, 40).unique().tolist()) == set(VALUES)
    assert 0 not in upstream
    assert case.classes("target", 50, 3).unique().tolist() == [0, 1, 2]
