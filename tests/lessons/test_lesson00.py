"""The numbers that lesson 00 states."""

import pytest
import torch

from curriculum.pair import compare
from lessons import lesson00_slopes as lesson
from tests.support.lessons import shown


def test_a_basket_costs_7_and_8() -> None:
    amounts = torch.tensor([[2.0, 1.0]])
    prices = torch.tensor([[3.0, 2.0], [1.0, 4.0]])
    assert lesson.matrix_product(amounts, prices).tolist() == [[7, 8]]


def test_a_layer_of_128_neurons_takes_6_million_multiplications() -> None:
    assert 64 * 128 * 784 == 6_422_528


@pytest.mark.parametrize(
    ("left", "right", "comes_out"),
    [((3, 2), (2,), (3, 2)), ((3, 2), (3, 1), (3, 2)), ((3, 1), (3,), (3, 3))],
)
def test_the_broadcasting_table(
    left: tuple[int, ...], right: tuple[int, ...], comes_out: tuple[int, ...]
) -> None:
    assert (torch.ones(left) + torch.ones(right)).shape == comes_out


def test_unequal_right_ends_are_an_error() -> None:
    with pytest.raises(RuntimeError, match="must match"):
        torch.ones(3, 2) + torch.ones(3)


def test_the_nudges_on_paper() -> None:
    assert pytest.approx(0.006001) == 3.001**2 - 9
    assert pytest.approx(16.024009) == (3 * 1.001 + 1) ** 2
    assert pytest.approx(18.49) == (3 * 1.1 + 1) ** 2
    assert lesson.slope(lambda x: x**2, -1.0) == pytest.approx(-2)
    assert lesson.slope(lambda x: (3 * x + 1) ** 2, 1.0) == pytest.approx(24)
    assert lesson.slope(lambda x: 3 * x + x**2, 2.0) == pytest.approx(7)


@pytest.mark.idea("D11")
def test_two_rules_a_nudge_and_torch_give_the_same_slope() -> None:
    for _, rule, nudged, torchs in shown(lesson.slopes_three_ways).rows:
        assert rule == torchs == pytest.approx(nudged)


def test_the_three_dials_turn_as_the_text_says() -> None:
    (axis,) = shown(lesson.three_dials).axes
    words = [text.get_text() for text in axis.texts]
    assert {"moved by 0.1", "moved by 0.3", "moved by 2.49", "slope 3", "slope 8"} <= set(words)


def test_the_forgotten_path_is_found_and_named() -> None:
    wrong = lesson.Pair("forgot a path", lesson.forgot_a_path, lesson.PAIRS[1].torch)
    assert [d.name for d in compare(wrong) if d.problem] == ["slope_x"]
    assert [row[2] for row in shown(lesson.a_pair_that_fails).rows].count("equal") == 3


def test_views_share_their_numbers_and_copies_do_not() -> None:
    x = torch.zeros(2, 2)
    x[0].fill_(1)
    x[1].clone().fill_(1)
    assert x.tolist() == [[1, 1], [0, 0]]
