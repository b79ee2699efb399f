"""What lesson 23 states about several workers."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch.utils.data import DistributedSampler, TensorDataset

from curriculum.pair import Case, compare
from lessons import lesson23_machines as lesson
from tests.support.lessons import shown

slow = pytest.mark.slow  # starts processes

# A reader's script, with the lesson's own call of the Trainer at its end.
SCRIPT = """
import sys
import lightning, torch
import lightning as L
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


@slow
@pytest.mark.idea("E17")
def test_both_workers_end_with_the_same_weights() -> None:
    first, second = lesson.run_workers(2, "float64")
    for side in ("scratch", "torch"):
        assert apart(first[side]["params"], second[side]["params"]) == 0.0
        assert first[side]["losses"] != second[side]["losses"]  # each had a share of its own
    losses = lesson.whole_losses([first, second], "scratch")
    assert sum(losses[-6:]) < 0.85 * sum(losses[:6])  # they learn; one batch's loss is noisy


@slow
@pytest.mark.idea("E17")
def test_workers_that_do_not_talk_do_not_agree() -> None:
    """The proof can fail: one worker that trains on its own share alone ends elsewhere."""
    first, _ = lesson.run_workers(2, "float64")
    with Case().defaults(), torch.inference_mode():
        step, params = lesson.step_by_hand(lambda grads: grads)
        lesson.two_epochs(step, rank=0, count=2)
        assert apart(params, first["scratch"]["params"]) > 1e-3


@slow
@pytest.mark.idea("E17")
def test_the_pairs_compare_every_loss_and_weight() -> None:
    for pair in lesson.PAIRS[3:]:
        assert len(compare(pair)) == 36 + 4


@slow
@pytest.mark.idea("E17")
def test_torchrun_starts_three_that_agree(tmp_path: Path) -> None:
    """The command of the text with 3 for 2, and with a free port on this machine for the address.

    64 is not 3 equal shares: the ring and DDP agree, but not with one process, and nothing warns.
    """
    words, code = command("--nproc-per-node=2")
    assert words == ["torchrun", "--nproc-per-node=2", "--no-python", "python", "-c"]
    options = ["--nproc-per-node=3", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]
    torchrun = [*TORCHRUN, *options, "--local-addr=127.0.0.1", "--no-python", sys.executable, "-c", code]
    subprocess.run(torchrun, cwd=tmp_path, check=True, timeout=240)
    workers = [torch.load(tmp_path / f"{rank}.pt") for rank in range(3)]
    for worker in workers:
        assert apart(worker["scratch"]["params"], worker["torch"]["params"]) < 1e-9
        assert apart(worker["scratch"]["params"], workers[0]["scratch"]["params"]) == 0.0
    assert apart(workers[0]["torch"]["params"], workers[0]["torch alone"]["params"]) > 1e-6


@slow
@pytest.mark.idea("E17")
def test_lightning_ddp_ends_with_the_same_weights(tmp_path: Path) -> None:
    call = re.search(r"^# (trainer = L\.Trainer\(.+\))\n# (trainer\.fit\(model\))$", source(), re.M)
    assert call
    quiet = "logger=False, enable_checkpointing=False, enable_progress_bar=False, "
    last_lines = call[1].replace("Trainer(", f"Trainer({quiet}") + "\n" + call[2]
    (tmp_path / "train.py").write_text(SCRIPT + last_lines, encoding="utf-8")
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


def test_samplers_repeat_their_order_unless_told_the_epoch() -> None:
    rows = shown(lesson.each_epoch_its_order).rows
    untold = [row[2:] for row in rows if row[0] == "no"]
    told = [row[2:] for row in rows if row[0] == "yes"]
    assert untold[0] == untold[1]
    assert told[0] != told[1]
    for row in rows:
        seen = [int(number) for number in re.findall(r"\d", row[2] + row[3])]
        assert (len(seen), set(seen)) == (8, set(range(7))), "one comes twice"


def test_own_first_weights_go_unnoticed_but_for_compare() -> None:
    equal, own = shown(lesson.own_first_weights).rows
    assert equal[2] == 0
    assert own[2] > 0.3
    assert (equal[3], own[3]) == ("0 of 24 differ", "23 of 24 differ")
    for row in (equal, own):
        first, last = map(float, row[1].split(" → "))
        assert last < 0.75 * first, "it falls with both"


@pytest.mark.parametrize("seed", range(5))
def test_own_first_weights_stay_apart_from_any_seed(seed: int) -> None:
    with Case().defaults(), torch.inference_mode():
        losses, (first, second) = lesson.copies(Case(seed=seed), (seed, seed + 1))
    assert losses[-1] < losses[0]
    assert apart(first.params, second.params) > 0.1


def test_batch_norm_depends_on_the_number_of_workers() -> None:
    without, with_norm = shown(lesson.batch_norm_sees_its_share).rows
    assert max(map(float, without[1:])) < 1e-6
    errors = [float(cell) for cell in with_norm[1:]]
    assert errors[0] > 0.05
    assert errors == sorted(errors), "smaller shares, larger errors"


def test_the_mean_of_the_variances_lacks_the_spread_of_the_means() -> None:
    shares = [torch.tensor([[1.0], [3.0]]), torch.tensor([[6.0], [2.0]])]
    variances = [share.var(0, correction=0).item() for share in shares]
    assert variances == [1, 4]
    assert sum(variances) / 2 == 2.5


def test_sync_batch_norm_wants_a_gpu() -> None:
    model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(torch.nn.BatchNorm1d(3))
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        with pytest.raises(ValueError, match="GPU"):
            model(torch.zeros(2, 3))
    finally:
        dist.destroy_process_group()


def test_the_crossing_is_where_the_lines_cross() -> None:
    alone = [1.0, 2.0, 4.0, 8.0, 16.0]
    at = lesson.crossing(alone, [ms / 2 + 2 for ms in alone])
    assert at == pytest.approx(256)
    assert lesson.crossing(alone, [ms / 2 for ms in alone]) is None
    assert lesson.crossing(alone, [2 * ms for ms in alone]) is None
    assert lesson.crossing(alone, [0.5, 3, 3, 9, 15]) > 512, "the last of several"  # type: ignore[operator]


@slow
def test_the_figure_shows_four_ways_at_each_size() -> None:
    (axis,) = shown(lesson.the_crossing).axes
    lines = [
        line for line in axis.lines if line.get_label() in lesson.run_workers(2, measure=True)[0]["steps"]
    ]
    assert len(lines) == 4
    assert all(len(line.get_xdata()) == len(lesson.BATCHES) for line in lines)  # type: ignore[arg-type]
    assert "cross" in axis.get_title() or "overtakes" in axis.get_title()


@slow
def test_messages_take_longer_than_a_small_step() -> None:
    """Only what holds on a machine with other things to do."""
    rows = {row[0]: [float(cell) for cell in row[1:]] for row in shown(lesson.what_messages_cost).rows}
    assert len(rows) == 6
    assert all(times == sorted(times) for times in rows.values())
    for name in ("ring by hand", "one all_reduce", "DDP"):
        assert rows[f"step, {name}"][1] > rows["step, none"][1]


@slow
def test_no_sync_talks_once_and_gives_the_same_gradient() -> None:
    always, quietly = shown(lesson.talk_once).rows
    assert (always[1], quietly[1]) == (4, 1)
    assert float(quietly[2]) < 1e-12


@slow
def test_a_worker_that_fails_is_told() -> None:
    with pytest.raises(RuntimeError, match="a worker failed"):
        lesson.run_workers(2, "no_such_dtype")


@pytest.fixture
def two_hosts() -> Iterator[tuple[str, str]]:
    """Two network namespaces with a cable between them; their cards are called card0 and card1."""
    if sys.platform != "linux" or os.geteuid() or not shutil.which("ip"):
        pytest.skip("network namespaces need Linux, root and `ip`")
    names = (f"host0-{os.getpid()}", f"host1-{os.getpid()}")

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    try:
        for name in names:
            try:
                ip("netns", "add", name)
            except subprocess.CalledProcessError:
                pytest.skip("this machine allows no network namespaces")
        other = ("peer", "name", "card1", "netns", names[1])
        ip("link", "add", "card0", "netns", names[0], "type", "veth", *other)
        for index, name in enumerate(names):
            ip("-n", name, "address", "add", f"192.0.2.{index + 1}/24", "dev", f"card{index}")
            ip("-n", name, "link", "set", f"card{index}", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


@slow
@pytest.mark.idea("E17")
def test_torchrun_on_two_hosts_finds_what_one_process_finds(
    tmp_path: Path, two_hosts: tuple[str, str]
) -> None:
    """The command of the text, with an address and a card for those in it."""
    words, code = command("--nnodes=2")
    assert words[:2] == ["GLOO_SOCKET_IFNAME=eth0", "torchrun"]
    options = [word.replace("ADDRESS", "192.0.2.1") for word in words[2 : words.index("python")]]
    hosts = []
    for index, name in enumerate(two_hosts):
        own = [word.replace("--node-rank=0", f"--node-rank={index}") for word in options]
        started = ["ip", "netns", "exec", name, *TORCHRUN, *own, sys.executable, "-c", code]
        card = {"GLOO_SOCKET_IFNAME": f"card{index}"}
        hosts.append(subprocess.Popen(started, cwd=tmp_path, env=os.environ | card))
    try:
        assert [host.wait(timeout=240) for host in hosts] == [0, 0]
    finally:
        for host in hosts:
            host.kill()
    workers = [torch.load(tmp_path / f"{rank}.pt") for rank in range(4)]
    with Case().defaults():
        losses, params = lesson.alone_torch(Case())
    for side in ("scratch", "torch"):
        assert lesson.whole_losses(workers, side) == pytest.approx(losses, rel=1e-9)
        for worker in workers:
            assert apart(worker[side]["params"], {k: p.detach() for k, p in params.items()}) < 1e-9


TORCHRUN = (sys.executable, "-m", "torch.distributed.run")


def command(option: str) -> tuple[list[str], str]:
    """A command of the text that has this option: its words up to -c, and the code behind it."""
    text = re.sub(r" \\\n# +", " ", source())
    found = re.search(rf'^# ((?:GLOO\S+ )?torchrun {option}.+ -c) "(.+)"$', text, re.M)
    assert found
    return found[1].split(), found[2]


def source() -> str:
    return Path(lesson.__file__).read_text(encoding="utf-8")
