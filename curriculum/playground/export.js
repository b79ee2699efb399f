"use strict";

// A run as a program: with PyTorch, or with the lessons' own classes. Both print the losses of this page.

/** @returns {string} a Python program that needs torch alone */
function torchScript(session) {
  const { settings } = session;
  const layers = layersOf(session, (nIn, nOut) => `nn.Linear(${nIn}, ${nOut})`, (name) => `nn.${name}()`);
  const momentum = settings.optimizer === "SGD" ? `, momentum=${settings.momentum}` : "";
  return `"""The run of the page, with PyTorch: prints the loss of each of its ${session.step} steps."""

import torch
from torch import nn

${given(session)}
torch.manual_seed(SEED)  # decides the first weights
model = nn.Sequential(
${layers}
)
criterion = nn.${settings.loss}()
optimizer = torch.optim.${settings.optimizer}(
    model.parameters(), lr=LR${momentum}, weight_decay=${settings.decay}
)


def change(name, at, value):
    """What was changed by hand: a weight, or the learning rate."""
    if name == "lr":
        optimizer.param_groups[0]["lr"] = value
        return
    with torch.no_grad():
        model.get_parameter(name).view(-1)[at] = value


${loop(session, `    loss = criterion(model(x[rows]), target[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()`)}`;
}

/** @returns {string} a Python program that needs torch's tensors and the lessons */
function scratchScript(session) {
  const { settings } = session;
  const layers = layersOf(session, (nIn, nOut) => `Linear(${nIn}, ${nOut})`, (name) => `${name}()`);
  const [optimizer, options] = {
    SGD: ["MomentumSGD", `, momentum=${settings.momentum}`],
    Adam: ["AdamL2", ""],
  }[settings.optimizer];
  const hasCurve = session.sizes.length > 2;
  const lessons = [
    ["lesson01_neuron", settings.activation === "Sigmoid" && hasCurve ? ["Sigmoid"] : []],
    ["lesson03_activations", settings.activation !== "Sigmoid" && hasCurve ? [settings.activation] : []],
    ["lesson04_layers", ["Linear", "Sequential"]],
    ["lesson05_losses", settings.loss === "CrossEntropyLoss" ? [] : [settings.loss]],
    ["lesson06_cross_entropy", settings.loss === "CrossEntropyLoss" ? [settings.loss] : []],
    ["lesson11_training", ["train_step"]],
    ["lesson12_optimizers", [optimizer]],
  ];
  const used = lessons.filter(([, names]) => names.length > 0);
  const imports = used.map(([lesson, names]) => `from lessons.${lesson} import ${names.join(", ")}`);
  return `"""The run of the page, with the lessons' classes: prints the loss of each of its ${session.step} steps.

Needs the curriculum: pip install scratch-to-mnist, or run it in a checkout.
"""

import torch

${imports.join("\n")}

${given(session)}
torch.manual_seed(SEED)  # decides the first weights
model = Sequential(
${layers}
)
criterion = ${settings.loss}()
optimizer = ${optimizer}(model.params, lr=LR${options}, weight_decay=${settings.decay})


def change(name, at, value):
    """What was changed by hand: a weight, or the learning rate."""
    if name == "lr":
        optimizer.lr = value
        return
    model.params[name].view(-1)[at] = value


${loop(session, "    loss = train_step(model, criterion, optimizer, x[rows], target[rows])")}`;
}

/** What both programs begin with: settings and points. */
function given(session) {
  const { settings, points, changes, step } = session;
  const oneHot = settings.loss === "CrossEntropyLoss"
    ? ""
    : `target = torch.nn.functional.one_hot(target, ${session.classes}).double()  # yes or no for each class\n`;
  const made = changes.filter((change) => change.step <= step);
  const rows = points.map((point) => `    (${point.join(", ")}),`);
  const rowsOfChanges = made.map((c) => `    (${c.step}, "${c.name}", ${c.at}, ${c.value}),`);
  return `torch.set_default_dtype(torch.float64)
SEED = ${settings.seed}
LR = ${settings.lr}
BATCH_SIZE = ${settings.batch}
STEPS = ${step}
# After so many steps, by hand: a parameter, the place in it, its new value.
CHANGES = [${rowsOfChanges.length ? `\n${rowsOfChanges.join("\n")}\n` : ""}]
# x, y, class
POINTS = [
${rows.join("\n")}
]

x = torch.tensor([point[:2] for point in POINTS])  # (${points.length}, 2)
target = torch.tensor([point[2] for point in POINTS])  # (${points.length},)
${oneHot}`;
}

function layersOf(session, linear, activation) {
  const lines = [];
  for (let i = 1; i < session.sizes.length; i += 1) {
    lines.push(linear(session.sizes[i - 1], session.sizes[i]), activation(session.settings.activation));
  }
  return lines.slice(0, -1).map((line) => `    ${line},`).join("\n");
}

/** The loop of both; `step` is how they learn from the rows of a batch. */
function loop(session, step) {
  return `def apply_changes(step):
    for after, name, at, value in CHANGES:
        if after == step:
            change(name, at, value)


generator = torch.Generator().manual_seed(SEED)  # decides the order of the points
batches = []
apply_changes(0)
for step in range(STEPS):
    if not batches:
        batches = list(torch.randperm(len(x), generator=generator).split(BATCH_SIZE))
    rows = batches.pop(0)
${step}
    print(loss.item())
    apply_changes(step + 1)
`;
}
