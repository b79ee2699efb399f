"""The step-by-step comparison finds nothing where nothing is, and names what was planted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from curriculum.runs.events import EventLog
from models.jobs import parity
from models.jobs.mnist import Options
from models.jobs.parity import ScratchEngine, ulps


def quiet(line: str) -> None: ...


def records(tmp_path: Path, **options: Any) -> dict[str, parity.Record]:
    chosen = Options(data="digits", epochs=2, dtype="float64", log_dir=tmp_path)
    return {record.engine: record for record in parity.run(chosen, quiet, **options)}


def spoilt(step: int, spoil: Callable[[Any], None]) -> type[ScratchEngine]:
    """The engine by hand, which at one step runs `spoil(model)` between backward and update."""

    class Spoilt(ScratchEngine):
        done = 0

        def step(self, x: Tensor, target: Tensor, lr: float) -> Tensor:
            backward = self.model.backward
            if self.done == step:
                self.model.backward = lambda grad: (backward(grad), spoil(self.model))  # type: ignore[assignment]
            loss = super().step(x, target, lr)
            self.model.backward = backward  # type: ignore[method-assign]
            self.done += 1
            return loss

    return Spoilt


def test_equal_engines_stay_within_the_bound_at_every_step(tmp_path: Path) -> None:
    for record in records(tmp_path).values():
        assert record.first is None
        assert len(record.gaps) == 12  # six parameters, each with its gradient
        assert max(gap.absolute for gap in record.gaps.values()) <= 1e-12
        assert "within 1e-09 of torch at every step" in parity.verdict(record, 1e-9)


@pytest.mark.parametrize(
    ("step", "layer", "name"), [(0, 0, "weight"), (7, 2, "bias"), (37, 4, "weight")], ids=str
)
def test_a_planted_mistake_is_named_with_its_step(tmp_path: Path, step: int, layer: int, name: str) -> None:
    def scale(model: Any) -> None:
        model.layers[layer].grads[name] *= 1.001

    found = records(tmp_path, scratch=spoilt(step, scale))
    assert found["scratch"].first == step
    assert set(found["scratch"].culprits) == {f"gradient {layer}.{name}", f"weight {layer}.{name}"}
    assert found["scratch"].culprits[0] == f"gradient {layer}.{name}"
    line = parity.verdict(found["scratch"], 1e-9)
    assert f"at step {step}: gradient {layer}.{name} (also weight {layer}.{name})" in line
    assert found["lightning"].first is None


def test_a_difference_that_is_not_a_number_is_beyond_any_bound(tmp_path: Path) -> None:
    def blank(model: Any) -> None:
        model.layers[0].grads["bias"][0] = torch.nan

    assert records(tmp_path, scratch=spoilt(3, blank), bound=1e9)["scratch"].first == 3


def test_tensorboard_gets_the_differences(tmp_path: Path) -> None:
    record = records(tmp_path)["scratch"]
    assert record.folder == tmp_path / "parity" / "scratch" / "version_0"
    points = EventLog.read(record.folder).points("parity/2.weight")
    assert [point.step for point in points] == [9, 19, 29]
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
