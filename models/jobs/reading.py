"""What a network has read on a picture, and how the terminal shows it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curriculum.data import DIGITS
from curriculum.picture import SIDE, Picture, Prepared, Whole
from curriculum.runs.terminal import printable

STRANGE = "this may be no digit"
NONE_OF_THEM = "this may be none of the classes"
INK = 0.4  # from which on a pixel counts as ink in the terminal
BAR = 30  # characters of a bar, at most
BARS = 10
LEAST_BAR = 8
LONGEST_NAME = 12  # characters of a class's name that are shown beside its bar
EIGHTHS = " ▏▎▍▌▋▊▉█"
# Half blocks by (upper, lower) pixel; for terminals without Unicode, letters.
HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
PLAIN_HALVES = {(False, False): " ", (True, False): "'", (False, True): ".", (True, True): "#"}


@dataclass(frozen=True)
class Symbol:
    """One symbol, the probability of each class, and whether it may be none of them."""

    prepared: Prepared | Whole
    probabilities: list[float]
    is_strange: bool
    classes: tuple[str, ...] = DIGITS

    @property
    def ranking(self) -> list[int]:
        """The numbers of the classes, the most probable first."""
        return sorted(range(len(self.probabilities)), key=lambda number: -self.probabilities[number])

    @property
    def answer(self) -> int:
        return self.ranking[0]

    @property
    def second(self) -> int:
        return self.ranking[1]

    @property
    def verdict(self) -> str:
        """The answer in words."""
        first, second = (
            f"{self.classes[number]} ({percent(self.probabilities[number])})" for number in self.ranking[:2]
        )
        return f"{first}, second guess {second}" + (f": {self.doubt}" if self.is_strange else "")

    @property
    def doubt(self) -> str:
        """What is said of a symbol that is unlike all that the network has learned."""
        return STRANGE if self.classes == DIGITS else NONE_OF_THEM

    @property
    def shares(self) -> dict[str, float]:
        """Probabilities by the name of the class: of up to ten all in order, of more the ten largest."""
        every = range(len(self.classes))
        shown = every if len(self.classes) <= BARS else self.ranking[:BARS]
        return {self.classes[number]: self.probabilities[number] for number in shown}

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON.

        `answer`, `second`: numbers of classes. `box`: left, top, right, bottom in the picture, in pixels.
        """
        return {
            "answer": self.answer,
            "second": self.second,
            "name": self.classes[self.answer],
            "may_be_no_digit": self.is_strange,
            "probabilities": self.probabilities,
            "box": self.prepared.box,
        }


@dataclass(frozen=True)
class Reading:
    """A picture file, and its symbols in reading order."""

    path: Path
    symbols: list[Symbol]

    @property
    def answers(self) -> str:
        """The digits, or names, in a row, a question mark behind what may be none."""
        return " ".join(
            f"{symbol.classes[symbol.answer]}{'?' * symbol.is_strange}" for symbol in self.symbols
        )

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"picture": str(self.path), "symbols": [symbol.plain() for symbol in self.symbols]}

    def lines(self, width: int, unicode: bool) -> Iterator[str]:
        """For a terminal of `width` characters: the answers, then each symbol as the network sees it."""
        yield f"{printable(str(self.path))}: {self.answers}"
        for symbol in self.symbols:
            yield ""
            yield symbol.verdict
            yield from _beside(picture(symbol.prepared.digit, unicode), bars(symbol, width, unicode), width)


def percent(share: float) -> str:
    """With one digit behind the point, and never 100 % of what is not certain."""
    return f"{min(100 * share, 99.9):.1f}%"


def picture(pixels: Picture, unicode: bool) -> list[str]:
    """(28, 28) in 14 lines of 28 characters, each two pixels high."""
    halves = HALVES if unicode else PLAIN_HALVES
    ink = pixels > INK
    pairs = zip(ink[0::2].tolist(), ink[1::2].tolist(), strict=True)
    return ["".join(halves[pair] for pair in zip(upper, lower, strict=True)) for upper, lower in pairs]


def bars(symbol: Symbol, width: int, unicode: bool) -> list[str]:
    """Up to ten lines: the class, its bar, its probability. The longest bar is 100 %."""
    names = {name: printable(name)[:LONGEST_NAME] for name in symbol.shares}
    longest_name = max(map(len, names.values()))
    beside = width - SIDE - len("    99.9%") - longest_name
    below = width - len("  99.9%") - longest_name
    longest = min(BAR, beside if beside >= LEAST_BAR else max(1, below))
    return [
        f"{names[name]:<{longest_name}} {bar(share, longest, unicode):<{longest}} {percent(share):>5}"
        for name, share in symbol.shares.items()
    ]


def bar(share: float, longest: int, unicode: bool) -> str:
    """`longest` characters for 1; to an eighth of a character where the terminal knows Unicode."""
    if not unicode:
        return "#" * round(share * longest)
    whole, eighths = divmod(round(share * longest * 8), 8)
    return "█" * whole + EIGHTHS[eighths].strip()


def _beside(left: list[str], right: list[str], width: int) -> list[str]:
    """Two blocks side by side where they fit, else one below the other; no spaces at the ends."""
    if len(left[0]) + 2 + max(map(len, right)) > width:
        return [line[:width].rstrip() for line in (*left, *right)]
    above = (len(left) - len(right)) // 2
    right = [""] * above + right + [""] * (len(left) - len(right) - above)
    return [f"{one}  {other}".rstrip() for one, other in zip(left, right, strict=True)]
