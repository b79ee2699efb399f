"""The numbers that lesson 10 states, and what its engine promises."""

import pytest
import torch
from torch import Tensor

from curriculum.data import load
from curriculum.pair import Case
from lessons import lesson10_tensor_autograd as lesson
from lessons.lesson04_layers import mlp
from lessons.lesson05_losses import CrossEntropyLoss
from lessons.lesson09_autograd import Value, torch_node
from lessons.lesson10_tensor_autograd import Node
from lessons.lesson11_training import linear_decay, minibatches
from lessons.lesson17_mnist import MLP, SIZES, first_weights, scratch_step
from tests.support.lessons import shown


def leaf(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


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
        theirs = {name: torch_node(value) for name, value in start.items()}
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


# ---------------------------------------------------------------- where PyTorch differs


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
