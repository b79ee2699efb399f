"""What lesson 23 states about several workers."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.data import DistributedSampler, TensorDataset

from curriculum.pair import Case, compare
from lessons import lesson23_machines as lesson

pytestmark = pytest.mark.slow

# A reader's script, with the lesson's own call of the Trainer at its end.
SCRIPT = """
import sys
import lightning, torch
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset
from curriculum.data import load
from lessons.lesson23_machines import LR, SEED, SIZES, TorchMLP, batches, first_weights


class Digits(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = TorchMLP(SIZES)
        self.net.load_state_dict(first_weights(SIZES, SEED))

    def training_step(self, batch, index):
        return torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), LR)

    def train_dataloader(self):  # a sampler of our own: Lightning would shuffle
        sampler = DistributedSampler(data, self.trainer.world_size, self.trainer.global_rank, shuffle=False)
        return DataLoader(data, batch_size=32, sampler=sampler)

    def on_train_end(self):
        if self.global_rank == 0:
            torch.save({"steps": self.trainer.global_step, "processes": self.trainer.world_size,
                        "params": self.net.state_dict()}, "lightning.pt")

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
digits, order = load("digits").train, torch.cat(batches())
data, model = TensorDataset(digits.x[order], digits.target[order]), Digits()
"""


def apart(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    assert ours.keys() == theirs.keys()
    return max((ours[name] - theirs[name]).abs().max().item() for name in ours)


@pytest.mark.idea("E17")
def test_unequal_shares_give_another_gradient() -> None:
    plain = {row[0]: float(row[1]) for row in lesson.shares_must_be_equal().rows}
    weighted = {row[0]: float(row[2]) for row in lesson.shares_must_be_equal().rows}
    assert plain["32 + 32"] < 1e-6
    assert 0.1 < plain["48 + 16"] < plain["63 + 1"]
    assert max(weighted.values()) < 1e-6


@pytest.mark.idea("E17")
@pytest.mark.parametrize(("count", "size"), [(1, 5), (2, 5), (3, 7), (4, 8), (8, 1000), (5, 3)])
def test_the_ring_sums_and_sends_what_the_formula_says(count: int, size: int) -> None:
    parts = Case().tensor("parts", count, size)
    history, sent = lesson.ring(parts)
    torch.testing.assert_close(history[-1], parts.sum(0).expand_as(parts))
    assert len(history) == 1 + 2 * (count - 1)
    assert sum(sent) == 2 * (count - 1) * size
    if size % count == 0:
        assert set(sent) == {2 * (count - 1) * size // count}
    torch.testing.assert_close(history[0], Case().tensor("parts", count, size))  # its input is left alone


@pytest.mark.idea("E17")
def test_after_half_the_turns_each_worker_holds_one_finished_piece() -> None:
    halfway = lesson.ring(torch.ones(4, 4))[0][3]
    assert (halfway == 4).sum(1).tolist() == [1] * 4
    assert (halfway == 4).sum(0).tolist() == [1] * 4


@pytest.mark.idea("E17")
def test_the_network_has_25450_gradients() -> None:
    assert sum(p.numel() for p in lesson.MLP(lesson.SIZES).params.values()) == 25_450
    rows = lesson.batches()
    assert [len(batch) for batch in rows] == [64] * 36
    assert len(lesson.load("digits").train.x) == 1_197
    assert set(torch.cat(rows[:18]).tolist()) == set(range(1_152))


@pytest.mark.idea("E17")
def test_both_workers_end_with_the_same_weights() -> None:
    first, second = lesson.run_workers(2, "float64")
    for side in ("scratch", "torch"):
        assert apart(first[side]["params"], second[side]["params"]) == 0.0
        assert first[side]["losses"] != second[side]["losses"]  # each had a share of its own
    losses = lesson.whole_losses([first, second], "scratch")
    assert sum(losses[-6:]) < 0.85 * sum(losses[:6])  # they learn; one batch's loss is noisy


@pytest.mark.idea("E17")
def test_workers_that_do_not_talk_do_not_agree() -> None:
    """The proof can fail: one worker that trains on its own share alone ends elsewhere."""
    first, _ = lesson.run_workers(2, "float64")
    with Case().defaults(), torch.inference_mode():
        step, params = lesson.step_by_hand(lambda grads: grads)
        lesson.two_epochs(step, rank=0, count=2)
        assert apart(params, first["scratch"]["params"]) > 1e-3


@pytest.mark.idea("E17")
def test_the_pairs_compare_every_loss_and_weight() -> None:
    for pair in lesson.PAIRS[1:]:
        assert len(compare(pair)) == 36 + 4


@pytest.mark.idea("E17")
def test_torchrun_starts_three_that_agree(tmp_path: Path) -> None:
    """The command of the text with 3 for 2, and with a free port on this machine for the address.

    64 is not 3 equal shares: the ring and DDP agree, but not with one process, and nothing warns.
    """
    command = re.search(r"^# torchrun --nproc-per-node=2 (--no-python) python -c \"(.+)\"$", source(), re.M)
    assert command
    options = ["--nproc-per-node=3", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", *options, "--local-addr=127.0.0.1", command[1]]
    subprocess.run([*torchrun, sys.executable, "-c", command[2]], cwd=tmp_path, check=True, timeout=240)
    workers = [torch.load(tmp_path / f"{rank}.pt") for rank in range(3)]
    for worker in workers:
        assert apart(worker["scratch"]["params"], worker["torch"]["params"]) < 1e-9
        assert apart(worker["scratch"]["params"], workers[0]["scratch"]["params"]) == 0.0
    assert apart(workers[0]["torch"]["params"], workers[0]["torch alone"]["params"]) > 1e-6


@pytest.mark.idea("E17")
def test_lightning_ddp_ends_with_the_same_weights(tmp_path: Path) -> None:
    call = re.search(r"^# (lightning\.Trainer\(.+\)\.fit\(model\))$", source(), re.M)
    assert call
    quiet = "logger=False, enable_checkpointing=False, enable_progress_bar=False, "
    last_line = call[1].replace("Trainer(", f"Trainer({quiet}")
    (tmp_path / "train.py").write_text(SCRIPT + last_line, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    result = torch.load(tmp_path / "lightning.pt")
    assert (result["processes"], result["steps"]) == (2, 36)
    assert apart(result["params"], lesson.run_workers(2, "float64")[0]["scratch"]["params"]) < 1e-9


@pytest.mark.idea("E17")
def test_distributed_sampler_takes_every_nth_and_repeats() -> None:
    def share(size: int, rank: int) -> list[int]:
        rows = TensorDataset(torch.zeros(size))
        return list(DistributedSampler(rows, num_replicas=2, rank=rank, shuffle=False))

    assert [share(6, 0), share(6, 1)] == [[0, 2, 4], [1, 3, 5]]
    assert [share(5, 0), share(5, 1)] == [[0, 2, 4], [1, 3, 0]]


def source() -> str:
    return Path(lesson.__file__).read_text(encoding="utf-8")
