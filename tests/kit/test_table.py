"""Tables: what a terminal, a narrow terminal and a notebook show of plain values."""

import io

from rich.console import Console

from curriculum.table import Table, TerminalTable

DIGITS = Table(("name", "share", "right"), [("seven", 0.123456, True), ("one", 12.0, False)], "What is read")


def shown(table: object, width: int) -> str:
    paper = io.StringIO()
    Console(file=paper, width=width).print(table)
    return paper.getvalue()


def test_a_terminal_shows_title_head_and_cells() -> None:
    text = shown(DIGITS, 80)
    assert text.startswith("What is read")
    for part in ("name", "share", "seven", "0.1235", "12", "yes", "no"):
        assert part in text
    row = next(line for line in text.splitlines() if "seven" in line)
    assert "│ seven │" in row, "words stand on the left"
    assert next(line for line in text.splitlines() if "one" in line).count("    12 │") == 1, "numbers, right"


def test_nothing_is_cut_off_in_a_narrow_terminal() -> None:
    text = shown(DIGITS, 12)
    assert "…" not in text
    words = " ".join(text.split())
    assert "name seven, share 0.1235, right yes" in words
    assert "name one, share 12, right no" in words
    assert words.startswith("What is read")


def test_a_table_that_just_fits_stays_a_table() -> None:
    table = TerminalTable("ab", "cd", box=None, padding=(0, 1, 0, 0))
    table.add_row("x", "y")
    assert shown(table, 6).splitlines()[0].split() == ["ab", "cd"]
    assert shown(table, 5).split() == ["ab", "x,", "cd", "y"]


def test_an_empty_table_has_a_head() -> None:
    assert "name" in shown(Table(("name",), []), 80)


def test_a_notebook_gets_markdown() -> None:
    assert DIGITS._repr_markdown_().splitlines() == [
        "**What is read**",
        "",
        "| name | share | right |",
        "| --- | --- | --- |",
        "| seven | 0.1235 | yes |",
        "| one | 12 | no |",
    ]
