"""The numbers that lesson 20 states."""

from pathlib import Path

import pytest
import torch
from matplotlib.lines import Line2D

from lessons import lesson20_probes as lesson
from lessons.lesson11_training import accuracy
from tests.support.lessons import bars, shown, xs, ys

PLACES = ["pixels", "layer 1", "layer 2", "logits"]


def points(line: Line2D) -> dict[str, float]:
    """What a line of a figure shows above each name of its x axis."""
    places, values = xs(line), ys(line)
    return {str(place): float(value) for place, value in zip(places, values, strict=True)}


@pytest.mark.idea("E15")
@pytest.mark.slow
def test_probes_by_layer() -> None:
    untrained, trained = map(points, shown(lesson.probes_by_layer).axes[0].lines)
    assert list(trained) == PLACES
    assert untrained["pixels"] > untrained["layer 2"] > untrained["logits"]
    assert all(trained[place] > untrained[place] for place in PLACES[1:])
    assert trained["layer 1"] > trained["pixels"]


@pytest.mark.idea("E15")
@pytest.mark.slow
def test_the_numbers_of_the_probes(mnist_dir: Path) -> None:
    data, _, model = lesson.trained()
    untrained, trained = map(points, shown(lesson.probes_by_layer).axes[0].lines)
    assert list(trained.values()) == pytest.approx([92.9, 97.8, 97.7, 97.5], abs=0.25)
    assert list(untrained.values()) == pytest.approx([92.9, 89.3, 77.4, 43.8], abs=0.6)
    largest_logit = 100 * accuracy(model.forward(data.val.x), data.val.target)
    assert largest_logit == pytest.approx(97.6, abs=0.25)
    assert trained["logits"] == pytest.approx(largest_logit, abs=0.3), "a converged probe reads what is there"


@pytest.mark.idea("D16")
def test_saliency_predicts_a_small_step() -> None:
    data, _, model = lesson.trained()
    x = data.val.x[:20]
    digit = model.forward(x).argmax(1)
    slope = lesson.saliency(model, x, digit)
    moved = model.forward(x + 1e-3 * slope) - model.forward(x)
    rise = moved.gather(1, digit[:, None])[:, 0]
    assert torch.allclose(rise, 1e-3 * slope.square().sum(1), rtol=0.05, atol=1e-4)


@pytest.mark.idea("D16")
@pytest.mark.slow
def test_wiping_salient_pixels_hurts_more_than_wiping_ink() -> None:
    right = {name: float(share) for name, share in shown(lesson.twenty_pixels_wiped).rows}
    assert right["random pixels"] > right["random pixels with ink"] > right["the darkest"]
    assert right["the darkest"] > right["slope (saliency)"] > right["slope times ink"] + 15
    assert right["slope of the untrained network"] > right["slope (saliency)"] + 4


@pytest.mark.idea("D16")
def test_the_numbers_of_wiping(mnist_dir: Path) -> None:
    right = {name: float(share) for name, share in shown(lesson.twenty_pixels_wiped).rows}
    assert right["random pixels with ink"] == pytest.approx(96.4, abs=0.6)
    assert right["the darkest"] == pytest.approx(95.2, abs=0.8)
    assert right["slope (saliency)"] == pytest.approx(91, abs=1.5)
    assert right["slope times ink"] == pytest.approx(50, abs=5)
    assert right["slope of the untrained network"] > 97


@pytest.mark.idea("D16")
def test_units_stand_in_for_each_other() -> None:
    left, right = shown(lesson.take_units_away).axes
    single = [bar.get_height() for bar in bars(left)]
    added_up, at_once = xs(right.lines[1]).mean(), ys(right.lines[1]).mean()
    assert len(single) == 64
    assert single == sorted(single, reverse=True)
    assert at_once > 1.2 * added_up
    if lesson.trained()[0].name == "MNIST":
        assert single[32] < 0.15, "most are not missed"
        assert 0.3 < single[0] < 1.3
        assert added_up < 4
        assert 8 < at_once < 15


@pytest.mark.idea("D16")
def test_the_loss_of_half_the_units_is_measured_on_all_validation_pictures() -> None:
    data, _, model = lesson.trained()
    half = torch.randperm(64, generator=torch.Generator().manual_seed(0))[:32].tolist()
    before, after = (lesson.activations(model, data.val.x, units)["logits"] for units in ([], half))
    lost = 100 * (accuracy(before, data.val.target) - accuracy(after, data.val.target))
    at_once = ys(shown(lesson.take_units_away).axes[1].lines[1])
    assert len(at_once) == 20
    assert at_once[0] == pytest.approx(lost, abs=0.1)


@pytest.mark.idea("D16")
def test_taking_a_unit_away_is_zeroing_its_outgoing_weights() -> None:
    data, _, model = lesson.trained()
    other = lesson.network()
    other.load_state_dict(model.params)
    other.params["4.weight"][:, [3, 9]] = 0
    logits = lesson.activations(model, data.val.x[:50], (3, 9))["logits"]
    assert torch.allclose(logits, other.forward(data.val.x[:50]), atol=1e-5)


@pytest.mark.idea("D16")
def test_the_confusion_matrix_counts_every_mistake() -> None:
    counts = lesson.confusion(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 0]), 2)
    assert counts.tolist() == [[1, 1], [0, 1]]
    data, _, model = lesson.trained()
    answer = model.forward(data.val.x).argmax(1)
    figure = shown(lesson.mistakes)
    wrong = int((answer != data.val.target).sum())
    assert figure.axes[0].get_title().startswith(f"{wrong} mistakes")
    assert sum(int(text.get_text()) for text in figure.axes[0].texts) == wrong


@pytest.mark.idea("D16")
def test_the_worst_mistakes_have_the_highest_loss() -> None:
    data, _, model = lesson.trained()
    logits = model.forward(data.val.x)
    losses = torch.nn.functional.cross_entropy(logits, data.val.target, reduction="none")
    worst = losses.argsort(descending=True)[:16]
    expected = [f"{logits[i].argmax()}, is {data.val.target[i]}" for i in worst]
    assert [text.get_text() for text in shown(lesson.mistakes).axes[1].texts] == expected
