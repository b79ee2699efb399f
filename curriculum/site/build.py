"""Build the site: gather the sources, say what this build is to do, and let Sphinx do it."""

import ast
import hashlib
import importlib.util
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from curriculum import UserError
from curriculum.discover import FOLDER, Lesson
from curriculum.files import write_whole

NEEDED = ("sphinx", "myst_nb", "furo", "math_core", "sphinx_copybutton", "jupytext", "ipykernel")
KIT = Path(__file__).parents[1]
PAGES = '<nav aria-label="Pages">'  # of the playground, which is also served without the lessons
HOME = '<a href="../index.html">Lessons</a>'
CACHE = platformdirs.user_cache_path("scratch-to-mnist", appauthor=False) / "site"


def build(
    lessons: Sequence[Lesson], out: Path, run: bool, cache: Path = CACHE, repository: str | None = None
) -> Path:
    """Write the site into `out`. Returns its first page.

    Args:
        lessons: those that it shows.
        run: whether cells are run, so that tables and figures stand in their places.
        cache: what is kept for the next build: results of cells, and what Sphinx has read.
        repository: its address, from which notebooks on Colab and Kaggle install the lessons.

    Raises:
        UserError: a package is missing, a folder cannot be written to, or Sphinx has found a fault.
    """
    _refuse_without_packages()
    if not (FOLDER.parent / "README.md").exists():
        raise UserError("the site is made of a checkout: README.md is not here; git clone it, and run there")
    from curriculum.site.pages import show_pictures, write_pages
    from curriculum.site.published import publish

    source = cache / "source"
    try:
        for folder in (out, source):
            folder.mkdir(parents=True, exist_ok=True)
        write_whole(out / ".nojekyll", "")  # for GitHub Pages: folders that begin with _ are meant
        _copy_lessons(source, lessons)
        write_pages(source, lessons, repository)
        kept = cache / f"compared-{key_of_code()}" if run else None
        _write_comparisons(source, lessons, kept)
        cells = cache / f"cells-{key_of_code()}"
        _sphinx(source, out, cache, cells if run else None, kept)
        show_pictures(out, lessons)
        _copy_playground(out)
        publish(lessons, out / "notebooks", cells if run else None, repository)
    except OSError as error:
        raise UserError(f"cannot write the site ({error}); choose another folder with --out DIR") from error
    return out / "index.html"


def _refuse_without_packages() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        command = f"{sys.executable} -m pip install --constraint constraints.txt --editable '.[site]'"
        raise UserError(f"the site needs {', '.join(missing)}; install with: {command}")


def _copy_lessons(source: Path, lessons: Sequence[Lesson]) -> None:
    """Lessons as they are; those of an earlier build that are not shown now go."""
    from curriculum.site.pages import write_if_new

    shown = {lesson.path.name for lesson in lessons} | {f"compare{lesson.number:02}.md" for lesson in lessons}
    for old in (*source.glob("lesson*.py"), *source.glob("compare*.md")):
        if old.name not in shown:
            old.unlink()
    for lesson in lessons:
        write_if_new(source / lesson.path.name, lesson.path.read_text(encoding="utf-8"))


def _copy_playground(out: Path) -> None:
    """The pages where a network learns, and the pieces that stand in lessons."""
    folder = out / "playground"
    folder.mkdir(exist_ok=True)
    for path in sorted((KIT / "playground").iterdir()):
        if path.suffix in (".html", ".js", ".css"):
            text = path.read_text(encoding="utf-8")
            write_whole(folder / path.name, text.replace(PAGES, f"{PAGES}{HOME} "))


def _write_comparisons(source: Path, lessons: Sequence[Lesson], kept: Path | None) -> None:
    """A page for each lesson with what its pairs give; `kept` holds those that have run before."""
    from curriculum.site.pages import NOT_RUN, write_if_new

    for lesson in lessons:
        text = NOT_RUN.format(title=lesson.title)
        if kept is not None:
            page = kept / f"{lesson.path.stem}.md"
            if not page.exists():
                from curriculum.site.beside import beside  # imports torch

                kept.mkdir(parents=True, exist_ok=True)
                text, proofs = beside(lesson)
                write_whole(page.with_suffix(".json"), json.dumps(proofs))
                write_whole(page, text)
            text = page.read_text(encoding="utf-8")
        write_if_new(source / f"compare{lesson.number:02}.md", text)


def _sphinx(source: Path, out: Path, cache: Path, cells: Path | None, kept: Path | None) -> None:
    """`cells`, `kept`: where their results, and those of the pairs, are kept, if they are run."""
    from sphinx.cmd.build import build_main

    settings = {"nb_execution_mode": "off"}
    if cells is not None:
        settings = {"nb_execution_mode": "cache", "nb_execution_cache_path": str(cells)}
    if kept is not None:
        settings["proofs"] = str(kept)
    logging.getLogger("traitlets").setLevel(logging.WARNING)  # a line for every notebook, of many parts
    words = ["-W", "--keep-going", "-j", "2", "-b", "html", "-c", str(Path(__file__).parent)]
    words += ["-d", str(cache / ("pages-not-run" if cells is None else "pages"))]
    for name, value in settings.items():
        words += ["-D", f"{name}={value}"]
    if build_main([*words, str(source), str(out)]):
        raise UserError(
            "Sphinx has found the faults above, so the site is not whole; mend them, and build again"
        )


def key_of_code(roots: Sequence[Path] = (KIT, FOLDER)) -> str:
    """Changes where code does on which results may depend, and stays where only prose has changed.

    Lessons' text stands in comments, which Python does not read.
    """
    digest = hashlib.sha256(sys.version.encode())
    for root in roots:
        for path in sorted(root.glob("*.py")):
            digest.update(path.name.encode())
            digest.update(ast.dump(ast.parse(path.read_text(encoding="utf-8"))).encode())
    return digest.hexdigest()[:16]
