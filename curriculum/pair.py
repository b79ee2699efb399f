"""Pairs: the same computation from scratch and in PyTorch, and the proof that both give the same.

A pair is a name and two callables. Each takes a `Case` (sizes, seed, dtype, device) and returns named
results: `output`, `loss`, `grad_x`, `grad_weight`, `loss_7`, … `compare` runs both sides and demands
the same names, shapes, dtypes and values. The scratch side runs without autograd.

The builders at the bottom make the two callables from a layer, a loss, an optimiser or a whole training
run, so that a lesson cannot leave a gradient out by mistake.
"""

import functools
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

# The largest difference allowed, relative and absolute. No pair may loosen it.
TOLERANCE = {torch.float64: (1e-9, 1e-10), torch.float32: (1e-4, 1e-5)}

Results = dict[str, Tensor]


@dataclass(frozen=True)
class Case:
    """One set of inputs: a batch size, layer sizes, a seed, and the precision and place to compute in.

    Both sides of a pair ask it for tensors by name and get the same values. `moved` names one of those that
    gradients are taken for, an entry of it and how far it is moved, for finite differences.
    """

    batch: int = 5
    n_in: int = 4
    n_out: int = 3
    seed: int = 0
    dtype: torch.dtype = torch.float64
    device: str = "cpu"
    moved: tuple[str, tuple[int, ...], float] = ("", (), 0.0)

    def tensor(self, name: str, *shape: int) -> Tensor:
        """Values of that shape that expose errors: ordinary ones, zeros of both signs, ties, large ones."""
        return _telling_values(self.seed, name, shape).to(self.device, self.dtype, copy=True)

    def upstream(self, name: str, shape: torch.Size) -> Tensor:
        """An uneven upstream gradient of that shape. It has no zeros: they would hide what they multiply."""
        return _normal(self.seed, name, shape).to(self.device, self.dtype)

    def classes(self, name: str, count: int, n_classes: int) -> Tensor:
        """Class indices (count,) in 0 … `n_classes` − 1, as int64."""
        generator = self._generator(name)
        return torch.randint(n_classes, (count,), generator=generator, device="cpu").to(self.device)

    def place(self, name: str, value: Tensor) -> Tensor:
        """Where the gradient of `name` is taken: at `value`, unless one of its entries is `moved`."""
        moved, entry, by = self.moved
        if name == moved:
            value = value.clone()
            value[entry] += by
        return value

    def _generator(self, name: str) -> torch.Generator:
        return _generator(self.seed, name)

    @contextmanager
    def defaults(self) -> Iterator[None]:
        """Make this dtype and device the default, so that lessons need not pass them around."""
        before = torch.get_default_dtype()
        torch.set_default_dtype(self.dtype)
        try:
            with self._default_device():
                yield
        finally:
            torch.set_default_dtype(before)

    def _default_device(self) -> AbstractContextManager[Any]:
        """Nothing to do where it is the default already: a device context slows down every call of torch."""
        device = torch.device(self.device)
        return nullcontext() if device == torch.get_default_device() else device


def _generator(seed: int, name: str) -> torch.Generator:
    """A generator per name: asking for one tensor more does not change the others."""
    return torch.Generator().manual_seed(zlib.crc32(f"{seed} {name}".encode()))


def _normal(seed: int, name: str, shape: Sequence[int]) -> Tensor:
    """Numbers of a normal distribution, in float64 on the CPU."""
    return torch.randn(shape, generator=_generator(seed, name), dtype=torch.float64, device="cpu")


@functools.lru_cache(maxsize=1024)
def _telling_values(seed: int, name: str, shape: tuple[int, ...]) -> Tensor:
    """What `Case.tensor` gives a copy of, in float64 on the CPU.

    They are kept: both sides of a pair, and each mistake beside an answer, ask for the same, and those of an
    optimiser for hundreds.
    """
    flat = _normal(seed, name, shape).view(-1)
    flat[1::5] = 0.0
    flat[4::15] = -0.0
    ties = flat[3::7]
    ties.copy_(flat[2::7][: len(ties)])
    flat[5::11] *= 10
    return flat.view(shape)


@dataclass(frozen=True)
class Pair:
    """One computation, twice. `drawn` pairs are also run on cases that hypothesis draws.

    `objective` makes, from a side's results, the number that all results named grad_… are the gradients of.
    """

    name: str
    scratch: Callable[[Case], Results]
    torch: Callable[[Case], Results]
    drawn: bool = True
    objective: Callable[[Case, Results], Tensor] | None = None

    def run_scratch(self, case: Case) -> Results:
        """The results by hand. A call to autograd raises."""
        with case.defaults(), torch.inference_mode():
            return self.scratch(case)

    def run_torch(self, case: Case) -> Results:
        """The results of PyTorch."""
        with case.defaults(), torch.enable_grad():
            return self.torch(case)


@dataclass(frozen=True)
class Difference:
    """How far one named result is apart. An empty `problem` means that the two sides agree."""

    name: str
    largest: float
    problem: str = ""


def compare(pair: Pair, case: Case | None = None) -> list[Difference]:
    """Run both sides on `case` and compare every named result.

    The scratch side runs under `torch.inference_mode()`: a call to autograd in it raises.

    Args:
        case: the inputs of both sides; in float64 on the CPU by default.
    """
    case = case or Case()
    return differences(pair.run_scratch(case), pair.run_torch(case))


def differences(scratch: Results, reference: Results) -> list[Difference]:
    """Compare every named result of either side, the reference's first."""
    names = [*reference, *(name for name in scratch if name not in reference)]
    return [_difference(name, scratch.get(name), reference.get(name)) for name in names]


def _difference(name: str, scratch: Tensor | None, reference: Tensor | None) -> Difference:
    if scratch is None:
        return Difference(name, float("inf"), "missing on the scratch side")
    if reference is None:
        return Difference(name, float("inf"), "missing on the torch side")
    if scratch.shape != reference.shape:
        problem = f"shape {tuple(scratch.shape)} instead of {tuple(reference.shape)}"
        return Difference(name, float("inf"), problem)
    if scratch.dtype != reference.dtype:
        return Difference(name, float("inf"), f"dtype {scratch.dtype} instead of {reference.dtype}")
    scratch = scratch.detach()
    reference = reference.detach()
    if not scratch.is_floating_point():
        scratch = scratch.double()
        reference = reference.double()
    if not (scratch.isfinite().all() and reference.isfinite().all()):
        return Difference(name, float("inf"), "not finite")
    gap = (scratch - reference).abs()
    largest = gap.max().item() if gap.numel() else 0.0
    rtol, atol = TOLERANCE[reference.dtype]
    agree = bool((gap <= atol + rtol * reference.abs()).all())
    return Difference(name, largest, "" if agree else "values differ")


# ---------------------------------------------------------------- builders


def function_pair(
    name: str, scratch: Callable[..., Tensor], torch: Callable[..., Tensor], *inputs: Any
) -> Pair:
    """A pair of plain functions. Each of `inputs` makes one argument from a case; the result is `output`."""

    def run(function: Callable[..., Tensor]) -> Callable[[Case], Results]:
        return lambda case: {"output": function(*(make(case) for make in inputs))}

    return Pair(name, run(scratch), run(torch))


def layer_pair(
    name: str,
    scratch: Callable[[Case], Any],
    torch: Callable[[Case], nn.Module],
    x: Callable[[Case, str], Tensor] = lambda case, name: case.tensor(name, case.batch, case.n_in),
) -> Pair:
    """A layer: its output, the gradient of its input and of every parameter, and its input left as it was.

    Parameters are set by name on both sides. Each side first meets another input and another upstream
    gradient, then those that count: what a layer wrongly keeps from the step before shows as a difference.
    """
    steps = {"x_before": "grad_output_before", "x": "grad_output"}

    def run_scratch(case: Case) -> Results:
        layer = scratch(case)
        _set_parameters(layer.params, case)
        for step, upstream in steps.items():
            value = case.place(step, x(case, step))
            output = layer.forward(value)
            results = {"output": output.clone()}
            grad_x = layer.backward(case.upstream(upstream, output.shape))
            results |= {"grad_x": grad_x, "x": value}
        if layer.grads.keys() != layer.params.keys():
            raise AssertionError(f"grads are {list(layer.grads)}, params are {list(layer.params)}")
        return results | {f"grad_{key}": grad for key, grad in layer.grads.items()}

    def run_torch(case: Case) -> Results:
        module = torch(case)
        _set_parameters(dict(module.named_parameters()), case)
        for step, upstream in steps.items():
            module.zero_grad()
            value = case.place(step, x(case, step)).requires_grad_()
            output = module(value)
            output.backward(case.upstream(upstream, output.shape))
        results = {"output": output, "grad_x": _grad(value), "x": value}
        return results | {f"grad_{key}": _grad(parameter) for key, parameter in module.named_parameters()}

    def objective(case: Case, results: Results) -> Tensor:
        output = results["output"]
        return (output * case.upstream("grad_output", output.shape)).sum()

    return Pair(name, run_scratch, run_torch, objective=objective)


def loss_pair(
    name: str,
    scratch: Callable[[Case], Any],
    torch: Callable[[Case], Callable[[Tensor, Tensor], Tensor]],
    prediction: Callable[[Case], Tensor] = lambda case: case.tensor("prediction", case.batch, case.n_out),
    target: Callable[[Case], Tensor] = lambda case: case.tensor("target", case.batch, case.n_out),
) -> Pair:
    """A loss and the gradient of its prediction; without reduction, under an uneven upstream gradient."""

    def upstream(case: Case, loss: Tensor) -> tuple[Tensor, ...]:
        return (case.upstream("grad_loss", loss.shape),) if loss.dim() else ()

    def run_scratch(case: Case) -> Results:
        criterion = scratch(case)
        value = case.place("prediction", prediction(case))
        loss = criterion.forward(value, target(case))
        results = {"loss": loss.clone(), "grad_prediction": criterion.backward(*upstream(case, loss))}
        return results | {"prediction": value}

    def run_torch(case: Case) -> Results:
        value = case.place("prediction", prediction(case)).requires_grad_()
        loss = torch(case)(value, target(case))
        loss.backward(*upstream(case, loss))
        return {"loss": loss, "grad_prediction": _grad(value), "prediction": value}

    def objective(case: Case, results: Results) -> Tensor:
        loss = results["loss"]
        return (loss * case.upstream("grad_loss", loss.shape)).sum() if loss.dim() else loss

    return Pair(name, run_scratch, run_torch, objective=objective)


def optimizer_pair(
    name: str,
    scratch: Callable[[dict[str, Tensor]], Any],
    torch: Callable[[list[nn.Parameter]], Any],
    after: Sequence[int] = (1, 10, 100),
) -> Pair:
    """An optimiser: the parameters `after` so many steps on one sequence of gradients.

    `scratch` makes an optimiser from the parameters by name; its `step(grads)` updates them in place.
    """

    def gradients(case: Case, step: int) -> dict[str, Tensor]:
        return {key: case.tensor(f"{key}_{step}", *start.shape) for key, start in parameters(case).items()}

    def parameters(case: Case) -> dict[str, Tensor]:
        return {
            "weight": case.tensor("weight", case.n_out, case.n_in),
            "bias": case.tensor("bias", case.n_out),
        }

    def trajectory(
        case: Case, params: dict[str, Tensor], step: Callable[[dict[str, Tensor]], None]
    ) -> Results:
        results: Results = {}
        for count in range(1, max(after) + 1):
            step(gradients(case, count))
            if count in after:
                results |= {f"{key}_after_{count}": value.detach().clone() for key, value in params.items()}
        return results

    def run_scratch(case: Case) -> Results:
        params = parameters(case)
        return trajectory(case, params, scratch(params).step)

    def run_torch(case: Case) -> Results:
        params = {key: nn.Parameter(value) for key, value in parameters(case).items()}
        optimizer = torch(list(params.values()))

        def step(grads: dict[str, Tensor]) -> None:
            for key, parameter in params.items():
                parameter.grad = grads[key]
            optimizer.step()

        return trajectory(case, dict(params), step)

    return Pair(name, run_scratch, run_torch, drawn=False)


TrainingRun = Callable[[Case], tuple[Sequence[float], dict[str, Tensor]]]


def training_pair(name: str, scratch: TrainingRun, torch: TrainingRun) -> Pair:
    """A whole training run: the loss of every step and every parameter at the end.

    Each side takes a case, trains from the same first parameters on the same batches, and returns the
    losses and the trained parameters by name.
    """

    def run(train: TrainingRun) -> Callable[[Case], Results]:
        def results(case: Case) -> Results:
            losses, params = train(case)
            named = {f"loss_{step}": _scalar(loss, case) for step, loss in enumerate(losses)}
            return named | dict(params)

        return results

    return Pair(name, run(scratch), run(torch), drawn=False)


def _scalar(value: float, case: Case) -> Tensor:
    return torch.tensor(float(value), dtype=case.dtype, device=case.device)


def _set_parameters(params: dict[str, Tensor], case: Case) -> None:
    with torch.no_grad():
        for name, parameter in params.items():
            parameter.copy_(case.place(name, case.tensor(f"parameter {name}", *parameter.shape)))


def _grad(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None
    return tensor.grad
