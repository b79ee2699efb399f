"""The numbers that lesson 18 states."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor, nn

from curriculum import UserError, demo
from curriculum.data import load
from curriculum.pair import compare
from lessons import lesson18_lightning as lesson
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from tests.support.lessons import shown


@pytest.fixture(scope="module")
def runs_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the four runs are written, once for all tests of this file."""
    before = demo.output_folder()
    folder = tmp_path_factory.mktemp("runs")
    demo.set_output_folder(folder)
    lesson.four_runs.cache_clear()
    lesson.four_runs(folder / "lesson18")
    yield folder / "lesson18"
    demo.set_output_folder(before)
    lesson.four_runs.cache_clear()


# ---------------------------------------------------------------- who calls whom


def test_the_trainer_calls_in_the_order_of_the_loop() -> None:
    names = [call.name for call in lesson.one_small_epoch()]
    order = [
        "configure_optimizers",
        "next batch",
        "optimizer.step",
        "training_step",
        "loss",
        "optimizer.zero_grad",
        "loss.backward",
        "on_train_batch_end",
        "validation_step",
        "forward",
        "on_train_end",
    ]
    places = [names.index(name) for name in order]
    assert places == sorted(places)
    assert names.count("next batch") == 2
    assert [names.count(name) for name in order[2:]] == [1] * len(order[2:])
    table = [row[1].replace("· ", "") for row in shown(lesson.what_the_trainer_calls).rows]
    assert table == names


def test_the_learners_own_methods_are_among_the_calls() -> None:
    own = {call.name for call in lesson.one_small_epoch() if call.whose == "yours"}
    wanted = {"configure_optimizers", "training_step", "loss", "validation_step", "forward", "next batch"}
    assert own == wanted


def test_no_hook_is_left_out() -> None:
    """What a callback at each hook of Lightning's saw, and the order in which it saw it."""
    seen: list[str] = []

    class Everything(L.Callback):
        pass

    def noting(name: str) -> Any:
        return lambda *_, **__: seen.append(name)

    hooks = [name for name in dir(L.Callback) if name.startswith("on_")]
    for name in hooks:
        setattr(Everything, name, noting(name))
    few = lesson.Batches(lesson.Split(*(part[:20] for part in load("digits").train)), 20)
    with lesson.quiet_lightning():
        trainer = L.Trainer(
            accelerator="cpu", max_epochs=1, logger=False, callbacks=[Everything()], num_sanity_val_steps=0,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(lesson.LitMLP((784, 8, 10)), few, few)
    own = {name for name in dir(L.LightningModule) if name.startswith("on_")}
    traced = [call.name for call in lesson.one_small_epoch()]
    both = [name for name in seen if name in own]
    assert [name for name in traced if name in seen] == both


def test_training_and_backward_run_inside_the_optimisers_step() -> None:
    depth = {call.name: call.depth for call in lesson.one_small_epoch()}
    assert depth["training_step"] == depth["optimizer.step"] + 1
    assert depth["loss.backward"] > depth["optimizer.step"]
    assert depth["lr_scheduler_step"] <= depth["optimizer.step"]


def test_the_picture_shows_one_step() -> None:
    words = {text.get_text() for text in shown(lesson.who_calls_whom).axes[0].texts}
    assert {"Trainer", "you", "PyTorch", "training_step", "loss.backward", "optimizer.zero_grad"} <= words
    assert "validation_step" not in words


# ---------------------------------------------------------------- the bridge


def grads(module: nn.Module) -> list[Tensor]:
    found = [param.grad for param in module.parameters() if param.grad is not None]
    assert found
    return [grad.clone() for grad in found]


def test_two_forward_passes_before_one_backward_pass_are_autograds() -> None:
    found = {}
    for engine in ("torch", "scratch"):
        module = lesson.LitMLP((4, 3, 2), engine=engine).double()
        module.model.load_state_dict(lesson.first_weights((4, 3, 2), 0))
        x = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        first, second = (module.loss(x[label], torch.full((5,), label)) for label in (0, 1))
        (first + second).backward()
        found[engine] = grads(module)
    for ours, theirs in zip(*found.values(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


def test_backward_passes_may_come_in_any_order_and_twice() -> None:
    module = lesson.LitMLP((4, 3, 2), engine="scratch")
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    first, second = (module.loss(x * (1 + label), torch.full((5,), label)) for label in (0, 1))
    second.backward(retain_graph=True)
    once = grads(module)
    first.backward()
    module.zero_grad()
    second.backward()
    assert all(torch.equal(a, b) for a, b in zip(once, grads(module), strict=True))


def test_a_weight_that_was_changed_in_between_is_noticed_as_by_autograd() -> None:
    for engine in ("torch", "scratch"):
        module = lesson.LitMLP((4, 3, 2), engine=engine)
        loss = module.loss(torch.ones(5, 4), torch.zeros(5, dtype=torch.int64))
        with torch.no_grad():
            module.model.get_parameter("2.weight").mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


def test_a_copy_has_the_same_tensors_and_its_own_memory() -> None:
    model = lesson.MLP((4, 3, 2))
    twin = lesson.with_own_memory(model)
    for name, param in model.params.items():
        assert twin.params[name] is param
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 1, 0, 1, 1])
    criterion = CrossEntropyLoss()
    criterion.forward(model.forward(x), target)
    other = lesson.with_own_memory(criterion)
    other.forward(twin.forward(10 * x), target)
    model.backward(criterion.backward())
    wanted = {name: grad.clone() for name, grad in model.grads.items()}
    criterion.forward(model.forward(x), target)
    model.backward(criterion.backward())
    assert all(torch.equal(grad, wanted[name]) for name, grad in model.grads.items())


def test_one_memory_for_all_calls_is_caught_by_its_gradients_only() -> None:
    right, wrong = shown(lesson.one_memory_for_all_calls).rows
    assert right[3] == 0
    assert wrong[1] < 1e-12 < 0.1 < wrong[2]
    assert wrong[3] == 4
    found = compare(lesson.torch_bridge_pair("forgetful", lesson.ForgetfulTorchBridge))
    assert {result.name for result in found if result.problem} == {
        "grad_0.weight", "grad_0.bias", "grad_2.weight", "grad_2.bias",
    }  # fmt: skip


# ---------------------------------------------------------------- what else the Trainer does


def test_the_trainer_saves_stops_tests_loads_and_predicts() -> None:
    found = lesson.fitted()
    epochs = int(found["epochs before it stopped"])
    assert 10 < epochs < 100, "early stopping"
    saved = found["saved as"].removeprefix("epoch=").partition("-")[0]
    assert int(saved) == epochs - 4, "the best epoch, counted from 0, and three that were no better"
    assert float(found["test: read rightly"].rstrip("%")) > 90
    assert found["loaded module's sizes"] == (784, 32, 10)
    answers = zip(found["predict: first answers"], found["right were"], strict=True)
    assert sum(one == other for one, other in answers) >= 6


# ---------------------------------------------------------------- TensorBoard


def test_three_runs_follow_one_curve_and_the_answers_are_in_the_event_files(runs_folder: Path) -> None:
    losses = lesson.four_runs(runs_folder)
    for name in ("torch", "lightning"):
        assert losses[name][:20] == pytest.approx(losses["scratch"][:20], abs=1e-5)
        assert losses[name] == pytest.approx(losses["scratch"], abs=0.01)
    for name, values in losses.items():
        logged = lesson.scalars(runs_folder / name, "train_loss")
        assert logged[:, 0].tolist() == list(range(len(values)))
        torch.testing.assert_close(logged[:, 1], torch.tensor(values))
    val_acc = [lesson.scalars(runs_folder / name, "val_acc") for name in ("scratch", "torch", "lightning")]
    assert all(torch.equal(points[:, 0], val_acc[0][:, 0]) for points in val_acc), "the same steps"
    worst = max(range(152), key=losses["spoilt"].__getitem__)
    answers = [lesson.true_answer(question, runs_folder)[0] for question in (1, 2, 3, 4, 5)]
    assert answers[0] == 152
    assert answers[1] == pytest.approx(100 * val_acc[0][-1, 1].item())
    above = [step for step, share in val_acc[1].tolist() if share > 0.8]
    assert answers[2] == above[0]
    assert answers[3] == worst
    assert answers[4] == pytest.approx(losses["spoilt"][-1])


def test_the_spoilt_run_overshoots_and_then_guesses(runs_folder: Path) -> None:
    losses = lesson.four_runs(runs_folder)["spoilt"]
    assert max(losses) > 100
    assert losses.index(max(losses)) < 10
    assert losses[-1] == pytest.approx(torch.tensor(10.0).log().item(), abs=0.05)


def test_a_rate_of_03_is_beyond_the_edge() -> None:
    digits = load("digits")
    found: dict[float, list[float]] = {0.1: [], 0.2: [], 0.3: []}
    for lr, shares in found.items():
        for seed in range(5):
            model = lesson.MLP(lesson.SIZES)
            model.load_state_dict(lesson.first_weights(lesson.SIZES, seed))
            step = lesson.lesson17.scratch_step(model)
            generator = torch.Generator().manual_seed(seed)
            for _ in lesson.learn(step, digits.train, lesson.EPOCHS, lesson.BATCH_SIZE, lr, generator):
                pass
            shares.append(100 * lesson.accuracy(model.forward(digits.val.x), digits.val.target))
    assert 92.5 < min(found[0.1]) <= max(found[0.1]) < 97
    assert 90 < min(found[0.2]) <= max(found[0.2]) < 97.5
    assert min(found[0.3]) < 45
    assert max(found[0.3]) < 95


def test_answers_are_checked_in_the_folder_that_is_named(runs_folder: Path) -> None:
    assert lesson.check_answer(1, 152).startswith("right")
    assert lesson.check_answer(1, 100, runs_folder) == "look again"
    for question in (1, 2, 3, 4, 5):
        true = lesson.true_answer(question, runs_folder)[0]
        assert lesson.check_answer(question, true, str(runs_folder)).startswith("right")
        assert lesson.check_answer(question, true + 3, runs_folder) == "look again"
    with pytest.raises(ValueError, match="expected 1 to 6"):
        lesson.check_answer(7, 0, runs_folder)


def test_where_no_runs_are_nothing_is_trained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no event files in .*curriculum run 18"):
        lesson.check_answer(1, 152, tmp_path / "elsewhere")
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_ones_own_lies_beside_the_others(runs_folder: Path) -> None:
    lesson.try_rate(0.1)
    lesson.try_rate(0.05, runs_folder)  # takes the place of the one before
    points = lesson.scalars(runs_folder / "mine", "train_loss")
    assert points[:, 0].tolist() == list(range(152))
    share = 100 * lesson.scalars(runs_folder / "mine", "val_acc")[-1, 1].item()
    assert lesson.check_answer(6, share).startswith("right")


def test_no_demonstration_prints_an_answer(runs_folder: Path) -> None:
    """The curve of the spoilt run is in TensorBoard only."""
    figure = shown(lesson.three_runs_one_curve)
    assert [line.get_label() for line in figure.axes[0].lines] == ["torch", "lightning", "scratch"]
    assert "the_answers" not in vars(lesson)
