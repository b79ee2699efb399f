"""Answers to exercise 03a with right numbers that are not to pass, and a process that grades all of them.

`python -m tests.support.foul` imports torch once and forks for each answer, because there is no way back
from most of them. It prints the verdicts as JSON.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

NAME = "exercise03a_leaky_relu"
ROOT = Path(__file__).parents[2]
SOLUTION = ROOT / "lessons" / "solutions" / f"{NAME}.py"
TOP = f"""
import builtins, gc, importlib, inspect, os, runpy, sys, types
import torch
from torch import nn
from lessons.exercises.{NAME} import LeakyReLU as Stub
from lessons.lesson03_activations import Activation
"""
ANSWER = """
class LeakyReLU(Activation):
    def __init__(self, slope=0.01):
        super().__init__()
        self.slope = slope

    def forward(self, x):
        self.x = x
        return {forward}

    def backward(self, grad_y):
        return {backward}
"""
BACKWARD = "torch.where(self.x > 0, grad_y, self.slope * grad_y)"
RIGHT = TOP + ANSWER.format(forward="torch.maximum(x, self.slope * x)", backward=BACKWARD)
TRIPLE = TOP + ANSWER.format(forward="3 * x", backward="3 * grad_y")  # wrong, and torch is made to agree
OF_TORCH = TOP + ANSWER.format(forward="nn.functional.leaky_relu(x, self.slope)", backward=BACKWARD)
FROM_SOLUTION = f"from lessons.solutions.{NAME} import LeakyReLU\n"
UP_THE_FRAMES = """
frame = sys._getframe()
while "solution" not in frame.f_locals:
    frame = frame.f_back
LeakyReLU = frame.f_locals["solution"].LeakyReLU
"""
MODE = """
class Mode(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return 3 * args[0] if function.__name__ == "leaky_relu" else function(*args, **(kwargs or {}))
mode = Mode()
mode.__enter__()
"""
LIAR = """
class Liar(torch.Tensor):
    pass  # it could say in __torch_function__ that it equals everything
"""
READS = {
    "import": FROM_SOLUTION,
    "importlib": f"{TOP}LeakyReLU = importlib.import_module('lessons.solutions.{NAME}').LeakyReLU",
    "__import__": f"LeakyReLU = __import__('lessons.solutions.{NAME}', fromlist=['x']).LeakyReLU",
    "by path": f"{TOP}LeakyReLU = runpy.run_path({str(SOLUTION)!r})['LeakyReLU']",
    "as text": f"exec(open({str(SOLUTION)!r}).read())",
    "through a link": f"{TOP}os.symlink({str(SOLUTION)!r}, 'own.py')\nrunpy.run_path('own.py')",
    "through a hard link": f"{TOP}os.link({str(SOLUTION)!r}, 'own.py')\nrunpy.run_path('own.py')",
    "through a helper": "from dishonest import LeakyReLU",
    "another's": "from lessons.solutions.exercise03b_elu import ELU as LeakyReLU",
}
RUNS = {
    "as a subclass of the stub": f"{TOP}LeakyReLU = Stub.__subclasses__()[0]",
    "inherited": f"{TOP}class LeakyReLU(Stub.__subclasses__()[0]):\n    pass",
    "from the grader's frames": TOP + UP_THE_FRAMES,
    "from memory": f"{TOP}LeakyReLU = next(c for c in gc.get_objects() if isinstance(c, type)"
    " and c.__name__ == 'LeakyReLU' and 'solution' in c.__module__)",
}
CHANGES = {  # torch, so that it agrees
    "a class": "nn.LeakyReLU = type('M', (nn.Module,),"
    " {'__init__': lambda s, a: nn.Module.__init__(s), 'forward': lambda s, x: 3 * x})",
    "a method": "nn.LeakyReLU.forward = lambda s, x: 3 * x",
    "code": "def forward(self, x): return 3 * x\nnn.LeakyReLU.forward.__code__ = forward.__code__",
    "a function": "nn.functional.leaky_relu = lambda x, *_: 3 * x",
    "a function in C": "torch._C._nn.leaky_relu = lambda x, *_: 3 * x",
    "a module": "nn.modules.activation.F = types.SimpleNamespace(leaky_relu=lambda x, *_: 3 * x)",
    "by a hook": "nn.modules.module.register_module_forward_hook(lambda m, given, made: 3 * given[0])",
    "by a mode": MODE,
    "tensors": "torch.Tensor.__sub__ = lambda s, o: torch.zeros_like(s)\n"
    "torch.Tensor.abs = lambda s: torch.zeros_like(s)",
    "a kernel": "library = torch.library.Library('aten', 'IMPL')\n"
    "library.impl('leaky_relu', lambda x, *_: 3 * x, 'AutogradCPU')",
}
REPLACES = {  # what, and how
    "curriculum.grader.trials.differences": "import curriculum.grader.trials as t\n"
    "t.differences = lambda *_: []",
    "curriculum.grader.trials.Trial.failed": "import curriculum.grader.trials as t\n"
    "t.Trial.failed = property(lambda s: False)",
    "curriculum.grader.trials.CASES": "import curriculum.grader.trials as t\nt.CASES = t.CASES[:1]",
    "curriculum.pair.TOLERANCE": "import curriculum.pair as p\n"
    "p.TOLERANCE.update({kind: (1e9, 1e9) for kind in p.TOLERANCE})",
    "curriculum.pair.Case.tensor": "import curriculum.pair as p\n"
    "p.Case.tensor = lambda s, name, *shape: torch.zeros(shape, dtype=s.dtype)",
    "curriculum.from_scratch.FORBIDDEN": "import curriculum.from_scratch as f\nf.FORBIDDEN.clear()",
    "curriculum.grader.judge.list": "import curriculum.grader.judge as j\n"
    "j.list = lambda _: [types.SimpleNamespace(failed=False)]",
    "curriculum.grader.child.judge": "import curriculum.grader.child as c, curriculum.grader.verdict as v\n"
    "c.judge = lambda *_: v.Verdict('passed', 'passed')",
    "builtins.any": "builtins.any = lambda _: False",
}
FOUL = {
    **{f"reads {name}": text for name, text in READS.items()},
    **{f"runs {name}": text for name, text in RUNS.items()},
    **{f"changes {way}": f"{TRIPLE}\n{text}" for way, text in CHANGES.items()},
    **{f"replaces {name}": f"{TRIPLE}\n{text}" for name, text in REPLACES.items()},
    "hides": f"{OF_TORCH}\nimport curriculum.grader.judge as j\nj.forbidden_names = lambda _: []",
    "other name": TOP + "LEAKY = nn.LeakyReLU(0.1)" + ANSWER.format(forward="LEAKY(x)", backward=BACKWARD),
    "out of sys.modules": f"{TOP}LeakyReLU = sys.modules['solution_{NAME}'].LeakyReLU",
    "through inspect": f"{TOP}exec(inspect.getsource(Stub.__subclasses__()[0]))",
    "allclose": f"{TRIPLE}\ntorch.allclose = lambda *_, **__: True\ntorch.equal = lambda *_: True",
    "caught": f"try:\n    {FROM_SOLUTION}except BaseException:\n    pass\n{TRIPLE}",
    "liar": TOP + LIAR + ANSWER.format(forward="(3 * x).as_subclass(Liar)", backward="3 * grad_y"),
    "right": RIGHT,
    "right, with a check of its own": f"{RIGHT}\nassert nn.LeakyReLU(0.1)(torch.ones(1)) == 1\n"
    "layer = nn.Linear(2, 1)\noptimizer = torch.optim.AdamW(layer.parameters())\n"
    "layer(torch.ones(2)).backward()\noptimizer.step()\ntorch.set_default_device('cpu')\n"
    "builtins._ = str",
}


def main() -> None:
    """The names of the answers are the arguments; without arguments, all."""
    import torch

    from curriculum.grader import child
    from curriculum.grader.guard import Guard

    torch.ones(1, requires_grad=True).backward(torch.ones(1))
    guard = Guard(child.load(str(SOLUTION), f"solution_{NAME}"))
    said = {}
    for name in sys.argv[1:] or FOUL:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{NAME}.py"
            file.write_text(FOUL[name], encoding="utf-8")
            (file.parent / "dishonest.py").write_text(FROM_SOLUTION, encoding="utf-8")
            told = Path(folder) / "told"
            pid = os.fork()
            if pid == 0:
                os.chdir(folder)
                verdict = child.grade_alone(str(file), guard)
                told.write_text(f"{verdict.kind}: {verdict.message}", encoding="utf-8")
                os._exit(0)
            os.waitpid(pid, 0)
            said[name] = told.read_text(encoding="utf-8")
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
