# %% [markdown]
# # Lesson 02 · Circuits of neurons
#
# *What can several neurons do together that no single one can?*
#
# Needs: lesson 01 · Time: 25 minutes

# %%
from itertools import pairwise, permutations, product

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.demo import demo
from curriculum.draw import OTHER, SCRATCH, TORCH, new_figure
from curriculum.pair import Case, function_pair, layer_pair, training_pair
from curriculum.table import Table
from lessons.lesson01_neuron import Identity, Neuron, Sigmoid, TorchNeuron

# %% [markdown]
# ## The idea
#
# Five neurons look at a mouth. The first two are the inputs:
#
# - N1 is 1 when the left corner of the mouth is up, else 0. N2 says the same of the right corner.
# - N3 fires when *both* are up: a smile.
# - N4 fires when *exactly one* is up: a smirk.
# - N5 fires when N3 fires and N4 does not: a happy face.
#
# To *fire* is to put out 1 instead of 0. Here a neuron fires when its weighted sum is above a *threshold*. N3
# has the weights 1 and 1 and the threshold 1.5: one corner gives 1, too little; two give 2. The bias of
# lesson 01 says the same: the sum plus −1.5 must be above 0. The bias is minus the threshold.
#
# N4 is harder. With the threshold 0.5 it fires for one corner, but for two as well. So N3 helps and holds N4
# down with the weight −2. On a smile N4's sum is 1 + 1 − 2 = 0: silent. On a smirk N3 is silent and the sum
# is 1: N4 fires.
#
# $$y_k = f\Big(\sum_{j \text{ heard by } k} w_{kj}\, y_j + b_k\Big)$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $y_k$ | `signals["N3"]` | (batch, 1) | what neuron $k$ puts out; N1 and N2 are the columns of $x$ |
# | $w_{kj}$ | `"N3.weight"` | (1, neurons heard) | how strongly $k$ hears $j$ |
# | $b_k$ | `"N3.bias"` | (1,) | minus the threshold |
# | $f$ | `activation` | | a step from 0 to 1 |
#
# ## From scratch


# %%
class Step(Identity):
    """Fires or does not: y = 1 where x > 0, else 0. Any shape. No weights, just like `Identity`."""

    def forward(self, x: Tensor) -> Tensor:
        return (x > 0).to(x.dtype)

    def backward(self, grad_y: Tensor) -> Tensor:
        """Flat on both sides of 0, so ∂y/∂x = 0. At 0 it jumps and has no slope; we say 0 there too."""
        return torch.zeros_like(grad_y)


# Who hears whom, with which weights, and above which threshold it fires. A neuron may only hear those that
# stand before it; then one pass from first to last is enough.
Wiring = dict[str, tuple[dict[str, float], float]]

INPUTS = ("N1", "N2")
FACE: Wiring = {
    "N3": ({"N1": 1.0, "N2": 1.0}, 1.5),
    "N4": ({"N1": 1.0, "N2": 1.0, "N3": -2.0}, 0.5),
    "N5": ({"N3": 1.0, "N4": -1.0}, 0.5),
}
TWO_LAYERS: Wiring = {  # "exactly one" without N3: at least one, but not both
    "A": ({"N1": 1.0, "N2": 1.0}, 0.5),
    "B": ({"N1": 1.0, "N2": 1.0}, 1.5),
    "N4": ({"A": 1.0, "B": -1.0}, 0.5),
}


class Circuit:
    """Neurons that hear the two inputs and each other. x: (batch, 2) → y: (batch, neurons), all they say.

    >>> Circuit(FACE, Step).forward(torch.tensor([[1.0, 0.0]]))  # a smirk: of N3, N4, N5 only N4 fires
    tensor([[0., 1., 0.]])
    """

    def __init__(self, wiring: Wiring, activation: type[Step] | type[Sigmoid]) -> None:
        self.wiring = wiring
        self.neurons = {
            name: Neuron(len(heard), activation())
            for name, (heard, _) in wiring.items()
        }
        for name, (heard, threshold) in wiring.items():
            self.neurons[name].params["weight"] = torch.tensor(
                [list(heard.values())]
            )  # (1, neurons heard)
            self.neurons[name].params["bias"] = torch.tensor([-threshold])

    @property
    def params(self) -> dict[str, Tensor]:
        return {
            f"{name}.{key}": p
            for name, n in self.neurons.items()
            for key, p in n.params.items()
        }

    @property
    def grads(self) -> dict[str, Tensor]:
        return {
            f"{name}.{key}": g
            for name, n in self.neurons.items()
            for key, g in n.grads.items()
        }

    def forward(self, x: Tensor) -> Tensor:
        signals = dict(zip(INPUTS, x.split(1, dim=1), strict=True))  # (batch, 1) each
        for name, (heard, _) in self.wiring.items():
            signals[name] = self.neurons[name].forward(
                torch.cat([signals[other] for other in heard], dim=1)
            )
        return torch.cat([signals[name] for name in self.wiring], dim=1)

    def backward(self, grad_y: Tensor) -> Tensor:
        """From the last neuron to the first. Say B and C hear A, and both have an effect on L.

        Then ∂L/∂A = ∂L/∂B · ∂B/∂A + ∂L/∂C · ∂C/∂A: each hands A its part. Lesson 08 says why.
        """
        grads = dict(
            zip(self.wiring, grad_y.split(1, dim=1), strict=True)
        )  # (batch, 1) each
        grads |= {name: torch.zeros_like(grad_y[:, :1]) for name in INPUTS}
        for name in reversed(self.wiring):
            grad_heard = self.neurons[name].backward(
                grads[name]
            )  # (batch, neurons heard)
            for other, grad in zip(
                self.wiring[name][0], grad_heard.split(1, dim=1), strict=True
            ):
                grads[other] = grads[other] + grad
        return torch.cat([grads[name] for name in INPUTS], dim=1)  # (batch, 2)


def smirks() -> tuple[Tensor, Tensor]:
    """All four faces (4, 2), and what N4 should say to them (4, 1): exactly one corner is up."""
    faces = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return faces, torch.tensor([[0.0], [1.0], [1.0], [0.0]])


@demo
def the_circuit() -> Figure:
    """Weights on the wires, thresholds in the neurons; red wires hold down"""
    at = dict(
        zip(
            ("N1", "N2", "N3", "N4", "N5"),
            ((0, 1), (0, 0), (1.5, 1), (2, 0), (3, 0.7)),
            strict=True,
        )
    )
    figure, axis = new_figure(width=5.5)
    for name, (x, y) in at.items():
        heard, threshold = FACE.get(name, ({}, None))
        label = name if threshold is None else f"{name}\n> {threshold:g}"
        box = {
            "facecolor": "0.5" if threshold is None else TORCH,
            "boxstyle": "round,pad=0.5",
        }
        axis.text(x, y, label, color="white", ha="center", va="center", bbox=box)
        for other, weight in heard.items():
            (x0, y0), color = at[other], SCRATCH if weight < 0 else "0.4"
            axis.plot(
                (x0, x), (y0, y), color=color, linewidth=1.5 * abs(weight), zorder=1
            )
            place, box = (
                (0.6 * x0 + 0.4 * x, 0.6 * y0 + 0.4 * y),
                {"facecolor": "white", "edgecolor": "none"},
            )
            axis.text(
                *place, f"{weight:g}", color=color, ha="center", va="center", bbox=box
            )
    axis.set(xlim=(-0.3, 3.3), ylim=(-0.3, 1.3))
    axis.axis("off")
    return figure


@demo
def who_fires() -> Table:
    """All four faces, all five neurons"""
    names, (faces, _) = ("both down", "right up", "left up", "both up"), smirks()
    fires = torch.cat((faces, Circuit(FACE, Step).forward(faces)), 1).int().tolist()
    return Table(
        ("corners", *INPUTS, *FACE),
        [(name, *row) for name, row in zip(names, fires, strict=True)],
    )


# %% [markdown]
# No neuron here knows what a face is. N5 compares a sum with 0.5. The meaning lies in how the circuit is
# wired, and in us who named the inputs.
#
# Look again: N5 fires exactly when N3 does. Cut the wire from N4 to N5, and no output changes. A happy face,
# put like this, needs one neuron only. It is N4 that needs help. The help may also come from neurons without
# a meaning of their own, as in `TWO_LAYERS`: A and B hear the inputs, N4 hears A and B. A *layer* is a group
# of neurons that hear the same others.
#
# ## The same with PyTorch
#
# `torch.nn` has no step. We make one from `sign`, which is −1, 0 or 1, and whose slope PyTorch takes to be 0.


# %%
class TorchStep(nn.Module):
    """1 above 0, else 0."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sign(x).clamp(min=0)


class TorchCircuit(nn.ModuleDict):
    """A circuit from `nn.Linear` neurons. It takes over wiring and parameters, by name."""

    def __init__(self, circuit: Circuit, activation: type[nn.Module]) -> None:
        self.wiring = circuit.wiring
        super().__init__(
            {
                name: TorchNeuron(len(h), activation())
                for name, (h, _) in self.wiring.items()
            }
        )
        self.load_state_dict(circuit.params)

    def forward(self, x: Tensor) -> Tensor:
        signals = dict(zip(INPUTS, x.split(1, dim=1), strict=True))
        for name, (heard, _) in self.wiring.items():
            signals[name] = self[name](
                torch.cat([signals[other] for other in heard], dim=1)
            )
        return torch.cat([signals[name] for name in self.wiring], dim=1)


# %% [markdown]
# ## See it: one neuron is not enough
#
# Can one neuron with two weights and a bias compute "exactly one", also called *exclusive or* or XOR? It must
# fire for either corner alone, $w_1 + b > 0$ and $w_2 + b > 0$, and be silent for none, $b \le 0$. Add the
# first two and take $b$ away: $w_1 + w_2 + b > -b \ge 0$. So it fires for both corners, which it must not.
#
# That is the proof. Searching all weights and biases from −2 to 2 in steps of 0.25 agrees: 3 of 4 at best.


# %%
@demo
def search_one_neuron() -> Table:
    """4,913 single neurons: how many get 0, 1, 2, 3 or all 4 faces right?"""
    grid = torch.tensor(
        list(product(torch.arange(-2, 2.1, 0.25).tolist(), repeat=3))
    )  # (4913, 3): w₁, w₂, b
    y = Step().forward(
        grid[:, :2] @ smirks()[0].T + grid[:, 2:]
    )  # (4913, 2) @ (2, 4) → (4913, 4)
    wanted = {
        "both": [0, 0, 0, 1],
        "at least one": [0, 1, 1, 1],
        "exactly one": [0, 1, 1, 0],
    }
    right = {
        name: (y == torch.tensor(answers)).sum(1) for name, answers in wanted.items()
    }
    rows = [
        (name, *torch.bincount(r, minlength=5).tolist()) for name, r in right.items()
    ]
    return Table(("wanted", "0 right", "1", "2", "3", "all 4"), rows)


# %% [markdown]
# ## See it: a circuit learns its weights
#
# We set the weights of the two layers by hand. Can a circuit find them, as the film neuron of lesson 01 did?
# Not with steps: their slope is 0, so every gradient is 0, and no weight knows which way to move.
#
# The sigmoid is a soft step with a slope. So we take sigmoid neurons, with weights and biases drawn at random
# between −1 and 1; another *seed* draws others. Each step sees all four faces and goes against the gradient
# of the mean of (y − wanted)². A run ends when that falls below 0.01, for then every answer is within 0.2 of
# the wanted one, or after 500 steps. The steps are long, 10 times the gradient: a sigmoid's slope is at most
# ¼, and two in a row make small gradients. Neurons between inputs and answer are called *hidden*.


# %%
ONE: Wiring = {"N4": TWO_LAYERS["A"]}
THREE_HIDDEN: Wiring = {
    "C": TWO_LAYERS["A"],
    **TWO_LAYERS,
    "N4": (dict.fromkeys("ABC", 1.0), 0.5),
}


def learner(wiring: Wiring, seed: int) -> Circuit:
    """The wiring with sigmoid neurons and with random weights and biases."""
    circuit, generator = Circuit(wiring, Sigmoid), torch.Generator().manual_seed(seed)
    for param in circuit.params.values():
        param.copy_(
            torch.rand(
                param.shape, generator=generator, dtype=torch.float64, device="cpu"
            )
            * 2
            - 1
        )
    return circuit


def learn(circuit: Circuit, steps: int = 500) -> tuple[list[float], dict[str, Tensor]]:
    """Train the last neuron to say "exactly one"; the losses and the trained parameters."""
    losses, (faces, wanted) = [], smirks()
    for _ in range(steps):
        y = circuit.forward(faces)  # (4, neurons)
        error = y[:, -1:] - wanted  # (4, 1)
        losses.append((error**2).mean().item())
        if losses[-1] < 0.01:
            break
        grad_y = torch.zeros_like(y)  # nobody asks the other neurons
        grad_y[:, -1:] = 2 * error / len(error)  # ∂ mean(error²) / ∂y
        circuit.backward(grad_y)
        for name, grad in circuit.grads.items():
            circuit.params[name].sub_(10 * grad)
    return losses, circuit.params


@demo
def seeds_that_succeed() -> Table:
    """Learning "exactly one" from 20 random starts"""
    rows = []
    for name, wiring in (
        ("one neuron", ONE),
        ("two hidden", TWO_LAYERS),
        ("three hidden", THREE_HIDDEN),
    ):
        last = [learn(learner(wiring, seed))[0][-1] for seed in range(20)]
        rows.append((name, sum(loss < 0.01 for loss in last), min(last), max(last)))
    return Table(("wiring", "of 20 succeed", "lowest last loss", "highest"), rows)


# %% [markdown]
# One neuron never learns it: it ends up answering 0.5 to everything, a loss of 0.25. With two hidden neurons
# 18 of 20 starts succeed. Of the others, seed 10 is slow and gets there within 1,500 steps; seed 1 is stuck
# at 0.125 even after 3,000. With three hidden neurons all 20 succeed. Training is not sure to work.
#
# Now let the corners be anywhere between down and up. One neuron cuts the square with one straight line. Two
# lines make a band, and a band is what "exactly one" takes.


# %%
@demo
def lines_and_bands() -> Figure:
    """N4's answer: white 0, dark 1; in the corners, what it should be"""
    one, by_hand, learned = (
        Circuit(ONE, Step),
        Circuit(TWO_LAYERS, Step),
        learner(TWO_LAYERS, seed=0),
    )
    learn(learned)
    ticks = torch.linspace(-0.3, 1.3, 161)
    square = torch.cartesian_prod(ticks, ticks)  # (161², 2), N1 and N2
    figure, axes = new_figure(1, 3, width=3.0)
    names = ("one neuron, 3 of 4", "two layers, by hand", "two layers, learned")
    for axis, title, circuit in zip(axes, names, (one, by_hand, learned), strict=True):
        y = circuit.forward(square)[:, -1].view(161, 161).T  # rows N2, columns N1
        axis.pcolormesh(
            ticks.numpy(), ticks.numpy(), y.numpy(), cmap="Blues", vmin=0, vmax=1.5
        )
        for place, wanted in zip(*smirks(), strict=True):
            axis.text(
                *place.tolist(),
                f"{wanted.item():g}",
                bbox={"fc": OTHER[0]},
                ha="center",
                va="center",
            )
        axis.set(
            title=title,
            xlabel="N1, left corner",
            ylabel="N2, right corner",
            aspect="equal",
        )
    return figure


# %% [markdown]
# ## See it: who should hear whom?
#
# Why not let everybody hear everybody? Among 5 neurons each hears 4 others: 20 connections. Among 1,000 each
# hears 999: nearly a million, and each has a weight to be learned. And nobody is first or last any more, so
# one pass does not settle who fires.
#
# In layers, a neuron hears only the layer before its own. The same 1,000 neurons in 10 layers of 100 need
# less than a tenth. The last row is the network that will read digits in lesson 17, its inputs included.


# %%
@demo
def count_connections() -> Table:
    """Everybody to everybody, against layers"""
    rows = [
        (n, "everybody to everybody", len(list(permutations(range(n), 2))))
        for n in (5, 1000)
    ]
    for layers in ([2, 2, 1], [500] * 2, [100] * 10, [784, 128, 64, 10]):
        name = f"{len(layers)} layers, the first of {layers[0]}"
        rows.append((sum(layers), name, sum(a * b for a, b in pairwise(layers))))
    return Table(("neurons", "wired", "connections"), rows)


# %% [markdown]
# ## They agree
#
# Training can make rounding errors grow: with seed 0, which waits long before its loss falls, more than a
# thousandfold. The pair below trains from seed 17, where they grow less than tenfold.


# %%
def learn_torch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """The first 100 steps by `mse_loss` and `torch.optim.SGD`, from the same start."""
    circuit, losses, (faces, wanted) = (
        TorchCircuit(learner(TWO_LAYERS, seed=17), nn.Sigmoid),
        [],
        smirks(),
    )
    optimizer = torch.optim.SGD(circuit.parameters(), lr=10)
    for _ in range(100):
        loss = nn.functional.mse_loss(circuit(faces)[:, -1:], wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, dict(circuit.named_parameters())


SOFT = (
    (lambda case: Circuit(FACE, Sigmoid)),
    (lambda case: TorchCircuit(Circuit(FACE, Sigmoid), nn.Sigmoid)),
)
PAIRS = [
    layer_pair("step", lambda case: Step(), lambda case: TorchStep()),
    layer_pair(
        "circuit of sigmoids",
        *SOFT,
        lambda case, name: case.tensor(name, case.batch, 2),
    ),
    function_pair(
        "happy face",
        lambda faces: Circuit(FACE, Step).forward(faces),
        lambda faces: TorchCircuit(Circuit(FACE, Step), TorchStep)(faces),
        lambda case: smirks()[0],
    ),
    training_pair(
        "exactly one",
        lambda case: learn(learner(TWO_LAYERS, seed=17), 100),
        learn_torch,
    ),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - Its own step, `torch.heaviside`, refuses to send a gradient through. `x > 0` ends the chain in silence.
# - `nn.ModuleDict` keeps layers by name, but does not know who hears whom. That is up to `forward`.
#
# Next: lesson 03 looks at the curve itself. Lesson 04 makes one matrix of a whole layer of neurons.
