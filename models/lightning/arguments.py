"""The words of the command line, before LightningCLI reads them: recipes by their names, and `--resume`."""

import itertools
import os
from pathlib import Path

from curriculum import UserError
from curriculum.shell import quoted
from models.records.folder import RunFolder

RECIPES = Path(__file__).parents[1] / "recipes"


def complete(arguments: list[str]) -> list[str]:
    """The options as LightningCLI understands them.

    Raises:
        UserError: there is no run to go on with, or `--resume` stands beside other options.
    """
    return _with_run(_with_recipes(arguments))


def _with_recipes(arguments: list[str]) -> list[str]:
    """`--config default` → the recipe of that name, where it is not a file here."""
    found = list(arguments)
    for index, (option, value) in enumerate(itertools.pairwise(arguments), start=1):
        recipe = RECIPES / f"{value}.yaml"
        if option in ("-c", "--config") and recipe.exists() and not Path(value).exists():
            found[index] = str(recipe)
    return found


def _with_run(arguments: list[str]) -> list[str]:
    """`--resume [RUN]` → the run's own options, and the run."""
    words = [word for argument in arguments for word in _split(argument)]
    started_by_ddp = "LOCAL_RANK" in os.environ
    if "--resume" not in words or started_by_ddp:
        return words
    at = words.index("--resume")
    given = [word for word in words[at + 1 : at + 2] if not word.startswith("-")]
    others = words[:at] + words[at + 1 + len(given) :]
    log_dir = Path("runs")
    if len(others) == 2 and others[0] == "--log_dir":
        log_dir = Path(others[1])
    elif others:
        raise UserError(f"--resume goes on with the options that the run began with; leave {others[0]} out")
    run = RunFolder(Path(given[0]).absolute()) if given else _newest_stopped(log_dir)
    if run.is_finished:
        raise UserError(
            f"{run.path} was not stopped, it is finished; "
            f"see it with: curriculum runs show {quoted(run.path)}"
        )
    if not run.config.is_file():
        raise UserError(f"{run.path} has no config.yaml, so it cannot go on; begin anew: curriculum fit")
    return ["--config", str(run.config), "--resume", str(run.path)]


def _split(argument: str) -> list[str]:
    """`--resume=RUN` → `--resume`, `RUN`."""
    return argument.split("=", 1) if argument.startswith(("--resume=", "--log_dir=")) else [argument]


def _newest_stopped(log_dir: Path) -> RunFolder:
    run = RunFolder.newest_stopped(log_dir, "fit")
    if run is None:
        raise UserError(f"no run of fit in {log_dir} was stopped; begin one with: curriculum fit")
    return run
