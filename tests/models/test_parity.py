"""The step-by-step comparison finds nothing where nothing is, and names what was planted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from curriculum.runs.events import EventLog
from models.jobs import parity
from models.jobs.options import Options
from models.jobs.parity import ulps
from models.networks.scratch import ScratchEngine
from tests.support.training import quiet

STEPS = 12  # batches of 100 in an epoch of the offline digits


def records(log_dir: Path, bound: float | None = None) -> dict[str, parity.Record]:
    options = Options(data="digits", epochs=2, batch_size=100, dtype="float64", log_dir=log_dir)
    return {record.engine: record for record in parity.run(options, quiet, bound)}


@pytest.fixture(scope="module")
def equal(tmp_path_factory: pytest.TempPathFactory) -> dict[str, parity.Record]:
    """The engines as they are."""
    return records(tmp_path_factory.mktemp("equal"))


def spoil_at(step: int, spoil: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine by hand run `spoil(model)` at one step, between backward and update."""
    done = 0
    take = ScratchEngine.step

    def spoilt(self: ScratchEngine, x: Tensor, target: Tensor, lr: float) -> Tensor:
        nonlocal done
        backward = self.model.backward
        if done == step:
            self.model.backward = lambda grad: (backward(grad), spoil(self.model))  # type: ignore
        loss = take(self, x, target, lr)
        self.model.backward = backward  # type: ignore[method-assign]
        done += 1
        return loss

    monkeypatch.setattr(ScratchEngine, "step", spoilt)


def test_equal_engines_stay_within_the_bound_at_every_step(equal: dict[str, parity.Record]) -> None:
    for record in equal.values():
        assert record.first is None
        assert len(record.gaps) == 12  # six parameters, each with its gradient
        assert max(gap.absolute for gap in record.gaps.values()) <= 1e-12
        assert "within 1e-09 of torch at every step" in parity.verdict(record, 1e-9)


@pytest.mark.parametrize(
    ("step", "layer", "name"), [(0, 0, "weight"), (7, 2, "bias"), (2 * STEPS - 1, 4, "weight")], ids=str
)
def test_a_planted_mistake_is_named_with_its_step(
    tmp_path: Path, step: int, layer: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scale(model: Any) -> None:
        model.layers[layer].grads[name] *= 1.001

    spoil_at(step, scale, monkeypatch)
    found = records(tmp_path)
    assert found["scratch"].first == step
    assert set(found["scratch"].culprits) == {f"gradient {layer}.{name}", f"weight {layer}.{name}"}
    assert found["scratch"].culprits[0] == f"gradient {layer}.{name}"
    line = parity.verdict(found["scratch"], 1e-9)
    assert f"at step {step}: gradient {layer}.{name} (also weight {layer}.{name})" in line
    assert found["lightning"].first is None


def test_a_difference_that_is_not_a_number_is_beyond_any_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blank(model: Any) -> None:
        model.layers[0].grads["bias"][0] = torch.nan

    spoil_at(3, blank, monkeypatch)
    assert records(tmp_path, bound=1e9)["scratch"].first == 3


def test_tensorboard_gets_the_differences(equal: dict[str, parity.Record]) -> None:
    record = equal["scratch"]
    run = record.folder.path
    assert run.parts[-3:] == ("parity", "scratch", "version_0")
    points = EventLog.read(run).points("parity/2.weight")
    assert [point.step for point in points] == [9, 19]
    assert max(point.value for point in points) <= record.gaps["weight 2.weight"].absolute
    rows = parity.table([record]).rows
    assert [row[:2] for row in rows][:2] == [("scratch", "0.weight"), ("scratch", "0.bias")]


def test_ulps_count_the_numbers_between() -> None:
    one = torch.tensor([1.0])
    assert ulps(one, torch.nextafter(one, torch.tensor([2.0]))) == 1
    assert ulps(one, torch.nextafter(one, torch.tensor([0.0]))) == 1
    assert ulps(one, one) == 0
    assert ulps(torch.tensor([0.0]), torch.tensor([-0.0])) == 0
    tiny = torch.tensor([1e-45])  # the smallest number above 0 in float32
    assert ulps(tiny, -tiny) == 2
    assert ulps(torch.tensor([1.0]), torch.tensor([2.0])) == 2**23
    far = torch.tensor([1e300], dtype=torch.float64)
    assert ulps(far, -far) == 2**52
