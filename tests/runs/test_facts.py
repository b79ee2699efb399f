"""What was run: from the files beside the log, and from the log where there are none."""

import json
from pathlib import Path

import pytest

from curriculum.runs.events import EventLog
from curriculum.runs.facts import RecordedRun, number, read_facts

FROM_THE_LOG = {"data": "digits", "torch": "2", "lr": "0.25", "optimizer": "sgd"}
MANIFEST = {
    "job": "fit",
    "options": {
        "sizes": [784, 10],
        "nesterov": False,
        "lr": 0.5,
        "data_dir": "/home/me",
        "_of_lightning": 1,
    },
    "command": ["curriculum", "fit", "--log_dir", "/home/me/runs"],
    "seed": 1234567,
    "data": "MNIST",
    "threads": 2,
    "commit": "0e8bdf8",
    "versions": {"Python": "3.11.7", "torch": "2.14.1"},
}


def facts(run: Path) -> dict[str, str]:
    return read_facts(run, EventLog.read(run))


def test_a_run_without_manifest_and_report_tells_what_its_log_holds(own: Path) -> None:
    assert facts(own) == {**FROM_THE_LOG, "max_epochs": "3"}
    (own / "config.yaml").unlink()
    assert facts(own) == FROM_THE_LOG


def test_the_manifest_comes_before_the_log(own: Path) -> None:
    """In its own words: TensorBoard's hyperparameters would have the seed as a float."""
    (own / "manifest.json").write_text(json.dumps(MANIFEST))
    assert facts(own) == {
        "data": "MNIST", "seed": "1234567", "threads": "2", "sizes": "784–10", "nesterov": "no", "lr": "0.5",
        "Python": "3.11.7", "torch": "2.14.1", "max_epochs": "3", "optimizer": "sgd",
    }  # fmt: skip


def test_the_report_comes_first(own: Path) -> None:
    known = facts(own)
    (own / "report.json").write_text('{"data": "MNIST", "options": {"data": "auto", "seed": 7}, "x": null}')
    assert facts(own) == {**known, "data": "MNIST", "seed": "7"}
    (own / "manifest.json").write_text(json.dumps(MANIFEST))
    assert facts(own)["seed"] == "7"


def test_the_config_tells_what_no_other_file_does(own: Path) -> None:
    (own / "config.yaml").write_text(
        "seed_everything: 7  # a comment\npatience: null\ntrainer:\n  max_epochs: 3\n"
        "data:\n  batch_size: 64\n  augment: 'elastic'\nmodel:\n  batch_size: 9\n"
    )
    found = facts(own)
    assert found == {
        **FROM_THE_LOG, "seed_everything": "7", "max_epochs": "3", "batch_size": "64", "augment": "elastic",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["report.json", "manifest.json", "config.yaml"])
@pytest.mark.parametrize("content", [b'{"data": ', b"[1, 2]", b"\xff\xfe", b"[" * 1_000, b""])
def test_a_damaged_file_is_a_fact_too(own: Path, name: str, content: bytes) -> None:
    (own / "config.yaml").unlink()
    (own / name).write_bytes(content)
    assert facts(own) == {name: "cannot be read", **FROM_THE_LOG}


def test_a_file_that_is_too_large_to_tell_of_a_run_is_not_read(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own / "report.json").write_text('{"data": "MNIST"}')
    monkeypatch.setattr("curriculum.runs.facts.LARGEST", 16)
    assert facts(own)["report.json"] == "cannot be read"
    monkeypatch.setattr("curriculum.runs.facts.LARGEST", 17)
    assert facts(own)["data"] == "MNIST"


def test_only_plain_values_of_a_config_are_written_out(own: Path) -> None:
    """Each line holds the one before it nine times: written out, the last would be 59,049 values."""
    lines = ["a0: &a0 {max_epochs: 3}"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 6)]
    (own / "config.yaml").write_text("\n".join([*lines, "trainer: *a5", "patience: *a5"]))
    assert facts(own) == FROM_THE_LOG


def test_a_run_is_read_as_values(own: Path) -> None:
    run = RecordedRun.read(own, "fit/version_0")
    (own / "config.yaml").unlink()
    for file in own.glob("events*"):
        file.unlink()
    assert run.config.startswith("trainer:")
    assert run.results == pytest.approx({"train_loss": 1 / 15, "val_acc": 29 / 30, "test_acc": 0.5})
    assert list(run.curves()) == ["train_loss", "val_acc", "grad_norm/0.weight", "grad_norm/0.bias"]
    assert len(run.curves()["train_loss"]) == 30


def test_numbers_as_their_reader_wants_them() -> None:
    assert number("val_acc", 0.98765) == "98.77%"
    assert number("val_acc", float("nan")) == "nan"
    assert number("val_loss", 0.123456) == "0.1235"
