"""Every option of Lightning's Trainer on a CPU, alone and with others: it works, or is refused in one line.

    python -m tests.torture.fit_options --lines 300 --seed 0

First each option by itself with each of its values, the usual and the absurd. Then command lines with two to
five options, of `fit`, `validate`, `test` and `predict`, mostly with values that work alone: one absurd value
hides what the others do. Each is tried in a process of its own, in an empty folder. One that works leaves a
whole run, whose curves end where its report does; one that is refused leaves nothing.
"""

import argparse
import itertools
import json
import math
import random
import re
import shlex
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from curriculum import UserError
from curriculum.runs.catalogue import find
from curriculum.runs.events import EventLog, event_files
from models.lightning.checkpoint import load
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
        "GradientAccumulationScheduler --trainer.callbacks.scheduling={'0':2}",
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
Options = Mapping[str, tuple[str, ...]]
OPTIONS: Options = {f"trainer.{name}": values for name, values in TRAINER.items()} | OURS


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


def drawn(count: int, seed: int, usual: Options = OPTIONS) -> Iterator[list[str]]:
    """Three values of four are from `usual`, the others from all."""
    draw = random.Random(seed)
    for _ in range(count):
        names = draw.sample(sorted(usual), draw.randint(2, 5))
        subcommand = draw.choice(("fit", "fit", "fit", "fit", "fit", "fit", "validate", "test", "predict"))
        sources = [draw.choice((usual, usual, usual, OPTIONS)) for _ in names]
        chosen = {name: draw.choice(source[name]) for name, source in zip(names, sources, strict=True)}
        yield command_line(chosen, subcommand)


def those_that_work(worked: list[list[str]]) -> Options:
    """The values whose command line, with nothing else, is one of these."""
    kept = {
        name: tuple(value for value in values if command_line({name: value}) in worked)
        for name, values in OPTIONS.items()
    }
    return {name: values for name, values in kept.items() if values}


# ---------------------------------------------------------------- what is left behind


def problem_with(folder: Path, code: int, words: list[str]) -> str:
    """What is wrong with what a command line left, an empty text where nothing is."""
    if code == 2:
        made = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        left = [name for name in made if not name.startswith("trained.")]
        return f"refused, and left {left[:3]}" if left else ""
    if code:
        return f"exit code {code}"
    if any("fast_dev_run" in word for word in words):
        return ""
    runs = find(folder / "runs")
    if words[0] != "fit":
        return "" if len(runs) <= 1 else f"{len(runs)} runs"
    if len(runs) != 1:
        return f"{len(runs)} runs"
    return _missing_files(runs[0], words) or _damaged_checkpoint(runs[0]) or _wrong_results(runs[0], words)


def stumble(said: str) -> str:
    """A refusal in Python's words: nobody has looked at the option, something fell over it."""
    found = re.search(IN_PYTHONS_WORDS, said)
    return f"refused in Python's words: {found[0]}" if found else ""


def _missing_files(run: Path, words: list[str]) -> str:
    expected = ["config.yaml", "report.json", "model.safetensors"]
    has_steps = "train_loss" in EventLog.read(run).scalars if event_files(run) else False
    if has_steps and "--trainer.enable_checkpointing=false" not in words:
        expected.append("checkpoints/last.ckpt")
    missing = [name for name in expected if not (run / name).exists()]
    return f"without {missing}" if missing else ""


def _damaged_checkpoint(run: Path) -> str:
    for path in run.rglob("*.ckpt"):
        try:
            load(path)
        except UserError as error:
            return str(error)
    return ""


def _wrong_results(run: Path, words: list[str]) -> str:
    report = json.loads((run / "report.json").read_text())
    is_absurd = any(word.endswith(("=nan", "=inf")) for word in words)
    if not is_absurd and not math.isfinite(report.get("val_loss", 0.0)):
        return f"val_loss is {report['val_loss']}"
    if not event_files(run):
        return ""
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


def warnings_in(said: str) -> list[str]:
    """Python's and Lightning's, which begin with the place that warns; without their numbers."""
    found = re.findall(r"^\S*?([^/\s]+\.py):\d+: (?:\w*Warning: )?(.+)", said, re.MULTILINE)
    return [f"{file}: {re.sub('[0-9]+', 'N', text)[:140]}" for file, text in found]


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


@dataclass
class Ends:
    """How command lines have ended.

    `wrong` says what was wrong with a line, `warned` which lines brought a warning.
    """

    worked: list[list[str]] = field(default_factory=list)
    refused: list[list[str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    warned: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def campaign(lines: Iterator[list[str]]) -> Ends:
    """Try each line."""
    files = trained()
    ends = Ends()
    for words in lines:
        _try(words, files, ends)
    return ends


def _try(words: list[str], files: dict[str, bytes], ends: Ends) -> None:
    line = f"curriculum {shlex.join(words)}"
    codes: list[int] = []

    def look(folder: Path, code: int, said: str) -> str:
        codes.append(code)
        for warning in set(warnings_in(said)):
            ends.warned[warning].append(line)
        return problem_with(folder, code, words) or stumble(said)

    problem = attempt(words, files, look)
    if problem:
        ends.wrong.append(f"{problem}\n  {line}")
        print(ends.wrong[-1], flush=True)
    elif codes == [2]:
        ends.refused.append(words)
    else:
        ends.worked.append(words)


def tell(title: str, ends: Ends) -> None:
    counts = {"worked": len(ends.worked), "refused": len(ends.refused), "wrong": len(ends.wrong)}
    print(f"{title}: {counts}")
    for warning, lines in ends.warned.items():
        print(f"{len(lines)} warn: {warning}\n  {lines[0]}")


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
    alone = campaign(one_by_one(asked.only))
    tell("alone", alone)
    together = Ends()
    if not asked.only:
        together = campaign(drawn(asked.lines, asked.seed, those_that_work(alone.worked)))
        tell("together", together)
    sys.exit(bool(alone.wrong or together.wrong))
