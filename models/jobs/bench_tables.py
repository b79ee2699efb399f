"""The figures of `curriculum bench` for people: times as medians, and as shares of torch.nn's."""

import statistics
from collections.abc import Iterator
from typing import Any

from curriculum.table import Table
from lessons.lesson17_mnist import SIZES
from models.jobs.bench import TUTORIAL_EPOCHS

Row = dict[str, Any]  # as `models.jobs.bench.run` gives them


def tables(report: dict[str, Any]) -> Iterator[Table]:
    """A table for each part that was measured."""
    if "step" in report:
        rows = [_time(row, report["step"], f"{1e6 * row['seconds']:,.0f}", "torch") for row in report["step"]]
        yield Table(("", "contender", "µs", "÷ torch"), rows, "A training step, on random numbers")
    if "epoch" in report:
        rows = [_time(row, report["epoch"], f"{row['seconds']:,.2f}", "tutorial") for row in report["epoch"]]
        title = f"An epoch of {report['machine']['data']}"
        yield Table(("", "contender", "s", "÷ tutorial"), rows, title)
    if "accuracy" in report:
        yield _races(report)
    if "start" in report:
        rows = [(row["what"], f"{row['seconds']:.2f}", _memory(row)) for row in report["start"]]
        yield Table(
            ("program", "seconds", "memory at most, MiB"),
            rows,
            "Starting, and memory; epochs of 50,000 rows of random numbers",
        )


def _time(row: Row, rows: list[Row], time: str, reference: str) -> tuple[str, ...]:
    """A contender's time, and as a share of the reference's in the same case."""
    same_case = [other for other in rows if other["what"] == row["what"]]
    base = next(other["seconds"] for other in same_case if other["contender"] == reference)
    return row["what"], row["contender"], time, f"{row['seconds'] / base:.2f}"


def _memory(row: Row) -> str:
    return "–" if row["mebibytes"] is None else f"{row['mebibytes']:.0f}"


def _races(report: dict[str, Any]) -> Table:
    slow = report["tutorial"]
    epochs = f"{TUTORIAL_EPOCHS} epochs, Adam"
    rows: list[tuple[str, ...]] = [
        ("tutorial", epochs, f"{slow['seconds']:.1f}", "1", f"{slow['val_acc']:.2%}", "", "")
    ]
    rows += [_race_row(recipe, slow["seconds"]) for recipe in report["accuracy"]]
    columns = ("validation accuracy", "recipe", "s", "times faster", "val_acc", "reached", "test_acc")
    network = "–".join(map(str, SIZES))
    return Table(columns, rows, f"Time to an accuracy, {report['machine']['data']}, {network}")


def _race_row(recipe: Row, slow_seconds: float) -> tuple[str, ...]:
    runs = recipe["runs"]
    seconds = statistics.median(run["seconds"] for run in runs)
    val = [run["val_acc"] for run in runs]
    test = [run["test_acc"] for run in runs]
    reached = sum(value >= recipe["target"] for value in val)
    return (
        f"≥ {recipe['target']:.1%}",
        f"{recipe['epochs']} epochs, batch {recipe['batch_size']}, lr {recipe['lr']}",
        f"{seconds:.1f}",
        f"{slow_seconds / seconds:.0f}",
        _spread(val),
        f"{reached} of {len(val)}",
        _spread(test),
    )


def _spread(values: list[float]) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{100 * statistics.mean(values):.2f} ± {100 * deviation:.2f} %"
