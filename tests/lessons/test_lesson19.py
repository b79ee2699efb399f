"""The numbers that lesson 19 states."""

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.decomposition import PCA
from torch import Tensor

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
