"""The numbers that lesson 19 states."""

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.decomposition import PCA
from torch import Tensor

from curriculum.data import Split, load
from lessons import lesson19_inside as lesson
from tests.support.lessons import shown
from tests.support.recorded import recorded


@functools.cache
def edge_shares() -> tuple[Tensor, Tensor]:
    """What the best edge explains of each unit, before and after training: (128,) each."""
    _, before, after = lesson.trained()
    return lesson.edge_share(before.params["0.weight"]), lesson.edge_share(after.params["0.weight"])


@functools.cache
def purities() -> dict[str, float]:
    """The purity of the favourites, by network and layer."""
    data, before, after = lesson.trained()
    found = {}
    for name, model in (("untrained", before), ("trained", after)):
        answers = lesson.activations(model, data.val.x)
        for place in ("layer 1", "layer 2"):
            found[f"{name}, {place}"] = lesson.purity(answers[place], data.val.target)
    return found


@pytest.mark.idea("D15")
@pytest.mark.slow
def test_the_first_layer_does_not_become_edges() -> None:
    before, after = edge_shares()
    assert before.mean() < 0.02
    assert 5 * before.mean() < after.mean() < 0.3
    assert after.max() < 0.5, "never half"


@pytest.mark.idea("D15")
@pytest.mark.slow
def test_random_mixes_of_digits_look_more_like_edges_than_trained_units() -> None:
    mixes = {count: lesson.edge_share(lesson.random_mixes(128, count)).mean() for count in (1, 2, 5, 10, 50)}
    assert min(mixes.values()) > edge_shares()[1].mean() + 0.02
    if lesson.trained()[0].name == "MNIST":
        assert all(0.2 < share < 0.25 for share in mixes.values())


@pytest.mark.idea("D15")
def test_the_table_of_edges_shows_what_is_measured() -> None:
    rows = {
        name: (float(mean), float(largest)) for name, mean, largest in shown(lesson.how_much_is_edge).rows
    }
    before, after = edge_shares()
    assert rows["untrained units"][0] == pytest.approx(100 * before.mean().item(), abs=0.051)
    assert rows["trained units"] == pytest.approx(
        (100 * after.mean().item(), 100 * after.max().item()), abs=0.051
    )


@pytest.mark.idea("D15")
def test_what_training_added_is_no_more_edge_than_mixes_of_mean_digits(mnist_dir: Path) -> None:
    _, before, after = lesson.trained()
    old, new = before.params["0.weight"], after.params["0.weight"]
    added = new - old
    mix = lesson.as_mix_of_means(added)

    def percent(weight: Tensor) -> float:
        return 100 * lesson.edge_share(weight).mean().item()

    assert percent(added) == pytest.approx(31, abs=1)
    controls = [percent(lesson.mixes_of_means(128, seed)) for seed in range(4)]
    assert min(controls) > percent(added) + 2
    assert min(controls) == pytest.approx(35, abs=0.5)
    assert max(controls) == pytest.approx(37, abs=0.5)
    assert percent(mix) == pytest.approx(38, abs=1)
    assert percent(added - mix) == pytest.approx(20, abs=1)
    assert percent(added - mix) < percent(lesson.random_mixes(128)) - 1
    assert (mix.square().sum() / added.square().sum()).item() == pytest.approx(0.38, abs=0.015)
    kept = (old.square().sum(1) / new.square().sum(1)).mean().item()
    assert kept == pytest.approx(0.5, abs=0.03), "half of it is the noise of the start"


def test_a_mix_of_means_is_found_whole_and_a_rest_is_at_right_angles() -> None:
    mixes = lesson.mixes_of_means(5)
    assert torch.allclose(lesson.as_mix_of_means(mixes), mixes, atol=1e-4)
    noise = torch.randn(5, 784, generator=torch.Generator().manual_seed(0))
    rest = noise - lesson.as_mix_of_means(noise)
    assert (rest @ lesson.mean_digits().T).abs().max() < 1e-2


@pytest.mark.slow
def test_other_starts_and_15_epochs_tell_the_same_of_edges_favourites_and_units(mnist_dir: Path) -> None:
    data = lesson.trained()[0]
    for seed in range(5):
        old = lesson.first_weights(lesson.SIZES, seed)
        model = lesson.network()
        model.load_state_dict(lesson.lesson17.trained_by_hand(3, seed).params)
        new = model.params["0.weight"]
        added = new - old["0.weight"]
        assert 0.16 < lesson.edge_share(new).mean() < 0.185
        assert 0.3 < lesson.edge_share(added).mean() < 0.32
        answers = lesson.activations(model, data.val.x)
        assert 0.71 < lesson.purity(answers["layer 1"], data.val.target) < 0.75
        assert 0.8 < lesson.purity(answers["layer 2"], data.val.target) < 0.87
        assert 53 <= units_of_several_digits(answers["layer 2"], data.val.target) <= 60
    late = lesson.lesson17.trained_by_hand(15).params["0.weight"]
    added = late - lesson.first_weights(lesson.SIZES, 0)["0.weight"]
    assert lesson.edge_share(added).mean().item() == pytest.approx(0.27, abs=0.01)


def units_of_several_digits(h: Tensor, target: Tensor) -> int:
    """How many units answer to three digits or more with a fifth of their largest mean."""
    means = torch.stack([h[target == digit].mean(0) for digit in range(10)])
    strong = means > 0.2 * means.amax(0)
    return int((strong.sum(0) >= 3).sum())


def test_most_units_answer_to_several_digits(mnist_dir: Path) -> None:
    data, _, model = lesson.trained()
    assert (
        53 <= units_of_several_digits(lesson.activations(model, data.val.x)["layer 2"], data.val.target) <= 60
    )


def test_shuffled_pixels_and_shuffled_first_weights_give_the_same_losses() -> None:
    digits = load("digits").train
    order = torch.randperm(784, generator=torch.Generator().manual_seed(2))
    losses = []
    for x, change in ((digits.x, slice(None)), (digits.x[:, order], order)):
        model = lesson.network()
        params = lesson.first_weights(lesson.SIZES, 0)
        params["0.weight"] = params["0.weight"][:, change].clone()
        model.load_state_dict(params)
        step = lesson.lesson17.scratch_step(model)
        run = lesson.lesson17.learn(
            step, Split(x, digits.target), 2, 64, 0.2, torch.Generator().manual_seed(0)
        )
        losses.append(torch.stack(list(run)))
    assert (losses[0] - losses[1]).abs().max() < 1e-4


def test_units_stand_above_the_edges_that_explain_them() -> None:
    _, before, after = lesson.trained()
    added = after.params["0.weight"] - before.params["0.weight"]
    figure = shown(lesson.units_beside_their_best_edges)
    titles = [text.get_text() for text in figure.axes[0].texts]
    assert titles[:8] == [""] * 8
    assert titles[8:] == [f"{100 * share:.0f} %" for share in lesson.edge_share(added[:8])]
    paper = np.asarray(figure.axes[0].images[0].get_array())
    for unit in range(8):
        across = slice(29 * unit, 29 * unit + 28)
        above = torch.tensor(np.array(paper[:28, across])).flatten()
        below = torch.tensor(np.array(paper[32:60, across])).flatten()
        cosine = torch.nn.functional.cosine_similarity(above, below, 0)
        assert 100 * cosine**2 == pytest.approx(float(titles[8 + unit][:-2]), abs=0.6)
        assert cosine > 0


def test_the_first_weights_are_on_one_scale() -> None:
    images = shown(lesson.first_layer_images).axes[0].images
    assert len(images) == 1


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
    assert after.max() < 0.5, "none as much as half"


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
    unit = int(figure.axes[0].get_title().removeprefix("nine favourites of units ").split(",")[0])
    best = lesson.activations(model, data.val.x)["layer 2"][:, unit].argmax()
    picture = np.asarray(figure.axes[0].images[0].get_array())[:28, :28]
    assert torch.equal(torch.tensor(picture, dtype=torch.float32), data.images(data.val.x[best])[0])
    assert torch.tensor(np.asarray(figure.axes[1].images[0].get_array())).amax() == pytest.approx(1)


@pytest.mark.idea("D15")
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


@pytest.mark.idea("D15")
def test_the_map_is_a_principal_component_analysis() -> None:
    data, _, model = lesson.trained()
    h = lesson.activations(model, data.val.x[:1000])["layer 2"].double().numpy()
    pca = PCA(2, svd_solver="full").fit(h)
    axis = shown(lesson.map_of_digits).axes[1]
    points = np.asarray(axis.collections[0].get_offsets())
    assert np.abs(np.abs(points) - np.abs(pca.transform(h))).max() < 1e-2 * np.abs(points).max()
    assert f"{pca.explained_variance_ratio_.sum():.0%}" in axis.get_title()
