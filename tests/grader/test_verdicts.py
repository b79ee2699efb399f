"""What learners write gets one clear line, and what the numbers say is told. All in this process."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from curriculum.grader.exercise import select_one
from curriculum.grader.verdict import Grade, Verdict
from tests.support.double import AFTER, MISTAKE, answer

MISBEHAVIOURS = {
    "syntax error": ("def broken(:\n", "error", r"line 1 is not Python, .+: def broken\(:"),
    "import error": ("import nowhere_to_be_found\n", "error", r"ModuleNotFoundError \(line 1\): No module"),
    "missing name": ("class Duoble: ...\n", "error", r"it defines no Double; expected that name"),
    "not written": (answer('raise NotImplementedError("write forward")'), "not written",
                    r"not written yet: write forward \(line 11\)"),
    "exception": (answer("return x @ x"), "error", r"RuntimeError \(line 11\): mat1 and mat2"),
    "exception in a function": (answer("return f(x)", top="def f(x):\n    return x @ x"), "error",
                                r"RuntimeError \(line 5\): mat1 and mat2"),
    "forgotten return": (answer("2 * x"), "diagnosis", "forward returns nothing"),
    "forgotten return of backward": (answer(backward="2 * grad_y"), "diagnosis",
                                     "backward returns nothing"),
    "number": (answer(backward="return 2.0"), "error", r"grad_x is of type float; expected a tensor"),
    "no gradients": (answer(top="", forward="self.params = {'w': x[0]}; return 2 * x"), "error",
                     r"it does not fit the exercise: grads are \[\], params are \['w'\]"),
    "deep recursion": (answer("return self.forward(x)"), "error", r"RecursionError \(line 1[01]\)"),
    "sys.exit": (answer("sys.exit(0)"), "error", r"it calls sys.exit \(line 11\)"),
    "sys.exit at the top": (answer(top="sys.exit()"), "error", r"it calls sys.exit \(line 4\)"),
    "autograd": (answer(backward="return torch.autograd.grad((2 * self.x).sum(), self.x)[0]"), "not by hand",
                 r"it asks autograd for the gradient \(line 14\)"),
    "torch.nn": (answer("return nn.functional.leaky_relu(2 * x, 1.0)"), "not by hand",
                 r"right numbers, but it uses functional, nn"),
    "long message": (answer("raise ValueError('no' * 4000)"), "error",
                     r"ValueError \(line 11\): nono.{295}…$"),
    "null bytes": ("\0", "error", r"null bytes"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "message"), MISBEHAVIOURS.values(), ids=MISBEHAVIOURS.keys())
def test_misbehaviour_is_one_clear_line(
    say: Callable[[str], Verdict], text: str, kind: str, message: str
) -> None:
    verdict = say(text)
    assert (verdict.kind, verdict.passed) == (kind, False)
    assert re.search(message, verdict.message), verdict.message
    assert "\n" not in verdict.message
    assert "Traceback" not in verdict.message


NUMBERS = {
    "a mistake of the list": (answer(backward="return 1 * grad_y"), "mistake", MISTAKE),
    "sign": (answer(backward="return -2 * grad_y"), "pattern", "sign: it is torch's with the opposite sign"),
    "batch": (answer(backward="return 2 * grad_y * len(grad_y)"), "pattern", "mean forgotten"),
    "batch twice": (answer(backward="return 2 * grad_y / len(grad_y)"), "pattern", "mean taken twice"),
    "transposed": (answer(backward="return 2 * grad_y.T"), "pattern", "transposed"),
    "factor": (answer("return 3 * x"), "pattern", "it is 1.5 times torch's"),
    "upstream": (answer(backward="return 2 * torch.ones_like(grad_y)"), "pattern",
                 "upstream gradient ignored"),
    "zeros": (answer(backward="return 0 * grad_y"), "pattern", "it is zero everywhere"),
    "in place": (answer("return x.mul_(2)"), "diagnosis", "it changes x, which it should only read"),
    "dtype": (answer("return (2 * x).double()"), "pattern", "dtype lost: output has dtype torch.float64"),
    "one number": (answer("return 2 * x + (x == 0)"), "diagnosis",
                   "line 11: + (x == 0) is one too many"),
    "shape": (answer(backward="return 2 * grad_y.flatten()"), "diagnosis",
              "backward returns a tensor of the shape"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "message"), NUMBERS.values(), ids=NUMBERS.keys())
def test_the_bug_is_named(say: Callable[[str], Verdict], text: str, kind: str, message: str) -> None:
    verdict = say(text)
    assert (verdict.kind, verdict.passed) == (kind, False)
    assert message in verdict.message
    assert any(detail.startswith("differs: ") for detail in verdict.details)
    assert verdict.details[-1] == "read again: lessons/lesson01_neuron.py:3"


def test_a_failure_in_some_cases_only_says_which(say: Callable[[str], Verdict]) -> None:
    verdict = say(answer("return 2 * x if len(x) > 1 else 2 * x + x ** 2"))
    assert verdict.details[0] == "differs: output (only with batch 1, n_in 4, n_out 3) · agrees: grad_x, x"
    assert verdict.message == "line 11: len(x) >= 1 is wanted where len(x) > 1 stands"
    assert verdict.details[1].startswith("double, batch 1, n_in 1, n_out 1: output[0, 0] is ")
    assert verdict.details[2].startswith("there, x is [[")


def test_the_example_can_be_done_on_paper_and_what_it_printed_is_read(
    say: Callable[[str], Verdict], capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = say(answer(backward="print('seen', grad_y.tolist()); return 2 * grad_y + (self.x < -1)"))
    assert verdict.message == "double, batch 1, n_in 1, n_out 1: grad_x[0, 0] is 3, torch has 2"
    assert verdict.details[1:3] == (
        "finite differences of your forward: 2; backward does not fit forward",
        "there, x is [[-2]], grad_output is [[1]]",
    )
    printed = capsys.readouterr().out.splitlines()
    assert printed[-2:] == ["seen [[1.0]]", "seen [[1.0]]"]  # in the step before and in the one shown
    assert len(printed) == 4 * 2 + 2  # in the four cases and in the example, not in the search for it


def test_lines_are_at_most_80_wide(say: Callable[[str], Verdict]) -> None:
    verdict = say(answer("return 2 * x + (x == 0)"))
    lines = Grade(select_one("01a"), verdict).lines()
    assert lines[:2] == [
        "01a Double, a: line 11: + (x == 0) is one too many",
        "  differs: output · agrees: grad_x, x",
    ]
    wide = replace(verdict, details=("word " * 40,))
    rows = Grade(select_one("01a"), wide).lines()
    assert max(map(len, rows)) <= 80
    assert " ".join(rows).count("word") == 40


def test_codes_that_a_terminal_obeys_are_shown_as_text(say: Callable[[str], Verdict]) -> None:
    verdict = replace(say(answer("raise ValueError('\\x1b[2J\\x07gone')")), printed="\x1b]0;title\x07\tä")
    lines = "\n".join(Grade(select_one("01a"), verdict).lines())
    assert "\\x1b[2J\\x07gone" in lines
    assert "| \\x1b]0;title\\x07\tä" in lines
    assert "\x1b" not in lines


UNSPEAKABLE = """
class Unspeakable(Exception):
    def __str__(self): return 1 / 0
"""


def test_an_error_without_words_is_said_as_it_is(say: Callable[[str], Verdict]) -> None:
    verdict = say(answer(top=UNSPEAKABLE + "raise Unspeakable"))
    assert verdict.kind == "error"
    assert re.fullmatch(
        r"Unspeakable \(line \d+\): its message cannot be read, __str__ raises ZeroDivisionError",
        verdict.message,
    )


def test_the_last_lines_that_were_printed_are_told(say: Callable[[str], Verdict]) -> None:
    printed = "".join(f"line {number}\n" for number in range(30))
    lines = Grade(select_one("01a"), replace(say(answer()), printed=printed)).lines()
    assert lines[:4] == ["01a Double, a: passed", *AFTER, "  it printed:"]
    assert lines[4:] == [f"  | line {number}" for number in range(10, 30)]


# ---------------------------------------------------------------- files beside the answer


@pytest.mark.parametrize(
    ("top", "message"),
    [
        (
            "open('data.txt')",
            "it opens data.txt in the folder that it runs in, here an empty one: "
            "open it as Path(__file__).with_name('data.txt') (line 4)",
        ),
        (
            "from .helper import double",
            "it is no part of a package, so a relative import finds nothing: leave out the dot (line 4)",
        ),
        (
            "from random import double",
            "Python has another module random than the one beside it: give yours another name (line 4)",
        ),
        (
            "import curriculum; curriculum.double",
            "Python has another module curriculum than the one beside it: give yours another name (line 4)",
        ),
        (
            "open('nowhere.txt')",
            "FileNotFoundError (line 4): [Errno 2] No such file or directory: 'nowhere.txt'",
        ),
        ("math.double", "AttributeError (line 4): module 'math' has no attribute 'double'"),
    ],
)
def test_what_is_not_found_as_where_python_runs_the_file(
    say: Callable[[str], Verdict], mine: Path, top: str, message: str
) -> None:
    for name in ("data.txt", "helper.py", "random.py", "curriculum.py"):
        (mine / name).write_text("double = 2")
    assert say(answer(top=top)).message == message
