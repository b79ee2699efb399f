"""The benchmark measures what it says. How long things take is not tested: machines are shared."""

import json
from typing import Any

import pytest
import torch

from curriculum.data import load
from lessons.lesson11_training import accuracy
from lessons.lesson17_mnist import SIZES, first_weights
from lessons.lesson24_speed import FastMLP
from models.jobs import bench, bench_tables
from models.jobs.bench import Recipe
from models.networks import torch_nn
from models.networks.cuda_graph import GraphedStep
from tests.support.commands import curriculum_here
from tests.support.training import beginning_of


def test_every_contender_has_its_turn_in_every_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda model: model)  # the real one takes half a minute
    monkeypatch.setattr(bench, "_compiles", lambda: True)
    timings = list(bench.steps((8,), (16,), rounds=1, device="cpu"))
    cases = {timing.what for timing in timings}
    assert cases == {"step 784–128–64–10, batch 8", "step 784–16–16–10, batch 128"}
    for case in cases:
        names = [timing.contender for timing in timings if timing.what == case]
        assert names == ["floor", "fast", "lean", "lean, bf16", "scratch", "torch", "torch.compile"]
    assert all(timing.seconds > 0 for timing in timings)


@pytest.mark.slow
def test_a_compiled_step_is_timed_where_there_is_a_compiler() -> None:
    timings = list(bench.steps((8,), (), rounds=1, device="cpu"))
    assert [timing.contender for timing in timings][6:] == (["torch.compile"] if bench._compiles() else [])


def test_without_a_compiler_there_is_one_contender_less(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(model: Any) -> Any:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", fail)
    monkeypatch.setattr(bench, "_compiles", bench._compiles.__wrapped__)  # it remembers what it has found
    assert len(list(bench.steps((8,), (), rounds=1, device="cpu"))) == 6


def test_the_contenders_take_the_same_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the comparison would be unfair: after one step all models are equal."""
    monkeypatch.setattr(bench, "_compiles", lambda: False)  # a compiled step is torch's
    contenders = bench._step_contenders(SIZES, 16, torch.device("cpu"))
    losses = {name: [float(contenders[name]()) for _ in range(3)] for name in ("fast", "scratch", "torch")}
    assert losses["fast"] == pytest.approx(losses["torch"], rel=1e-5)
    assert losses["scratch"] == pytest.approx(losses["torch"], rel=1e-5)
    assert losses["torch"][2] < losses["torch"][0]


def test_the_floor_is_eight_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """784–128–64–10: three forward, three for weights, two for the inputs of layers 2 and 3."""
    shapes: list[tuple[int, ...]] = []
    product = torch.mm

    def counted(left: Any, right: Any, **options: Any) -> Any:
        shapes.append((*left.shape, right.shape[1]))
        return product(left, right, **options)

    monkeypatch.setattr(torch, "mm", counted)
    x = torch.randn(5, 784)
    bench.floor(first_weights(SIZES, 0), x)(x, torch.zeros(5), 0.0)
    forward = [(5, 784, 128), (5, 128, 64), (5, 64, 10)]
    weights, inputs = [(10, 5, 64), (64, 5, 128), (128, 5, 784)], [(5, 10, 64), (5, 64, 128)]
    assert sorted(shapes) == sorted(forward + weights + inputs)


def test_the_tutorials_pictures_are_the_digits() -> None:
    data = load("digits")
    pictures = bench.Pictures(data)
    x, target = pictures[7]
    assert len(pictures) == len(data.train.x)
    assert target == data.train.target[7]
    torch.testing.assert_close(x.flatten(), data.train.x[7], atol=1e-5, rtol=0.0)


def test_a_race_is_a_real_run() -> None:
    data, recipe = load("digits"), Recipe(0.9, 32, 5, lr=0.2, warm=0.2)
    one, again, other = (bench.race(data, recipe, seed) for seed in (0, 0, 1))
    assert (one.val_acc, one.test_acc) == (again.val_acc, again.test_acc)
    assert one.val_acc > 0.9
    assert one.seed != other.seed
    assert one.seconds > 0


def test_every_seed_of_a_race_has_its_own_start() -> None:
    """Without an epoch, what is read is read with the first weights."""
    data = load("digits")
    for seed in (0, 1):
        model = FastMLP(SIZES)
        model.load_state_dict(first_weights(SIZES, seed))
        expected = accuracy(model.forward(data.val.x), data.val.target)
        assert bench.race(data, Recipe(0.9, 32, 0, lr=0.2, warm=0.2), seed).val_acc == expected


def test_the_command_prints_json_and_markdown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = beginning_of(load("digits"), train=200, rest=50)
    monkeypatch.setattr(bench, "load", lambda which, folder: few)
    done = curriculum_here("bench", "epoch", "--data", "digits", "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["machine"]["data"] == "scikit-learn digits, 200 to train, 50 to validate, 50 to test"
    assert report["machine"]["data's SHA-256"] == few.sha256
    assert [row["contender"] for row in report["epoch"]] == [
        "tutorial", "TensorDataset", "Lightning", "scikit-learn", "in memory", "scratch", "fast",
    ]  # fmt: skip
    (table,) = bench_tables.tables(report)
    by_name = {row[1]: row for row in table.rows}
    assert by_name["tutorial"][3] == "1.00"
    assert table.title.startswith("An epoch of scikit-learn digits, 200 to train")
    assert "| tutorial |" in table._repr_markdown_()


def test_races_are_counted_against_their_target() -> None:
    def runs(*accuracies: float) -> list[dict[str, Any]]:
        return [{"seed": 0, "seconds": 2.0, "val_acc": acc, "test_acc": acc} for acc in accuracies]

    recipe = {"target": 0.98, "recipe": str(Recipe(0.98, 64, 5, 0.3, 0.1)), "runs": runs(0.979, 0.980, 0.982)}
    report = {
        "machine": {"data": "MNIST"},
        "tutorial": runs(0.97)[0] | {"seconds": 100.0},
        "accuracy": [recipe],
    }
    (table,) = bench_tables.tables(report)
    target, words, seconds, times, val, reached, _ = table.rows[1]
    assert (target, seconds, times, reached) == ("≥ 98.0%", "2.00", "50", "2 of 3")
    assert words == "784–128–64–10, plain SGD, 5 epochs, batch 64, lr 0.3"
    assert val == "98.03 ± 0.15 %"


def test_the_pieces_of_a_recipe_are_compared_seed_by_seed() -> None:
    def row(piece: str, *runs: tuple[float, float]) -> dict[str, Any]:
        return {
            "piece": piece,
            "recipe": "a recipe",
            "runs": [{"seconds": seconds, "val_acc": acc, "test_acc": acc} for seconds, acc in runs],
        }

    whole = row("all of it", (1.0, 0.98), (2.0, 0.99))
    without = row("without momentum", (2.0, 0.97), (4.0, 0.98))
    report = {"machine": {"data": "MNIST"}, "ablation": [whole, without], "ladder": [whole]}
    ablation, ladder = bench_tables.tables(report)
    assert ablation.rows[0] == ("all of it", "1.00", "98.50 ± 0.71 %", "")
    assert ablation.rows[1] == ("without momentum", "2.00", "97.50 ± 0.71 %", "-1.00 ± 0.00")
    assert ladder.rows == [("a recipe", "2", "98.50 ± 0.71 %", "98.50 ± 0.71 %")]


def test_races_take_turns_with_fresh_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []

    def ran(data: Any, recipe: Any, seed: int) -> bench.Race:
        seen.append((str(recipe), seed))
        return bench.Race(seed, 1.0, 0.98, 0.98)

    monkeypatch.setattr(bench, "race", ran)
    monkeypatch.setattr(bench, "sprint", ran)
    slow, quick = bench.RECIPES[0], bench.SPRINTS[0]
    rows = bench.races(load("digits"), [slow, quick], 2)
    assert seen == [(str(slow), 100), (str(quick), 100), (str(slow), 101), (str(quick), 101)]
    assert [run["seed"] for run in rows[1]["runs"]] == [100, 101]


def test_memory_and_time_of_a_process() -> None:
    seconds, small = bench._run_process("pass")
    _, large = bench._run_process("b'x' * 200_000_000")
    assert seconds > 0
    assert small is not None  # where the system tells
    assert large is not None
    assert large - small > 150


def test_memory_is_left_out_where_the_system_does_not_tell() -> None:
    (table,) = bench_tables.tables({"start": [{"what": "python", "seconds": 0.02, "mebibytes": None}]})
    assert table.rows == [("python", "0.02", "–")]


def test_a_recorded_step_is_the_step() -> None:
    """On a CPU it is not recorded, but the copies and the learning rate as a tensor are the same."""
    model, reference = FastMLP(SIZES), torch_nn.MLP(SIZES)
    with torch.inference_mode():
        start = first_weights(SIZES, 0)
        model.load_state_dict(start)
        step = GraphedStep(model, 6)
    reference.load_state_dict(start)
    by_torch = bench.torch_step(reference)
    for seed, lr in ((1, 0.3), (2, 0.1)):
        x = torch.randn(6, 784, generator=torch.Generator().manual_seed(seed))
        target = torch.arange(6)
        with torch.inference_mode():
            loss = step(x, target, lr)
        torch.testing.assert_close(loss.clone(), by_torch(x, target, lr))
    torch.testing.assert_close(model.params["0.weight"].clone(), reference.state_dict()["0.weight"])
    with pytest.raises(ValueError, match=r"x is \(5, 784\); expected \(6, 784\)"):
        step(torch.zeros(5, 784), torch.zeros(5), 0.1)
