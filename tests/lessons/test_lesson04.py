"""The numbers that lesson 04 states."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from curriculum.draw import OTHER, new_figure
from lessons import lesson04_layers as lesson
from tests.support.lessons import shown, xs


def backward_skipping_input(network: lesson.Sequential, grad_y: Tensor) -> None:
    for layer in reversed(network.layers[1:]):
        grad_y = layer.backward(grad_y)
    network.layers[0].backward_params(grad_y)


@pytest.mark.idea("E2")
def test_neurons_in_a_loop_are_one_product() -> None:
    rows = shown(lesson.layers_three_ways).rows
    assert [row[0][:8] for row in rows[:4]] == ["layer f₁"] * 4
    for _, loop, product, reference in rows[:4]:
        assert [loop, product] == pytest.approx([reference] * 2, rel=1e-5)
    assert len({round(row[1], 4) for row in rows}) == len(rows), "no two outputs alike"


@pytest.mark.idea("D8")
def test_functions_in_functions_are_sequential() -> None:
    for _, nested, ours, reference in shown(lesson.layers_three_ways).rows[4:]:
        assert [nested, ours] == pytest.approx([reference] * 2, rel=1e-5)
    f1, f2, f3 = reference_layers = lesson.torch_mlp(3, 4, 2)
    x = torch.tensor([[0.8, 0.5, -1.0], [2.0, 0.0, 1.0]])
    torch.testing.assert_close(f3(f2(f1(x))), reference_layers(x))
    torch.testing.assert_close(lesson.mlp(3, 4, 2).forward(x), reference_layers(x).detach())


@pytest.mark.idea("C3")
def test_the_picture_has_30_parameters() -> None:
    assert sum(param.numel() for param in lesson.mlp(4, 4, 2).params.values()) == 30
    figure = shown(lesson.picture_of_4_4_2)
    assert figure.axes[0].get_title() == "30 parameters"
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert [text for text in texts if "weights" in text] == [
        "16 weights\n+ 4 biases",
        "8 weights\n+ 2 biases",
    ]
    lines = figure.axes[0].lines
    assert sum(len(xs(line)) == 2 for line in lines) == 24
    assert sum(line.get_marker() == "o" for line in lines) == 10


@pytest.mark.idea("C3")
def test_lines_show_sign_and_size() -> None:
    _, axis = new_figure()
    lesson.draw_network(axis, (2, 1), [torch.tensor([[0.5, -2.0]])], [["a", "b"], ["c"]])
    positive, negative = axis.lines[:2]
    assert [positive.get_color(), negative.get_color()] == list(OTHER[:2])
    assert negative.get_linewidth() > positive.get_linewidth()
    assert [text.get_text() for text in axis.texts] == ["a", "b", "c"]


@pytest.mark.idea("C3")
def test_a_network_is_drawn_without_weights_and_labels() -> None:
    _, axis = new_figure()
    lesson.draw_network(axis, (3, 2))
    assert [line.get_color() for line in axis.lines[:6]] == ["0.7"] * 6
    assert len(axis.lines) == 6 + 5


def house() -> tuple[dict[str, float], dict[str, float]]:
    rows = shown(lesson.house_price_traced).rows
    return {row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows}


@pytest.mark.idea("D7")
def test_the_house_is_traced_value_by_value() -> None:
    raw, scaled = house()
    assert list(scaled.values())[:12] == pytest.approx(
        [0.8, 0.5, -0.75, 0.85, -0.36, 0.85, 0, 0.61, 0.225, 0.61, 0.225, 3.578], abs=1e-5
    )
    assert scaled["sum 1a"] == pytest.approx(0.5 * 0.8 + 0.4 * 0.5 + 0.2 * 0.75 + 0.1)
    assert list(raw.values())[:3] == [2000, 3, 20]
    assert round(raw["price"] / 10) == 68  # $100,000 → million


@pytest.mark.idea("D7")
def test_raw_scales_hurt() -> None:
    raw, scaled = house()
    first, second = "share of size in sum 1a, %", "in sum 1b, %"
    # |0.5 · 2000| of |0.5 · 2000| + |0.4 · 3| + |−0.2 · 20|, and so on
    assert [raw[first], raw[second]] == pytest.approx([100 * 1000 / 1005.2, 100 * 400 / 412.3], rel=1e-5)
    assert [scaled[first], scaled[second]] == pytest.approx([100 * 0.4 / 0.75, 100 * 0.16 / 0.66], rel=1e-5)
    assert int(raw[first]) == 99
    assert list(raw.values())[-3:] == pytest.approx([1360, 2.04, 13.6], rel=1e-5)
    assert list(scaled.values())[-3:] == pytest.approx([0.544, 0.34, -0.51], rel=1e-5)


@pytest.mark.idea("D9")
def test_the_digit_network_has_109386_parameters() -> None:
    rows = shown(lesson.digit_parameters_counted).rows
    assert [row[1] + row[2] for row in rows] == [100_480, 8_256, 650, 109_386]
    assert [row[3] for row in rows] == [100_480, 8_256, 650, 109_386]
    assert sum(param.numel() for param in lesson.mlp(*lesson.DIGITS).params.values()) == 109_386


@pytest.mark.idea("A8")
def test_ten_numbers_come_out() -> None:
    from sklearn.datasets import load_digits

    assert load_digits().target[[3, 7]].tolist() == [3, 7]
    figure: Figure = shown(lesson.digits_go_through)
    first, second, bars = figure.axes
    assert all(np.asarray(axis.images[0].get_array()).shape == (28, 28) for axis in (first, second))
    three, seven = ([bar.get_height() for bar in group] for group in bars.containers)
    assert len(three) == len(seven) == 10
    assert three != seven
    # "much the same bars", the largest at 0
    assert torch.corrcoef(torch.tensor([three, seven]))[0, 1] > 0.9
    assert three.index(max(three)) == seven.index(max(seven)) == 0


def counted(run: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


@pytest.mark.idea("E3")
def test_forward_and_both_passes_are_1_to_3() -> None:
    ours, reference = lesson.mlp(*lesson.DIGITS), lesson.torch_mlp(*lesson.DIGITS)
    x, slopes = torch.zeros(1, 784), torch.ones(1, 10)
    asked = torch.zeros(1, 784, requires_grad=True)
    layers = [2 * 784 * 128, 2 * 128 * 64, 2 * 64 * 10]

    assert counted(lambda: ours.forward(x)) == counted(lambda: reference(x)) == sum(layers) == 218_368
    both = counted(lambda: (ours.forward(x), ours.backward(slopes)))
    assert both == counted(lambda: reference(asked).backward(slopes)) == 3 * sum(layers) == 655_104

    def both_skipping_input() -> None:
        ours.forward(x)
        backward_skipping_input(ours, slopes)

    skipping = counted(both_skipping_input)
    assert skipping == counted(lambda: reference(x).backward(slopes)) == 454_400 == both - layers[0]
    assert round(skipping / sum(layers), 2) == 2.08
    assert 10 * 60_000 * both / sum(layers) == 1_800_000


@pytest.mark.idea("E3")
def test_reading_and_learning_are_both_timed() -> None:
    rows = shown(lesson.reading_and_learning_timed).rows
    assert [row[0] for row in rows] == [
        "read 1",
        "read 100 at once",
        "learn from 100",
        "learn from 60,000, ten times",
    ]
    assert all(ms > 0 and ratio > 0 for _, ms, ratio in rows)
    assert rows[3][1] == pytest.approx(6000 * rows[2][1])
    assert 6000 * 100 == 10 * 60_000


def test_a_first_layer_needs_only_backward_params() -> None:
    network, x, slopes = lesson.mlp(3, 4, 2), torch.rand(5, 3), torch.rand(5, 2)
    network.forward(x)
    network.backward(slopes)
    expected = dict(network.grads)
    network.forward(x)
    backward_skipping_input(network, slopes)
    torch.testing.assert_close(network.grads, expected)


@pytest.mark.parametrize("n_in", [1, 4, 784])
def test_first_weights_are_those_of_torch(n_in: int) -> None:
    ours, reference = lesson.mlp(n_in, 300, seed=5).params, lesson.torch_mlp(n_in, 300, seed=5)
    for name, parameter in reference.named_parameters():
        torch.testing.assert_close(ours[name], parameter.detach())
    bound = 1 / math.sqrt(n_in)
    for values in ours.values():
        assert 0.98 * bound < values.abs().max() <= bound
        assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)  # an even spread's


@pytest.mark.parametrize("n_in", [4, 100, 784])
def test_first_sums_have_the_same_size_for_any_number_of_inputs(n_in: int) -> None:
    # Another seed than that of the weights: the same one would tie x to them.
    x = torch.randn(500, n_in, generator=torch.Generator().manual_seed(1))
    spread = (x @ lesson.mlp(n_in, 1000, seed=2).params["0.weight"].T).std().item()
    assert spread == pytest.approx(1 / math.sqrt(3), rel=0.03)
    assert round(spread, 1) == 0.6
    if n_in == 784:
        assert round(28 * spread) == 16


def test_equal_neurons_get_equal_gradients() -> None:
    network = lesson.mlp(3, 4, 2)
    for param in network.params.values():
        param.fill_(0.3)
    network.forward(torch.tensor([[0.8, 0.5, 1.0], [0.1, 2.0, 0.3]]))
    network.backward(torch.tensor([[1.0, 2.0], [0.5, -0.2]]))
    weight = network.grads["0.weight"]
    assert weight.abs().sum() > 0
    assert torch.equal(weight, weight[:1].expand(4, 3))


def test_torch_takes_leading_dimensions_and_ours_does_not() -> None:
    x = torch.ones(2, 5, 3)
    assert lesson.torch_mlp(3, 4)(x).shape == (2, 5, 4)
    with pytest.raises(RuntimeError):
        lesson.mlp(3, 4).forward(x)


def test_drawing_first_weights_leaves_the_random_state() -> None:
    before = torch.get_rng_state()
    lesson.mlp(3, 4)
    lesson.torch_mlp(3, 4)
    assert torch.equal(before, torch.get_rng_state())
