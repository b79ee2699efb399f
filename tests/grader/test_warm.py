"""The warm process grades at once, confirms from outside what has passed, and leaves nothing behind."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curriculum.grader import warm_client
from curriculum.grader.exercise import select_one
from curriculum.grader.process import Children, WarmChild
from curriculum.grader.verdict import Verdict
from tests.natural import Slip, right_answers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a warm process")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Any]]:
    """The warm processes of our own that were started; ended afterwards."""
    folder = tmp_path_factory.mktemp("w")
    started: list[Any] = []
    start = warm_client._start

    def remembered(path: Path) -> Any:
        started.append(start(path))
        return started[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warm_client, "place", lambda: folder / "s")
        patch.setattr(warm_client, "_start", remembered)
        yield started
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def give(started: list[Any], tmp_path: Path) -> Callable[..., Verdict]:
    def graded(text: str, seconds: float = 30) -> Verdict:
        file = tmp_path / select_one("07a").path.name
        file.write_text(text, encoding="utf-8")
        return WarmChild().grade(select_one("07a"), file, seconds)

    return graded


def right() -> str:
    answer: Slip = next(one for one in right_answers() if one.exercise.id == "07a")
    return answer.text


@pytest.mark.slow
def test_one_warm_process_passes_right_answers(give: Callable[..., Verdict], started: list[Any]) -> None:
    assert give(right()).passed
    assert give(right()).passed
    assert len(started) == 1


@pytest.mark.slow
def test_elsewhere_the_answer_gets_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And `watch` begins without a traceback."""
    monkeypatch.setattr(sys, "platform", "darwin")
    file = tmp_path / select_one("07a").path.name
    file.write_text(right(), encoding="utf-8")
    with Children(warm=True) as children:
        children.prepare()
        assert children.spare is not None
        assert children.grade(select_one("07a"), file, 30).passed


def test_a_wrong_one_does_not_pass(give: Callable[..., Verdict]) -> None:
    found = give(right().replace("self.lr * factor", "factor"))
    assert "lr is missing" in found.message


@pytest.mark.parametrize(
    "evil",
    [
        "import curriculum.pair as p\np.TOLERANCE.update(dict.fromkeys(p.TOLERANCE, (9., 9.)))",
        "import curriculum.grader.guard as g\n"
        "import curriculum.grader.child as c\n"
        "from curriculum.grader.verdict import Verdict\n"
        "c.judge = lambda *a: Verdict('passed', 'passed')\ng.Guard.look = lambda self, a, verdict: verdict",
    ],
)
def test_who_changes_the_judge_does_not_pass(give: Callable[..., Verdict], evil: str) -> None:
    wrong = right().replace("self.lr * factor", "factor")
    assert not give(f"{wrong}\n\n{evil}\n").passed


def test_an_early_end_and_a_loop_are_told(give: Callable[..., Verdict]) -> None:
    assert give("import os\nos._exit(0)").kind == "died"
    assert give("while True: pass", seconds=1).kind == "time"


def test_a_daemon_ends_with_its_answer(give: Callable[..., Verdict], tmp_path: Path) -> None:
    number = tmp_path / "number"
    daemon = (
        "import os, time, pathlib\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        f"        pathlib.Path({str(number)!r}).write_text(str(os.getpid()))\n"
        "        time.sleep(60)\n"
        "    os._exit(0)\n"
        "time.sleep(0.5)\n"
    )
    assert give(daemon + right()).passed
    with pytest.raises(ProcessLookupError):
        os.kill(int(number.read_text()), 0)
