"""The numbers that lesson 22 states."""

import itertools
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from curriculum.data import load
from lessons import lesson22_finetuning as lesson
from lessons.lesson11_training import accuracy
from lessons.lesson17_mnist import MLP, SIZES, TorchMLP, first_weights
from tests.support.lessons import shown

pytestmark = pytest.mark.slow


def both(cell: str) -> tuple[float, float]:
    new, old = map(float, cell.split(" / "))
    return new, old


@pytest.mark.idea("E16")
@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_frozen_weights_stay_bit_identical_and_the_others_move(frozen: int) -> None:
    way = lesson.WAYS["all"]._replace(frozen=frozen)
    tuned, before = lesson.tune(way, 20, 0).params, lesson.tasks().params
    kept = {name for name in before if torch.equal(tuned[name], before[name])}
    assert kept == {name for name in before if int(name[0]) < 2 * frozen}


@pytest.mark.idea("E16")
def test_old_gradients_of_frozen_layers_are_not_handed_out() -> None:
    model = MLP(SIZES)
    model.forward(torch.ones(2, 784))
    model.backward(torch.ones(2, 10))
    assert model.grads.keys() == model.params.keys()
    assert list(lesson.Frozen(model, 1).grads) == ["2.weight", "2.bias", "4.weight", "4.bias"]


@pytest.mark.idea("E16")
@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_operations_saved_are_those_that_torch_counts(frozen: int) -> None:
    model, target = MLP(SIZES), TorchMLP(SIZES)
    lesson.torch_tuning_step(target, frozen)  # freezes
    tuned = lesson.Frozen(model, frozen)
    with FlopCounterMode(display=False) as by_torch:
        target(torch.ones(1, 784)).sum().backward()
    with FlopCounterMode(display=False) as by_hand:
        tuned.backward(torch.ones_like(tuned.forward(torch.ones(1, 784))))
    assert by_torch.get_total_flops() == by_hand.get_total_flops() == sum(lesson.operations(frozen))


@pytest.mark.idea("E16")
def test_frozen_features_can_be_kept() -> None:
    """The last layer on kept features learns what the whole frozen network learns, for 177 times less."""
    assert 454_400 // (2 * 2 * 64 * 10) == 177
    torch.set_default_dtype(torch.float64)
    try:
        whole, head = MLP(SIZES), MLP((64, 10))
        whole.load_state_dict(first_weights(SIZES, 0))
        head.load_state_dict({name: whole.params[f"4.{name[2:]}"] for name in head.params})
        part = lesson.few(load("digits").train, 60, 0)
        features = part.x
        for layer in whole.layers[:-1]:
            features = layer.forward(features)
        losses = lesson.sixty_digits(lesson.tuning_step(whole, 2))
        kept = lesson.Split(features, part.target)
        step = lesson.tuning_step(head, 0)
        again = [x.item() for x in lesson.learn(step, kept, 10, 20, 0.1, torch.Generator().manual_seed(0))]
        assert again == pytest.approx(losses, rel=1e-9)
        assert torch.allclose(head.params["0.weight"], whole.params["4.weight"], rtol=1e-9)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.idea("E16")
def test_a_pretrained_start_wins_with_few_examples() -> None:
    """On either old task, and less so the more examples there are."""
    nothing, whole = (lesson.results()[name] for name in ("from nothing", "all"))
    lead = [(whole[run] - nothing[run]).mean().item() for run in nothing]
    assert min(lead[:-1]) > 0
    assert lead[0] > 10
    assert lead[0] > lead[1] > lead[2] > lead[-1]
    assert -1 < lead[-1] < 2


@pytest.mark.idea("E16")
def test_the_last_layer_alone_helps_only_with_few_examples() -> None:
    nothing, last = (lesson.results()[name] for name in ("from nothing", "last layer"))
    lead = [(last[run] - nothing[run]).mean().item() for run in nothing]
    assert lead[0] > 10
    assert lead[3] < 0.5
    assert lead[4] < 0


@pytest.mark.idea("E16")
def test_rates_are_near_the_best_of_the_table_and_the_rate_decides_what_is_forgotten() -> None:
    columns = dict(zip(("rate", *lesson.WAYS), zip(*shown(lesson.forgetting).rows, strict=True), strict=True))
    rates = columns.pop("rate")
    for name, cells in columns.items():
        new = dict(zip(rates, (both(cell)[0] for cell in cells), strict=True))
        own = rates.index(lesson.WAYS[name].lr)
        assert both(cells[own])[0] > max(new.values()) - 1.5, name
        if lesson.WAYS[name].pretrained:
            assert both(cells[own])[1] > 75, "most old digits are still read"
    old = [both(cell)[1] for cell in columns["all"]]
    assert old[0] > 85
    assert old[-1] < 50  # lost at the largest rate
    for name in ("last layer", "last two", "all, s = 0.1"):
        assert both(columns[name][-1])[1] > 70, name


@pytest.mark.idea("E16")
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_all_layers_at_the_largest_rate_diverge(seed: int) -> None:
    model, part = MLP(SIZES), lesson.few(lesson.tasks().pool, 100, seed)
    model.load_state_dict(lesson.tasks().params)
    order = torch.Generator().manual_seed(seed)
    steps = lesson.learn(lesson.tuning_step(model, 0), part, 60, lesson.BATCH_SIZE, 0.2, order)
    losses = [loss.item() for loss in itertools.islice(steps, 20)]
    assert max(losses) > 10 * losses[0]


@pytest.mark.idea("E16")
def test_the_numbers_from_mnist(mnist_dir: Path) -> None:
    tasks, digits = lesson.tasks(), load("digits")
    mnist, model = load("mnist"), MLP(SIZES)
    model.load_state_dict(tasks.params)
    raw = digits.val.x * digits.std + digits.mean
    inputs = (digits.val.x, (raw - mnist.mean) / mnist.std, raw)
    assert lesson.percent(model, tasks.old) == pytest.approx(97.6, abs=0.2)
    read = [100 * accuracy(model.forward(x), digits.val.target) for x in inputs]
    assert read[0] == pytest.approx(80, abs=3)
    assert read[1] == pytest.approx(read[0], abs=3)
    assert read[2] == pytest.approx(67, abs=4)
    means = {name: [a.mean().item() for a in runs.values()] for name, runs in lesson.results().items()}
    assert means["all"][0] == pytest.approx(86, abs=1.5)
    assert means["from nothing"][2] == pytest.approx(88, abs=1)
    assert 0 < means["all"][-1] - means["from nothing"][-1] < 2
    cells = dict(zip(("rate", *lesson.WAYS), shown(lesson.forgetting).rows[0], strict=True))
    for name in ("last layer", "last two", "all"):
        assert 0.8 < 97.6 - both(cells[name])[1] < 2.2, name


@pytest.mark.idea("E16")
def test_torch_applies_a_gradient_left_from_before_the_freezing() -> None:
    layer = nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    layer.requires_grad_(False)
    before = layer.weight.clone()
    torch.optim.SGD(layer.parameters(), lr=0.1).step()
    assert not torch.equal(layer.weight, before)
