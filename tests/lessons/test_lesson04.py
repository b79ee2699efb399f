"""The numbers that lesson 04 states."""

import math
from collections.abc import Callable

import pytest
import torch
from matplotlib.patches import Circle
from matplotlib.text import Annotation
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from lessons import lesson04_layers as lesson
from tests.support.lessons import shown


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
    (axis,) = shown(lesson.picture_of_4_4_2).axes
    assert axis.get_title().startswith("30 parameters")
    texts = [text.get_text() for text in axis.texts]
    assert [text for text in texts if "weights" in text] == [
        "16 weights\n+ 4 biases",
        "8 weights\n+ 2 biases",
    ]
    arrows = [text for text in axis.texts if isinstance(text, Annotation)]
    assert len(arrows) == 24
    assert sum(isinstance(patch, Circle) for patch in axis.patches) == 10


# ---------------------------------------------------------------- the house


@pytest.mark.idea("D7")
def test_the_house_is_traced_value_by_value() -> None:
    _, standardised = lesson.houses()
    assert standardised[0].tolist() == pytest.approx([0.8, 0.5, -0.75])
    sums, outputs = lesson.through_the_house(standardised)
    assert [value for layer in sums for value in layer.tolist()] == pytest.approx(
        [0.85, -0.36, 0.61, 0.225, 3.578], abs=1e-5
    )
    assert [value for layer in outputs[1:] for value in layer.tolist()] == pytest.approx(
        [0.85, 0, 0.61, 0.225, 3.578], abs=1e-5
    )
    assert sums[0][0].item() == pytest.approx(0.5 * 0.8 + 0.4 * 0.5 + 0.2 * 0.75 + 0.1)
    assert sums[0][1].item() == pytest.approx(-0.16 + 0.05 - 0.45 + 0.2)


@pytest.mark.idea("D7")
def test_the_drawn_house_has_these_numbers() -> None:
    (axis,) = shown(lesson.house_price_traced).axes
    texts = [text.get_text() for text in axis.texts]
    inside = {"size\n0.8", "beds\n0.5", "age\n−0.75", "1a\n0.85", "1b\n0", "2a\n0.61", "2b\n0.225"}
    assert inside | {"price\n3.578", "2000", "3", "20"} <= set(texts)
    assert [text for text in texts if text.startswith("sum")] == [
        "sum 0.85",
        "sum −0.36: quiet",
        "sum 0.61",
        "sum 0.225",
        "sum 3.578",
    ]
    assert [text for text in texts if text.startswith("bias")] == [
        "bias 0.1",
        "bias 0.2",
        "bias 0.1",
        "bias −0.2",
        "bias 3",
    ]
    for weight in (0.5, 0.4, -0.2, 0.1, 0.6, -0.3, 0.8):
        assert f"{weight:g}".replace("-", "−") in texts


@pytest.mark.idea("D7")
def test_the_drawn_price_is_that_of_the_layers() -> None:
    rows = {row[0]: row[1:] for row in shown(lesson.raw_scales_hurt).rows}
    for x, price in zip(lesson.houses(), rows["price, in $100,000"], strict=True):
        assert lesson.through_the_house(x)[1][-1].item() == pytest.approx(price)


@pytest.mark.idea("D7")
def test_raw_scales_hurt() -> None:
    rows = shown(lesson.raw_scales_hurt).rows
    raw, scaled = ({row[0]: row[column] for row in rows} for column in (1, 2))
    assert round(raw["price, in $100,000"] / 10) == 68  # $100,000 → million
    first, second = "share of size in sum 1a, %", "in sum 1b, %"
    # |0.5 · 2000| of |0.5 · 2000| + |0.4 · 3| + |−0.2 · 20|, and so on
    assert [raw[first], raw[second]] == pytest.approx([100 * 1000 / 1005.2, 100 * 400 / 412.3], rel=1e-5)
    assert [scaled[first], scaled[second]] == pytest.approx([100 * 0.4 / 0.75, 100 * 0.16 / 0.66], rel=1e-5)
    assert int(raw[first]) == 99
    assert list(raw.values())[-3:] == pytest.approx([1360, 2.04, 13.6], rel=1e-5)
    assert list(scaled.values())[-3:] == pytest.approx([0.544, 0.34, -0.51], rel=1e-5)
    assert pytest.approx(6.7, abs=0.05) == 0.01 * 1360 / 2.04


# ---------------------------------------------------------------- digits


@pytest.mark.idea("D9")
def test_the_digit_network_has_109386_parameters() -> None:
    rows = shown(lesson.digit_parameters_counted).rows
    assert [row[1] + row[2] for row in rows] == [100_480, 8_256, 650, 109_386]
    assert [row[3] for row in rows] == [100_480, 8_256, 650, 109_386]
    assert sum(param.numel() for param in lesson.mlp(*lesson.DIGITS).params.values()) == 109_386


@pytest.mark.idea("D9")
def test_the_first_layer_has_92_percent() -> None:
    first, *_, total = (row[3] for row in shown(lesson.digit_parameters_counted).rows)
    assert round(100 * first / total) == 92


@pytest.mark.idea("A8")
def test_ten_numbers_come_out() -> None:
    from sklearn.datasets import load_digits

    assert load_digits().target[[3, 7]].tolist() == [3, 7]
    pictures, outputs = shown(lesson.digits_go_through).axes
    assert [text.get_text() for text in pictures.texts] == ["a 3", "a 7"]
    three, seven = ([bar.get_height() for bar in group] for group in outputs.containers)
    assert len(three) == len(seven) == 10
    assert three != seven
    y = lesson.mlp(*lesson.DIGITS).forward(lesson.two_scans())
    assert [three, seven] == [pytest.approx(row.tolist()) for row in y]


@pytest.mark.idea("A8")
@pytest.mark.parametrize("seed", range(5))
def test_an_untrained_network_says_much_the_same_to_both(seed: int) -> None:
    y = lesson.mlp(*lesson.DIGITS, seed=seed).forward(lesson.two_scans())
    assert torch.corrcoef(y)[0, 1] > 0.8
    assert y.argmax(1).tolist() == [[0, 3, 9, 5, 8][seed]] * 2


def test_the_scans_keep_every_pixel_and_have_a_rim() -> None:
    from sklearn.datasets import load_digits

    images = lesson.two_scans().view(2, 28, 28)
    small = torch.tensor(load_digits().images[[3, 7]] / 16).float()
    assert torch.equal(images[:, 3:26:3, 3:26:3], small)
    assert images.sum() == 9 * small.sum()
    assert images[:, :2].sum() == images[:, :, 26:].sum() == 0


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
    assert round(10 * 60_000 * skipping / sum(layers) / 1e6, 2) == 1.25


@pytest.mark.idea("E3")
def test_reading_and_learning_are_both_timed() -> None:
    rows = shown(lesson.reading_and_learning_timed).rows
    assert [row[0] for row in rows] == [
        "read 100",
        "both passes",
        "both, no slopes of pixels",
        "60,000 pictures, ten times",
    ]
    assert [row[1] for row in rows] == ["21,836,800", "65,510,400", "45,440,000", "272,640,000,000"]
    assert [row[2] for row in rows[:3]] == pytest.approx([1, 3, 2.08], abs=1e-3)
    times = [float(row[3].replace(",", "")) for row in rows]
    assert min(times) > 0
    assert times[3] == pytest.approx(6000 * times[2], rel=0.01)
    assert 6000 * 100 == 10 * 60_000


def test_both_passes_give_all_gradients() -> None:
    x, slopes = torch.rand(5, 3), torch.rand(5, 2)
    network = lesson.mlp(3, 4, 2)
    lesson.both_passes(network, x, slopes, True)
    expected = dict(network.grads)
    lesson.both_passes(network, x, slopes, False)
    torch.testing.assert_close(network.grads, expected)
    (counts,) = {counted(lambda: lesson.both_passes(network, x, slopes, False))}
    assert counts == 5 * (2 * 2 * 3 * 4 + 3 * 2 * 4 * 2)


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


# ---------------------------------------------------------------- on paper, and the bug


def test_the_slopes_on_paper() -> None:
    layer = lesson.Linear(2, 2)
    layer.params = {
        "weight": torch.tensor([[0.9, -0.4], [-0.3, 0.6]]),
        "bias": torch.tensor([0.1, 0.2]),
    }
    assert layer.forward(torch.tensor([[0.8, 0.5]]))[0].tolist() == pytest.approx([0.62, 0.26])
    assert layer.backward(torch.tensor([[-0.3, 0.1]]))[0].tolist() == pytest.approx([-0.3, 0.18])
    assert layer.grads["weight"].flatten().tolist() == pytest.approx([-0.24, -0.15, 0.08, 0.05])


def test_a_forgotten_transpose_stops_unless_the_layer_is_square() -> None:
    assert shown(lesson.a_forgotten_transpose).rows == [
        ("x @ W.T", "none", "none"),
        ("x @ W", "stops: shapes do not fit", "output, grad_x, grad_weight"),
    ]
