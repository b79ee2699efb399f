"""The numbers that lesson 20 states."""

from pathlib import Path
from statistics import mean

import pytest
import torch
from matplotlib.lines import Line2D

from lessons import lesson17_mnist as lesson17
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
    untrained, trained, wide = map(points, shown(lesson.probes_by_layer).axes[0].lines)
    assert list(trained) == PLACES
    assert list(wide) == ["layer 1"]
    assert untrained["pixels"] > untrained["layer 2"] > untrained["logits"]
    assert all(trained[place] > untrained[place] for place in PLACES[1:])
    assert trained["layer 1"] > trained["pixels"]


@pytest.mark.idea("E15")
@pytest.mark.slow
def test_the_numbers_of_the_probes(mnist_dir: Path) -> None:
    data, _, model = lesson.trained()
    untrained, trained, wide = map(points, shown(lesson.probes_by_layer).axes[0].lines)
    assert list(trained.values()) == pytest.approx([92.9, 97.6, 97.6, 97.5], abs=0.25)
    assert list(untrained.values()) == pytest.approx([92.9, 89.2, 77.3, 44], abs=0.6)
    assert wide["layer 1"] == pytest.approx(95, abs=0.5)
    largest_logit = 100 * accuracy(model.forward(data.val.x), data.val.target)
    assert largest_logit == pytest.approx(97.6, abs=0.25)
    assert trained["logits"] == pytest.approx(largest_logit, abs=0.3), "a converged probe reads what is there"


@pytest.mark.slow
def test_a_probe_gains_little_from_six_epochs_and_much_from_width(
    mnist_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, before, after = lesson.trained()
    assert lesson.probed_random_layer(lesson.WIDE, bend=False) == pytest.approx(92.5, abs=0.4)
    assert lesson.probed_random_layer(2048) == pytest.approx(97, abs=0.4)
    short = [lesson.probed(model) for model in (before, after)]
    monkeypatch.setattr(lesson, "epochs", lambda: 6)
    for shares, model in zip(short, (before, after), strict=True):
        for place, share in lesson.probed(model).items():
            assert share - shares[place] < 0.25, place


@pytest.mark.slow
@pytest.mark.idea("D16")
def test_other_starts_tell_the_same_of_pixels_and_units(
    mnist_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = lesson.trained()[0]
    for seed in range(1, 5):
        before, after = lesson.network(), lesson.network()
        before.load_state_dict(lesson17.first_weights(lesson.SIZES, seed))
        after.load_state_dict(lesson17.trained_by_hand(3, seed).params)
        monkeypatch.setattr(lesson, "trained", lambda found=(data, before, after): found)
        lesson.scores.cache_clear()
        lesson.layer_2.cache_clear()
        lesson.right_with_all.cache_clear()
        check_wiped({name: lesson.wiped(score)[1] for name, score in lesson.scores().items()})
        check_units(lesson.half_lost(False), lesson.half_lost(True))
    lesson.scores.cache_clear()
    lesson.layer_2.cache_clear()
    lesson.right_with_all.cache_clear()


def check_wiped(right: dict[str, float]) -> None:
    assert right["random pixels with ink"] == pytest.approx(96.4, abs=0.6)
    assert right["the darkest"] == pytest.approx(95.2, abs=0.8)
    assert right["slope (saliency)"] == pytest.approx(92, abs=1.7)
    assert right["slope, where there is ink"] == pytest.approx(73, abs=5)
    assert right["slope times ink"] == pytest.approx(50, abs=5)
    assert right["the same, untrained network"] == pytest.approx(96.5, abs=0.8)


Lost = tuple[list[float], list[float], list[float]]  # what `half_lost` gives


def check_units(to_zero: Lost, to_mean: Lost) -> None:
    alone, added, at_once = to_zero
    alone = sorted(alone, reverse=True)
    assert alone[32] < 0.15, "most are not missed"
    assert 0.3 < alone[0] < 1.3
    assert max(added) < 4
    assert 7 < mean(at_once) < 13
    assert 2 < min(at_once) < 6
    assert 14 < max(at_once) < 28
    assert 4 < mean(to_mean[2]) < 7
    assert max(to_mean[1]) < 2.5
    above = [whole > part for whole, part in zip(at_once, added, strict=True)]
    assert all(above)
    above_mean = [whole > part for whole, part in zip(to_mean[2], to_mean[1], strict=True)]
    assert sum(above_mean) >= 17


def test_the_mean_of_a_unit_takes_its_place() -> None:
    data, _, model = lesson.trained()
    h = lesson.layer_2()
    fewer = h.clone()
    fewer[:, 5] = h[:, 5].mean()
    last = model.layers[-1]
    lost = accuracy(last.forward(h), data.val.target) - accuracy(last.forward(fewer), data.val.target)
    assert lesson.lost_without([5], to_mean=True) == pytest.approx(100 * lost, abs=0.02)


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
    right = {name: float(share) for name, _, share in shown(lesson.twenty_pixels_wiped).rows}
    assert right["random pixels"] > right["random pixels with ink"] > right["the darkest"]
    assert right["the darkest"] > right["slope (saliency)"] > right["slope times ink"] + 15
    assert right["slope (saliency)"] > right["slope, where there is ink"] > right["slope times ink"]
    assert right["the same, untrained network"] > right["slope times ink"] + 15


@pytest.mark.idea("D16")
def test_the_numbers_of_wiping(mnist_dir: Path) -> None:
    rows = shown(lesson.twenty_pixels_wiped).rows
    check_wiped({name: float(share) for name, _, share in rows})
    ink = {name: int(count) for name, count, _ in rows}
    assert ink["slope (saliency)"] == 6
    assert ink["random pixels with ink"] == ink["the darkest"] == ink["slope times ink"] == 20


@pytest.mark.idea("D16")
def test_units_hide_behind_the_margin() -> None:
    left, right = shown(lesson.take_units_away).axes
    single = [bar.get_height() for bar in bars(left)]
    assert len(single) == 64
    assert single == sorted(single, reverse=True)
    on_digits_of_mnist = lesson.trained()[0].name == "MNIST"
    for line in right.lines[:2]:
        assert len(xs(line)) == 20
        # On the few small scans it depends on the start and on the CPU.
        assert ys(line).mean() > 1.2 * xs(line).mean() or not on_digits_of_mnist
    if on_digits_of_mnist:
        check_units(lesson.half_lost(False), lesson.half_lost(True))


@pytest.mark.idea("D16")
def test_the_loss_of_half_the_units_is_measured_on_all_validation_pictures() -> None:
    data, _, model = lesson.trained()
    half = torch.randperm(64, generator=torch.Generator().manual_seed(0))[:32].tolist()
    before, after = (lesson.activations(model, data.val.x, units)["logits"] for units in ([], half))
    lost = 100 * (accuracy(before, data.val.target) - accuracy(after, data.val.target))
    at_once = ys(shown(lesson.take_units_away).axes[1].lines[0])
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
