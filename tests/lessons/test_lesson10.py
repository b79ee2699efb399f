"""The numbers that lesson 10 states, and what its engine promises."""

import pytest
import torch
from torch import Tensor

from curriculum.data import load
from curriculum.pair import Case
from lessons import lesson10_tensor_autograd as lesson
from lessons.lesson04_layers import mlp
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson09_autograd import Value, torch_node
from lessons.lesson10_tensor_autograd import Node
from lessons.lesson11_training import minibatches
from lessons.lesson13_rates import linear_decay
from lessons.lesson17_mnist import MLP, SIZES, first_weights, scratch_step
from tests.support.lessons import shown, ys


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
    with pytest.raises(ValueError, match=r"blame has the shape \(\), not \(2, 3\)"):
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
def test_the_network_on_our_engine_keeps_to_torchs_curve() -> None:
    left, right = shown(lesson.two_engines_one_curve).axes
    reference, ours = (ys(line) for line in left.lines)
    assert len(ours) == len(reference) == 180
    assert abs(ours - reference).max() < 1e-3, "float32: less than a thousandth"
    assert ours[0] > 2.2
    assert ours[-45:].mean() < 0.2
    before, *_, after = ys(right.lines[1])
    assert before < 0.2
    assert after > 0.8
    assert sum(len(target) for _, target in lesson.digits(56)[45:]) == 352
    assert sum(len(target) for _, target in lesson.digits(45)) == 1440


@pytest.mark.idea("E6")
def test_with_16_digits_no_loss_differs_by_a_billionth() -> None:
    with Case().defaults():
        runs = [
            lesson.train(make, mlp(64, 32, 10).params, lesson.digits(45) * 4) for make in (Node, torch_node)
        ]
    (ours, _), (reference, _) = runs
    assert ours == pytest.approx(reference, rel=0, abs=1e-9)


def test_a_mean_of_the_copies_blame_learns_as_well_and_is_found_out() -> None:
    added, averaged = shown(lesson.a_mean_where_a_sum_belongs).rows
    assert added[1] == averaged[1]
    assert averaged[2] == pytest.approx(added[2], abs=0.05)
    assert [float(row[3].rstrip("%")) > 80 for row in (added, averaged)] == [True, True]
    assert (added[4], averaged[4]) == ("none", "grad_row")


def test_the_figure_adds_up_what_the_copies_get() -> None:
    upper, lower = shown(lesson.copies_and_their_blame).axes
    texts = [[text.get_text() for text in axis.texts] for axis in (upper, lower)]
    assert [texts[0].count(number) for number in ("10", "20", "30")] == [2 + 1] * 3
    x, bias, column = (
        torch.ones(2, 3),
        Node(torch.tensor([10.0, 20.0, 30.0])),
        Node(torch.tensor([[5.0], [7.0]])),
    )
    blame = torch.tensor([[1.0, 0.0, 2.0], [3.0, 1.0, -1.0]])
    for node in (bias, column):
        (x + node).backward(blame)
    assert bias.grad.tolist() == [4, 1, 1]
    assert column.grad.tolist() == [[3], [3]]
    assert {"4", "1"} <= set(texts[0])
    assert texts[1].count("3") == 2 + 1


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
    assert one == 7_199
    assert one + 31 * (two - one) == 155_689
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
