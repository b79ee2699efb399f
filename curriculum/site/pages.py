"""The pages that are no lessons, made of what the repository says already: nothing is told twice."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from curriculum.discover import FOLDER, Lesson

ROOT = FOLDER.parent
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#:]+)\)")  # within the repository; with ! a picture
FENCE = "```"
NETWORKS = (
    "models.networks.scratch",
    "models.networks.torch_nn",
    "models.networks.engine",
    "models.lightning.module",
    "models.lightning.data",
)
START = """# From scratch to MNIST

{lead}

![A small network: values flow right, blame flows left](lessons/pictures/lesson.png)

## The path

{path}

## Four ways to use it

- **Follow the lessons.** Each is one page that you read from top to bottom, and one file that you run.
  `curriculum start` hands out the exercises, and PyTorch grades them.
- **Compare.** `curriculum compare 5` holds each piece of lesson 05 against PyTorch, every result by name.
  Each lesson has a [page for it](beside.md).
- **Look into runs.** `curriculum mnist` trains three engines on MNIST; `curriculum tensorboard` shows what
  happened inside. The [tour](runs.md) says where to look.
- **Play.** [A network learns in the browser](play.md): digits or points, with the losses that PyTorch has.

A word that you do not know? [The glossary](words.md) says what it means, and which lesson explains it.

## On your machine

{install}

{lessons}

{others}
"""
# Where a lesson's picture comes on the start page, once the lesson has been built.
THUMB = '<span class="thumb" data-lesson="{lesson}">{picture}</span>'
BESIDE = """# Scratch beside PyTorch

Every piece of the lessons is built twice, and both are run on the same inputs. Each page shows the two codes
side by side and how far their results are apart.

{toctree}
"""
PLAY = """# A network that learns in the browser

The network of the lessons once more, in JavaScript. With the same seed it draws the numbers that PyTorch
draws, so its losses are those of a run of PyTorch, to twelve digits.

- <a href="playground/digits.html">Digits</a>: it learns handwriting while you look, and reads what you draw.
- <a href="playground/points.html">Points</a>: every neuron's answer, step by step and back; change a weight
  by hand. It gives you the run as a program of PyTorch, or with the lessons' classes.
- <a href="playground/pieces.html">Pieces</a>: what stands in the lessons to be touched, on one page.

`curriculum play` shows the same pages on your machine, with `--run scratch` the weights of a run.
"""
NOT_RUN = "# Scratch beside PyTorch: {title}\n\nThis site was built with `--no-run`, so no pair has run.\n"


def write_pages(source: Path, lessons: Sequence[Lesson], repository: str | None = None) -> None:
    """Write all pages but the lessons, and those of single comparisons, into Sphinx's source folder.

    Args:
        repository: its address, where one is known to clone it from.

    Raises:
        OSError: the folder cannot be written to.
    """
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    on_lessons = (FOLDER / "README.md").read_text(encoding="utf-8")
    shutil.copytree(FOLDER / "pictures", source / "pictures", dirs_exist_ok=True)
    pages = {
        "index": _start(readme, lessons, repository),
        "words": "# Symbols and words\n\n" + _part(on_lessons, "Symbols") + _part(on_lessons, "Words"),
        "ideas": "# Ideas\n\n" + _without_last_column(_text_of(on_lessons, "Ideas")),
        "runs": "# A tour of TensorBoard\n\n"
        + _part(readme, "What you will see")
        + _part(readme, "Look at the runs"),
        "teachers": "# For teachers\n\n" + _text_of(readme, "Write it yourself"),
        "beside": BESIDE.format(toctree=_toctree("", [f"compare{lesson.number:02}" for lesson in lessons])),
        "reference": _reference(lessons),
        "play": PLAY,
    }
    shown = {lesson.path.name for lesson in lessons} | {f"{name}.md" for name in pages}
    shown |= {f"compare{lesson.number:02}.md" for lesson in lessons}
    for name, text in pages.items():
        write_if_new(source / f"{name}.md", _with_links(text, shown))


def show_pictures(out: Path, lessons: Sequence[Lesson]) -> None:
    """Put each lesson's first figure beside its title on the start page."""
    index = out / "index.html"
    text = index.read_text(encoding="utf-8")
    for lesson in lessons:
        built = (out / f"{lesson.path.stem}.html").read_text(encoding="utf-8")
        found = re.search(r'<img [^>]*src="_images/[^>]*>', built)
        empty = re.escape(THUMB).replace(r"\{lesson\}", lesson.path.stem).replace(r"\{picture\}", ".*?")
        text = re.sub(empty, THUMB.format(lesson=lesson.path.stem, picture=found[0] if found else ""), text)
    write_if_new(index, text)


def write_if_new(path: Path, text: str) -> None:
    """Leave a file alone that says the same already: Sphinx goes by its time."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _start(readme: str, lessons: Sequence[Lesson], repository: str | None) -> str:
    install = FENCE + readme.split(f"\n{FENCE}", 1)[1].split("\n## ", 1)[0].rstrip()
    steps = [
        f"- {THUMB.format(lesson=lesson.path.stem, picture='')} "
        f"**{lesson.number:02} · [{lesson.title}]({lesson.path.name})** <br> "
        f"{lesson.question} *{lesson.minutes} min*"
        for lesson in lessons
    ]
    return START.format(
        lead=readme.split("\n\n")[1],
        install=install.replace("<this repository>", repository or "<this repository>"),
        path="\n".join([":::{div} path", "", *steps, ":::"]),
        lessons=_toctree("Lessons", [lesson.path.stem for lesson in lessons]),
        others=_toctree(
            "Beside the lessons", ["beside", "play", "words", "ideas", "runs", "teachers", "reference"]
        ),
    )


def _toctree(caption: str, pages: Sequence[str]) -> str:
    how = [":hidden:", f":caption: {caption}"] if caption else [":maxdepth: 1"]
    return "\n".join([f"{FENCE}{{toctree}}", *how, "", *pages, FENCE])


def _part(text: str, heading: str) -> str:
    """A section with its heading."""
    return f"## {heading}\n{_text_of(text, heading)}\n"


def _text_of(text: str, heading: str) -> str:
    """The section under one of a file's second headings."""
    return text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def _without_last_column(text: str) -> str:
    """The index of ideas without its tests, which are the repository's matter."""
    lines = [line.rsplit("|", 2)[0] + "|" if line.startswith("|") else line for line in text.splitlines()]
    return "\n".join(lines)


def _with_links(text: str, shown: set[str]) -> str:
    """Links to pages and pictures of the site lead there; those to other files become plain words."""

    def led(match: re.Match[str]) -> str:
        mark, words, target = match[1], match[2], Path(match[3])
        if mark:
            return f"![{words}](pictures/{target.name})"
        return f"[{words}]({target.name})" if target.name in shown else words

    return LINK.sub(led, text)


def _reference(lessons: Sequence[Lesson]) -> str:
    """Every public class and function of the lessons, with its docstring and a link to its source."""
    parts = [
        "# Reference",
        "",
        "What the lessons define, in their order, and the networks that `curriculum mnist` trains.",
        "",
    ]
    for lesson in lessons:
        parts += [f"## Lesson {lesson.number:02} · {lesson.title}", "", f"[The lesson]({lesson.path.name}), "]
        parts += [f"[beside PyTorch](compare{lesson.number:02}.md)", "", f"{FENCE}{{eval-rst}}"]
        parts += [f".. automodule:: {lesson.module_name}", "   :members:", "   :undoc-members:", FENCE, ""]
    parts += ["## Networks", ""]
    for module in NETWORKS:
        parts += [f"{FENCE}{{eval-rst}}", f".. automodule:: {module}", "   :members:", FENCE, ""]
    return "\n".join(parts)
