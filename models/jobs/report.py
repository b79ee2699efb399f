"""What came out of `curriculum mnist`, engine by engine."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from curriculum.data import Data
from curriculum.table import Table
from models.jobs.options import Options, sizes_for
from models.records import manifest
from models.records.checkpoint import TrainingState
from models.records.folder import RunFolder
from models.records.versions import versions

REFERENCE = "torch"


@dataclass(frozen=True)
class Report:
    """One engine's results; the differences are against the torch engine, None where it did not run.

    pictures: how many of each part it learned from ("train"), and was measured on ("val", "test").
    """

    engine: str
    data: str
    data_sha256: str
    data_source: str
    pictures: dict[str, int]
    sizes: tuple[int, ...]
    parameters: int
    epochs: int
    train_seconds: float
    val_acc: float
    test_acc: float
    loss_difference: float | None
    loss_difference_first_20: float | None
    weight_difference: float | None
    options: dict[str, Any]
    versions: dict[str, str]
    folder: str


def make_reports(
    states: Mapping[str, TrainingState], data: Data, options: Options, folders: Mapping[str, RunFolder]
) -> list[Report]:
    """A report for every engine that is through, in their order. The keys are the engines' names."""
    reports = []
    for engine, state in states.items():
        assert state.test_acc is not None  # it is through
        losses, first_losses, weights = _differences(state, states.get(REFERENCE))
        report = Report(
            engine=engine,
            **manifest.of_data(data, data.pictures),
            sizes=sizes_for(data),
            parameters=sum(weight.numel() for weight in state.weights.values()),
            epochs=options.epochs,
            train_seconds=state.seconds,
            val_acc=state.val_acc,
            test_acc=state.test_acc,
            loss_difference=losses,
            loss_difference_first_20=first_losses,
            weight_difference=weights,
            options=asdict(options),
            versions=versions(),
            folder=str(folders[engine].path),
        )
        reports.append(report)
    return reports


def _differences(
    state: TrainingState, reference: TrainingState | None
) -> tuple[float | None, float | None, float | None]:
    """The largest difference in all losses, in the first 20, and in the weights."""
    if reference is None:
        return None, None, None
    losses = _largest(state.losses, reference.losses)
    first_losses = _largest(state.losses[:20], reference.losses[:20])
    weights = max(_largest(state.weights[name], value) for name, value in reference.weights.items())
    return losses, first_losses, weights


def _largest(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference; of two tensors, one of which may come from a checkpoint and lie on the CPU."""
    return (ours.cpu() - theirs.cpu()).abs().max().item()


def table(reports: list[Report]) -> Table:
    """The reports side by side."""
    first = reports[0]
    network = "–".join(map(str, first.sizes))
    title = (
        f"{first.data} · {network}, {first.parameters:,} parameters · "
        f"{first.epochs} epochs · {first.options['dtype']} · seed {first.options['seed']}\n"
        "Δ: largest difference from torch, in the first 20 losses, in all, in the weights"
    )
    columns = ("engine", "train", "val_acc", "test_acc", "Δ 20 losses", "Δ losses", "Δ weights")
    return Table(columns, [_row(report) for report in reports], title)


def _row(report: Report) -> tuple[str, ...]:
    return (
        report.engine,
        f"{report.train_seconds:.1f} s",
        f"{report.val_acc:.2%}",
        f"{report.test_acc:.2%}",
        _gap(report.loss_difference_first_20),
        _gap(report.loss_difference),
        _gap(report.weight_difference),
    )


def _gap(value: float | None) -> str:
    return "–" if value is None else f"{value:.1e}"
