"""The slope of an answer's own forward, which tells whether its forward or its backward is to be mended."""

import contextlib
import io
import math
from dataclasses import replace

import torch

from curriculum.grader.trials import Trial, run_side

STEP = 1e-5


def finite_difference(trial: Trial, name: str, entry: tuple[int, ...]) -> float | None:
    """The slope of the answer's own forward along one entry of an input or a parameter.

    None where the pair has no such number, float32 is too coarse for it, the answer raises, or the slopes to
    the left and right differ.
    """
    if not trial.pair.objective or trial.case.dtype != torch.float64:
        return None
    heights = []
    for by in (-STEP, 0.0, STEP):
        case = replace(trial.case, moved=(name, entry, by))
        with contextlib.redirect_stdout(io.StringIO()):
            outcome = run_side(trial.pair.run_scratch, case)
        if outcome.error:
            return None
        heights.append(trial.pair.objective(case, outcome.results).item())
    left = (heights[1] - heights[0]) / STEP
    right = (heights[2] - heights[1]) / STEP
    return (left + right) / 2 if math.isclose(left, right, rel_tol=1e-3, abs_tol=1e-3) else None


def which_half_is_wrong(slope: float, got: float, wanted: float) -> str:
    """What `slope` says of a gradient that is `got` and should be `wanted`; empty where it cannot tell."""
    fits = math.isclose(slope, got, rel_tol=1e-5, abs_tol=1e-6)
    right = math.isclose(slope, wanted, rel_tol=1e-5, abs_tol=1e-6)
    if fits and right:  # too small a difference for this measure
        return ""
    if fits:
        return "backward fits it: mend forward"
    if right:
        return "backward does not fit forward"
    return "forward is wrong, and backward does not fit it"
