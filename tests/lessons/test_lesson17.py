"""The numbers that lesson 17 states."""

import pytest
import torch

from curriculum.data_names import OFFLINE_DIGITS
from lessons import lesson17_mnist as lesson
from lessons.lesson11_training import accuracy


@pytest.mark.idea("D9", "B6")
def test_both_sides_learn_to_read() -> None:
    data, scratch, torch_side = lesson.trained_both()
    lowest = 0.85 if data.name == OFFLINE_DIGITS else 0.97
    for side in (scratch, torch_side):
        assert side.val_acc[0] < 0.3, "untrained, it guesses"
        assert accuracy(side.logits(data.test.x), data.test.target) > lowest


def test_the_losses_are_equal_at_first_and_the_accuracy_to_the_end() -> None:
    _, scratch, torch_side = lesson.trained_both()
    assert (scratch.losses[:20] - torch_side.losses[:20]).abs().max() <= 1e-5
    assert abs(scratch.val_acc[-1] - torch_side.val_acc[-1]) < 0.005


def test_the_pixels_gradient_is_left_out_unless_asked_for() -> None:
    x, grad = torch.randn(5, 784), torch.randn(5, 10)
    full, short = lesson.MLP(lesson.SIZES, input_grad=True), lesson.MLP(lesson.SIZES)
    short.load_state_dict(full.params)
    for model in (full, short):
        model.forward(x)
    assert full.backward(grad).shape == (5, 784)
    assert short.backward(grad).shape == (5, 128)
    for name, value in full.grads.items():
        assert torch.equal(value, short.grads[name])


def test_shared_parameters_are_not_copied() -> None:
    model, other = lesson.MLP((4, 3, 2)), lesson.MLP((4, 3, 2))
    other.share(model.params)
    model.params["0.weight"].zero_()
    assert other.params["0.weight"].abs().sum() == 0
