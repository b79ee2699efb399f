"""The numbers that lesson 19 states."""

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.lines import Line2D
from PIL import Image
from sklearn.decomposition import PCA
from torch import Tensor

from lessons import lesson19_inside as lesson
from lessons.lesson11_training import accuracy
from tests.support.lessons import bars, shown, xs, ys
from tests.support.recorded import recorded


@functools.cache
def edge_shares() -> tuple[Tensor, Tensor]:
    """What the best edge explains of each unit, before and after training: (128,) each."""
    _, before, after = lesson.trained()
    return lesson.edge_share(before.params["0.weight"]), lesson.edge_share(after.params["0.weight"])


def purity(h: Tensor, target: Tensor) -> float:
    """The share of a unit's 20 favourites that show one digit; the mean over units that ever fire."""
    digits = target[h[:, h.amax(0) > 0].topk(20, dim=0).indices]  # (20, units)
    return torch.stack([(digits == d).mean(0, dtype=h.dtype) for d in range(10)]).amax(0).mean().item()


def wiped_accuracy(score: Tensor) -> float:
    """Accuracy in percent with the 20 pixels of highest score made blank."""
    data, _, model = lesson.trained()
    wiped = data.val.x.scatter(1, score.topk(20).indices, -data.mean / data.std)
    return 100 * accuracy(model.forward(wiped), data.val.target)


def points(line: Line2D) -> dict[str, float]:
    """What a line of a figure shows above each name of its x axis."""
    places, values = xs(line), ys(line)
    return {str(place): float(value) for place, value in zip(places, values, strict=True)}


@functools.cache
def purities() -> dict[str, float]:
    """The purity of the favourites, by network and layer."""
    data, before, after = lesson.trained()
    found = {}
    for name, model in (("untrained", before), ("trained", after)):
        answers = lesson.activations(model, data.val.x)
        for place in ("layer 1", "layer 2"):
            found[f"{name}, {place}"] = purity(answers[place], data.val.target)
    return found


def slopes() -> tuple[Tensor, Tensor]:
    data, *models = lesson.trained()
    before, after = (lesson.saliency(m, data.val.x, m.forward(data.val.x).argmax(1)) for m in models)
    return before, after


# ---------------------------------------------------------------- D15/E15


@pytest.mark.idea("D15")
def test_the_first_layer_does_not_become_edges() -> None:
    before, after = edge_shares()
    assert before.mean() < 0.02
    assert 5 * before.mean() < after.mean() < 0.3
    assert after.max() < 0.5, "never half"


@pytest.mark.idea("D15")
def test_true_edges_are_found_even_off_the_list() -> None:
    down, right = torch.meshgrid(torch.arange(28) - 14.6, torch.arange(28) - 12.3, indexing="ij")
    edges = []
    for size in (1.8, 3.0, 3.6):
        for angle in torch.arange(0.2, 6.3, 0.45):
            across = right * angle.cos() + down * angle.sin()
            edges.append((across * torch.exp(-(right**2 + down**2) / (2 * size**2))).flatten())
    assert lesson.edge_share(7 * torch.stack(edges)).min().item() > 0.8


@pytest.mark.idea("D15")
def test_the_numbers_of_the_first_layer(mnist_dir: Path) -> None:
    before, after = edge_shares()
    assert before.mean().item() == pytest.approx(0.014, abs=0.0006)
    recorded("lesson19", "the best edge's share of a trained unit, mean", after.mean().item(), room=0.01)
    labels = shown(lesson.first_layer_images).axes[0].get_yticklabels()
    names = [label.get_text() for label in labels]
    assert names[0].startswith("untrained:\nbest edge explains 1.4")


@pytest.mark.idea("D15")
def test_favourites_grow_purer_with_training_and_depth() -> None:
    found = purities()
    assert 0.3 < found["untrained, layer 1"] < found["trained, layer 1"]
    assert 0.3 < found["untrained, layer 2"] < found["trained, layer 2"]
    assert found["trained, layer 1"] < found["trained, layer 2"]


@pytest.mark.idea("D15")
def test_the_numbers_of_the_favourites(mnist_dir: Path) -> None:
    found = purities()
    assert found["untrained, layer 1"] == pytest.approx(0.5, abs=0.05)
    assert found["untrained, layer 2"] == pytest.approx(0.5, abs=0.05)
    recorded("lesson19", "favourites of layer 1, share of one digit", found["trained, layer 1"], room=0.02)
    assert found["trained, layer 2"] > 0.75


def test_twenty_random_pictures_show_one_digit_to_22_per_cent() -> None:
    digits = torch.randint(10, (20_000, 20), generator=torch.Generator().manual_seed(0))
    counts = torch.nn.functional.one_hot(digits, 10).sum(1)  # (20000, 10)
    assert (counts.amax(1) / 20).mean().item() == pytest.approx(0.22, abs=0.005)


@pytest.mark.idea("D15")
def test_the_shown_favourites_are_the_most_exciting() -> None:
    data, _, model = lesson.trained()
    figure = shown(lesson.units_and_their_digits)
    unit = int(figure.axes[0].get_yticklabels()[0].get_text())
    best = lesson.activations(model, data.val.x)["layer 2"][:, unit].argmax()
    picture = np.asarray(figure.axes[0].images[0].get_array())[:28, :28]
    assert torch.equal(torch.tensor(picture), data.images(data.val.x[best])[0])
    assert torch.tensor(np.asarray(figure.axes[1].images[0].get_array())).amax() == pytest.approx(1)


@pytest.mark.idea("E15")
def test_probes_by_layer() -> None:
    data, _, model = lesson.trained()
    untrained, trained = map(points, shown(lesson.probes_by_layer).axes[0].lines)
    assert list(trained) == ["pixels", "layer 1", "layer 2", "logits"]
    assert list(untrained.values()) == sorted(untrained.values(), reverse=True)
    assert all(trained[place] > untrained[place] for place in ("layer 1", "layer 2", "logits"))
    if data.name == "MNIST":
        for place, per_cent in trained.items():
            recorded("lesson19", f"probe of the {place}, %", per_cent, room=0.5)
        assert trained["pixels"] + 4 < trained["layer 1"] < trained["layer 2"]
        largest_logit = 100 * accuracy(model.forward(data.val.x), data.val.target)
        assert largest_logit > trained["logits"] + 0.3
        recorded("lesson19", "the network, %", largest_logit, room=0.2)


@pytest.mark.idea("E15")
def test_the_projector_can_read_what_is_written(tmp_path: Path) -> None:
    data, _, model = lesson.trained()
    lesson.write_embedding(tmp_path, 50)
    h = torch.tensor(np.loadtxt(next(tmp_path.rglob("tensors.tsv"))), dtype=torch.float32)
    assert torch.allclose(h, lesson.activations(model, data.val.x[:50])["layer 2"], atol=1e-5)
    digits = next(tmp_path.rglob("metadata.tsv")).read_text().split()
    assert [int(digit) for digit in digits] == data.val.target[:50].tolist()
    sprite = np.asarray(Image.open(next(tmp_path.rglob("sprite.png"))).convert("L"), dtype=float) / 255
    assert sprite.shape == (8 * 28, 8 * 28)
    assert np.abs(sprite[:28, 28:56] - (1 - data.images(data.val.x[1]).numpy()[0])).max() < 0.01
    assert "sprite.png" in (tmp_path / "projector_config.pbtxt").read_text()


@pytest.mark.idea("E15")
def test_the_map_is_a_principal_component_analysis() -> None:
    data, _, model = lesson.trained()
    h = lesson.activations(model, data.val.x[:1000])["layer 2"].double().numpy()
    pca = PCA(2, svd_solver="full").fit(h)
    axis = shown(lesson.map_of_digits).axes[1]
    points = np.asarray(axis.collections[0].get_offsets())
    assert np.abs(np.abs(points) - np.abs(pca.transform(h))).max() < 1e-2 * np.abs(points).max()
    assert f"{pca.explained_variance_ratio_.sum():.0%}" in axis.get_title()


# ---------------------------------------------------------------- D16


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
def test_wiping_salient_pixels_hurts_more_than_random_ones() -> None:
    data = lesson.trained()[0]
    untrained, slope = slopes()
    noise = torch.rand(slope.shape, generator=torch.Generator().manual_seed(0))
    ink = data.val.x + data.mean / data.std
    random, guess = wiped_accuracy(noise), wiped_accuracy(untrained.abs())
    salient, product = wiped_accuracy(slope.abs()), wiped_accuracy(slope * ink)
    assert min(random, guess) > salient + 4 > product + 20
    if data.name == "MNIST":
        assert min(random, guess) > 97
        recorded("lesson19", "read right without the 20 most salient pixels, %", salient, room=1)
        assert product == pytest.approx(50, abs=5)


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
