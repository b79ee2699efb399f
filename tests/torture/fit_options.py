"""Every option of Lightning's Trainer on a CPU, alone and with others: it works, or is refused in one line.

    python -m tests.torture.fit_options --lines 300 --seed 0

First each option by itself with each of its values, the usual and the absurd. Then command lines with two to
five options, of `fit`, `validate`, `test` and `predict`. Each is tried in a process of its own, in an empty
folder. One that works leaves a whole run, whose curves end where its report does; one that is refused
leaves nothing.
"""

import argparse
import itertools
import json
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch

from curriculum.runs.catalogue import find
from curriculum.runs.events import EventLog, event_files
from tests.torture import end_without_fork
from tests.torture.fuzz_inputs import attempt

QUICK = {
    "data.dataset": "digits",
    "data.batch_size": "100",
    "model.sizes": "[784,8,10]",
    "trainer.max_epochs": "1",
    "trainer.enable_progress_bar": "false",
    "log.level": "basic",
}
FLAG = ("true", "false", "null", "2", "maybe")
COUNT = ("0", "1", "2", "5", "-1", "-2", "2.5", "null", "many", "100000000000000000000")
SHARE = ("0", "0.0", "0.3", "1.0", "1", "3", "1.5", "-1", "-0.5", "nan", "inf", "null", "some")
# Options that make one thing together stand in one value.
TRAINER = {
    "accelerator": ("auto", "cpu", "gpu", "cuda", "mps", "tpu", "abacus", "null"),
    "strategy": ("auto", "ddp", "ddp_spawn", "ddp_fork", "ddp_notebook", "fsdp", "deepspeed", "dp", "x"),
    "devices": ("1", "auto", "-1", "0", "[0]", "[0,0]", "-2", "two", "null"),
    "num_nodes": ("1", "0", "-1", "2.5", "one"),
    "precision": (
        "32-true", "64-true", "bf16-true", "bf16-mixed", "16-true", "16-mixed", "32", "64", "16", "bf16",
        "transformer-engine", "8", "null",
    ),
    "logger": (
        "true", "false", "null", "CSVLogger", "CSVLogger --trainer.logger.save_dir=runs", "TensorBoardLogger",
        "TensorBoardLogger --trainer.logger.save_dir=runs", "WandbLogger", "MLFlowLogger", "NoLogger", "[]",
    ),
    "callbacks": (
        "[]", "null", "LearningRateMonitor", "ModelSummary", "Timer", "TQDMProgressBar", "RichModelSummary",
        "EarlyStopping --trainer.callbacks.monitor=val_loss", "EarlyStopping", "DeviceStatsMonitor",
        "EarlyStopping --trainer.callbacks.monitor=nothing", "StochasticWeightAveraging",
        "StochasticWeightAveraging --trainer.callbacks.swa_lrs=0.01", "LambdaCallback", "NoCallback",
        "GradientAccumulationScheduler --trainer.callbacks.scheduling={0:2}", "BatchSizeFinder",
        "LearningRateFinder", "ModelCheckpoint", "ModelCheckpoint --trainer.callbacks.monitor=val_acc",
        "OnExceptionCheckpoint --trainer.callbacks.dirpath=runs", "ModelPruning",
        "EMAWeightAveraging", "WeightAveraging", "PredictionWriter", "RichProgressBar",
    ),
    "fast_dev_run": (*FLAG, "0", "1", "-1", "3"),
    "max_epochs": COUNT[1:-1],
    "min_epochs": COUNT[:-1],
    "max_steps": COUNT,
    "min_steps": COUNT[:-1],
    "max_time": ("00:00:00:01", "00:00:00:00", "1", "{seconds:1}", "null", "soon", "-1"),
    "limit_train_batches": SHARE,
    "limit_val_batches": SHARE,
    "limit_test_batches": SHARE,
    "limit_predict_batches": SHARE,
    "overfit_batches": SHARE,
    "val_check_interval": (*SHARE, "4", "12", "13", "00:00:00:01"),
    "check_val_every_n_epoch": COUNT,
    "num_sanity_val_steps": COUNT,
    "log_every_n_steps": COUNT,
    "enable_checkpointing": FLAG,
    "enable_progress_bar": FLAG,
    "enable_model_summary": FLAG,
    "accumulate_grad_batches": COUNT,
    "gradient_clip_val": ("0", "0.5", "1", "-1", "nan", "inf", "null", "hard"),
    "gradient_clip_algorithm": ("norm", "value", "null", "scissors"),
    "deterministic": (*FLAG, "warn"),
    "benchmark": FLAG,
    "inference_mode": FLAG,
    "use_distributed_sampler": FLAG,
    "profiler": ("simple", "advanced", "pytorch", "xla", "null", "SimpleProfiler", "none"),
    "detect_anomaly": FLAG,
    "barebones": FLAG,
    "plugins": ("null", "[]", "MixedPrecision", "DoublePrecision", "TorchSyncBatchNorm", "AsyncCheckpointIO"),
    "sync_batchnorm": FLAG,
    "reload_dataloaders_every_n_epochs": COUNT,
    "default_root_dir": ("null", "runs", "elsewhere", "/proc/nowhere"),
    "enable_autolog_hparams": FLAG,
    "model_registry": ("null", "mine"),
}  # fmt: skip
OURS = {
    "seed_everything": ("true", "false", "0", "7", "-1", "null", "4294967296", "x"),
    "model.engine": ("torch", "scratch", "jax"),
    "model.activation": ("relu", "gelu", "step"),
    "model.dropout": ("0", "0.5", "1", "1.5", "-1", "nan"),
    "model.batch_norm": FLAG,
    "model.max_norm": ("1", "0", "-1", "nan", "null"),
    "model.loss": ("cross_entropy", "mse", "bce", "hinge"),
    "model.label_smoothing": ("0", "0.1", "1", "2", "-1"),
    "model.optimizer": ("sgd", "adam", "adamw", "rmsprop", "lbfgs"),
    "model.schedule": ("constant", "linear", "cosine", "one_cycle", "steps"),
    "optimizer": (
        "SGD --optimizer.lr=0.1", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam",
        "RAdam",
        "ASGD", "Rprop", "LBFGS", "SparseAdam", "Adafactor", "Muon", "Nothing", "Adam --optimizer.lr=-1",
    ),
    "optimizer=SGD --optimizer.lr=0.1 --lr_scheduler": (
        "StepLR --lr_scheduler.step_size=1", "StepLR", "CosineAnnealingLR --lr_scheduler.T_max=3",
        "ConstantLR",
        "ReduceLROnPlateau --lr_scheduler.monitor=val_loss",
        "ReduceLROnPlateau --lr_scheduler.monitor=nothing",
        "ExponentialLR --lr_scheduler.gamma=0.9", "OneCycleLR --lr_scheduler.max_lr=0.1", "LinearLR",
        "OneCycleLR --lr_scheduler.max_lr=0.1 --lr_scheduler.total_steps=20", "PolynomialLR", "Nothing",
        "CosineAnnealingWarmRestarts --lr_scheduler.T_0=2", "CyclicLR",
        "MultiStepLR --lr_scheduler.milestones=[1]",
    ),
    "lr_scheduler": ("StepLR --lr_scheduler.step_size=1",),
    "data.batch_size": ("1197", "5000", "1", "0", "-1"),
    "data.drop_last": FLAG,
    "data.augment": ("none", "affine", "elastic", "mirror"),
    "data.val_count": ("1", "100", "0", "5000", "-1", "null"),
    "log.level": ("off", "basic", "full", "loud"),
    "patience": ("0", "1", "-1", "null"),
    "test": ("true", "false", "perhaps"),
    "checkpoint.monitor": ("val_loss", "val_acc", "train_loss", "null", "nothing"),
    "checkpoint.save_top_k": COUNT[:-1],
    "checkpoint.every_n_epochs": COUNT[:-1],
    "checkpoint.every_n_train_steps": COUNT[:-1],
    "checkpoint.save_last": (*FLAG, "link"),
    "checkpoint.filename": ("{epoch}", "a/b", "../out", "{nothing}"),
    "weights": ("trained.safetensors", "trained.ckpt", "nowhere.pt"),
    "ckpt_path": ("trained.ckpt", "trained.safetensors", "best", "last", "nowhere.ckpt"),
}  # fmt: skip
IN_PYTHONS_WORDS = (
    "must be an iterable|has no attribute|unexpected keyword|is not (subscriptable|callable|iterable)|"
    "unsupported operand|unhashable|out of range|not supported between"
)
ONLY_FIT = ("model.sizes", "test", "patience")
OPTIONS = {f"trainer.{name}": values for name, values in TRAINER.items()} | OURS


def command_line(chosen: dict[str, str], subcommand: str = "fit") -> list[str]:
    """The quick run with these options; a value may bring options of its own."""
    options = QUICK | chosen
    if subcommand != "fit":
        options = {"ckpt_path": "trained.ckpt"} | {k: v for k, v in options.items() if k not in ONLY_FIT}
    return [subcommand, *itertools.chain(*(f"--{name}={value}".split() for name, value in options.items()))]


def one_by_one(only: str = "") -> Iterator[list[str]]:
    for name, values in OPTIONS.items():
        for value in values if only in name else ():
            yield command_line({name: value})


def drawn(count: int, seed: int) -> Iterator[list[str]]:
    draw = random.Random(seed)
    for _ in range(count):
        names = draw.sample(sorted(OPTIONS), draw.randint(2, 5))
        subcommand = draw.choice(("fit", "fit", "fit", "fit", "fit", "fit", "validate", "test", "predict"))
        yield command_line({name: draw.choice(OPTIONS[name]) for name in names}, subcommand)


# ---------------------------------------------------------------- what is left behind


def problem_with(folder: Path, code: int, words: list[str]) -> str:
    """What is wrong with what a command line left, an empty text where nothing is."""
    if code == 2:
        made = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        left = [name for name in made if not name.startswith("trained.")]
        return f"refused, and left {left[:3]}" if left else ""
    if code:
        return f"exit code {code}"
    if words[0] != "fit" or any("fast_dev_run" in word for word in words):
        return ""
    runs = find(folder / "runs")
    if len(runs) != 1:
        return f"{len(runs)} runs"
    return _problem_with_run(runs[0])


def stumble(said: str) -> str:
    """A refusal in Python's words: nobody has looked at the option, something fell over it."""
    found = re.search(IN_PYTHONS_WORDS, said)
    return f"refused in Python's words: {found[0]}" if found else ""


def _problem_with_run(run: Path) -> str:
    missing = [
        name for name in ("config.yaml", "report.json", "model.safetensors") if not (run / name).exists()
    ]
    if missing:
        return f"without {missing}"
    if not event_files(run):
        return ""
    report = json.loads((run / "report.json").read_text())
    curves = EventLog.read(run).scalars
    for name in ("val_loss", "val_acc", "test_acc"):
        if (name in report) != (name in curves):
            return f"{name} stands in one of curves and report only"
        if name not in report:
            continue
        last = curves[name][-1].value
        if not torch.isclose(torch.tensor(report[name]), torch.tensor(last), equal_nan=True):
            return f"{name} is {report[name]} in the report, {last} in the curve"
    return ""


# ---------------------------------------------------------------- the campaign


def trained() -> dict[str, bytes]:
    """A network to start from: its checkpoint and its weights."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "kept"

        def keep(work: Path, code: int, said: str) -> str:
            shutil.copytree(work / "runs", place)
            return ""

        problem = attempt(command_line({}), {}, keep)
        assert not problem, problem
        (run,) = find(place)
        checkpoint = (run / "checkpoints/last.ckpt").read_bytes()
        return {"trained.ckpt": checkpoint, "trained.safetensors": (run / "model.safetensors").read_bytes()}


def campaign(lines: Iterator[list[str]]) -> tuple[Counter[str], list[str]]:
    """Try each line. How many worked and were refused, and what was wrong."""
    files = trained()
    ends = Counter[str]()
    wrong: list[str] = []
    for words in lines:
        codes: list[int] = []

        def look(
            folder: Path, code: int, said: str, words: list[str] = words, codes: list[int] = codes
        ) -> str:
            codes.append(code)
            return problem_with(folder, code, words) or stumble(said)

        problem = attempt(words, files, look)
        ends["wrong" if problem else "refused" if codes == [2] else "worked"] += 1
        if problem:
            chosen = [word for word in words if word not in command_line({})]
            wrong.append(f"{problem}\n  {' '.join(chosen)}")
            print(wrong[-1], flush=True)
    return ends, wrong


if __name__ == "__main__":
    end_without_fork()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, default=300, help="drawn command lines")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only options whose name holds this, and none drawn")
    asked = parser.parse_args()
    torch.set_num_threads(1)  # a fork must not find threads in this process
    mixed = () if asked.only else drawn(asked.lines, asked.seed)
    ends, wrong = campaign(itertools.chain(one_by_one(asked.only), mixed))
    print(f"tried: {dict(ends)}")
    sys.exit(bool(wrong))
