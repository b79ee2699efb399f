"""The numbers that lesson 09 states, and what its engines promise."""

import gc
import math
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from lessons import lesson09_autograd as lesson
from lessons.lesson09_autograd import Value
from lessons.lesson10_tensor_autograd import Node
from tests.support.lessons import shown, ys


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
    names = {a: "a", b: "b", c: "c", d: "d", loss: "L"}
    for node, name in names.items():
        _, _, value, roads = lesson.PAPER[name]
        assert value == node.data
        assert roads == {names[parent]: slope for parent, slope in node.roads}


@pytest.mark.idea("E6")
def test_the_figure_shows_the_three_turns() -> None:
    """What is sent in each turn, and what has arrived by then."""
    axes = shown(lesson.values_and_blame).axes
    texts = [[text.get_text() for text in axis.texts] for axis in axes]
    sent = [{text for text in turn if " = " in text and " · " in text and "=" in text[1:]} for turn in texts]
    sent = [{text for text in turn if not text.startswith(("a", "b", "c", "d", "L"))} for turn in sent]
    assert sent == [{"1 · −6 = −6"}, {"−6 · 1 = −6"}, {"−6 · 3 = −18", "−6 · −2 = 12"}]
    assert texts[1].count("−6 · 1 = −6") == 2
    assert "−6, waits for 1 more" in texts[1]
    assert "6" in texts[2]
    assert "−18" in texts[2]


def test_nudging_finds_the_blame_of_a() -> None:
    moved = (3.001 * -2.0 + 3.001) ** 2
    assert moved == pytest.approx(9.006, abs=1e-5)
    assert (moved - 9) / 0.001 == pytest.approx(6, abs=0.002)


@pytest.mark.idea("E6")
def test_twelve_doublings_take_12285_sends_at_once_and_36_in_order() -> None:
    at_once, in_order = (ys(line).tolist() for line in shown(lesson.sending_once_is_cheap).axes[0].lines[:2])
    assert at_once == [3 * (2**n - 1) for n in range(1, 13)]
    assert in_order == [3 * n for n in range(1, 13)]
    assert (at_once[-1], in_order[-1]) == (12_285, 36)
    assert 3 * 2**11 == 6144


def test_a_forgotten_sum_is_found_only_where_a_number_is_used_twice() -> None:
    wrong = {row[0]: row[1] for row in shown(lesson.a_forgotten_sum).rows}
    assert {name for name, found in wrong.items() if found == "none"} == {"p · q", "p / q", "exp"}
    assert wrong["p · p"] == "grad_p"
    assert wrong["reused"] == "grad_p, grad_q"


def test_a_node_shows_itself_and_compares_as_its_number() -> None:
    two, three = Value(2.0), Value(3.0)
    assert repr(two) == "Value(data=2.0, grad=0.0)"
    assert (two < three, two > 3, two <= 2, three >= two) == (True, False, True, True)
    assert two != Value(2.0), "== asks for the node"
    assert max(two, three) is three


@pytest.mark.parametrize("a", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("b", [0.0, 1.0, 1.5, 2.0, -1.0])
def test_a_power_with_two_nodes_has_torchs_slopes(a: float, b: float) -> None:
    if a == 0 and b < 0:
        with pytest.raises(ValueError, match="no slope"):
            Value(a) ** Value(b)
        return
    base, power = Value(a), Value(b)
    tensor_base, tensor_power = leaf(a), leaf(b)
    y = base**power
    expected = tensor_base**tensor_power
    y.backward()
    expected.sum().backward()
    assert tensor_base.grad is not None
    assert tensor_power.grad is not None
    assert y.data == pytest.approx(expected.item())
    assert base.grad == pytest.approx(tensor_base.grad.item())
    assert power.grad == pytest.approx(tensor_power.grad.item())


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: Value(0.0).log(), r"log\(0.0\): the logarithm needs a number above 0"),
        (lambda: Value(-1.0).log(), r"log\(-1.0\)"),
        (lambda: Value(0.0) ** 0.5, "a base of 0 takes powers from 1 on"),
        (lambda: Value(-2.0) ** 0.5, "a base below 0 takes only whole, plain powers"),
        (lambda: Value(-2.0) ** Value(2.0), "a base below 0"),
        (lambda: 0 ** Value(0.5), "a base of 0"),
    ],
)
def test_what_has_no_answer_says_so(use: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        use()


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
    "abs(v)": lambda v: abs(v),
    "2 ** v": lambda v: 2**v,
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
