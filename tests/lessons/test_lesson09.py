"""The numbers that lesson 09 states, and what its engines promise."""

import gc
import math
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from curriculum.data import load
from curriculum.pair import Case
from lessons import lesson09_autograd as lesson
from lessons.lesson04_layers import mlp
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson09_autograd import Node, Value
from lessons.lesson11_training import linear_decay, minibatches
from lessons.lesson17_mnist import MLP, SIZES, first_weights, scratch_step
from tests.support.lessons import shown


def leaf(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


# ---------------------------------------------------------------- numbers


@pytest.mark.idea("E6")
def test_the_example_on_paper() -> None:
    a, b = Value(3.0), Value(-2.0)
    c = a * b
    d = c + a
    loss = d**2
    assert [slope for node in (c, d, loss) for _, slope in node.roads] == [-2.0, 3.0, 1.0, 1.0, -6.0]
    loss.backward()
    assert [node.data for node in (c, d, loss)] == [-6.0, -3.0, 9.0]
    assert [node.grad for node in (loss, d, c, b, a)] == [1.0, -6.0, -6.0, -18.0, 6.0]


@pytest.mark.idea("E6")
def test_the_figure_shows_the_example() -> None:
    texts = [text.get_text() for text in shown(lesson.values_and_blame).axes[0].texts]
    assert sorted(t for t in texts if t.startswith("slope")) == sorted(
        f"slope {slope}" for slope in (-2, 3, 1, 1, -6)
    )
    numbers = [t for t in texts if t.lstrip("-").isdigit()]
    assert numbers == ["3", "6", "-2", "-18", "-6", "-6", "-3", "-6", "9", "1"]


UNARY: dict[str, Callable[[Any], Any]] = {
    "v + 2": lambda v: v + 2,
    "2 + v": lambda v: 2 + v,
    "v - 2": lambda v: v - 2,
    "2 - v": lambda v: 2 - v,
    "v * 2": lambda v: v * 2,
    "2 * v": lambda v: 2 * v,
    "v / 2": lambda v: v / 2,
    "v ** 0": lambda v: v**0,
    "v ** 1": lambda v: v**1,
    "v ** 3": lambda v: v**3,
    "-v": lambda v: -v,
    "v.relu()": lambda v: v.relu(),
    "v.tanh()": lambda v: v.tanh(),
    "v.exp()": lambda v: v.exp(),
    "v + v": lambda v: v + v,
    "v * v * v": lambda v: v * v * v,
    "v - v": lambda v: v - v,
}
NOT_AT_ZERO: dict[str, Callable[[Any], Any]] = {
    "2 / v": lambda v: 2 / v,
    "v / v": lambda v: v / v,
    "v ** -2": lambda v: v**-2,
    "(v * v).log()": lambda v: (v * v).log(),
}


@pytest.mark.idea("E6")
@pytest.mark.parametrize("name", [*UNARY, *NOT_AT_ZERO])
@pytest.mark.parametrize("x", [0.0, -0.0, 1.0, -1.0, 0.3, -2.5, 30.0, -30.0])
def test_every_operation_of_both_engines_at_kinks_and_large_values(name: str, x: float) -> None:
    if x == 0 and name in NOT_AT_ZERO:
        return
    formula = (UNARY | NOT_AT_ZERO)[name]
    number, tensor, reference = Value(x), Node(torch.tensor(x, dtype=torch.float64)), leaf(x)
    expected = formula(reference)
    expected.sum().backward()
    assert reference.grad is not None
    for node in (number, tensor):
        y = formula(node)
        y.backward()
        assert float(y.data) == pytest.approx(expected.item(), rel=1e-14, abs=1e-14)
        assert float(node.grad) == pytest.approx(reference.grad.item(), rel=1e-12, abs=1e-14)


@pytest.mark.idea("E6")
@pytest.mark.parametrize("short_first", [False, True])
def test_a_node_sends_only_when_it_has_heard_from_all_roads(short_first: bool) -> None:
    """Short and long ways meet again and again: 2¹² lead to the start, and every road is walked once."""
    walked = 0

    class Counted(Value):
        def send(self, *road: Any) -> Any:
            nonlocal walked
            walked += 1
            return super().send(*road)

    v = start = Counted(1.0)
    for _ in range(12):
        v = v + v * 1.0 if short_first else v * 1.0 + v
    v.backward()
    assert start.grad == 2.0**12
    assert walked == sum(v.graph().values()) == 12 * 3


@pytest.mark.idea("E6")
def test_walks_add_up_everywhere_as_in_torch() -> None:
    """Twice over the same graph, then over a second graph with the same leaves; nodes in between too."""
    a, x = Value(1.5), leaf(1.5)
    b, y = a.tanh(), x.tanh()
    y.retain_grad()
    c, z = b * b * a, y * y * x
    for _ in range(2):
        c.backward()
        z.backward(retain_graph=True)
    (a * b).backward()
    (x * y).backward()
    assert x.grad is not None
    assert y.grad is not None
    assert [a.grad, b.grad] == pytest.approx([x.grad.item(), y.grad.item()], rel=1e-14)


@pytest.mark.idea("E6")
@pytest.mark.parametrize("start", [Value(1.0), Node(torch.ones(()))])
def test_a_long_chain_needs_no_recursion(start: Any) -> None:
    end = start
    for _ in range(100_000 if type(start) is Value else 10_000):
        end = end * 1.0
    end.backward()
    assert (float(end.data), float(start.grad)) == (1.0, 1.0)
    del end  # letting go of a long chain must not recurse either


# ---------------------------------------------------------------- tensors


@pytest.mark.idea("E6")
@pytest.mark.parametrize(
    "shapes",
    [
        ((3, 4), (4,)),
        ((3, 4), (3, 1)),
        ((3, 1), (1, 4)),
        ((3, 1), (4,)),
        ((2, 3, 4), (3, 1)),
        ((3, 4), ()),
        ((1, 1), (2, 3, 4)),
        ((1,), ()),
        ((5, 1, 4), (3, 1)),
    ],
)
def test_broadcast_tensors_get_torchs_gradients(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    case = Case()
    a, b = case.tensor("a", *shapes[0]), case.tensor("b", *shapes[1]).abs() + 0.5
    for formula in (
        lambda a, b: a + b,
        lambda a, b: b - a,
        lambda a, b: a * b,
        lambda a, b: a / b,
        lambda a, b: (a * b + b) * a,
    ):
        nodes, leaves = (Node(a), Node(b)), (a.clone().requires_grad_(), b.clone().requires_grad_())
        y, expected = formula(*nodes), formula(*leaves)
        grad = case.upstream("grad", expected.shape)
        y.backward(grad)
        expected.backward(grad)
        for node, reference in zip(nodes, leaves, strict=True):
            torch.testing.assert_close(node.grad, reference.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.idea("E6")
@pytest.mark.parametrize("name", ["sum", "mean"])
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [None, 0, 1, 2, -1, -2])
def test_sum_and_mean_over_every_dimension(name: str, dim: int | None, keepdim: bool) -> None:
    x = Case().tensor("x", 2, 3, 4)
    node, reference = Node(x), x.clone().requires_grad_()
    y, expected = getattr(node, name)(dim, keepdim), getattr(reference, name)(dim, keepdim=keepdim)
    grad = Case().upstream("grad", expected.shape)
    y.backward(grad)
    expected.backward(grad)
    torch.testing.assert_close(y.data, expected.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(node.grad, reference.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.idea("E6")
def test_plain_tensors_stand_on_either_side() -> None:
    case = Case()
    data, square = case.tensor("data", 3, 3), case.tensor("square", 3, 3)
    for formula in (
        lambda d, v: d @ v,
        lambda d, v: v @ d,
        lambda d, v: d + v,
        lambda d, v: d - v,
        lambda d, v: d * v,
        lambda d, v: d / (v * v + 1),
    ):
        node, reference = Node(square), square.clone().requires_grad_()
        y, expected = formula(data, node), formula(data, reference)
        assert isinstance(y, Node)
        y.backward(case.upstream("grad", y.data.shape))
        expected.backward(case.upstream("grad", y.data.shape))
        torch.testing.assert_close(node.grad, reference.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.idea("E6")
def test_backward_without_a_gradient_needs_a_single_number() -> None:
    with pytest.raises(AssertionError, match=r"\(\) instead of \(2, 3\)"):
        Node(torch.ones(2, 3)).backward()
    with pytest.raises(RuntimeError, match="scalar outputs"):
        torch.ones(2, 3, requires_grad=True).exp().backward()


@pytest.mark.idea("E6")
def test_elements_picked_twice_get_blame_twice() -> None:
    node = Node(torch.zeros(2, 3))
    node[torch.tensor([1, 1, 0]), torch.tensor([2, 2, 0])].sum().backward()
    assert node.grad.tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]]


@pytest.mark.idea("E6")
def test_the_slope_of_cross_entropy_comes_out_of_the_walk() -> None:
    """Lesson 05's p − q, for ordinary logits and for logits whose exponential overflows."""
    target = torch.tensor([2, 0, 1, 1])
    for scale in (1.0, 1000.0):
        logits, criterion = scale * Case().tensor("logits", 4, 3), CrossEntropyLoss()
        node = Node(logits)
        loss = -node.log_softmax(1)[torch.arange(4), target].mean()
        loss.backward()
        expected = criterion.forward(logits, target)
        assert loss.data.item() == pytest.approx(expected.item(), rel=1e-12)
        torch.testing.assert_close(node.grad, criterion.backward(), rtol=1e-12, atol=1e-14)


# ---------------------------------------------------------------- networks


@pytest.mark.idea("E6")
def test_the_mlp_of_lesson_17_trains_the_same_on_this_engine() -> None:
    """784–128–64–10, one epoch of 37 steps: every loss and every weight."""
    with Case().defaults():
        digits, steps, lr = load("digits").train, 37, 0.2
        order = minibatches(len(digits.x), 32, torch.Generator().manual_seed(0))
        batches = [
            (digits.x[rows], digits.target[rows]) for rows, _ in zip(order, range(steps), strict=False)
        ]
        params, model = first_weights(SIZES, seed=0), MLP(SIZES)
        model.load_state_dict(params)
        step, optimizer_rates = scratch_step(model), [linear_decay(lr, done, steps) for done in range(steps)]
        expected = [step(x, t, rate).item() for (x, t), rate in zip(batches, optimizer_rates, strict=True)]
        losses = [
            lesson.train(Node, params, [batch], rate)[0][0]
            for batch, rate in zip(batches, optimizer_rates, strict=True)
        ]
    assert len(losses) == steps
    assert losses[-1] < 0.5 * losses[0]
    assert losses == pytest.approx(expected, rel=1e-9, abs=1e-10)
    for name, param in model.params.items():
        assert param.dtype == torch.float64
        torch.testing.assert_close(params[name], param, rtol=1e-9, atol=1e-10)


@pytest.mark.idea("E6")
def test_the_small_classifier_learns() -> None:
    losses, _ = lesson.train(Node, mlp(64, 32, 10).params, lesson.digits())
    assert len(losses) == 30
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.idea("E6")
def test_three_engines_give_one_loss_and_the_same_gradients() -> None:
    import numpy as np

    with Case().defaults():
        x, target = (part[:3] for part in lesson.digits(1)[0])
        start = mlp(64, 32, 10).params
        numbers = {name: np.frompyfunc(Value, 1, 1)(value.numpy()) for name, value in start.items()}
        ours = {name: Node(value) for name, value in start.items()}
        theirs = {name: lesson.torch_node(value) for name, value in start.items()}
        losses = [lesson.numbers_loss(numbers, x, target), lesson.classifier_loss(ours, x, target)]
        losses.append(lesson.classifier_loss(theirs, x, target))
        for loss in losses:
            loss.backward()
        values = [float(loss.data) for loss in losses]
        assert values == pytest.approx([values[2]] * 3, rel=1e-12)
        for name, node in ours.items():
            grads = np.frompyfunc(lambda value: value.grad, 1, 1)(numbers[name]).astype(float)
            torch.testing.assert_close(torch.tensor(grads), theirs[name].grad, rtol=1e-9, atol=1e-12)
            torch.testing.assert_close(node.grad, theirs[name].grad, rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------- costs


@pytest.mark.idea("E6")
def test_nodes_grow_with_the_batch_for_numbers_and_not_for_tensors() -> None:
    """The table: one result in three engines, and how many nodes it keeps. Times are not asserted."""
    rows = shown(lesson.what_it_costs).rows
    nodes = {name: [row[3] for row in rows if row[0] == name] for name in ("Node", "Value")}
    assert len(set(nodes["Node"])) == 1
    one, two, four = nodes["Value"]
    assert two - one == (four - two) / 2 > 2 * (64 * 32 + 32 * 10)
    for count in (1, 2, 4):
        assert len({f"{float(row[2]):.4f}" for row in rows if row[1] == count}) == 1


@pytest.mark.idea("E6")
def test_the_graph_goes_when_the_loss_goes() -> None:
    """No cycles: without the garbage collector, letting go of the loss frees all but the leaves."""
    gc.disable()
    try:
        start = Value(1.0)
        between = start * 2.0
        watched, loss = weakref.ref(between), between**2
        loss.backward()
        del between
        assert watched() is not None, "the loss keeps the graph"
        del loss
        assert watched() is None
    finally:
        gc.enable()


# ---------------------------------------------------------------- where PyTorch differs


@pytest.mark.idea("E6")
def test_torch_frees_its_graph_and_ours_stays() -> None:
    x = leaf(3.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()
    assert (x * 2).grad_fn is not None
    v = Value(3.0)
    square = v * v
    square.backward()
    square.backward()
    assert v.grad == 12.0


@pytest.mark.idea("E6")
def test_torch_keeps_gradients_of_leaves_only() -> None:
    x, v = leaf(3.0), Node(torch.tensor([3.0]))
    for start in (x, v):
        middle = start * 2.0
        (middle * middle).sum().backward()
        if isinstance(middle, Node):
            assert middle.grad.tolist() == [12.0]
        else:
            with pytest.warns(UserWarning, match="not a leaf"):
                assert middle.grad is None


@pytest.mark.idea("E6")
def test_changes_in_place_are_silently_wrong_here_and_an_error_in_torch() -> None:
    tensor = torch.tensor([3.0])
    node = Node(tensor)
    y = (node * node).sum()
    tensor += 1.0
    y.backward()
    assert node.grad.tolist() == [8.0], "2 · 3 would be right"
    start = leaf(3.0)
    changed = start * 1.0
    z = (changed * changed).sum()
    changed.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()


@pytest.mark.idea("E6")
def test_torch_gives_slopes_of_slopes() -> None:
    x, v = leaf(2.0), Value(2.0)
    (first,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert (first.item(), second.item()) == (12.0, 12.0)
    (v**3).backward()
    assert v.grad == 12.0
    assert not isinstance(v.grad, Value), "ours are plain"


@pytest.mark.idea("E6")
def test_no_grad_records_nothing_and_data_is_our_way() -> None:
    x, v = leaf(2.0), Value(2.0)
    with torch.no_grad():
        assert (x * x).grad_fn is None
    assert len((v * v).graph()) == 1
    assert isinstance(v.data * v.data, float)


@pytest.mark.idea("E6")
def test_where_a_number_has_no_answer_python_raises() -> None:
    for formula in (lambda: Value(0.0) ** -1, lambda: Value(-1.0).log(), lambda: Value(1e3).exp()):
        with pytest.raises((ValueError, OverflowError)):
            formula()
    assert math.isinf(Node(torch.tensor(1e3)).exp().data)
