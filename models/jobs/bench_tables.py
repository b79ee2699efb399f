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
    if "ablation" in report:
        yield _ablation(report)
    if "ladder" in report:
        yield _ladder(report)
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
    network = "–".join(map(str, SIZES))
    epochs = f"{network}, {TUTORIAL_EPOCHS} epochs, Adam"
    rows: list[tuple[str, ...]] = [
        ("tutorial", epochs, f"{slow['seconds']:.1f}", "1", f"{slow['val_acc']:.2%}", "", "")
    ]
    rows += [_race_row(recipe, slow["seconds"]) for recipe in report["accuracy"]]
    columns = ("validation accuracy", "recipe", "s", "times faster", "val_acc", "reached", "test_acc")
    return Table(columns, rows, f"Time to an accuracy, {report['machine']['data']}")


def _race_row(recipe: Row, slow_seconds: float) -> tuple[str, ...]:
    runs = recipe["runs"]
    seconds = statistics.median(run["seconds"] for run in runs)
    val = [run["val_acc"] for run in runs]
    test = [run["test_acc"] for run in runs]
    reached = sum(value >= recipe["target"] for value in val)
    return (
        f"≥ {recipe['target']:.1%}",
        recipe["recipe"],
        f"{seconds:.2f}",
        f"{slow_seconds / seconds:.0f}",
        _spread(val),
        f"{reached} of {len(val)}",
        _spread(test),
    )


def _ablation(report: dict[str, Any]) -> Table:
    """Seeds are paired: what a piece brings is the mean of the differences, seed by seed."""
    whole = report["ablation"][0]["runs"]
    rows = []
    for row in report["ablation"]:
        val = [run["val_acc"] for run in row["runs"]]
        gains = [value - run["val_acc"] for value, run in zip(val, whole, strict=True)]
        shares = [run["seconds"] / other["seconds"] for run, other in zip(row["runs"], whole, strict=True)]
        gain = "" if row["runs"] is whole else f"{100 * statistics.mean(gains):+.2f} ± {_deviation(gains)}"
        rows.append((row["piece"], f"{statistics.median(shares):.2f}", _spread(val), gain))
    columns = ("recipe", "time", "val_acc", "difference, points")
    title = f"{report['ablation'][0]['recipe']}: what each piece brings, {report['machine']['data']}"
    return Table(columns, rows, title)


def _ladder(report: dict[str, Any]) -> Table:
    (row,) = report["ladder"]
    seconds = statistics.median(run["seconds"] for run in row["runs"])
    val = _spread([run["val_acc"] for run in row["runs"]])
    test = _spread([run["test_acc"] for run in row["runs"]])
    columns = ("recipe", "s", "val_acc", "test_acc")
    return Table(
        columns, [(row["recipe"], f"{seconds:.0f}", val, test)], "Elastic distortions, one hidden layer"
    )


def _spread(values: list[float]) -> str:
    return f"{100 * statistics.mean(values):.2f} ± {_deviation(values)} %"


def _deviation(values: list[float]) -> str:
    """In points; 0 of a single value."""
    return f"{100 * statistics.stdev(values) if len(values) > 1 else 0.0:.2f}"
