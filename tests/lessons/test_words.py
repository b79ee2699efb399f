"""No word before it is explained: glossary and symbols of lessons/README.md against the lessons."""

import re
from dataclasses import dataclass
from functools import cache

import pytest

from curriculum.discover import FOLDER, Lesson, lessons
from tests.support.lessons import prose

PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
GLOSSARY = PAGE.partition("### Glossary")[2].partition("\n## ")[0]
SYMBOLS = PAGE.partition("## Symbols")[2].partition("\n## ")[0]
STRESSED = re.compile(r"(?<![*\w])(\*{1,2})(?!\s)([^*]+?)(?<!\s)\1(?![*\w])")
FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$]*\$", re.S)
# Text that names what comes as a term of the field.
CALLED = re.compile(r"(?:called|known as|field says:?|calls it|short for)\s+(?:an? |the )?\*([^*]+)\*")


@dataclass(frozen=True)
class Entry:
    """A row of the glossary; its words mean the same. `everyday`: they have an everyday meaning, too."""

    words: tuple[str, ...]
    everyday: bool
    lesson: int
    file: str

    def is_in(self, text: str) -> bool:
        return any(re.search(_pattern(word), text, re.I) for word in self.words)


def _pattern(word: str) -> str:
    """The word by itself, one or several, over the end of a line, too."""
    return r"(?<![\w-])" + r"\s+".join(map(re.escape, word.split())) + r"(?:s|es)?(?![\w-])"


def _entries() -> list[Entry]:
    found = []
    for words, number, file in re.findall(r"^\| ([^|]+) \| \[(\d\d)\]\((.+?)\) \| [^|]+ \|$", GLOSSARY, re.M):
        plain, bracket, _ = words.partition(" (")
        found.append(Entry(tuple(plain.split(", ")), bool(bracket), int(number), file))
    return found


ENTRIES = _entries()


@cache
def _told(lesson: Lesson) -> str:
    """The prose without examples of code and addresses."""
    text = re.sub(r"```.*?```", "", prose(lesson), flags=re.S)
    return re.sub(r"https?://\S+|arXiv:\S+", "", text)


def _plain(text: str) -> str:
    """Without names of code and without formulas, which are no words."""
    return FORMULA.sub(" ", re.sub(r"`[^`]*`", " ", text))


def _explained(lesson: Lesson) -> str:
    """What the text stresses, its headings, and names of code."""
    text = _told(lesson)
    code = re.findall(r"`[^`]*`", text)
    bare = FORMULA.sub(" ", re.sub(r"`[^`]*`", " ", text))
    headings = re.findall(r"^#+ .*$|<summary>.*?</summary>", bare, re.M | re.S)
    stressed = [found[2] for found in STRESSED.finditer(bare)]
    return "\n".join([*code, *headings, *stressed])


def test_the_glossary_is_sorted_and_each_word_is_there_once() -> None:
    rows = [line for line in GLOSSARY.splitlines() if re.match(r"\| (?!word|---)", line)]
    assert len(rows) == len(ENTRIES) > 150
    assert rows == sorted(rows, key=lambda row: row.partition(" |")[0].lower())
    words = [word for entry in ENTRIES for word in entry.words]
    assert sorted(words) == sorted(set(words))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.words[0])
def test_a_word_is_explained_where_the_glossary_says(entry: Entry) -> None:
    lesson = lessons()[entry.lesson]
    assert (lesson.number, lesson.path.name) == (entry.lesson, entry.file)
    for word in entry.words:
        assert re.search(_pattern(word), _told(lesson), re.I), word
    by_exercise = re.findall(r"^Exercises?:.*?(?=\n\n)", prose(lesson) + "\n\n", re.M | re.S)
    assert entry.is_in("\n".join([_explained(lesson), *by_exercise])), (
        "nothing there says: this is a new word"
    )


def test_no_lesson_uses_a_word_before_it_is_explained(lesson: Lesson) -> None:
    """Unless the paragraph that has it first names the lesson that will explain it."""
    paragraphs = re.split(r"\n\s*\n", _told(lesson))
    early = []
    for entry in ENTRIES:
        if entry.everyday or entry.lesson <= lesson.number:
            continue
        using = [text for text in paragraphs if entry.is_in(_plain(text))]
        if using and not re.search(rf"lessons?\s(?:\d\d,?\s(?:and\s)?)*{entry.lesson:02}", using[0], re.I):
            early.append((entry.words, entry.lesson))
    assert early == []


def test_what_a_lesson_calls_by_a_name_is_in_the_glossary(lesson: Lesson) -> None:
    text = _plain(_told(lesson))
    names = [" ".join(name.split()) for name in CALLED.findall(text)]
    assert [name for name in names if not any(entry.is_in(name) for entry in ENTRIES)] == []


GREEK = {"α": "alpha", "β": "beta", "δ": "delta", "ε": "varepsilon", "η": "eta", "λ": "lambda", "μ": "mu"}


def _letters(formulas: str) -> set[str]:
    greek = re.findall(r"\\(?:alpha|beta|delta|varepsilon|eta|lambda|mu|sigma)(?![A-Za-z])", formulas)
    roman = re.sub(r"\\(?:text|mathrm)\{[^}]*\}|\\[A-Za-z]+", " ", formulas)
    return {*greek, *re.findall(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])", roman)}


def _letters_of(lesson: Lesson) -> set[str]:
    """Those of its formulas, and Greek ones in the text."""
    text = prose(lesson)
    in_text = {f"\\{name}" for letter, name in GREEK.items() if letter in text}
    return in_text | _letters("\n".join(FORMULA.findall(text)))


def test_symbols_of_a_lesson_stand_on_the_page(lesson: Lesson) -> None:
    """Every letter of its table of symbols."""
    tables = re.findall(r"^\| symbol \|.*?(?=\n\n|\Z)", prose(lesson), re.M | re.S)
    first = "\n".join(line.split("|")[1] for table in tables for line in table.splitlines()[2:])
    known = _letters("\n".join(line.split("|")[1] for line in SYMBOLS.splitlines() if line.count("|") > 2))
    assert _letters(first) - {"v", "n", "i", "j"} <= known


def test_the_page_says_truly_which_lessons_have_a_letter() -> None:
    math = {one.number: _letters_of(one) for one in lessons()}
    named = re.findall(r"^\| (\$[^|]+) \|(?: [^|]*\|){2} (\d\d) \|", SYMBOLS, re.M)
    assert len(named) > 15
    for symbol, number in named:
        assert _letters(symbol) & math[int(number)], (symbol, number)
        if len(_letters(symbol)) == 1 and symbol != "$z$":
            using = [one for one, letters in math.items() if _letters(symbol) <= letters]
            assert min(using) <= int(number)
    changing = re.findall(r"^\| (\$[^|]+) \| ([^|]+) \|$", SYMBOLS, re.M)
    assert len(changing) > 15
    for symbol, meanings in changing:
        for number in re.findall(r"(?<=[( ])\d\d(?=[,)])", meanings):
            assert _letters(symbol) <= math[int(number)], (symbol, number)
