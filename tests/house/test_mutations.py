"""The mutations that `tests/torture/mutations` puts in are those of today's files."""

import ast
import re
import shlex
from pathlib import Path

from tests.torture.mutations import AREAS

ROOT = Path(__file__).parents[2]
MUTATIONS = [mutation for area in AREAS.values() for mutation in area]


def test_no_mutation_is_stale() -> None:
    """A text that is found no more, or twice, would be put in nowhere, and the mistake be forgotten."""
    stale = []
    for mutation in MUTATIONS:
        path = ROOT / mutation.file
        if not path.is_file() or path.read_text(encoding="utf-8").count(mutation.find) != 1:
            stale.append(mutation.name)
    assert stale == []


def test_every_mutation_leaves_python() -> None:
    """Of a file that cannot be imported every test would fail, and nothing be learned."""
    for mutation in MUTATIONS:
        text = (ROOT / mutation.file).read_text(encoding="utf-8")
        wrong = text.replace(mutation.find, mutation.put)
        assert wrong != text, mutation.name
        ast.parse(wrong, mutation.name)


def test_the_tests_of_every_mutation_exist() -> None:
    """The files do, and each word after -k stands in one of them."""
    missing = {mutation.name: _missing(mutation.tests) for mutation in MUTATIONS}
    assert {name: what for name, what in missing.items() if what} == {}


def _missing(tests: str) -> list[str]:
    named, _, chosen = tests.partition(" -k ")
    paths = [ROOT / name for name in named.split()]
    absent = [str(path) for path in paths if not path.is_file()]
    text = "".join(f"{path}\n{path.read_text(encoding='utf-8')}" for path in paths if path.is_file())
    words = set(re.findall(r"\w+", " ".join(shlex.split(chosen)))) - {"and", "or", "not"}
    return absent + sorted(word for word in words if word not in text)


def test_no_two_mutations_have_the_same_name() -> None:
    names = [mutation.name for mutation in MUTATIONS]
    assert len(names) == len(set(names))


def test_a_mutation_that_names_no_test_is_noticed() -> None:
    """The search above finds what is missing."""
    assert _missing("tests/house/test_none.py") == [str(ROOT / "tests/house/test_none.py")]
    assert _missing("tests/house/test_structure.py -k 'house or nowhere_to_be_found'") == [
        "nowhere_to_be_found"
    ]
