"""The page's network is the lessons' and torch's: outputs, every gradient, losses and weights."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lessons.lesson01_neuron import Sigmoid
from lessons.lesson03_activations import GELU, ReLU, Tanh
from lessons.lesson04_layers import Linear, Sequential
from lessons.lesson05_losses import BCEWithLogitsLoss, MSELoss
from lessons.lesson06_cross_entropy import CrossEntropyLoss, Softmax
from lessons.lesson11_training import accuracy, fit, minibatches
from lessons.lesson12_optimizers import AdamL2, MomentumSGD
from tests.support.playground import (
    ask_browser,
    ask_node,
    assert_close,
    browser,
    flat,
    needs_browser,
    needs_node,
    sent,
    texts,
)

ACTIVATIONS: dict[str, tuple[Any, Any]] = {
    "Sigmoid": (Sigmoid, nn.Sigmoid),
    "Tanh": (Tanh, nn.Tanh),
    "ReLU": (ReLU, nn.ReLU),
    "GELU": (GELU, nn.GELU),
}
LAYERS = ACTIVATIONS | {"Softmax": (Softmax, lambda: nn.Softmax(-1))}
LOSSES: dict[str, tuple[Any, Any]] = {
    "CrossEntropyLoss": (CrossEntropyLoss, nn.CrossEntropyLoss),
    "MSELoss": (MSELoss, nn.MSELoss),
    "BCEWithLogitsLoss": (BCEWithLogitsLoss, nn.BCEWithLogitsLoss),
}
# The page's options, and their names in torch.
OPTIMIZERS: tuple[tuple[str, dict[str, float]], ...] = (
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.5, "weightDecay": 0.01}),
    ("Adam", {"lr": 0.001}),
    ("Adam", {"lr": 0.001, "weightDecay": 0.1}),
)
# Sizes of layers, examples, size of a batch.
SHAPES = (((2, 3, 2), 7, 3), ((3, 5, 4, 3), 6, 1), ((5, 7, 1, 4), 9, 9), ((2, 2), 5, 2))
STEPS = 50

pytestmark = [pytest.mark.usefixtures("double"), needs_node]


@pytest.fixture
def double() -> Any:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


# ---------------------------------------------------------------- what is asked


def hard_numbers(rows: int, columns: int, seed: int) -> Tensor:
    """Exact zeros of both signs, ties, large and tiny numbers among drawn ones."""
    x = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    flat_x = x.view(-1)
    special = torch.tensor([0.0, -0.0, 1.0, 1.0, -1.0, 30.0, -30.0, 1e-9, -1e-300])
    flat_x[::2] = special.repeat(len(flat_x))[: len(flat_x[::2])]
    return x


def trainings() -> list[dict[str, Any]]:
    found = []
    cases = itertools.product(ACTIVATIONS, LOSSES, OPTIMIZERS)
    for number, (activation, loss, (optimizer, options)) in enumerate(cases):
        sizes, count, batch_size = SHAPES[number % len(SHAPES)]
        generator = torch.Generator().manual_seed(number)
        x = torch.randn(count, sizes[0], generator=generator)
        x[0] = torch.tensor([0.0, -0.0])[torch.arange(sizes[0]) % 2]
        x[1] = 1.0 + number % 3  # larger ones make training chaotic; large logits are in `losses`
        found.append(
            {
                "kind": "train",
                "sizes": list(sizes),
                "activation": activation,
                "seed": number,
                "loss": loss,
                "optimizer": optimizer,
                "options": options,
                "batchSize": batch_size,
                "steps": STEPS,
                "x": sent(x),
                "target": torch.randint(sizes[-1], (count,), generator=generator).tolist(),
            }
        )
    return found


def layers() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for seed, (name, (rows, columns)) in enumerate(
        itertools.product(("Linear", *LAYERS), ((1, 1), (1, 9), (7, 5), (4, 10)))
    ):
        x = hard_numbers(rows, columns, seed)
        generator = torch.Generator().manual_seed(seed)
        grad = torch.randn(rows, columns, generator=generator)
        question: dict[str, Any] = {"kind": "layer", "name": name, "x": sent(x)}
        if name == "Linear":
            grad = torch.randn(rows, 3, generator=generator)
            weight = torch.randn(3, columns, generator=generator)
            question["params"] = {"weight": sent(weight), "bias": sent(weight.sum(1))}
        found.append(question | {"grad": sent(grad)})
    return found


def losses() -> list[dict[str, Any]]:
    found = []
    for seed, (name, (rows, columns), scale) in enumerate(
        itertools.product(LOSSES, ((1, 1), (1, 4), (6, 3)), (1.0, 40.0))
    ):
        prediction = hard_numbers(rows, columns, seed) * scale
        target = (torch.arange(rows) % columns).tolist()
        found.append({"kind": "loss", "name": name, "prediction": sent(prediction), "target": target})
    return found


def received(given: Mapping[str, Any]) -> Tensor:
    return torch.tensor(given["data"], dtype=torch.float64).view(given["shape"])


# ---------------------------------------------------------------- what the lessons and torch answer


def target_for(loss: str, target: Tensor, classes: int) -> Tensor:
    return target if loss == "CrossEntropyLoss" else nn.functional.one_hot(target, classes).double()


def scratch_answer(question: Mapping[str, Any]) -> dict[str, Any]:
    if question["kind"] == "layer":
        layer = Linear(1, 1) if question["name"] == "Linear" else LAYERS[question["name"]][0]()
        layer.params = {name: received(value) for name, value in question.get("params", {}).items()}
        found = {"output": layer.forward(received(question["x"]))}
        found["grad_x"] = layer.backward(received(question["grad"]))
        return flat(found | {f"grad_{name}": grad for name, grad in layer.grads.items()})
    criterion = LOSSES[question.get("loss", question.get("name"))][0]()
    if question["kind"] == "loss":
        prediction = received(question["prediction"])
        target = target_for(question["name"], torch.tensor(question["target"]), prediction.shape[1])
        loss = criterion.forward(prediction, target)
        return {"loss": loss.item(), **flat({"grad_prediction": criterion.backward()})}
    return scratch_training(question, criterion)


def scratch_training(question: Mapping[str, Any], criterion: Any) -> dict[str, Any]:
    sizes, options = question["sizes"], question["options"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(question["seed"])
        pairs = itertools.pairwise(sizes)
        all_layers = [(Linear(*pair), ACTIVATIONS[question["activation"]][0]()) for pair in pairs]
    model = Sequential(*[layer for pair in all_layers for layer in pair][:-1])
    x, index = received(question["x"]), torch.tensor(question["target"])
    target = target_for(question["loss"], index, sizes[-1])
    found = {}
    y = x
    for i, layer in enumerate(model.layers):
        y = layer.forward(y)
        found[f"output_{i}"] = y
    criterion.forward(y, target)
    found["grad_x"] = model.backward(criterion.backward())
    found |= {f"grad {name}": grad for name, grad in model.grads.items()}
    first = flat(found)
    kind = {"SGD": MomentumSGD, "Adam": AdamL2}[question["optimizer"]]
    optimizer = kind(model.params, **with_torchs_names(options))
    generator = torch.Generator().manual_seed(question["seed"])
    epochs = -(-question["steps"] // -(-len(x) // question["batchSize"]))
    loss = fit(model, criterion, optimizer, x, target, epochs, question["batchSize"], generator)
    found = {f"weight {name}": value for name, value in model.params.items()}
    return {"losses": loss, "accuracy": accuracy(model.forward(x), index), **first, **flat(found)}


def with_torchs_names(options: Mapping[str, float]) -> dict[str, Any]:
    return {{"weightDecay": "weight_decay"}.get(name, name): value for name, value in options.items()}


def torch_answer(question: Mapping[str, Any]) -> dict[str, Any]:
    if question["kind"] == "layer":
        x = received(question["x"]).requires_grad_()
        layer = nn.Linear(x.shape[1], 3) if question["name"] == "Linear" else LAYERS[question["name"]][1]()
        layer.load_state_dict({name: received(value) for name, value in question.get("params", {}).items()})
        y = layer(x)
        y.backward(received(question["grad"]))
        grads = {f"grad_{name}": param.grad for name, param in layer.named_parameters()}
        return flat({"output": y.detach(), "grad_x": x.grad, **grads})
    criterion = LOSSES[question.get("loss", question.get("name"))][1]()
    if question["kind"] == "loss":
        prediction = received(question["prediction"]).requires_grad_()
        target = target_for(question["name"], torch.tensor(question["target"]), prediction.shape[1])
        loss = criterion(prediction, target)
        loss.backward()
        return {"loss": loss.item(), **flat({"grad_prediction": prediction.grad})}
    return torch_training(question, criterion)


def torch_training(question: Mapping[str, Any], criterion: Any) -> dict[str, Any]:
    sizes = question["sizes"]
    torch.manual_seed(question["seed"])
    pairs = itertools.pairwise(sizes)
    all_layers = [(nn.Linear(*pair), ACTIVATIONS[question["activation"]][1]()) for pair in pairs]
    model = nn.Sequential(*[layer for pair in all_layers for layer in pair][:-1])
    x, index = received(question["x"]).requires_grad_(), torch.tensor(question["target"])
    target = target_for(question["loss"], index, sizes[-1])
    found = {}
    y = x
    for i, layer in enumerate(model):
        y = layer(y)
        found[f"output_{i}"] = y.detach()
    criterion(y, target).backward()
    assert x.grad is not None
    found["grad_x"] = x.grad
    found |= {f"grad {name}": param.grad for name, param in model.named_parameters()}
    first = flat(found)
    optimizer = getattr(torch.optim, question["optimizer"])(
        model.parameters(), **with_torchs_names(question["options"])
    )
    generator = torch.Generator().manual_seed(question["seed"])
    x = x.detach()
    losses: list[float] = []
    while len(losses) < question["steps"]:
        for rows in minibatches(len(x), question["batchSize"], generator):
            loss = criterion(model(x[rows]), target[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    found = {f"weight {name}": value.detach() for name, value in model.named_parameters()}
    return {"losses": losses, "accuracy": accuracy(model(x), index), **first, **flat(found)}


# ---------------------------------------------------------------- they agree


def drawn() -> list[dict[str, Any]]:
    return [*layers(), *losses(), *trainings()]


def largest_difference(questions: Sequence[Mapping[str, Any]], answers: Sequence[Any]) -> float:
    largest = 0.0
    for question, answer in zip(questions, answers, strict=True):
        for other in (torch_answer, scratch_answer):
            largest = max(largest, assert_close(answer, other(question)))
    return largest


def test_it_equals_the_lessons_and_torch() -> None:
    questions = drawn()
    assert largest_difference(questions, ask_node(questions)) < 1e-12


@needs_browser
def test_in_the_browser_too(tmp_path: Path) -> None:
    questions = drawn()
    with browser() as chromium:
        answers = ask_browser(chromium.new_page(), tmp_path, questions)
    assert largest_difference(questions, answers) < 1e-12


def test_the_error_function_is_torchs() -> None:
    x = torch.cat([torch.linspace(-7, 7, 2001), torch.tensor([0.0, -0.0, 1e-300, 1e-9, 6.0, -6.0, 40.0])])
    (found,) = ask_node([{"kind": "erf", "x": x.tolist()}])
    assert_close({"erf": found}, {"erf": torch.erf(x).tolist()}, 2e-15)


# ---------------------------------------------------------------- mistakes are seen

# What stands in the engine, what a mistake would put there.
MISTAKES = {
    "sign": ("weight[i] -= this.lr * velocity[i]", "weight[i] += this.lr * velocity[i]"),
    "sign of Adam": ("weight[i] -= (this.lr", "weight[i] += (this.lr"),
    "no mean in cross-entropy": ("(isRight(i) ? 1 : 0)) / batch", "(isRight(i) ? 1 : 0))"),
    "mean over examples alone": ("(2 * e) / this.error.data.length", "(2 * e) / this.error.shape[0]"),
    "mean forgotten in BCE": (
        "(probability - this.hot.data[i]) / p.data.length",
        "probability - this.hot.data[i]",
    ),
    "half of the square": ("(2 * e) /", "e /"),
    "stale gradient": (
        "this.grads = { weight: new Tensor([nOut, nIn]), bias: new Tensor([nOut]) };",
        "this.grads = { weight: new Tensor([nOut, nIn]), bias: this.grads.bias || new Tensor([nOut]) };",
    ),
    "stale input": ("this.x = x;\n    this.lit", "this.x = this.x || x;\n    this.lit"),
    "transposed": ("this.params.weight.data, j * nIn);", "this.params.weight.data, j);"),
    "transposed gradient": ("addLit(this.grads.weight.data, j * nIn,", "addLit(this.grads.weight.data, j,"),
    "kink of ReLU": ("return x > 0 ? 1 : 0;", "return x >= 0 ? 1 : 0;"),
    "slope of tanh": ("return 1 - y * y;", "return 1 - x * x;"),
    "slope of sigmoid": ("return y * (1 - y);", "return x * (1 - x);"),
    "another GELU": ("0.5 * (1 + erf(x / Math.sqrt(2)))", "1 / (1 + Math.exp(-1.702 * x))"),
    "bias forgotten": ("this.grads.bias.data[j] += grad;", ""),
    "each by itself in softmax": ("y[i] * (g - mean)", "y[i] * (1 - y[i]) * g"),
    "unlit input missed": ("x.data[r * nIn + i] !== 0", "x.data[r * nIn + i] > 0"),
    "no correction in Adam": ("(mean[i] / meanShare)", "mean[i]"),
    "decay forgotten": ("weightDecay ? grad.map", "false ? grad.map"),
    "velocity forgotten": ("this.momentum * velocity[i] + grad[i]", "grad[i]"),
    "exponential too large": (
        "Math.log1p(Math.exp(-Math.abs(z)))",
        "Math.log(1 + Math.exp(z)) - Math.max(z, 0)",
    ),
    "largest logit kept": ("row.map((z) => z - largest)", "row.map((z) => z)"),
    "order of the batches": ("order.subarray(begin,", "order.reverse().subarray(begin,"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_seen(name: str) -> None:
    right, wrong = MISTAKES[name]
    random, engine = texts()
    assert engine.count(right) == 1
    questions = [*layers(), *losses(), *trainings()[::7]]
    answers = ask_node(questions, [random, engine.replace(right, wrong)])
    with pytest.raises(AssertionError):
        largest_difference(questions, json_numbers(answers))


def json_numbers(answers: list[Any]) -> list[Any]:
    """JSON has no word for nan: it says null."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(item) for item in value]
        return float("nan") if value is None else value

    return [{name: plain(value) for name, value in answer.items()} for answer in answers]
