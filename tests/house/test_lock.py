"""requirements.lock: the versions that continuous integration tests, each file with its hash."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def pins(file: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def test_the_lock_has_the_versions_that_are_tested() -> None:
    lock, tested = pins("requirements.lock"), pins("constraints.txt")
    assert len(tested) > 50
    assert {name: lock.get(name) for name in tested} == tested, "make it anew with: make lock"


def test_every_file_in_the_lock_has_a_hash_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.partition("make lock\n")[2].strip())
    assert len(entries) == len(pins("requirements.lock"))
    for entry in entries:
        assert re.fullmatch(r"\S+==\S+( ;[^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+", entry), entry
