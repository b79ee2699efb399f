"""The same MLP under Lightning: one module for either set of gradients."""

import math
from collections.abc import Callable
from typing import Any, Literal

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics.classification import MulticlassAccuracy

from curriculum import UserError
from curriculum.data import DIGITS
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson13_rates import cosine, linear_decay, one_cycle
from lessons.lesson14_initialization import kaiming_normal_, kaiming_uniform_, xavier_normal_, xavier_uniform_
from lessons.lesson18_lightning import TorchBridge
from models.lightning.data import MNISTDataModule, ShareOfBatches
from models.networks import scratch, torch_nn
from models.networks.engine import first_nonfinite_layer

INITS: dict[str, Callable[[Tensor], Tensor]] = {
    "xavier_uniform": xavier_uniform_,
    "xavier_normal": xavier_normal_,
    "kaiming_uniform": kaiming_uniform_,
    "kaiming_normal": kaiming_normal_,
    "standard_normal": lambda weight: weight.normal_(),
}
SCHEDULES = {
    "constant": lambda step, steps: 1.0,
    "linear": lambda step, steps: linear_decay(1.0, step, steps),
    "cosine": lambda step, steps: cosine(1.0, step, steps),
    "one_cycle": lambda step, steps: one_cycle(1.0, step, steps),
}
LOSSES: dict[str, tuple[type[nn.Module], type]] = {
    "bce": (torch_nn.BinaryCrossEntropy, scratch.BinaryCrossEntropy),
    "mse": (torch_nn.SquaredError, scratch.SquaredError),
}


class MLPModule(L.LightningModule):
    """An MLP that learns with autograd's gradients or with those derived by hand.

    Tags: `train_loss` (as often as the Trainer logs), `val_loss`, `val_acc`, `test_acc`. `val_loss` is the
    plain cross-entropy, whatever the label smoothing. A step over accumulated batches is the step over one
    batch that holds all their digits, also where the last batch is smaller.

    Args:
        sizes: neurons per layer, input first.
        engine: "torch" takes autograd's gradients, "scratch" those derived by hand.
        activation: what bends between the layers.
        dropout: the probability that a hidden neuron is silenced in training.
        input_dropout: the same for a pixel. It becomes 0: grey, or black where `normalize` is false.
        batch_norm: normalise what each activation gets over the batch.
        init: how weights start; "default" is `nn.Linear`'s start. All others set the biases to 0.
        optimizer: one of `torch.optim`.
        lr: the learning rate, at its highest.
        momentum: for "sgd".
        nesterov: for "sgd": look ahead along the momentum.
        weight_decay: for every optimiser, on all parameters.
        schedule: how the learning rate moves from the first step to the last.
        loss: "cross_entropy" of a softmax over the digits; "bce", ten yes-or-no decisions; "mse", the squared
            error of ten sigmoids.
        label_smoothing: for "cross_entropy": the share of certainty that training takes from the right digit.
        max_norm: after each step, weights into a hidden neuron that are longer than this are shortened to it
            (Srivastava et al. 2014, section 5.1); 0 leaves them.
        normalize: the network is fed standardised pixels, else pixels from 0 to 1. It is the data module that
            does it; written down here, it goes with the weights.

    Raises:
        UserError: an option is out of its range.
    """

    def __init__(
        self,
        sizes: tuple[int, ...] = (784, 128, 64, 10),
        engine: Literal["torch", "scratch"] = "torch",
        activation: Literal["relu", "sigmoid", "tanh", "silu", "gelu"] = "relu",
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        batch_norm: bool = False,
        init: Literal[
            "default",
            "xavier_uniform",
            "xavier_normal",
            "kaiming_uniform",
            "kaiming_normal",
            "standard_normal",
        ] = "default",
        optimizer: Literal["sgd", "adam", "adamw", "rmsprop"] = "sgd",
        lr: float = 0.2,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        schedule: Literal["constant", "linear", "cosine", "one_cycle"] = "linear",
        loss: Literal["cross_entropy", "bce", "mse"] = "cross_entropy",
        label_smoothing: float = 0.0,
        max_norm: float = 0.0,
        normalize: bool = True,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self._check()
        self.by_hand = scratch.MLP(sizes, activation, dropout, input_dropout, batch_norm)
        if init in INITS:
            self._fill(INITS[init])
        self.model = torch_nn.MLP(sizes, activation, dropout, input_dropout, batch_norm)
        self.model.load_state_dict(self.by_hand.params | self.by_hand.buffers)
        self.criterion: nn.Module = nn.CrossEntropyLoss(label_smoothing=label_smoothing)
        self.criterion_by_hand: Any = CrossEntropyLoss(label_smoothing=label_smoothing)
        if loss in LOSSES:
            by_torch, by_hand = LOSSES[loss]
            self.criterion = by_torch()
            self.criterion_by_hand = by_hand()
        self.val_accuracy = MulticlassAccuracy(sizes[-1], average="micro")
        self.test_accuracy = MulticlassAccuracy(sizes[-1], average="micro")
        self.example_input_array = torch.zeros(1, sizes[0])
        self._loss_of_step: Tensor | float = 0.0
        self._saved_rng: dict[str, Tensor] = {}

    def setup(self, stage: str) -> None:
        # Lightning does so later, when it has read a checkpoint: 64 bits would pass through 32.
        self.trainer.precision_plugin.convert_module(self)
        self.example_input_array = torch.zeros(1, self.hparams["sizes"][0]).to(next(self.model.parameters()))
        digits = getattr(self.trainer, "datamodule", None)
        if not isinstance(digits, MNISTDataModule):
            return
        first, *_, last = self.hparams["sizes"]
        data = digits.data
        assert data is not None  # its `setup` comes first
        classes = len(data.classes)
        if (first, last) != (784, classes):
            kind = "digits" if data.classes == DIGITS else f"classes of {data.name}"
            raise UserError(
                f"model.sizes begins with {first} and ends with {last}; "
                f"expected 784 pixels and {classes} {kind}, for example [784, 128, 64, {classes}]"
            )
        ours = self.hparams["normalize"]
        if digits.normalize != ours:
            raise UserError(
                f"the network's normalize is {ours}, that of its data {digits.normalize}; "
                "expected the same for both"
            )

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, sizes[0]) → logits: (batch, sizes[-1])."""
        return self.model(x) if self.hparams["engine"] == "torch" else self._sharing().forward(x)

    def loss(self, x: Tensor, target: Tensor) -> Tensor:
        """x: (batch, sizes[0]), target: (batch,), int64 → the loss, (), with the gradients of the engine.

        It is a mean of cross-entropies, binary cross-entropies or squared errors, as the option `loss` says.
        """
        if self.hparams["engine"] == "torch":
            return self.criterion(self.model(x), target)
        params = self.model.parameters()
        return TorchBridge.apply(x, target, self._sharing(), self.criterion_by_hand, *params)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, target = batch
        share = self._share_of_batch(x) * self._share_of_step(batch_idx)
        loss = self.loss(x, target) * share
        if not loss.isfinite():
            raise UserError(self._nonfinite(x, loss))
        trainer: Any = self.trainer
        batches = trainer.accumulate_grad_batches
        before = self._loss_of_step if batch_idx % batches else 0.0
        self._loss_of_step = before + loss.detach() / batches
        # Written down only where the Trainer looks: at every step it would cost a third of the step.
        if (trainer.global_step + 1) % trainer.log_every_n_steps == 0:
            self.log("train_loss", self._loss_of_step, prog_bar=True, sync_dist=True, batch_size=len(x))
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        if self.hparams["max_norm"]:
            matrices = [weight for weight in self.weights().values() if weight.dim() == 2]
            for weight in matrices[:-1]:  # of the hidden layers
                weight.copy_(weight.renorm(2, 0, self.hparams["max_norm"]))

    def _nonfinite(self, x: Tensor, loss: Tensor) -> str:
        """Where a loss that is infinite or nan comes from, in the words of a message."""
        layer = first_nonfinite_layer(self, x)
        origin = f": layer {layer} gave the first non-finite value" if layer else ""
        trainer: Any = self.trainer
        group = trainer.optimizers[0].param_groups[0]
        lr = group.get("initial_lr", group["lr"])  # as it was chosen, before a schedule changed it
        return (
            f"the loss of step {trainer.global_step} is {loss.item()}{origin}; the learning rate {lr:g} "
            f"is probably too large, try {lr / 10:g} (lesson 07)"
        )

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        x, target = batch
        logits = self(x)
        self.val_accuracy(logits, target)
        loss = nn.functional.cross_entropy(logits, target)
        self.log("val_loss", loss, on_epoch=True, sync_dist=True, batch_size=len(x))
        self.log("val_acc", self.val_accuracy, on_epoch=True, prog_bar=True, batch_size=len(x))

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        x, target = batch
        self.test_accuracy(self(x), target)
        self.log("test_acc", self.test_accuracy, on_epoch=True, batch_size=len(x))

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """x: (batch, sizes[0]) → (batch, 2): the number of the class that was read, and its probability."""
        probability, digit = self(batch[0]).softmax(1).max(1)
        return torch.stack([digit.to(probability.dtype), probability], 1)

    def configure_optimizers(self) -> Any:
        """The optimiser, and the factor on its learning rate at every step.

        Raises:
            UserError: the learning rate is to fall until the last step, and no step is the last.
        """
        options = {name: self.hparams[name] for name in ("lr", "weight_decay")}
        if self.hparams["optimizer"] == "sgd":
            options |= {name: self.hparams[name] for name in ("momentum", "nesterov")}
        kinds = {
            "sgd": torch.optim.SGD,
            "adam": torch.optim.Adam,
            "adamw": torch.optim.AdamW,
            "rmsprop": torch.optim.RMSprop,
        }
        optimizer = kinds[self.hparams["optimizer"]](self.model.parameters(), **options)
        factor = SCHEDULES[self.hparams["schedule"]]
        steps = self.trainer.estimated_stepping_batches
        if steps == math.inf and self.hparams["schedule"] != "constant":
            raise UserError(
                f"model.schedule is {self.hparams['schedule']}, and no step is the last; "
                "expected --trainer.max_epochs or --trainer.max_steps, or --model.schedule constant"
            )
        schedule = LambdaLR(optimizer, lambda step: factor(step, int(steps)))
        return [optimizer], [{"scheduler": schedule, "interval": "step", "name": "lr"}]

    def _fill(self, init: Callable[[Tensor], Tensor]) -> None:
        """Start weights with `init` and biases with 0; batch norm's factors stay 1."""
        for name, param in self.by_hand.params.items():
            if param.dim() == 2:
                init(param)
            elif name.endswith("bias"):
                param.zero_()

    def _check(self) -> None:
        """The types are Lightning's to check, the ranges ours."""
        chosen = self.hparams
        for name, value in chosen.items():
            if value is None:
                raise UserError(f"model.{name} is empty; expected a value, or leave it out")
        sizes = chosen["sizes"]
        activations = ", ".join(scratch.ACTIVATIONS)
        self._expect("engine", chosen["engine"] in ("torch", "scratch"), "'torch' or 'scratch'")
        self._expect("activation", chosen["activation"] in scratch.ACTIVATIONS, f"one of {activations}")
        self._expect("sizes", len(sizes) > 1 and min(sizes) > 0, "two numbers or more, each above 0")
        self._expect("loss", chosen["loss"] in ("cross_entropy", *LOSSES), "'cross_entropy', 'bce' or 'mse'")
        self._expect("lr", 0 < chosen["lr"] < math.inf, "a number above 0")
        for name in ("dropout", "input_dropout", "momentum", "label_smoothing"):
            self._expect(name, 0 <= chosen[name] < 1, "0 or more, below 1")
        for name in ("max_norm", "weight_decay"):
            self._expect(name, 0 <= chosen[name] < math.inf, "0 or more")
        has_momentum = chosen["momentum"] > 0
        self._expect("nesterov", has_momentum or not chosen["nesterov"], "false, or a momentum above 0")

    def _expect(self, option: str, is_right: bool, expected: str) -> None:
        if not is_right:
            raise UserError(f"model.{option} is {self.hparams[option]}; expected {expected}")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Dropout draws from a generator that every process has for itself."""
        checkpoint["rng"] = self._of_every_process(torch.get_rng_state())
        if self.device.type == "cuda":
            checkpoint["rng_cuda"] = self._of_every_process(torch.cuda.get_rng_state(self.device))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._saved_rng = {key: checkpoint[key] for key in ("rng", "rng_cuda") if key in checkpoint}

    def on_train_start(self) -> None:
        """Later than `on_load_checkpoint`: between the two somebody might draw."""
        rank = self.global_rank
        # torch reads a state from the beginning of its storage, where another process's lies: so copy.
        if len(self._saved_rng.get("rng", ())) > rank:
            torch.set_rng_state(self._saved_rng["rng"][rank].clone())
        if len(self._saved_rng.get("rng_cuda", ())) > rank:
            torch.cuda.set_rng_state(self._saved_rng["rng_cuda"][rank].clone(), self.device)
        self._saved_rng = {}

    def _of_every_process(self, state: Tensor) -> Tensor:
        """(len(state),), uint8 → (processes, len(state)), the same in all of them."""
        if self.trainer.world_size == 1:
            return state[None]
        here = state.to(self.device)
        states = [torch.empty_like(here) for _ in range(self.trainer.world_size)]
        torch.distributed.all_gather(states, here)
        return torch.stack(states).cpu()

    def on_validation_model_zero_grad(self) -> None:
        """Lightning would throw the last gradients away before validation; the run log looks at them."""

    # What the run log looks at (`models.networks.engine.Engine`).

    def traceable(self) -> Any:
        """The forward pass of the engine in use."""
        if self.hparams["engine"] == "torch":
            return self.model
        self.by_hand.train(self.training)
        self.by_hand.share(self.model.state_dict())  # without autograd, which a trace by hand cannot hold
        return self.by_hand.forward

    def weights(self) -> dict[str, Tensor]:
        """The parameters by torch's names: weights (out, in), biases (out,)."""
        return {name: param.detach() for name, param in self.model.named_parameters()}

    def grads(self) -> dict[str, Tensor]:
        """The gradients of the last step, under the same names."""
        return {name: param.grad for name, param in self.model.named_parameters() if param.grad is not None}

    @torch.no_grad()
    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """x: (batch, sizes[0]) → every layer's output by name, (batch, units); the last are the logits."""
        x = x.to(next(self.model.parameters()))
        if self.hparams["engine"] == "torch":
            return self.model.outputs(x)
        return self._sharing().outputs(x)

    def _sharing(self) -> scratch.MLP:
        """The model by hand on the parameters that the optimiser changes, in the mode of the moment."""
        self.by_hand.train(self.training)
        self.by_hand.share(self.model.state_dict(keep_vars=True))
        return self.by_hand

    def _share_of_step(self, batch_idx: int) -> float:
        """1, but for a batch that is larger or smaller than the others whose gradients are accumulated.

        Lightning adds up the batches' means, each divided by `accumulate_grad_batches`. Where that is 4 and
        the last batches hold 32, 32 and 13 digits, the mean over all 77 needs the weights 4 · 32/77,
        4 · 32/77 and 4 · 13/77.
        """
        trainer: Any = self.trainer
        batches = trainer.accumulate_grad_batches
        loader = trainer.train_dataloader
        if batches == 1 or not isinstance(loader, ShareOfBatches):
            return 1.0
        first = batch_idx - batch_idx % batches
        last = min(first + batches, trainer.num_training_batches)
        digits = sum(loader.size_of_batch(index) for index in range(first, last))
        return batches * loader.size_of_batch(batch_idx) / digits

    def _share_of_batch(self, x: Tensor) -> Tensor | float:
        """1, but for a process whose share of the batch is larger or smaller than the others'.

        DDP takes the plain mean of the processes' gradients. Where 45 digits are split 23 and 22, the mean
        over all 45 needs the weights 23/22.5 and 22/22.5.
        """
        if self.trainer.world_size == 1:
            return 1.0
        count = torch.tensor(float(len(x)), device=self.device)
        return count / self.trainer.strategy.reduce(count.clone(), reduce_op="mean")
