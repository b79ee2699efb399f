"""`curriculum bench`: what a step, an epoch and an accuracy cost, all contenders in turn in one process.

Machines are shared and noisy. So every round lets every contender run once, one after the other, and what
counts is the ratio of the medians.
"""

import functools
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from curriculum import UserError
from curriculum.data import Data, load
from curriculum.data_names import counted
from curriculum.device import usable
from curriculum.quiet import quiet_lightning
from lessons.lesson11_training import accuracy
from lessons.lesson17_mnist import SIZES, first_weights, learn, torch_step
from lessons.lesson18_lightning import Batches
from lessons.lesson24_speed import FastMLP
from models.jobs.sprint import ABLATIONS, LADDER, SPRINTS, Race, Sprint, sprint
from models.lightning.module import MLPModule
from models.lightning.trainer import plain_trainer
from models.networks import torch_nn
from models.networks.engine import make_engine
from models.networks.lean import LeanMLP, shares, triangle

Step = Callable[[Tensor, Tensor, float], Any]
BATCHES = (32, 128, 512)
WIDTHS = (256, 1024, 2048)  # of two hidden layers, batch 128
EPOCH_BATCH = 64


class Timing(NamedTuple):
    """Seconds, the median over the rounds, and how many rounds."""

    what: str
    contender: str
    seconds: float
    rounds: int


class Recipe(NamedTuple):
    """A way to an accuracy with `FastMLP`: plain SGD, a learning rate that rises and falls."""

    target: float
    batch_size: int
    epochs: int
    lr: float
    warm: float

    def __str__(self) -> str:
        """The recipe in a few words, as the tables have it."""
        network = "–".join(map(str, SIZES))
        return f"{network}, plain SGD, {self.epochs} epochs, batch {self.batch_size}, lr {self.lr}"


# ---------------------------------------------------------------- a step


def steps(batches: tuple[int, ...], widths: tuple[int, ...], rounds: int, device: str) -> Iterator[Timing]:
    """A training step of every contender, for each batch size and each width."""
    cases: list[tuple[tuple[int, ...], int]] = [(SIZES, batch) for batch in batches]
    cases += [((784, width, width, 10), 128) for width in widths]
    for sizes, batch in cases:
        what = f"step {'–'.join(map(str, sizes))}, batch {batch}"
        yield from _in_turn(what, _step_contenders(sizes, batch, torch.device(device)), rounds)


def _step_contenders(
    sizes: tuple[int, ...], batch: int, device: torch.device
) -> dict[str, Callable[[], Any]]:
    start = {name: value.to(device) for name, value in first_weights(sizes, 0).items()}
    x = torch.randn(batch, sizes[0], device=device)
    target = torch.randint(sizes[-1], (batch,), device=device)
    with device:
        fast = FastMLP(sizes)
        eager = torch_nn.MLP(sizes)
        compiled = torch_nn.MLP(sizes)
        scratch = make_engine("scratch", sizes, start)
    for model in (fast, eager, compiled):
        model.load_state_dict(start)
    found: dict[str, Step] = {
        "floor": floor(start, x),
        "fast": torch.inference_mode()(fast.step),
        "lean": _lean_step(sizes, start, x, target, bfloat16=False),
        "lean, bf16": _lean_step(sizes, start, x, target, bfloat16=True),
        "scratch": scratch.step,
        "torch": torch_step(eager),
    }
    if _compiles():
        found["torch.compile"] = torch_step(torch.compile(compiled))  # type: ignore[arg-type]
    return {name: functools.partial(step, x, target, 0.01) for name, step in found.items()}


def _lean_step(
    sizes: tuple[int, ...], start: dict[str, Tensor], x: Tensor, target: Tensor, bfloat16: bool
) -> Step:
    """A step of `LeanMLP` on x and target, which are prepared beforehand, as its recipes do."""
    model = LeanMLP(sizes, bfloat16=bfloat16, device=x.device)
    model.load_state_dict(start)
    rows = x.bfloat16() if bfloat16 else x
    wanted = shares(target, sizes[-1], 0.0, x.dtype)

    @torch.inference_mode()
    def step(x: Tensor, target: Tensor, lr: float) -> None:
        model.step(rows, wanted, lr)

    return step


def floor(params: dict[str, Tensor], x: Tensor) -> Step:
    """Only the matrix products of a step, on tensors of the same shapes: no step can be faster.

    Forward, one a layer; backward, one for each weight and one for each layer's input but the first.

    params: by torch's names, weights (out, in). x: (batch, in of the first). The step ignores its arguments.
    """
    weights = [value for value in params.values() if value.dim() == 2]
    inputs = [x, *(torch.randn(len(x), len(weight), device=x.device) for weight in weights)]
    grads = [torch.empty_like(weight) for weight in weights]
    spare = [torch.empty_like(value) for value in inputs]

    @torch.inference_mode()
    def products(x: Tensor, target: Tensor, lr: float) -> None:
        for index, weight in enumerate(weights):
            torch.mm(inputs[index], weight.T, out=spare[index + 1])
        for index, weight in reversed(list(enumerate(weights))):
            torch.mm(inputs[index + 1].T, inputs[index], out=grads[index])
            if index:
                torch.mm(inputs[index + 1], weight, out=spare[index])

    return products


@functools.cache
def _compiles() -> bool:
    """Whether torch.compile works here: on a CPU it needs a C++ compiler."""
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(1))
    except Exception:  # whatever its compiler says, there is nothing to compare with
        return False
    return True


def _in_turn(what: str, contenders: dict[str, Callable[[], Any]], rounds: int) -> Iterator[Timing]:
    """The median time of each, measured in turn, round by round, after a warm-up."""
    from torch.utils.benchmark import Timer

    threads = torch.get_num_threads()
    timers = {
        name: Timer("run()", globals={"run": run}, num_threads=threads) for name, run in contenders.items()
    }
    once = max(timer.timeit(3).mean for timer in timers.values())
    number = max(1, int(0.02 / once))  # some 20 ms at a time
    measured: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(rounds):
        for name, timer in timers.items():
            measured[name].append(timer.timeit(number).mean)
    for name, seconds in measured.items():
        yield Timing(what, name, statistics.median(seconds), rounds)


# ---------------------------------------------------------------- an epoch


def epochs(data: Data, rounds: int) -> Iterator[Timing]:
    """One epoch of 784–128–64–10 with batches of 64, from the tutorials' way to the fastest."""
    contenders = {
        "tutorial": Tutorial(data).epoch,
        "TensorDataset": _tensor_dataset(data),
        "Lightning": _lightning(data),
        "scikit-learn": _scikit_learn(data),
        "in memory": _in_memory(data, torch_step(torch_nn.MLP(SIZES))),
        "scratch": _in_memory(data, make_engine("scratch", SIZES, first_weights(SIZES, 0)).step),
        "fast": _in_memory(data, torch.inference_mode()(FastMLP(SIZES).step)),
    }
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            begin = time.perf_counter()
            run()
            measured[name].append(time.perf_counter() - begin)
    for name, seconds in measured.items():
        yield Timing(f"epoch, batch {EPOCH_BATCH}", name, statistics.median(seconds), rounds)


class Tutorial:
    """The usual recipe: pictures, transformed one by one by a DataLoader; Adam at 1e-3, batches of 64."""

    def __init__(self, data: Data) -> None:
        from torch.utils.data import DataLoader

        self.loader = DataLoader(Pictures(data), batch_size=EPOCH_BATCH, shuffle=True)
        torch.manual_seed(0)
        self.model = torch_nn.MLP(SIZES)
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)

    def epoch(self) -> None:
        for x, target in self.loader:
            loss = self.criterion(self.model(x.flatten(1)), target)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()


class Pictures(torch.utils.data.Dataset):
    """The training digits as torchvision's MNIST hands them out: a PIL image, then the transforms."""

    def __init__(self, data: Data) -> None:
        from torchvision import transforms

        self.pixels = (data.images(data.train.x) * 255).round().to(torch.uint8).numpy()
        self.target = data.train.target.tolist()
        self.transform = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((data.mean,), (data.std,))]
        )

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """A picture (1, 28, 28) and its digit."""
        from PIL import Image

        return self.transform(Image.fromarray(self.pixels[index])), self.target[index]


def _tensor_dataset(data: Data) -> Callable[[], None]:
    from torch.utils.data import DataLoader, TensorDataset

    loader = DataLoader(TensorDataset(*data.train), batch_size=EPOCH_BATCH, shuffle=True)
    step = torch_step(torch_nn.MLP(SIZES))

    def epoch() -> None:
        for x, target in loader:
            step(x, target, 0.1)

    return epoch


def _in_memory(data: Data, step: Step) -> Callable[[], None]:
    def epoch() -> None:
        for _ in learn(step, data.train, 1, EPOCH_BATCH, 0.1, torch.Generator().manual_seed(0)):
            pass

    return epoch


def _lightning(data: Data) -> Callable[[], None]:
    def epoch() -> None:
        with quiet_lightning():
            batches = Batches(data.train, EPOCH_BATCH, torch.Generator().manual_seed(0))
            plain_trainer(1, []).fit(MLPModule(SIZES, lr=0.1), batches)

    return epoch


def _scikit_learn(data: Data) -> Callable[[], None]:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        SIZES[1:-1],
        solver="sgd",
        batch_size=EPOCH_BATCH,
        learning_rate_init=0.1,
        momentum=0.0,
        alpha=0.0,
        random_state=0,
    )
    x = data.train.x.numpy()
    target = data.train.target.numpy()
    return functools.partial(model.partial_fit, x, target, classes=range(SIZES[-1]))


# ---------------------------------------------------------------- an accuracy


# Chosen on the validation digits (seeds 0 to 3, some 70 settings): the least time at which their mean reaches
# the target. No setting had all seeds above 98.3 %.
RECIPES = (
    Recipe(0.975, 32, 2, lr=0.2, warm=0.1),
    Recipe(0.980, 48, 4, lr=0.3, warm=0.2),
    Recipe(0.983, 32, 12, lr=0.2, warm=0.3),
)
TUTORIAL_EPOCHS = 15
FRESH = 100  # the first seed of a race: no setting was chosen on it


@torch.inference_mode()
def race(data: Data, recipe: Recipe, seed: int) -> Race:
    """Train `FastMLP` by the recipe. The test digits are read after the clock has stopped."""
    model = FastMLP(SIZES)
    model.load_state_dict(first_weights(SIZES, seed))
    generator = torch.Generator().manual_seed(seed)
    total = recipe.epochs * -(-len(data.train.x) // recipe.batch_size)
    done = 0
    begin = time.perf_counter()
    for _ in range(recipe.epochs):
        for x, target in Batches(data.train, recipe.batch_size, generator):
            model.step(x, target, recipe.lr * triangle(done / total, recipe.warm))
            done += 1
    val_acc = accuracy(model.forward(data.val.x), data.val.target)
    seconds = time.perf_counter() - begin
    return Race(seed, seconds, val_acc, accuracy(model.forward(data.test.x), data.test.target))


def races(data: Data, recipes: Sequence[Recipe | Sprint], seeds: int) -> list[dict[str, Any]]:
    """Every recipe with every seed, in turn: each its target, its words and, under "runs", a race a seed."""
    rows: list[dict[str, Any]] = [
        {"target": recipe.target, "recipe": str(recipe), "runs": []} for recipe in recipes
    ]
    for seed in range(FRESH, FRESH + seeds):
        for row, recipe in zip(rows, recipes, strict=True):
            ran = race(data, recipe, seed) if isinstance(recipe, Recipe) else sprint(data, recipe, seed)
            row["runs"].append(ran._asdict())
    return rows


def tutorial(data: Data) -> Race:
    """15 epochs of the usual recipe."""
    recipe = Tutorial(data)
    begin = time.perf_counter()
    for _ in range(TUTORIAL_EPOCHS):
        recipe.epoch()
    with torch.no_grad():
        val_acc = accuracy(recipe.model(data.val.x), data.val.target)
        seconds = time.perf_counter() - begin
        return Race(0, seconds, val_acc, accuracy(recipe.model(data.test.x), data.test.target))


# ---------------------------------------------------------------- starting, and memory

COMMAND = "import sys; sys.argv[1:] = [{!r}]; from curriculum.cli.main import main; main()"
STARTS = {
    "python": "pass",
    "import torch": "import torch",
    "import lightning": "import lightning",
    "curriculum --help": COMMAND.format("--help"),
    "curriculum list": COMMAND.format("list"),
}
TRAIN = """
import torch
from lessons.lesson17_mnist import SIZES, first_weights
start = first_weights(SIZES, 0)
{model}
x, target = torch.randn(50_000, 784), torch.randint(10, (50_000,))
for rows in torch.arange(50_000).split(64):
    step(x[rows], target[rows], 0.1)
"""
ENGINE = "from models.networks.engine import make_engine\nstep = make_engine({!r}, SIZES, start).step"
MODELS = {
    "data alone": "step = lambda x, target, lr: None",
    "fast": "from lessons.lesson24_speed import FastMLP\nstep = torch.inference_mode()(FastMLP(SIZES).step)",
    "scratch": ENGINE.format("scratch"),
    "torch": ENGINE.format("torch"),
}


class Process(NamedTuple):
    """A program of its own: seconds from start to end, and the most memory it held, in MiB.

    `mebibytes` is None where the system does not tell (Windows).
    """

    what: str
    seconds: float
    mebibytes: float | None


def processes(rounds: int) -> Iterator[Process]:
    """Starting times, and the memory of an epoch of 50,000 digits with each engine."""
    programs = STARTS | {f"an epoch, {name}": TRAIN.format(model=model) for name, model in MODELS.items()}
    measured: dict[str, list[tuple[float, float | None]]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, code in programs.items():
            measured[name].append(_run_process(code))
    for name, values in measured.items():
        seconds = statistics.median(seconds for seconds, _ in values)
        peaks = [mebibytes for _, mebibytes in values if mebibytes is not None]
        yield Process(name, seconds, statistics.median(peaks) if peaks else None)


# Told by the process itself at its end. Linux hands a parent's peak down in `ru_maxrss`, hence /proc; macOS
# counts bytes in it; Windows has neither.
TELL = """
import atexit, re, sys
from pathlib import Path
def peak():
    status = Path("/proc/self/status")
    if status.exists():
        print(float(re.search(r"VmHWM:\\s*(\\d+)", status.read_text())[1]) / 1024, file=sys.stderr)
        return
    try:
        import resource
    except ImportError:
        print("unknown", file=sys.stderr)
        return
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2, file=sys.stderr)
atexit.register(peak)
"""


def _run_process(code: str) -> tuple[float, float | None]:
    """Seconds, and MiB at most."""
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", TELL + code], capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    lines = done.stderr.strip().splitlines()
    if done.returncode:
        raise UserError(f"a process that was to be timed failed: {lines[-1]}")
    return seconds, None if lines[-1] == "unknown" else float(lines[-1])


# ---------------------------------------------------------------- all of it


@dataclass(frozen=True)
class BenchOptions:
    """What the command line says. `what`: the parts to measure."""

    what: tuple[str, ...] = ("step", "epoch", "accuracy", "start")
    data: str = "auto"
    data_dir: Path | None = None
    rounds: int = 15
    seeds: int = 5
    device: str = "cpu"

    @property
    def few_rounds(self) -> int:
        """For what takes seconds a time."""
        return max(1, self.rounds // 5)


def run(options: BenchOptions, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure; the result has a list of plain rows for every part, and what it ran on under "machine".

    Raises:
        UserError: the data or the device cannot be used.
    """
    usable(options.device)
    report: dict[str, Any] = {"machine": machine(options.device)}
    if "step" in options.what:
        say("steps …")
        timings = steps(BATCHES, WIDTHS, options.rounds, options.device)
        report["step"] = [timing._asdict() for timing in timings]
    if set(options.what) & {"epoch", "accuracy", "ablation", "ladder"}:
        data = load(options.data, options.data_dir)
        report["machine"]["data"] = counted(data.name, data.pictures)
        report["machine"]["data's SHA-256"] = data.sha256
    if "epoch" in options.what:
        say("epochs …")
        report["epoch"] = [timing._asdict() for timing in epochs(data, options.few_rounds)]
    if "accuracy" in options.what:
        say(f"time to accuracy, and {TUTORIAL_EPOCHS} epochs of the tutorial recipe …")
        report["tutorial"] = tutorial(data)._asdict()
        report["accuracy"] = races(data, (*RECIPES, *SPRINTS), options.seeds)
    if "ablation" in options.what:
        say("the shortest recipe without each of its pieces …")
        report["ablation"] = races(data, list(ABLATIONS.values()), options.seeds)
        for row, piece in zip(report["ablation"], ABLATIONS, strict=True):
            row["piece"] = piece
    if "ladder" in options.what:
        say(f"{LADDER}: minutes a seed …")
        report["ladder"] = races(data, [LADDER], options.seeds)
    if "start" in options.what:
        say("processes …")
        report["start"] = [process._asdict() for process in processes(options.few_rounds)]
    return report


def _bfloat16_instructions() -> str:
    """What the CPU has for products in bfloat16; without any they are slower than in float32."""
    has = {"AMX": torch.cpu._is_amx_tile_supported(), "AVX-512": torch.cpu._is_avx512_bf16_supported()}
    return " and ".join(name for name, there in has.items() if there) or "none"


def machine(device: str) -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else "cpu",
        "vector instructions": torch.backends.cpu.get_cpu_capability(),
        "bf16 instructions": _bfloat16_instructions(),
        "Python": platform.python_version(),
        "torch": torch.__version__,
    }
