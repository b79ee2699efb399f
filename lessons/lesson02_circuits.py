# %% [markdown]
# # Lesson 02 · Circuits of neurons
#
# *What can several neurons do together that no single one can?*
#
# Needs: lessons 00, 01 · Time: 25 minutes

# %%
from collections.abc import Callable
from itertools import pairwise, permutations, product
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor, nn

from curriculum.demo import demo
from curriculum.draw import DATA, NEGATIVE, POSITIVE, new_figure
from curriculum.pair import compare, function_pair, layer_pair, training_pair
from curriculum.table import Table
from lessons.lesson01_neuron import Identity, Neuron, Sigmoid, TorchNeuron

# %% [markdown]
# ## Exactly one
#
# Look at a mouth. Two numbers say how it is: N1 is 1 if its left corner is up, else 0.
# N2 says the same of the right corner. That makes four mouths. When exactly one corner
# is up, it is a smirk.
#
# We want a neuron that *fires* at a smirk: it puts out 1 there, and 0 at the other
# three mouths. Its activation function is a *step*: 1 if the sum is above 0, else 0.
# Instead of a bias one often names the *threshold*: "fires if the weighted sum of the
# inputs is above 0.5" means a bias of −0.5: sum − 0.5 > 0.
#
# Try the weights 1 and 1, and the threshold 0.5:
#
# | mouth | N1 | N2 | sum | fires | wanted |
# |---|---|---|---|---|---|
# | both down | 0 | 0 | 0 | no | no |
# | right up | 0 | 1 | 1 | yes | yes |
# | left up | 1 | 0 | 1 | yes | yes |
# | both up | 1 | 1 | 2 | **yes** | no |
#
# Three of four. Can any two weights and a threshold get all four?
#
# **No.** To fire for either corner alone it takes $w_1 + b > 0$ and $w_2 + b > 0$. To
# be silent for none it takes $b \le 0$. Add the first two and take $b$ away:
#
# $$w_1 + w_2 + b > -b \ge 0$$
#
# So it fires for both corners as well, and must not. That is the proof. The function is
# known as *exclusive or*, XOR. In lesson 01's words: one neuron draws one line, and no
# line parts these four corners of a square.


# %% tags=["hide-input"]
CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))  # N1, N2: of the four mouths
MOUTHS = ("both down", "right up", "left up", "both up")


def draw_mouth(axis: Axes, x: float, y: float, mouth: tuple[int, int]) -> None:
    """A face; each corner of its mouth is up or down."""
    axis.add_patch(Circle((x, y), 0.8, facecolor="white", edgecolor=DATA, zorder=2))
    axis.plot([x - 0.28, x + 0.28], [y + 0.25] * 2, "o", color=DATA, markersize=3)
    steps = torch.linspace(-1, 1, 41)
    left, right = (0.28 if up else -0.28 for up in mouth)
    height = torch.where(steps < 0, left, right) * steps**2
    across = (x + 0.42 * steps).tolist()
    axis.plot(across, (y - 0.27 + height).tolist(), color=DATA, linewidth=2, zorder=3)


@demo
def no_line_parts_them() -> Figure:
    """Filled dots want 1, rings want 0: each line leaves one on the wrong side"""
    figure, axes = new_figure(1, 3, width=3.2, height=3.4)
    lines = ((1.0, 1.0, -0.5), (-1.0, -1.0, 1.5), (-1.0, 1.0, -0.5))
    for axis, (w1, w2, b) in zip(axes, lines, strict=True):
        ticks = torch.linspace(-0.5, 1.5, 3)
        z = w1 * ticks + w2 * ticks[:, None] + b  # rows: N2
        axis.contourf(ticks, ticks, z, [0, 9], colors=[POSITIVE], alpha=0.25)
        for x, y in CORNERS:
            wanted = x != y
            face = DATA if wanted else "white"
            axis.plot(x, y, "o", color=DATA, markerfacecolor=face, markersize=10)
            if wanted != (w1 * x + w2 * y + b > 0):
                axis.text(x, y + 0.14, "wrong", ha="center", color=NEGATIVE)
        title = f"weights {w1:g} and {w2:g}, bias {b:g}".replace("-", "−")
        axis.set_title(title, fontsize=10)
        axis.set(xlabel="N1, left corner", ylabel="N2, right corner", aspect="equal")
        axis.set(xticks=(0, 1), yticks=(0, 1))
    return figure


# %% [markdown]
# Blue is where the neuron fires.
#
# <details><summary>What do you expect? We try 17 values, from −2 to 2, for each weight
# and for the bias: 4,913 neurons. How many get "both up" right at all four mouths? And
# "exactly one"?</summary>
#
# 120 get "both up". For "exactly one" it is none, as it must be.
#
# </details>


# %% tags=["hide-input"]
@demo
def search_one_neuron() -> Table:
    """4,913 single neurons: how many are right at 0, 1, 2, 3 or all 4 mouths?"""
    steps = torch.arange(-2, 2.1, 0.25).tolist()
    grid = torch.tensor(list(product(steps, repeat=3)))  # (4913, 3): w₁, w₂, b
    mouths = 1.0 * torch.tensor(CORNERS)  # (4, 2)
    # (4913, 2) @ (2, 4) + (4913, 1) → (4913, 4)
    fires = grid[:, :2] @ mouths.T + grid[:, 2:] > 0
    rows = []
    for name, wanted in (
        ("both", [0, 0, 0, 1]),
        ("at least one", [0, 1, 1, 1]),
        ("exactly one", [0, 1, 1, 0]),
    ):
        right = (fires == torch.tensor(wanted)).sum(1)
        rows.append((name, *torch.bincount(right, minlength=5).tolist()))
    return Table(("wanted", "0 right", "1", "2", "3", "all 4"), rows)


# %% [markdown]
# ## Two more neurons
#
# "Exactly one" is "at least one, but not both". Each half is within reach of a single
# neuron. So let two neurons look first, and a third hear those two:
#
# - *any* hears the corners with the weights 1 and 1, and fires above 0.5,
# - *both* hears them with the weights 1 and 1, too, and fires above 1.5,
# - *one* hears *any* with the weight 1 and *both* with the weight −1, and fires above
#   0.5.
#
# | mouth | any | both | sum of *one* | fires |
# |---|---|---|---|---|
# | both down | 0 | 0 | 0 | no |
# | right up | 1 | 0 | 1 | yes |
# | left up | 1 | 0 | 1 | yes |
# | both up | 1 | 1 | 0 | no |
#
# Neurons between the inputs and the answer are called *hidden*. A *layer* is a group of
# neurons that hear the same others. Here *any* and *both* are a hidden layer, and *one*
# is a layer of its own: two layers. (Inputs compute nothing, and are not counted. In
# code a curve alone is often called a layer, too.)
#
# ## From scratch
#
# A wiring says whom each neuron hears, with which weights, and above which threshold it
# fires. A neuron may only hear those that stand before it. Then one pass from first to
# last is enough.


# %%
class Step(Identity):
    """Fires or does not: y = 1 where x > 0, else 0. Any shape."""

    def forward(self, x: Tensor) -> Tensor:
        return (x > 0).to(x.dtype)

    def backward(self, grad_y: Tensor) -> Tensor:
        """Flat on both sides of 0: ∂y/∂x = 0. At 0 it jumps; we say 0 there too."""
        return torch.zeros_like(grad_y)


Wiring = dict[str, tuple[dict[str, float], float]]

TWO_LAYERS: Wiring = {
    "any": ({"N1": 1.0, "N2": 1.0}, 0.5),
    "both": ({"N1": 1.0, "N2": 1.0}, 1.5),
    "one": ({"any": 1.0, "both": -1.0}, 0.5),
}


class Circuit:
    """Neurons that hear N1, N2 and each other. x: (batch, 2) → y: (batch, neurons).

    >>> Circuit(TWO_LAYERS, Step).forward(torch.tensor([[1.0, 0.0]]))  # any, both, one
    tensor([[1., 0., 1.]])
    """

    def __init__(self, wiring: Wiring, activation: type[Identity | Sigmoid]) -> None:
        self.wiring = wiring
        self.neurons: dict[str, Neuron] = {}
        self.params: dict[str, Tensor] = {}  # "any.weight", "any.bias", …
        self.grads: dict[str, Tensor] = {}
        for name, (heard, threshold) in wiring.items():
            self.neurons[name] = Neuron(len(heard), activation())
            self.params[f"{name}.weight"] = torch.tensor([list(heard.values())])
            self.params[f"{name}.bias"] = torch.tensor([-threshold])

    def forward(self, x: Tensor) -> Tensor:
        signals = {"N1": x[:, :1], "N2": x[:, 1:]}  # (batch, 1) each
        for name, (heard, _) in self.wiring.items():
            neuron = self.neurons[name]
            for key in neuron.params:  # `self.params` alone says what they are
                neuron.params[key] = self.params[f"{name}.{key}"]
            inputs = torch.cat([signals[other] for other in heard], dim=1)
            signals[name] = neuron.forward(inputs)
        return torch.cat([signals[name] for name in self.wiring], dim=1)


def smirks() -> tuple[Tensor, Tensor]:
    """The four mouths (4, 2), and whether exactly one corner is up (4, 1)."""
    mouths = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return mouths, torch.tensor([[0.0], [1.0], [1.0], [0.0]])


# %% [markdown]
# `torch.cat(…, dim=1)` puts columns side by side. The parameters of all neurons stand
# in one dictionary, in the order of the wiring.


# %% tags=["hide-input"]
PLACES = {  # of the neurons, under a face at (0, 3.6)
    "N1": (-1.0, 2.0),
    "N2": (1.0, 2.0),
    "any": (-1.0, 0.3),
    "both": (1.0, 0.3),
    "one": (0.0, -1.2),
}


def draw_wire(axis: Axes, start: Any, end: Any, color: str, thick: float) -> None:
    """An arrow from the rim of one neuron to the rim of another."""
    (x0, y0), (x1, y1) = start, end
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    dx, dy = 0.45 * (x1 - x0) / length, 0.45 * (y1 - y0) / length
    look = {
        "arrowstyle": "-|>",
        "color": color,
        "lw": thick,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    axis.annotate("", (x1 - dx, y1 - dy), (x0 + dx, y0 + dy), arrowprops=look, zorder=1)


def draw_circuit(
    axis: Axes, wiring: Wiring, places: dict[str, Any], fires: dict[str, bool]
) -> None:
    """Neurons that fire are blue; so are their wires, orange if they hold down."""
    for name, (x, y) in places.items():
        lit = fires[name]
        look: dict[str, Any] = {
            "facecolor": POSITIVE if lit else "white",
            "edgecolor": DATA,
        }
        axis.add_patch(Circle((x, y), 0.45, zorder=3, **look))
        threshold = f"\n> {wiring[name][1]:g}" if name in wiring else ""
        color = "white" if lit else DATA
        words: dict[str, Any] = {
            "ha": "center",
            "va": "center",
            "fontsize": 9,
            "zorder": 4,
        }
        axis.text(x, y, name + threshold, color=color, **words)
        for other, weight in wiring.get(name, ({}, 0))[0].items():
            color = POSITIVE if weight > 0 else NEGATIVE
            active = fires[other]
            draw_wire(
                axis,
                places[other],
                (x, y),
                color if active else "0.8",
                1.8 if active else 0.8,
            )
    axis.set_aspect("equal")
    axis.axis("off")


@demo
def four_mouths() -> Figure:
    """Who fires at which mouth: blue wires add 1, the orange one takes 1 away"""
    figure, axes = new_figure(1, 4, width=2.5, height=4.6)
    said = Circuit(TWO_LAYERS, Step).forward(smirks()[0])
    for axis, title, corners, row in zip(axes, MOUTHS, CORNERS, said, strict=True):
        draw_mouth(axis, 0.0, 3.6, corners)
        fires = dict(zip(PLACES, (*corners, *row.bool().tolist()), strict=True))
        draw_circuit(axis, TWO_LAYERS, PLACES, fires)
        axis.set(xlim=(-1.6, 1.6), ylim=(-1.8, 4.6))
        axis.set_title(title)
    return figure


# %% [markdown]
# ## Why it works: the hidden plane
#
# *one* never sees the corners. It sees *any* and *both*, and draws its line in *their*
# plane. Where do the four mouths lie there? Both smirks land on the same point, (1, 0).
# "Both down" stays at (0, 0), "both up" at (1, 1). Now one line is enough. The hidden
# layer has moved the mouths to places where the question is easy.


# %% tags=["hide-input"]
def draw_plane(axis: Axes, spots: Tensor, above: Callable[..., Tensor]) -> None:
    """The mouths (4, 2) in a plane; blue where `above` of the two numbers is above 0.

    Mouths that share a place get one dot, grey if they want different answers.
    """
    ticks = torch.linspace(-0.35, 1.35, 201)
    z = above(ticks.expand(201, 201), ticks[:, None].expand(201, 201))
    axis.contourf(ticks, ticks, z, [0, 1e9], colors=[POSITIVE], alpha=0.25)
    names: dict[tuple[float, float], list[str]] = {}
    for spot, title in zip(spots.tolist(), MOUTHS, strict=True):
        at = next((near for near in names if same_spot(near, spot)), tuple(spot))
        names.setdefault(at, []).append(title)
    for (x, y), own in names.items():
        wanted = {name in ("left up", "right up") for name in own}
        face = "0.6" if len(wanted) == 2 else DATA if True in wanted else "white"
        axis.plot(x, y, "o", color=DATA, markerfacecolor=face, markersize=10)
        down = y > 0.5
        side = "top" if down else "bottom"
        label = axis.text(x, y + (-0.09 if down else 0.09), "\n".join(own), va=side)
        label.set(ha="center", fontsize=9)
    axis.set(xlim=(-0.35, 1.35), ylim=(-0.35, 1.35), aspect="equal")
    axis.set(xticks=(0, 1), yticks=(0, 1))


def same_spot(one: Any, other: Any) -> bool:
    """Whether two places would be drawn on top of each other."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) < 0.12


def band(n1: Tensor, n2: Tensor) -> Tensor:
    """Above 0 where *any* fires and *both* does not."""
    return torch.minimum(n1 + n2 - 0.5, 1.5 - n1 - n2)


def last_neuron(circuit: Circuit) -> Callable[..., Tensor]:
    """The sum of *one*, from what the two hidden neurons say."""
    w1, w2 = circuit.params["one.weight"][0].tolist()
    b = circuit.params["one.bias"].item()
    return lambda first, second: w1 * first + w2 * second + b


@demo
def the_hidden_plane() -> Figure:
    """The mouths as the inputs see them, and as "one" does; blue: it fires"""
    circuit = Circuit(TWO_LAYERS, Step)
    mouths, _ = smirks()
    hidden = circuit.forward(mouths)[:, :2]
    figure, (left, right) = new_figure(1, 2, width=4.2, height=4.2)
    draw_plane(left, mouths, band)
    draw_plane(right, hidden, last_neuron(circuit))
    for place, words in ((0.31, "any fires"), (0.69, "both is silent")):
        look = {"rotation": -45, "ha": "center", "va": "center", "fontsize": 9}
        left.text(place, place, words, color=POSITIVE, **look)
    left.set(xlabel="N1, left corner", ylabel="N2, right corner")
    left.set_title("inputs: two lines, a band")
    right.set(xlabel="any", ylabel="both", title="hidden plane: one line")
    return figure


# %% [markdown]
# ## A face of five neurons
#
# Circuits need not be layered. Here N3 fires for a smile (both corners), N4 for a smirk
# (exactly one), and N5 for a happy face: a smile, and not a smirk. N4 hears the corners
# *and* N3, with the weight −2. So on a smile its sum is 1 + 1 − 2 = 0. The wires from
# the corners to N4 skip a neuron: the field says *skip connection*.


# %%
FACE: Wiring = {
    "N3": ({"N1": 1.0, "N2": 1.0}, 1.5),
    "N4": ({"N1": 1.0, "N2": 1.0, "N3": -2.0}, 0.5),
    "N5": ({"N3": 1.0, "N4": -1.0}, 0.5),
}
happy_face = Circuit(FACE, Step)


# %% tags=["hide-input"]
@demo
def the_circuit() -> Figure:
    """At a smile: weights on the wires, thresholds in the neurons; blue neurons fire"""
    figure, axis = new_figure(width=6.0, height=4.2)
    spots = ((0.0, 3.0), (0.0, 0.0), (2.6, 3.0), (3.6, 0.0), (5.6, 1.7))
    places = dict(zip(("N1", "N2", *FACE), spots, strict=True))
    said = happy_face.forward(torch.ones(1, 2))[0].bool().tolist()
    fires = dict(zip(places, (True, True, *said), strict=True))
    draw_circuit(axis, FACE, places, fires)
    draw_mouth(axis, -1.4, 1.5, (1, 1))
    for name, meaning in (("N3", "smile"), ("N4", "smirk"), ("N5", "happy")):
        x, y = places[name]
        axis.text(x + 0.5, y + 0.3, meaning, color=DATA, fontsize=9)
    for name, (heard, _) in FACE.items():
        for other, weight in heard.items():
            (x0, y0), (x1, y1) = places[other], places[name]
            at = 0.28 if other in ("N1", "N2") else 0.5
            color = POSITIVE if weight > 0 else NEGATIVE
            axis.text(
                x0 + at * (x1 - x0),
                y0 + at * (y1 - y0),
                f"{weight:g}".replace("-", "−"),
                color=color,
                ha="center",
                va="center",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
                zorder=2,
            )
    axis.set(xlim=(-2.3, 6.8), ylim=(-0.6, 3.6))
    return figure


@demo
def who_fires() -> Table:
    """All four mouths, all five neurons: 1 fires"""
    mouths, _ = smirks()
    fires = torch.cat((mouths, happy_face.forward(mouths)), 1).int().tolist()
    rows = [(name, *row) for name, row in zip(MOUTHS, fires, strict=True)]
    return Table(("mouth", "N1", "N2", *FACE), rows)


# %% [markdown]
# No neuron here knows what a face is. N5 compares a sum with 0.5. The meaning lies in
# the wiring, and in us, who named the inputs. And look again: N5 fires exactly when N3
# does. Cut the wire from N4 to N5, and no output changes. A happy face, put like this,
# needs one neuron only. It is the smirk that needs help.
#
# ## The same with PyTorch
#
# `torch.nn` has no step. We make one from `sign`, which is −1, 0 or 1, and whose slope
# PyTorch takes to be 0.


# %%
class TorchStep(nn.Module):
    """1 above 0, else 0."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sign(x).clamp(min=0)


class TorchCircuit(nn.ModuleDict):
    """A circuit of `nn.Linear` neurons, with the wiring and parameters of `circuit`."""

    def __init__(self, circuit: Circuit, activation: type[nn.Module]) -> None:
        neurons = {}
        for name, (heard, _) in circuit.wiring.items():
            neurons[name] = TorchNeuron(len(heard), activation())
        super().__init__(neurons)
        self.wiring = circuit.wiring
        self.load_state_dict(circuit.params)  # by name

    def forward(self, x: Tensor) -> Tensor:
        signals = {"N1": x[:, :1], "N2": x[:, 1:]}
        for name, (heard, _) in self.wiring.items():
            inputs = torch.cat([signals[other] for other in heard], dim=1)
            signals[name] = self[name](inputs)
        return torch.cat([signals[name] for name in self.wiring], dim=1)


# %% [markdown]
# ## See it: a circuit learns its weights
#
# We set these weights by hand. Can a circuit find them, as the film neuron of lesson 01
# did? Not with steps: their slope is 0 everywhere, so every gradient is 0, and no
# weight is told which way to move. The sigmoid is a soft step, and it has a slope. So
# we take sigmoid neurons, and draw weights and biases at random between −1 and 1.
# Another seed (lesson 01) gives another draw.
#
# How do slopes get back through a circuit? A preview; lesson 08 is about it. Start at
# the last neuron and go to the first. Each neuron's `backward` says how far the loss
# moves with each that it hears. Who is heard by several gets several such numbers, and
# they add up (lesson 00: over several paths add). The folded cell does that.


# %% tags=["hide-input"]
class LearningCircuit(Circuit):
    """A circuit that also finds its gradients."""

    def backward(self, grad_y: Tensor) -> Tensor:
        """From the last neuron to the first. Say B and C hear A, and both move L.

        Then ∂L/∂A = ∂L/∂B · ∂B/∂A + ∂L/∂C · ∂C/∂A: each hands A its part.
        """
        sent = dict(zip(self.wiring, grad_y.split(1, dim=1), strict=True))
        sent["N1"] = torch.zeros_like(grad_y[:, :1])  # (batch, 1) each
        sent["N2"] = torch.zeros_like(grad_y[:, :1])
        self.grads = {}
        for name in reversed(self.wiring):
            neuron = self.neurons[name]
            parts = neuron.backward(sent[name])  # (batch, neurons heard)
            for i, other in enumerate(self.wiring[name][0]):
                sent[other] = sent[other] + parts[:, i : i + 1]
            for key, grad in neuron.grads.items():
                self.grads[f"{name}.{key}"] = grad
        return torch.cat([sent["N1"], sent["N2"]], dim=1)  # (batch, 2)


# %% tags=["hide-input"]
ONE: Wiring = {"one": TWO_LAYERS["any"]}
THREE_HIDDEN: Wiring = {
    "third": TWO_LAYERS["any"],
    **TWO_LAYERS,
    "one": (dict.fromkeys(("third", "any", "both"), 1.0), 0.5),
}


def learner(wiring: Wiring, seed: int) -> LearningCircuit:
    """The wiring with sigmoid neurons and with random weights and biases."""
    circuit = LearningCircuit(wiring, Sigmoid)
    generator = torch.Generator().manual_seed(seed)
    for param in circuit.params.values():
        drawn = torch.rand(
            param.shape, generator=generator, dtype=torch.float64, device="cpu"
        )
        param.copy_(2 * drawn - 1)
    return circuit


# %% [markdown]
# Each step sees all four mouths. The loss is the mean squared error of *one*, the last
# neuron. What the hidden neurons say is not judged: their part of `grad_y` is 0. A run
# ends when the loss falls below 0.01 (then each answer is within 0.2 of what was
# wanted), or after 500 steps. The learning rate is large, 10: a sigmoid's slope is at
# most ¼, and two in a row make small gradients.


# %%
def learn(
    circuit: LearningCircuit, steps: int = 500, lr: float = 10.0
) -> tuple[list[float], dict[str, Tensor]]:
    """Train the last neuron to say "exactly one"; the losses and the parameters."""
    mouths, wanted = smirks()
    losses: list[float] = []
    for _ in range(steps):
        y = circuit.forward(mouths)  # (4, neurons)
        error = y[:, -1:] - wanted  # (4, 1)
        losses.append((error**2).mean().item())
        if losses[-1] < 0.01:
            break
        grad_y = torch.zeros_like(y)
        grad_y[:, -1:] = 2 * error / len(error)
        circuit.backward(grad_y)
        for name, grad in circuit.grads.items():
            circuit.params[name] = circuit.params[name] - lr * grad
    return losses, circuit.params


# %% [markdown]
# <details><summary>What do you expect? Twenty random starts each: one neuron, two
# hidden, three hidden. How many of the twenty learn "exactly one"?</summary>
#
# One neuron: none, as proven. Two hidden neurons can do it, but not from every start.
# Look at the figure.
#
# </details>


# %% tags=["hide-input"]
@demo
def seeds_that_succeed() -> Figure:
    """Learning "exactly one" from 20 starts: blue gets below 0.01, orange does not"""
    figure, axes = new_figure(1, 3, width=3.5, height=3.4)
    wirings = {
        "one neuron": ONE,
        "two hidden": TWO_LAYERS,
        "three hidden": THREE_HIDDEN,
    }
    for axis, (name, wiring) in zip(axes, wirings.items(), strict=True):
        succeed = 0
        for seed in range(20):
            losses, _ = learn(learner(wiring, seed))
            arrives = losses[-1] < 0.01
            succeed += arrives
            color, style = (POSITIVE, "-") if arrives else (NEGATIVE, "--")
            axis.plot(losses, style, color=color, linewidth=0.9)
        axis.axhline(0.01, color="0.6", linestyle=":")
        axis.set(title=f"{name}: {succeed} of 20", yscale="log", ylim=(0.008, 0.7))
        axis.set(xlabel="step", xlim=(0, 500))
        axis.set(yticks=(0.01, 0.1, 0.25), yticklabels=("0.01", "0.1", "0.25"))
        axis.minorticks_off()
    axes[0].set_ylabel("loss")
    return figure


# %% [markdown]
# One neuron ends up answering ½ to everything, a loss of 0.25. With two hidden neurons
# 18 of 20 starts succeed. Of the others, seed 10 is slow and gets there within 1,500
# steps. Seed 1 is stuck near 0.125 even after 10,000. With three hidden all 20 succeed.
#
# How much of that is our choice of settings? We tried 200 starts for each of the rates
# 3, 10 and 30, with first weights up to ½, 1, 3 and 5, for 1,500 steps. With two hidden
# neurons 79 to 194 of the 200 learned it, with three 146 to 200, with four 171 to 200.
# So the numbers depend on the settings. That a third hidden neuron helped does not: it
# held in all twelve, although two would do. (Also with momentum and Adam, which lesson
# 12 brings.)
#
# What did they learn, and what is "stuck"? Look into the hidden plane.


# %% tags=["hide-input"]
@demo
def learned_hidden_planes() -> Figure:
    """After training: where the mouths lie, and blue where the answer is above ½"""
    figure, axes = new_figure(1, 3, width=3.7, height=4.3)
    titles = {0: "seed 0: learned", 17: "seed 17: learned", 1: "seed 1: stuck"}
    for axis, (seed, title) in zip(axes, titles.items(), strict=True):
        circuit = learner(TWO_LAYERS, seed)
        learn(circuit)
        hidden = circuit.forward(smirks()[0])[:, :2]
        draw_plane(axis, hidden, last_neuron(circuit))
        axis.set(xlabel="first hidden neuron", title=title)
    axes[0].set_ylabel("second hidden neuron")
    return figure


# %% [markdown]
# **Seed 0** found our own solution, with the two names exchanged: the first neuron says
# "both", the second "any". **Seed 17** found another: the first fires for the left
# corner alone, the second for the right alone. **Seed 1** put "left up" and "both up"
# on the same point (grey). One wants 1, the other 0, and the last neuron cannot tell
# them apart. It says ½ to both: a loss of (¼ + ¼) / 4 = 0.125.
#
# ## See it: who should hear whom?
#
# Why not let everybody hear everybody? Among 5 neurons each hears 4 others: 20
# connections. Among 1,000 each hears 999: nearly a million, and each has a weight to be
# learned. And nobody is first or last any more, so one pass does not settle who fires.
#
# In layers, a neuron hears only the layer before its own. The same 1,000 in ten groups
# of 100 need less than a tenth. The last row is the network that will read digits in
# lesson 17: 784 pixels, then three layers.


# %% tags=["hide-input"]
@demo
def count_connections() -> Table:
    """Everybody to everybody, against layers"""
    rows = []
    for n in (5, 1000):
        rows.append((n, "everybody to everybody", len(list(permutations(range(n), 2)))))
    for sizes in ([2, 2, 1], [500] * 2, [100] * 10, [784, 128, 64, 10]):
        count = sum(a * b for a, b in pairwise(sizes))
        short = "–".join(map(str, sizes)) if len(sizes) < 5 else "ten groups of 100"
        rows.append((sum(sizes), f"in layers: {short}", count))
    return Table(("neurons and inputs", "wired", "connections"), rows)


# %% [markdown]
# ## They agree


# %% tags=["hide-input"]
def learn_torch() -> tuple[list[float], dict[str, Tensor]]:
    """The first 100 steps by `mse_loss` and `torch.optim.SGD`, from the same start."""
    circuit = TorchCircuit(learner(TWO_LAYERS, seed=17), nn.Sigmoid)
    optimizer = torch.optim.SGD(circuit.parameters(), lr=10)
    mouths, wanted = smirks()
    losses = []
    for _ in range(100):
        loss = nn.functional.mse_loss(circuit(mouths)[:, -1:], wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, dict(circuit.named_parameters())


def step_pair(step: type[Step]) -> Any:
    """A step held against PyTorch's."""
    return layer_pair("step", lambda case: step(), lambda case: TorchStep())


PAIRS = [
    step_pair(Step),
    layer_pair(
        "circuit of sigmoids",
        lambda case: LearningCircuit(FACE, Sigmoid),
        lambda case: TorchCircuit(Circuit(FACE, Sigmoid), nn.Sigmoid),
        lambda case, name: case.tensor(name, case.batch, 2),
    ),
    function_pair(
        "happy face",
        lambda mouths: Circuit(FACE, Step).forward(mouths),
        lambda mouths: TorchCircuit(Circuit(FACE, Step), TorchStep)(mouths),
        lambda case: smirks()[0],
    ),
    training_pair(
        "exactly one",
        lambda case: learn(learner(TWO_LAYERS, seed=17), 100),
        lambda case: learn_torch(),
    ),
]

# %% [markdown]
# Would a mistake show? Suppose the step fired *at* the threshold, too: `x >= 0` in
# place of `x > 0`. The circuit is still right at all four mouths, because no sum there
# is exactly at a threshold.


# %% tags=["hide-input"]
@demo
def right_at_all_four_and_wrong() -> Table:
    """A step that fires at 0: the four mouths do not notice, the comparison does"""

    class Late(Step):
        def forward(self, x: Tensor) -> Tensor:
            return (x >= 0).to(x.dtype)  # the bug

    mouths, wanted = smirks()
    rows = []
    for name, step in (("x > 0", Step), ("x >= 0", Late)):
        said = Circuit(TWO_LAYERS, step).forward(mouths)[:, -1:]
        right = f"{(said == wanted).sum().item()} of 4"
        pair = step_pair(step)
        differ = [found.name for found in compare(pair) if found.problem]
        rows.append((name, right, ", ".join(differ) or "none"))
    return Table(("fires if", "mouths right", "results that differ from torch"), rows)


# %% [markdown]
# The comparison feeds zeros on purpose.
#
# <details><summary>More: why the pair trains from seed 17</summary>
#
# Training can make rounding errors grow. Two computations that agree to 16 digits at
# first may agree to fewer after some hundred steps. From seed 0, which waits long
# before its loss falls, a difference grows more than a thousandfold. From seed 17 it
# grows less than tenfold.
#
# </details>
#
# ## Where PyTorch differs
#
# - Its own step, `torch.heaviside`, refuses to send a gradient through. `x > 0` ends
#   the chain in silence.
# - `nn.ModuleDict` keeps layers by name, but does not know who hears whom. That is up
#   to `forward`.
#
# ## You can now
#
# - prove that one neuron cannot say "exactly one", and wire three that can;
# - say what a hidden layer does: it moves the examples to where a line can part them;
# - train a circuit, and tell a stuck start from a slow one;
# - count connections, and say why networks are layered.
#
# Exercises: `curriculum start 02a` (a circuit that adds) and `curriculum start 02b`
# (find the bug in a ladder of neurons; it uses the folded preview).
# `curriculum check 02a` says how far you are.
#
# Next: the step and the sigmoid are two curves of many. Lesson 03 looks at the curve.
