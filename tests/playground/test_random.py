"""The page draws what torch draws, bit for bit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.support.playground import ask_browser, ask_node, browser, needs_browser, needs_node

SEEDS = (*range(16), 41, 1234, 2**31, 2**32 - 1)
COUNTS = (1, 2, 17, 700)  # 700: the state is stirred once more
SIZES = ((1, 1), (2, 3), (3, 5), (64, 10), (7, 640))
DTYPES = {"float32": torch.float32, "float64": torch.float64}


def asked() -> list[dict[str, Any]]:
    questions: list[dict[str, Any]] = []
    for seed in SEEDS:
        for count in COUNTS:
            questions += [{"kind": "rand", "seed": seed, "count": count, "dtype": name} for name in DTYPES]
            questions.append({"kind": "randperm", "seed": seed, "count": count})
        questions += [{"kind": "starts", "seed": seed, "sizes": SIZES, "dtype": name} for name in DTYPES]
    return questions


def torch_answers(question: dict[str, Any]) -> Any:
    generator = torch.Generator().manual_seed(question["seed"])
    if question["kind"] == "randperm":
        return torch.randperm(question["count"], generator=generator).tolist()
    dtype = DTYPES[question["dtype"]]
    if question["kind"] == "rand":
        return torch.rand(question["count"], dtype=dtype, generator=generator).tolist()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(question["seed"])
        layers = [nn.Linear(n_in, n_out, dtype=dtype) for n_in, n_out in question["sizes"]]
    return [{"weight": x.weight.flatten().tolist(), "bias": x.bias.tolist()} for x in layers]


def fused() -> bool:
    """Where the CPU has no such instruction, or it is switched off, torch itself rounds twice."""
    return torch.backends.cpu.get_cpu_capability() not in ("DEFAULT", "NO AVX")


needs_fused = pytest.mark.skipif(not fused(), reason="torch rounds twice on this CPU")


@needs_node
@needs_fused
def test_every_bit_is_torchs() -> None:
    questions = asked()
    for question, answer in zip(questions, ask_node(questions), strict=True):
        assert answer == torch_answers(question), question


@needs_browser
@needs_fused
def test_in_the_browser_too(tmp_path: Path) -> None:
    questions = asked()[:: len(SEEDS) // 4]
    with browser() as chromium:
        answers = ask_browser(chromium.new_page(), tmp_path, questions)
    for question, answer in zip(questions, answers, strict=True):
        assert answer == torch_answers(question), question


@needs_node
@needs_fused
def test_the_whole_network_of_mnist_starts_alike() -> None:
    sizes = ((784, 128), (128, 64), (64, 10))
    for seed in (0, 41):
        for name in DTYPES:
            question = {"kind": "starts", "seed": seed, "sizes": sizes, "dtype": name}
            assert ask_node([question])[0] == torch_answers(question)
