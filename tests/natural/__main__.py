"""How the grader fares on mistakes that it was not made for.

    python -m tests.natural

named     its words say what the mistake is
located   it shows a value that differs
nothing   something else that accuses of nothing
false     it names another mistake, or a symptom without its cause
passed    the answer is wrong and passes
"""

from collections import Counter

from tests.natural import FRESH, measured

KINDS = ("named", "located", "nothing", "false", "passed")


def main() -> None:
    """Measure and print, a mistake a line."""
    counts = Counter[str]()
    for slip, how, verdict in measured(FRESH):
        counts[how] += 1
        print(f"{how:<8} {slip.exercise.id}: {slip.name}: {verdict.message}", flush=True)
    print(", ".join(f"{counts[kind]} {kind}" for kind in KINDS), f"of {counts.total()}")


if __name__ == "__main__":
    main()
