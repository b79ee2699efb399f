"""The numbers that lesson 08 states."""

from collections.abc import Callable

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from curriculum.pair import Case, compare
from lessons import lesson08_backprop as lesson
from lessons.lesson04_layers import mlp
from lessons.lesson05_losses import MSELoss
from lessons.lesson07_descent import numerical_gradient
from tests.support.lessons import shown

ON_PAPER = {
    "z": [[3.0, 1.5]],
    "h": [[3.0, 1.5]],
    "y": [[-0.5]],
    "loss": 2.25,
    "grad_y": [[-3.0]],
    "grad_weight2": [[-9.0, -4.5]],
    "grad_bias2": [-3.0],
    "grad_h": [[-1.5, 6.0]],
    "grad_z": [[-1.5, 6.0]],
    "grad_weight1": [[-3.0, -1.5], [12.0, 6.0]],
    "grad_bias1": [-1.5, 6.0],
    "grad_x": [[-7.5, 17.25]],
}


def shown_texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


# ---------------------------------------------------------------- B5/D11


@pytest.mark.idea("B5", "D11")
@pytest.mark.parametrize("find", [lesson.by_hand, lesson.by_torch])
def test_every_number_on_paper(find: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    """All of these numbers are exact in binary, so nothing is rounded."""
    assert {name: value.tolist() for name, value in find(lesson.example()).items()} == ON_PAPER


@pytest.mark.idea("B5", "D11")
def test_the_pair_compares_every_intermediate_by_name() -> None:
    pairs = {pair.name: pair for pair in lesson.PAIRS}
    for name in ("on paper", "kink", "any size"):
        assert {difference.name for difference in compare(pairs[name])} == ON_PAPER.keys()


@pytest.mark.idea("B5", "D11")
def test_sequential_finds_what_the_hand_finds() -> None:
    hand, layers = lesson.by_hand(lesson.example()), lesson.by_layers(lesson.example())
    assert set(layers) == {name for name in hand if name[:5] == "grad_"} - {"grad_h", "grad_z"}
    for name, grad in layers.items():
        assert torch.equal(grad, hand[name]), name


@pytest.mark.idea("B5", "D11")
def test_a_closed_relu_stops_the_blame() -> None:
    found = lesson.by_hand(lesson.example([2.0, 0.0], [3.5, 1.0]))
    assert found["z"][:, 1].tolist() == [-1.5, 0.0]
    assert (found["grad_h"][:, 1] != 0).all()
    assert (found["grad_weight1"][1] == 0).all()
    assert (found["grad_weight1"][0] != 0).all()


@pytest.mark.idea("B5", "D11")
def test_blame_is_added_where_paths_meet() -> None:
    params, found = lesson.example(), lesson.by_hand(lesson.example())
    paths = found["grad_z"].T * params["weight1"]  # a row per path, a column per input
    assert paths.tolist() == [[-1.5, -0.75], [-6.0, 18.0]]
    assert paths.sum(0).tolist() == found["grad_x"][0].tolist()


@pytest.mark.idea("B5", "D11")
def test_both_factors_of_x_times_x_count() -> None:
    x = torch.tensor([3.0], dtype=torch.float64)
    # Rounding of 9 / (2 · 1e-6): far below 1e-7.
    assert numerical_gradient(lambda x: (x * x).sum(), x).item() == pytest.approx(3.0 + 3.0, abs=1e-7)


@pytest.mark.idea("B5", "D11")
def test_examples_of_a_batch_are_paths_that_meet() -> None:
    """The mean over n examples: the parameter's blame is the mean of the blames of each example alone."""
    rows = [[2.0, 1.0], [0.5, 1.0], [1.0, 3.0]]
    together = lesson.by_hand(lesson.example(*rows))
    alone = [lesson.by_hand(lesson.example(row)) for row in rows]
    for name in ("grad_weight1", "grad_bias1", "grad_weight2", "grad_bias2"):
        torch.testing.assert_close(together[name], sum(one[name] for one in alone) / 3)


@pytest.mark.idea("B5", "D11")
def test_nudging_agrees() -> None:
    """Along one number the loss is a parabola (no kink is near), so the central difference has no error but
    rounding, u = 2⁻⁵³.

    Ten or so intermediate values of at most 3 are rounded; the loss moves at most 6 times as far: at most
    10 · 3 · 6 · u = 2e-14 for one loss, so for half the difference of two losses divided by the nudge 1e-6:
    2e-8. The nudged number, at most 3 + e, is itself rounded, by at most 2u: relative to the nudge that is
    2.3e-10, times the largest slope 17.25: 4e-9. Together below 3e-8.
    """
    rows = shown(lesson.gradient_check).rows
    assert [(row[0], row[1]) for row in rows] == [
        ("grad_weight2", 2),
        ("grad_bias2", 1),
        ("grad_weight1", 4),
        ("grad_bias1", 2),
        ("grad_x", 2),
    ]
    assert max(row[2] for row in rows) < 3e-8


# ---------------------------------------------------------------- D12


@pytest.mark.idea("D12")
def test_steps_one_to_six_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def noting(name: str) -> Callable[..., object]:
        original = getattr(lesson, name)

        def noted(*arguments: object) -> object:
            order.append(name)
            return original(*arguments)

        return noted

    steps = ["take_batch", "predict", "measure", "blame", "update"]
    for name in steps:
        monkeypatch.setattr(lesson, name, noting(name))
    losses, _ = lesson.repeat(mlp(2, 8, 1))
    assert len(losses) == 500
    assert order == steps * 500


@pytest.mark.idea("D12")
def test_batches_come_in_turn() -> None:
    seen = [lesson.take_batch(step)[0].tolist() for step in range(3)]
    assert seen == [[[0, 0], [0, 1]], [[1, 0], [1, 1]], [[0, 0], [0, 1]]]
    assert lesson.take_batch(0, 4)[1].flatten().tolist() == [0, 1, 1, 0]


@pytest.mark.idea("D12")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_six_steps_learn_exclusive_or(dtype: torch.dtype) -> None:
    with Case(dtype=dtype).defaults():
        losses, _ = lesson.repeat(mlp(2, 8, 1))
        for _, target, before, after in lesson.six_steps_learn_xor().rows:
            assert abs(before - target) > 0.1
            assert after == pytest.approx(target, abs=1e-3)
    assert losses[0] > 0.05
    assert max(losses[-2:]) < 1e-6


# ---------------------------------------------------------------- C5


@pytest.mark.idea("C5")
def test_the_figure_shows_every_value_and_every_gradient() -> None:
    forward, backward = shown(lesson.forward_and_backward).axes
    values = {text.get_text() for text in forward.texts}
    nodes = {"x₁\n2", "x₂\n1", "z₁\n3", "z₂\n1.5", "h₁\n3", "h₂\n1.5", "y\n−0.5", "loss\n2.25"}
    assert nodes | {"· 1", "· −1", "· 0.5", "· 3", "· −2", "ReLU", "(y − 1)²"} <= values
    assert {"bias + 0.5", "bias + 1"} <= values
    grads = {text.get_text() for text in backward.texts}
    nodes = {"x₁\n−7.5", "x₂\n17.25", "z₁\n−1.5", "z₂\n6", "h₁\n−1.5", "h₂\n6", "y\n−3", "loss\n1"}
    slopes = {"· 1 = −1.5", "· (−1) = −6", "· 0.5 = −0.75", "· 3 = 18", "· 0.5 = −1.5", "· (−2) = 6"}
    assert nodes | slopes | {"· 1 = 6", "· (−3) = −3"} <= grads
    assert {"sum of −1.5 and −6", "sum of −0.75 and 18"} <= grads


@pytest.mark.idea("C5")
def test_the_lines_of_the_figure_are_the_local_slopes() -> None:
    """Each node's gradient is the sum, over its lines, of slope times gradient behind."""
    grads = lesson.node_numbers("grad_")
    for node, grad in grads.items():
        sent = [slope * grads[end] for start, end, slope in lesson.LINES if start == node]
        assert not sent or sum(sent) == grad


@pytest.mark.idea("C5")
def test_the_second_figure_has_every_weight_and_its_gradient() -> None:
    texts = shown_texts(shown(lesson.gradients_of_the_weights))
    found = lesson.by_hand(lesson.example())
    for name in ("weight1", "weight2"):
        for number in found[f"grad_{name}"].flatten().tolist():
            assert lesson.signed(number) in texts
    assert "17.25" in texts


@pytest.mark.idea("C5")
def test_the_rule_under_the_figure() -> None:
    """A weight's blame is the blame at the end of its line times the value at the start."""
    found = {**lesson.example(), **lesson.by_hand(lesson.example())}
    for weight, start, end in (("weight1", "x", "z"), ("weight2", "h", "y")):
        assert torch.equal(found[f"grad_{weight}"], found[f"grad_{end}"].T * found[start])


# ---------------------------------------------------------------- E5


@pytest.mark.idea("E5")
def test_one_call_gives_the_same_gradients() -> None:
    rows = shown(lesson.one_call_gives_the_same).rows
    assert {row[0] for row in rows} == {name for name in ON_PAPER if name[:5] == "grad_"}
    for name, hand, layers, autograd in rows:
        assert hand == autograd == str(ON_PAPER[name])
        assert layers == ("" if name in ("grad_h", "grad_z") else hand)


# ---------------------------------------------------------------- not shares, the step, the paths


@pytest.mark.idea("B5", "D11")
def test_gradients_are_not_shares() -> None:
    given, found = lesson.example(), lesson.by_hand(lesson.example())
    sums = {name: (given[name] * found[f"grad_{name}"]).sum().item() for name in lesson.PARAMS}
    assert sums == {"weight1": 2.25, "bias1": 2.25, "weight2": 4.5, "bias2": -3}
    assert (sum(sums.values()), found["loss"].item()) == (6, 2.25)


@pytest.mark.idea("B5", "D11")
def test_the_step_on_paper() -> None:
    squares = [lesson.by_hand(lesson.example())[f"grad_{name}"].square().sum() for name in lesson.PARAMS]
    assert sum(square.item() for square in squares) == 339.75
    rows = {row[0]: row[1:] for row in shown(lesson.one_step_at_four_rates).rows}
    assert [f"{-rows[lr][0]:.2g}" for lr in (0.001, 0.01, 0.1)] == ["0.34", "3.4", "34"]
    assert rows[0.001][1] == pytest.approx(-0.3267, abs=1e-3)
    assert (f"{rows[0.01][2]:.2f}", f"{rows[0.01][3]:.2f}") == ("0.62", "0.14")
    assert f"{rows[0.1][3]:.1f}" == "33.2"
    after = lesson.by_hand(lesson.take_step(lesson.example(), 0.1))
    assert after["z"][0].tolist() == pytest.approx([3.9, -2.1])
    before = lesson.example()
    assert torch.equal(before["weight1"], torch.tensor([[1.0, 0.5], [-1.0, 3.0]])), "the example stays"


@pytest.mark.idea("B5", "D11")
def test_paths_are_counted() -> None:
    """By formula, and by walking each of them; their sum is the gradient that the walk back finds."""
    assert lesson.count_paths(784, 128, 64, 10) == 81_920
    assert 784 * 81_920 == 64_225_280
    rows = {row[0]: row[1:] for row in shown(lesson.paths_and_products).rows}
    assert rows["784–128–64–10"] == ("81,920", "64,225,280", "109,184")
    with Case().defaults():
        x = torch.ones(1, 3)
        weights = [torch.rand(4, 3), torch.rand(5, 4), torch.rand(2, 5)]
        back = torch.ones(1, 2)
        for weight in reversed(weights):
            back = back @ weight
        for node in range(x.shape[1]):
            slope, paths = lesson.slope_by_paths([weight.tolist() for weight in weights], node)
            assert paths == lesson.count_paths(3, 4, 5, 2) == 40
            assert slope == pytest.approx(back[0, node].item())


@pytest.mark.idea("B5", "D11")
def test_a_forgotten_slope_is_seen_only_where_a_neuron_is_off() -> None:
    right, wrong = shown(lesson.a_forgotten_slope).rows
    assert right[1:] == ("none", "none")
    assert wrong[1] == "none"
    assert set(wrong[2].split(", ")) == {"grad_z", "grad_weight1", "grad_bias1", "grad_x"}


@pytest.mark.idea("D12")
def test_nineteen_of_twenty_starts_learn_exclusive_or() -> None:
    x, target = lesson.take_batch(0, 4)
    ends = []
    for seed in range(20):
        model = mlp(2, 8, 1, seed=seed)
        lesson.repeat(model)
        ends.append(((model.forward(x) - target) ** 2).mean().item())
        if ends[-1] > 0.1:
            assert (model.layers[0].forward(x[2:]) < 0).all(), "all off where x₁ is 1"
    assert sum(end < 1e-3 for end in ends) == 19
    assert max(ends) == pytest.approx(0.125, abs=1e-3)


@pytest.mark.idea("D12")
@pytest.mark.slow
@pytest.mark.parametrize(("width", "arrive"), [(2, 3), (4, 15), (16, 20)])
def test_wider_networks_learn_exclusive_or_from_more_starts(width: int, arrive: int) -> None:
    x, target = lesson.take_batch(0, 4)
    ends = []
    for seed in range(20):
        model = mlp(2, width, 1, seed=seed)
        lesson.repeat(model)
        ends.append(((model.forward(x) - target) ** 2).mean().item())
    assert sum(end < 1e-3 for end in ends) == arrive


# ---------------------------------------------------------------- the cost of the way back


@pytest.mark.idea("E5")
@pytest.mark.parametrize("sizes", [(2, 2, 1), (50, 50, 50, 50), (784, 128, 64, 10)])
def test_all_gradients_cost_twice_a_forward_pass_for_any_sizes(sizes: tuple[int, ...]) -> None:
    model, criterion, x = mlp(*sizes), MSELoss(), torch.ones(64, sizes[0])
    with FlopCounterMode(display=False) as forward:
        y = model.forward(x)
    criterion.forward(y, torch.zeros_like(y))
    with FlopCounterMode(display=False) as backward:
        model.backward(criterion.backward())
    assert backward.get_total_flops() == 2 * forward.get_total_flops() > 0


@pytest.mark.idea("E5")
def test_what_counts_is_how_far_back_not_how_many() -> None:
    """Multiplications per example, forward: 784·128 + 128·64 + 64·10 = 109,184."""
    rows = {row[0]: row[1:] for row in shown(lesson.cost_of_the_way_back).rows}
    assert rows["the last layer's weights"] == (640, pytest.approx(640 / 109_184), 1280)
    assert rows["the first layer's weights"] == (100_352, 1.0, 200_704)
    assert rows["all parameters"] == (109_386, pytest.approx((109_184 + 8_192 + 640) / 109_184), 218_772)
    assert rows["all parameters"][1] == pytest.approx(1.08, abs=0.005)  # the prose's 1.08
    assert rows["all parameters and x"][1] == 2.0
