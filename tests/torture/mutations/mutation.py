"""What a mutation is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """One mistake.

    Attributes:
        name: what it is called; no other has the same name.
        breaks: what somebody was promised and does not get.
        file: where it is put in, from the checkout's folder.
        find: stands once in the file.
        put: stands there instead.
        tests: what is to catch it, as pytest's command line.
    """

    name: str
    breaks: str
    file: str
    find: str
    put: str
    tests: str
