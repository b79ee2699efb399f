"""What the documents and the lessons tell a reader to type, to open or to count is there."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from curriculum.cli.main import app
from curriculum.discover import lessons
from curriculum.pair import compare
from tests.support.commands import ROOT

PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "lessons/README.md")
LESSONS = tuple(lesson.path.relative_to(ROOT).as_posix() for lesson in lessons())
COMMANDS: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
LIGHTNINGS = ("fit", "validate", "test", "predict")  # their options are those of Lightning


def code_of(name: str) -> list[str]:
    """What stands in `code` and in fenced blocks, line by line."""
    text = (ROOT / name).read_text(encoding="utf-8")
    if name.endswith(".py"):
        text = re.sub(r"^# ?", "", text, flags=re.M)
    fenced = [line for block in re.findall(r"```\w*\n(.*?)```", text, re.S) for line in block.splitlines()]
    without = re.sub(r"```.*?```", "", text, flags=re.S)
    return fenced + [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", without)]


def typed(name: str) -> Iterator[list[str]]:
    """Each command line of ours: its words without `curriculum`, comments and what it is piped into."""
    for line in code_of(name):
        command = re.split(r"\s#|\s{3,}|\|", line)[0]
        found = re.match(r"(?:[\w./]+ )?(?:python -m )?curriculum ([a-z].*)", command)
        if found:
            yield shlex.split(found[1].replace("'", ""))


def options_of(command: Any) -> set[str]:
    return {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}


@pytest.mark.parametrize("name", [*PAGES, *LESSONS])
def test_commands_and_their_options_exist(name: str) -> None:
    for words in typed(name):
        assert words[0] in COMMANDS, words
        command = COMMANDS[words[0]]
        if words[1:]:
            command = getattr(command, "commands", {}).get(words[1], command)
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        if words[0] not in LIGHTNINGS:
            assert options <= options_of(command), words
    assert sum(1 for _ in typed("README.md")) > 30


@pytest.mark.parametrize("name", PAGES)
def test_targets_of_make_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    named = {
        word
        for line in code_of(name)
        for rest in re.findall(r"(?:^|\s)make((?: [A-Z]+=\S+| [a-z-]+)+)", line.partition("#")[0])
        for word in rest.split()
        if "=" not in word
    }
    assert named <= targets


@pytest.mark.parametrize("name", PAGES)
def test_files_exist(name: str) -> None:
    """Whatever looks like a path in the checkout; N and NAME stand for any."""
    for code in code_of(name):
        for path in re.findall(r"(?<![\w./])(?:curriculum|lessons|models|tests)/[\w./]+", code):
            assert (ROOT / path).exists() or re.search(r"NN|NAME|03a", path), path


def test_the_readme_counts_the_pairs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"compare all +# (\d+) pairs, ([\d,]+) results", text)
    assert found
    assert int(found[1]) == sum(len(lesson.pairs()) for lesson in lessons())


@pytest.mark.slow
def test_the_readme_counts_the_results() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"compare all +# \d+ pairs, ([\d,]+) results", text)
    assert found
    results = sum(len(compare(pair)) for lesson in lessons() for pair in lesson.pairs())
    assert int(found[1].replace(",", "")) == results
