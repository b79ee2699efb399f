"""The harness must catch what it is there to catch: each planted mistake makes a pair fail."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from curriculum.from_scratch import forbidden_names
from curriculum.pair import (
    Case,
    Pair,
    compare,
    function_pair,
    layer_pair,
    loss_pair,
    optimizer_pair,
    training_pair,
)
from lessons.lesson03_activations import ReLU
from lessons.lesson04_layers import Linear
from lessons.lesson05_losses import MSELoss
from lessons.lesson07_descent import SGD


def problems(pair: Pair, case: Case | None = None) -> dict[str, str]:
    return {difference.name: difference.problem for difference in compare(pair, case) if difference.problem}


def linear_pair(scratch: Callable[[int, int], Any]) -> Pair:
    return layer_pair(
        "linear", lambda case: scratch(case.n_in, case.n_out), lambda case: nn.Linear(case.n_in, case.n_out)
    )


def relu_pair(scratch: Callable[[], Any]) -> Pair:
    return layer_pair("relu", lambda case: scratch(), lambda case: nn.ReLU())


def test_the_right_layers_pass() -> None:
    assert problems(linear_pair(Linear)) == {}
    assert problems(relu_pair(ReLU)) == {}
    assert problems(loss_pair("mse", lambda case: MSELoss(), lambda case: nn.MSELoss())) == {}


class MeanForgotten(MSELoss):
    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        return 2 * self.error


class MeanTwice(MSELoss):
    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        return super().backward() / len(self.error)


class FactorTwoDropped(MSELoss):
    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return super().forward(prediction, target) / 2


@pytest.mark.parametrize(
    ("loss", "where"),
    [(MeanForgotten, "grad_prediction"), (MeanTwice, "grad_prediction"), (FactorTwoDropped, "loss")],
)
def test_wrong_losses_are_caught(loss: type, where: str) -> None:
    found = problems(loss_pair("mse", lambda case: loss(), lambda case: nn.MSELoss()))
    assert found == {where: "values differ"}


class TransposedWeight(Linear):
    def backward(self, grad_y: Tensor) -> Tensor:
        result = super().backward(grad_y)
        self.grads["weight"] = self.grads["weight"].T
        return result


class WrongSign(Linear):
    def backward(self, grad_y: Tensor) -> Tensor:
        return -super().backward(grad_y)


class BiasOverWrongAxis(Linear):
    def backward(self, grad_y: Tensor) -> Tensor:
        result = super().backward(grad_y)
        self.grads["bias"] = grad_y.sum(1)
        return result


class BiasAveraged(Linear):
    def backward(self, grad_y: Tensor) -> Tensor:
        result = super().backward(grad_y)
        self.grads["bias"] = grad_y.mean(0)
        return result


class UpstreamIgnored(Linear):
    def backward(self, grad_y: Tensor) -> Tensor:
        return super().backward(torch.ones_like(grad_y))


class BiasLeftOut(Linear):
    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return x @ self.params["weight"].T


class InputChanged(Linear):
    def forward(self, x: Tensor) -> Tensor:
        result = super().forward(x)
        x.mul_(2)
        self.x = x / 2
        return result


class StaleGradient(Linear):
    def backward(self, grad_y: Tensor) -> Tensor:
        old = self.grads
        result = super().backward(grad_y)
        self.grads = {key: value + old.get(key, 0) for key, value in self.grads.items()}
        return result


class StaleInput(Linear):
    def forward(self, x: Tensor) -> Tensor:
        first = getattr(self, "x", x)
        result = super().forward(x)
        self.x = first
        return result


class SingleStep(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).float()


@pytest.mark.parametrize(
    ("layer", "where"),
    [
        (TransposedWeight, {"grad_weight"}),
        (WrongSign, {"grad_x"}),
        (BiasOverWrongAxis, {"grad_bias"}),
        (BiasAveraged, {"grad_bias"}),
        (UpstreamIgnored, {"grad_x", "grad_weight", "grad_bias"}),
        (BiasLeftOut, {"output"}),
        (InputChanged, {"x"}),
        (StaleGradient, {"grad_weight", "grad_bias"}),
        (StaleInput, {"grad_weight"}),
        (SingleStep, {"output"}),
    ],
)
def test_wrong_layers_are_caught(layer: type, where: set[str]) -> None:
    assert problems(linear_pair(layer)).keys() == where


class KinkCountsAsOne(ReLU):
    def backward(self, grad_y: Tensor) -> Tensor:
        return grad_y * (self.x >= 0)


class SlopeForgotten(ReLU):
    def backward(self, grad_y: Tensor) -> Tensor:
        return grad_y


@pytest.mark.parametrize("layer", [KinkCountsAsOne, SlopeForgotten])
def test_wrong_slopes_are_caught(layer: type) -> None:
    assert problems(relu_pair(layer)) == {"grad_x": "values differ"}


class GradientForgotten(Linear):
    def backward(self, grad_y: Tensor) -> Tensor:
        result = super().backward(grad_y)
        del self.grads["bias"]
        return result


def test_a_forgotten_gradient_is_caught() -> None:
    with pytest.raises(AssertionError, match=r"grads are \['weight'\], params are \['weight', 'bias'\]"):
        compare(linear_pair(GradientForgotten))


class NoBias(Linear):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out)
        del self.params["bias"]

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return x @ self.params["weight"].T

    def backward_params(self, grad_y: Tensor) -> None:
        self.grads = {"weight": grad_y.T @ self.x}


def test_a_missing_parameter_is_caught() -> None:
    assert problems(linear_pair(NoBias))["grad_bias"] == "missing on the scratch side"


def test_a_result_too_many_is_caught() -> None:
    one, two = (lambda case: {"a": torch.ones(1)}), (lambda case: {"a": torch.ones(1), "b": torch.ones(1)})
    assert problems(Pair("extra", two, one)) == {"b": "missing on the torch side"}


class AutogradCheat(ReLU):
    def backward(self, grad_y: Tensor) -> Tensor:
        with torch.enable_grad():
            x = self.x.clone().requires_grad_()
            x.clamp(min=0).backward(grad_y)
        assert x.grad is not None
        return x.grad


class ModeCheat(ReLU):
    def backward(self, grad_y: Tensor) -> Tensor:
        with torch.inference_mode(False):
            x = self.x.clone().requires_grad_()
            (grad,) = torch.autograd.grad(torch.relu(x), x, grad_y.clone())
        return grad


def test_autograd_raises_on_the_scratch_side() -> None:
    with pytest.raises(RuntimeError, match="does not require grad"):
        compare(relu_pair(AutogradCheat))


def counts_classes(target: Tensor) -> Tensor:
    return F.one_hot(target, 3) + torch.nn.functional.one_hot(target, 3)


def counts_classes_and_cheats(prediction: Tensor, target: Tensor) -> Tensor:
    return F.one_hot(target, 3) - F.softmax(prediction, 1)


class FinishedPieces(ReLU):
    def forward(self, x: Tensor) -> Tensor:
        return self.softmax(torch.sigmoid(x)) + torch.log_softmax(x, 1)

    def softmax(self, x: Tensor) -> Tensor:
        return torch.softmax(x, 1)


class OwnSoftmax(ReLU):
    """A class may have a method of such a name, and call it."""

    def forward(self, x: Tensor) -> Tensor:
        return self.softmax(x)

    def softmax(self, x: Tensor) -> Tensor:
        return x.exp() / x.exp().sum(1, keepdim=True)


def test_the_source_check_names_torchs_finished_pieces() -> None:
    assert forbidden_names(FinishedPieces) == ["log_softmax", "sigmoid", "softmax"]
    assert forbidden_names(OwnSoftmax) == []


def test_the_source_check_names_what_is_not_from_scratch() -> None:
    assert forbidden_names(AutogradCheat) == ["enable_grad", "requires_grad_"]
    assert forbidden_names(ModeCheat) == ["autograd", "inference_mode", "relu", "requires_grad_"]
    assert forbidden_names(Linear) == []
    assert forbidden_names(counts_classes) == []
    assert forbidden_names(counts_classes_and_cheats) == ["F"]


class TooFar(SGD):
    def step(self, grads: dict[str, Tensor]) -> None:
        self.lr *= 1 + 1e-6
        super().step(grads)


class FirstGradientForEver(SGD):
    """Seen only where each step has a gradient of its own."""

    def step(self, grads: dict[str, Tensor]) -> None:
        self.first = getattr(self, "first", grads)
        super().step(self.first)


def sgd_pair(make: type) -> Pair:
    return optimizer_pair(
        "sgd", lambda params: make(params, 0.1), lambda params: torch.optim.SGD(params, 0.1)
    )


def test_an_optimizer_that_drifts_is_caught() -> None:
    assert problems(sgd_pair(SGD)) == {}
    assert "weight_after_10" in problems(sgd_pair(TooFar))


def test_an_optimizer_that_remembers_too_much_is_caught() -> None:
    found = problems(sgd_pair(FirstGradientForEver))
    assert "weight_after_1" not in found
    assert "weight_after_10" in found


def test_a_training_run_of_another_length_is_caught() -> None:
    short = training_pair("run", lambda case: ([1.0], {}), lambda case: ([1.0, 0.5], {}))
    assert problems(short) == {"loss_1": "missing on the scratch side"}


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_not_finite_is_caught(wrong: float) -> None:
    def broken(x: Tensor) -> Tensor:
        return x * 0 + wrong

    pair = function_pair("nan", broken, broken, lambda case: case.tensor("x", 3))
    assert problems(pair) == {"output": "not finite"}


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_finite_on_one_side_only_is_caught(wrong: float) -> None:
    """An infinite number is infinitely far from it, but so is the bound that is relative to it."""

    def broken(x: Tensor) -> Tensor:
        return x * 0 + wrong

    def right(x: Tensor) -> Tensor:
        return x

    for sides in ((broken, right), (right, broken)):
        pair = function_pair("nan", *sides, lambda case: case.tensor("x", 3))
        assert problems(pair) == {"output": "not finite"}


def test_another_dtype_is_caught() -> None:
    """Even where every value is equal."""
    pair = function_pair("dtype", lambda x: x.round().float(), torch.round, lambda case: case.tensor("x", 5))
    assert problems(pair) == {"output": "dtype torch.float32 instead of torch.float64"}


def test_another_shape_is_caught() -> None:
    """Even where it would be broadcast."""
    pair = function_pair("shape", lambda x: x[None], lambda x: x, lambda case: case.tensor("x", 5))
    assert problems(pair) == {"output": "shape (1, 5) instead of (5,)"}


@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-8), (torch.float32, 1e-3)])
def test_the_bound_is_tight(dtype: torch.dtype, error: float) -> None:
    """A relative error of 1e-8 is too much in float64, and one of 1e-3 in float32."""
    pair = function_pair("close", lambda x: x * (1 + error), lambda x: x, lambda case: case.tensor("x", 50))
    assert problems(pair, Case(dtype=dtype)) == {"output": "values differ"}


def test_a_case_exposes_kinks_ties_and_large_values() -> None:
    values = Case().tensor("x", 5, 4).flatten()
    assert (values == 0).sum() >= 2
    assert (values == 0).logical_and(values.signbit()).any(), "a negative zero"
    assert len(values.unique()) < len(values) - (values == 0).sum() + 1, "ties besides the zeros"
    assert values.abs().max() > 5
    assert torch.equal(values, Case().tensor("x", 20))
    assert not torch.equal(values, Case(seed=1).tensor("x", 20))


def test_what_is_made_lies_on_the_device_of_the_case() -> None:
    with Case(device="meta").defaults():
        assert torch.zeros(1).device.type == "meta"
    with torch.device("meta"), Case().defaults():
        assert torch.zeros(1).device.type == "cpu"


def test_what_one_side_does_to_a_tensor_does_not_reach_the_other() -> None:
    for dtype in (torch.float64, torch.float32):
        case = Case(dtype=dtype)
        with torch.inference_mode():
            case.tensor("changed", 3).zero_()
        fresh = case.tensor("changed", 3)
        assert fresh.abs().sum() > 0
        assert not fresh.is_inference()


def test_float32_is_one_option_away() -> None:
    assert problems(linear_pair(Linear), Case(dtype=torch.float32)) == {}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_comparison_leaves_the_default_dtype_as_it_was(dtype: torch.dtype) -> None:
    before = torch.get_default_dtype()
    compare(relu_pair(ReLU), Case(dtype=dtype))
    assert torch.get_default_dtype() == before
