"""The recorded figures are compared, and recorded, as `tests/support/recorded.py` says."""

import json
from pathlib import Path

import pytest

from tests.support import recorded as module
from tests.support.cpus import EXTREMES, SETTINGS, environment
from tests.support.recorded import FIGURES_GO_TO, recorded, remake


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of its own, with one figure that was 0.90 to 0.92."""
    path = tmp_path / "recorded.json"
    path.write_text(json.dumps({"figures": {"lesson99": {"share": {"one": 0.90, "other": 0.92}}}}))
    monkeypatch.setattr(module, "FILE", path)
    monkeypatch.delenv(FIGURES_GO_TO, raising=False)
    return path


@pytest.mark.usefixtures("file")
def test_a_figure_lies_in_its_range_or_near_it() -> None:
    for value in (0.871, 0.90, 0.91, 0.949):
        recorded("lesson99", "share", value, room=0.03)
    for value in (0.86, 0.96, float("nan")):
        with pytest.raises(AssertionError, match=r"recorded 0\.9 to 0\.92"):
            recorded("lesson99", "share", value, room=0.03)


@pytest.mark.usefixtures("file")
def test_a_text_may_not_be_more_exact_than_the_cpus_agree() -> None:
    with pytest.raises(AssertionError, match=r"stated to 0\.01"):
        recorded("lesson99", "share", 0.91, room=0.01)


def test_figures_are_recorded_anew_and_others_stay(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {name: tmp_path / name for name in ("one", "other")}
    for name, value in (("one", 0.5), ("other", 0.123456)):
        monkeypatch.setenv(FIGURES_GO_TO, str(figures[name]))
        recorded("lesson98", "loss", value, room=0.0)
    remake(figures)
    assert json.loads(file.read_text(encoding="utf-8"))["figures"] == {
        "lesson98": {"loss": {"one": 0.5, "other": 0.1235}},
        "lesson99": {"share": {"one": 0.90, "other": 0.92}},
    }


def test_a_setting_gets_its_own_variables_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    assert len(SETTINGS) == 6
    slowest, fastest = (environment(setting) for setting in EXTREMES)
    assert (slowest["ATEN_CPU_CAPABILITY"], slowest["OMP_NUM_THREADS"]) == ("default", "1")
    assert "ATEN_CPU_CAPABILITY" not in fastest
    assert fastest["OMP_NUM_THREADS"] == "2"
