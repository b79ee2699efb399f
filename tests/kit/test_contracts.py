"""What does not fit a class of the lessons is one clear error; what fits is as torch has it."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

from curriculum.contracts import copy_into, within
from lessons.lesson01_neuron import Sigmoid
from lessons.lesson03_activations import GELU, ReLU, SiLU, Tanh
from lessons.lesson04_layers import Linear, Sequential
from lessons.lesson05_losses import BCEWithLogitsLoss, MSELoss
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import SGD, numerical_gradient
from lessons.lesson09_autograd import Value
from lessons.lesson10_tensor_autograd import Node
from lessons.lesson12_optimizers import Adam, AdamL2, AdamW, MomentumSGD, RMSprop
from lessons.lesson14_initialization import kaiming_normal_, kaiming_uniform_, xavier_normal_, xavier_uniform_
from lessons.lesson15_normalization import BatchNorm1d, LayerNorm, Residual, Stack
from lessons.lesson16_overfitting import DecayingSGD, Dropout
from lessons.lesson17_mnist import MLP
from models.networks import scratch, torch_nn

INF = math.inf
TWO = torch.zeros(3, 2)


def one_relu_twice() -> Sequential:
    relu = ReLU()
    return Sequential(Linear(2, 2), relu, Linear(2, 2), relu)


def one_relu_inside_and_outside() -> Sequential:
    relu = ReLU()
    return Sequential(Residual(Stack(Linear(2, 2), relu)), relu)


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (lambda: MSELoss().forward(torch.zeros(3, 1), torch.zeros(3)), r"\(3, 1\), target \(3,\)"),
        (lambda: MSELoss().forward(torch.zeros(3), torch.zeros(1)), r"\(3,\), target \(1,\)"),
        (lambda: BCEWithLogitsLoss().forward(torch.zeros(3), torch.zeros(3, 1)), r"\(3,\), target \(3, 1\)"),
        (
            lambda: CrossEntropyLoss().forward(TWO, torch.zeros(3, 1).long()),
            r"\(3, 2\), target of classes \(3, 1\)",
        ),
        (
            lambda: CrossEntropyLoss().forward(TWO, torch.zeros(4).long()),
            r"\(3, 2\), target of classes \(4,\)",
        ),
        (
            lambda: CrossEntropyLoss().forward(torch.zeros(2, 2), torch.ones(2)),
            r"\(2, 2\), target of prob.* \(2,\)",
        ),
        (
            lambda: CrossEntropyLoss().forward(torch.zeros(3, 2, 4), TWO.long()),
            r"expected \(batch, classes\)",
        ),
        (lambda: CrossEntropyLoss().forward(torch.zeros(2), torch.tensor(0)), r"expected \(batch, classes\)"),
        (
            lambda: CrossEntropyLoss(label_smoothing=1.5),
            "label_smoothing is 1.5; expected 0 or more, 1 or less",
        ),
        (one_relu_twice, "one ReLU stands in two places"),
        (one_relu_inside_and_outside, "one ReLU stands in two places"),
        (lambda: Dropout(1.5), "p is 1.5; expected 0 or more, 1 or less"),
        (lambda: Dropout(-0.1), "p is -0.1"),
        (lambda: LayerNorm(5).forward(torch.zeros(2, 3, 5)), r"\(2, 3, 5\); expected \(batch, 5\)"),
        (lambda: LayerNorm(5).forward(torch.zeros(2, 1)), r"\(2, 1\); expected \(batch, 5\)"),
        (lambda: BatchNorm1d(3).forward(torch.zeros(4, 3, 3)), r"\(4, 3, 3\); expected \(batch, 3\)"),
        (lambda: BatchNorm1d(3).forward(torch.zeros(4, 1)), r"\(4, 1\); expected \(batch, 3\)"),
        (lambda: kaiming_normal_(torch.zeros(8, 3, 5, 5)), r"\(8, 3, 5, 5\); expected \(n_out, n_in\)"),
        (lambda: kaiming_uniform_(torch.zeros(8)), r"\(8,\); expected \(n_out, n_in\)"),
        (lambda: xavier_normal_(torch.zeros(8, 3, 5)), r"\(8, 3, 5\); expected \(n_out, n_in\)"),
        (lambda: xavier_uniform_(torch.zeros(8, 3, 5)), r"\(8, 3, 5\); expected \(n_out, n_in\)"),
        (lambda: kaiming_normal_(TWO, mode="fan"), "expected 'fan_in' or 'fan_out'"),
        (lambda: SGD({}, lr=-1), "lr is -1; expected 0 or more"),
        (lambda: SGD({}, lr=math.nan), "lr is nan"),
        (lambda: DecayingSGD({}, lr=0.1, weight_decay=-1), "weight_decay is -1"),
        (lambda: MomentumSGD({}, lr=0.1, momentum=-0.9), "momentum is -0.9"),
        (lambda: Adam({}, betas=(1.0, 0.9)), "beta is 1.0; expected 0 or more, below 1"),
        (lambda: Adam({}, eps=-1e-8), "eps is -1e-08"),
        (lambda: AdamW({}, weight_decay=-0.1), "weight_decay is -0.1"),
        (lambda: AdamL2({}, lr=-1), "lr is -1"),
        (lambda: RMSprop({}, alpha=-1), "alpha is -1"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(use: Callable[[], Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as error:
        use()
    assert "\n" not in str(error.value)


def test_class_indices_outside_of_the_classes_are_refused() -> None:
    for index in (2, -1, -100):
        with pytest.raises((RuntimeError, IndexError), match="out of bounds"):
            CrossEntropyLoss().forward(TWO, torch.tensor([0, 1, index]))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_class_indices_of_any_width(dtype: torch.dtype) -> None:
    x, target = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    loss = CrossEntropyLoss().forward(x, target.to(dtype))
    torch.testing.assert_close(loss, nn.functional.cross_entropy(x, target))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(
    "row",
    [[0, -INF, 1], [-INF, -INF, 1], [3e38, -3e38, 0], [1000, 0, -1000], [0, 0, 0], [INF, 0, 1], [-INF] * 3],
)
@pytest.mark.parametrize("index", [0, 2])
def test_cross_entropy_at_the_edges_is_torchs(row: list[float], index: int, smoothing: float) -> None:
    x, target = torch.tensor([row], dtype=torch.float32), torch.tensor([index])
    ours, theirs = CrossEntropyLoss(label_smoothing=smoothing), nn.CrossEntropyLoss(label_smoothing=smoothing)
    asked = x.clone().requires_grad_()
    expected = theirs(asked, target)
    torch.testing.assert_close(ours.forward(x, target), expected, equal_nan=True)
    expected.backward()
    torch.testing.assert_close(ours.backward(), asked.grad, equal_nan=True)


EDGES = torch.tensor([-INF, -3e38, -100.0, -0.0, 0.0, 1e-40, 100.0, 3e38, INF, math.nan])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(Sigmoid, nn.Sigmoid), (Tanh, nn.Tanh), (ReLU, nn.ReLU), (SiLU, nn.SiLU), (GELU, nn.GELU)],
)
def test_activations_at_the_edges_are_torchs(ours: Any, theirs: Any) -> None:
    """But for GELU's largest inputs: half of 3e38 · 2 overflows there, and GELU(∞) is no number."""
    edges = EDGES[EDGES < 1e38] if ours is GELU else EDGES
    torch.testing.assert_close(ours().forward(edges), theirs()(edges), equal_nan=True)


@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
def test_binary_cross_entropy_at_the_edges_is_torchs(target: float) -> None:
    targets = torch.full_like(EDGES, target)
    expected = nn.functional.binary_cross_entropy_with_logits(EDGES, targets, reduction="none")
    torch.testing.assert_close(BCEWithLogitsLoss("none").forward(EDGES, targets), expected, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("place", [0.0, 0.3, -100.0, 1e6])
def test_a_numerical_gradient_is_near_the_slope_in_any_precision(place: float, dtype: torch.dtype) -> None:
    x = torch.tensor([place], dtype=dtype)
    (slope,) = numerical_gradient(lambda x: (x**2).sum(), x).tolist()
    assert slope == pytest.approx(2 * place, rel=0.01, abs=1e-3)


def test_a_numerical_gradient_of_whole_numbers_is_refused() -> None:
    with pytest.raises(TypeError, match="expected floating-point"):
        numerical_gradient(lambda x: x.sum(), torch.tensor([1, 2]))


def batch_norm_state(classes: type) -> dict[str, Tensor]:
    model = classes((4, 3, 2), batch_norm=True)
    state = model.state_dict() if isinstance(model, nn.Module) else model.params | model.buffers
    return {
        name: torch.rand_like(value) if value.is_floating_point() else value + 5
        for name, value in state.items()
    }


def test_a_state_dict_brings_running_averages_too() -> None:
    state = batch_norm_state(torch_nn.MLP)
    model, reference = scratch.MLP((4, 3, 2), batch_norm=True), torch_nn.MLP((4, 3, 2), batch_norm=True)
    model.load_state_dict(state)
    reference.load_state_dict(state)
    model.train(False)
    x = torch.randn(5, 4)
    torch.testing.assert_close(model.forward(x), reference.eval()(x))


@pytest.mark.parametrize("make", [lambda: MLP((4, 3, 2)), lambda: scratch.MLP((4, 3, 2))])
def test_a_state_dict_of_another_network_is_refused(make: Callable[[], Any]) -> None:
    model = make()
    state = {name: torch.ones_like(value) for name, value in model.params.items()}
    before = {name: value.clone() for name, value in model.params.items()}
    with pytest.raises(KeyError, match=r"missing: 2.bias; unknown: none"):
        model.load_state_dict({name: value for name, value in state.items() if name != "2.bias"})
    with pytest.raises(KeyError, match=r"missing: none; unknown: 4.bias"):
        model.load_state_dict(state | {"4.bias": torch.ones(1)})
    with pytest.raises(ValueError, match=r"0.weight of the state has the shape \(1, 4\).*\(3, 4\)"):
        model.load_state_dict(state | {"0.weight": torch.ones(1, 4)})
    assert all(torch.equal(value, before[name]) for name, value in model.params.items()), "none or all"


def test_nothing_is_copied_where_something_does_not_fit() -> None:
    own = {"a": torch.zeros(1), "b": torch.zeros(2)}
    with pytest.raises(ValueError, match="b of the state"):
        copy_into(own, {"a": torch.ones(1), "b": torch.ones(3)})
    assert not own["a"].any()


def test_the_ends_of_a_range_belong_to_it() -> None:
    within("p", 0, 0, 1)
    within("p", 1, 0, 1)
    with pytest.raises(ValueError, match="below 1"):
        within("p", 1, 0, 1, below=True)


def test_a_power_may_be_a_node_and_any_slice_may_be_taken() -> None:
    base, power = Value(1.5), Value(2.5)
    (base**power).backward()
    assert base.grad == pytest.approx(2.5 * 1.5**1.5)
    assert power.grad == pytest.approx(1.5**2.5 * math.log(1.5))
    flat = Value(0.0)
    (flat**0).backward()
    assert flat.grad == 0.0
    for index in (slice(1, 3), 0, (slice(None), 1), torch.tensor([0, 0, 2]), (slice(None, None, 2), None)):
        ours, theirs = Node(torch.arange(12.0).view(4, 3)), torch.arange(12.0).view(4, 3).requires_grad_()
        picked, expected = ours[index], theirs[index]
        (picked * picked).sum().backward()
        expected.square().sum().backward()
        assert torch.equal(picked.data, expected)
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_torch_refuses_the_same_hyperparameters() -> None:
    for kind, options in (
        (optim.SGD, {"lr": -1}),
        (optim.SGD, {"lr": 0.1, "momentum": -0.9}),
        (optim.Adam, {"betas": (1.0, 0.9)}),
        (optim.Adam, {"eps": -1e-8}),
        (optim.AdamW, {"weight_decay": -0.1}),
        (optim.RMSprop, {"alpha": -1}),
    ):
        with pytest.raises(ValueError, match="Invalid"):
            kind([torch.zeros(1)], **options)
