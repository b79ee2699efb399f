"""The numbers that lesson 15 states."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.decomposition import PCA
from torch import Tensor

from lessons import lesson15_inside as lesson
from lessons.lesson09_training import accuracy


def purity(h: Tensor, target: Tensor) -> float:
    """The share of a unit's 20 favourites that show one digit; the mean over units that ever fire."""
    digits = target[h[:, h.amax(0) > 0].topk(20, dim=0).indices]  # (20, units)
    return torch.stack([(digits == d).mean(0, dtype=h.dtype) for d in range(10)]).amax(0).mean().item()


def wiped_accuracy(score: Tensor) -> float:
    """Accuracy in percent with the 20 pixels of highest score made blank."""
    data, _, model = lesson.trained()
    wiped = data.val.x.scatter(1, score.topk(20).indices, -data.mean / data.std)
    return 100 * accuracy(model.forward(wiped), data.val.target)


def lost_without(*units: int) -> Tensor:
    return (lesson.right_without() - lesson.right_without(*units))[0]


def slopes() -> tuple[Tensor, Tensor]:
    data, *models = lesson.trained()
    before, after = (lesson.saliency(m, data.val.x, m.forward(data.val.x).argmax(1)) for m in models)
    return before, after


# ---------------------------------------------------------------- D15/E15


@pytest.mark.idea("D15")
def test_the_first_layer_does_not_become_edges() -> None:
    before, after = (lesson.edge_share(model.params["0.weight"]) for model in lesson.trained()[1:])
    assert before.mean() < 0.02
    assert 5 * before.mean() < after.mean() < 0.3
    assert after.max() < 0.5


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
    before, after = (lesson.edge_share(model.params["0.weight"]) for model in lesson.trained()[1:])
    assert before.mean().item() == pytest.approx(0.014, abs=0.0006)
    assert after.mean().item() == pytest.approx(0.17, abs=0.01)
    assert after.max().item() == pytest.approx(0.41, abs=0.02)
    names = [label.get_text() for label in lesson.first_layer_images().axes[0].get_yticklabels()]
    assert names[0].startswith("untrained:\nbest edge explains 1.4")


@pytest.mark.idea("D15")
def test_favourites_grow_purer_with_training_and_depth() -> None:
    data, *models = lesson.trained()
    before, after = (lesson.activations(model, data.val.x) for model in models)
    first, second = (purity(after[place], data.val.target) for place in ("layer 1", "layer 2"))
    assert second > first > purity(before["layer 1"], data.val.target) > 0.3
    assert second > purity(before["layer 2"], data.val.target) > 0.3


@pytest.mark.idea("D15")
def test_the_numbers_of_the_favourites(mnist_dir: Path) -> None:
    data, *models = lesson.trained()
    answers = [lesson.activations(model, data.val.x) for model in models]
    found = [purity(a[place], data.val.target) for a in answers for place in ("layer 1", "layer 2")]
    assert found == pytest.approx([0.52, 0.50, 0.72, 0.85], abs=0.015)


@pytest.mark.idea("D15")
def test_the_shown_favourites_are_the_most_exciting() -> None:
    data, _, model = lesson.trained()
    figure = lesson.units_and_their_digits()
    unit = int(figure.axes[0].get_yticklabels()[0].get_text())
    best = lesson.activations(model, data.val.x)["layer 2"][:, unit].argmax()
    shown = np.asarray(figure.axes[0].images[0].get_array())[:28, :28]
    assert torch.equal(torch.tensor(shown), data.images(data.val.x[best])[0])
    assert torch.tensor(np.asarray(figure.axes[1].images[0].get_array())).amax() == pytest.approx(1)


@pytest.mark.idea("E15")
def test_probes_by_layer() -> None:
    data, before, after = lesson.trained()
    untrained, trained = lesson.probe_accuracy(before), lesson.probe_accuracy(after)
    assert list(trained) == ["pixels", "layer 1", "layer 2", "logits"]
    assert list(untrained.values()) == sorted(untrained.values(), reverse=True)
    assert all(trained[place] > untrained[place] for place in ("layer 1", "layer 2", "logits"))
    if data.name == "MNIST":
        assert list(trained.values()) == pytest.approx([90.8, 96.3, 97.3, 96.9], abs=0.25)
        assert trained["pixels"] + 4 < trained["layer 1"] < trained["layer 2"] > trained["logits"]


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
    axis = lesson.map_of_digits().axes[1]
    shown = np.asarray(axis.collections[0].get_offsets())
    assert np.abs(np.abs(shown) - np.abs(pca.transform(h))).max() < 1e-2 * np.abs(shown).max()
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
    random, guess, salient, product = map(wiped_accuracy, (noise, untrained.abs(), slope.abs(), slope * ink))
    assert min(random, guess) > salient + 5 > product + 20
    if data.name == "MNIST":
        assert [random, salient, product] == pytest.approx([97.5, 90.8, 49.5], abs=0.6)
        assert guess == pytest.approx(97.5, abs=0.3)


@pytest.mark.idea("D16")
def test_units_stand_in_for_each_other() -> None:
    data = lesson.trained()[0]
    single = torch.stack([lost_without(unit) for unit in range(64)])
    least = single.argsort(stable=True)[:32].tolist()
    together = lost_without(*least).item()
    assert together > single[least].sum().item() + 1.5
    bars = [bar.get_height() for bar in lesson.take_units_away().axes[0].patches]
    assert bars == pytest.approx(single.sort(descending=True).values.tolist(), abs=1e-5)
    if data.name == "MNIST":
        assert single.max().item() == pytest.approx(0.75, abs=0.1)
        assert single[least].sum().item() == pytest.approx(0.3, abs=0.2)
        assert together > 2


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
    figure = lesson.mistakes()
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
    assert [text.get_text() for text in lesson.mistakes().axes[1].texts] == expected
