"""The site as who reads it meets it: built without a warning, whole, offline, in a browser."""

import html
import html.parser
import itertools
import json
import re
import shutil
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from curriculum import UserError
from curriculum.cli.comparison import compare_lessons
from curriculum.demo import heading
from curriculum.discover import lessons, select
from curriculum.site import build as building
from curriculum.site.pages import write_pages
from tests.support.commands import curriculum_here, refused

SHOWN = ("1", "4")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.filterwarnings("ignore:.*MystReferenceResolver.app")  # MyST's own, of Sphinx
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


# ---------------------------------------------------------------- before Sphinx


def test_bad_input_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "there is no lesson '99'" in refused(curriculum_here("site", "--lessons", "1,99"))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write the site .*--out DIR"):
        building.build(select("1"), tmp_path / "file" / "site", run=False, cache=tmp_path / "cache")
    monkeypatch.setattr(building, "NEEDED", ("sphinx", "no_such_package"))
    with pytest.raises(UserError, match=r"needs no_such_package; install with: .*\[site\]"):
        building.build(select("1"), tmp_path / "site", run=False, cache=tmp_path / "cache")


def test_it_answers_before_torch_is_there(tmp_path: Path) -> None:
    script = "import sys\nfrom curriculum.cli.main import main\ntry:\n    main(sys.argv[1:])\nfinally:\n"
    script += "    assert not {'torch', 'sphinx'} & sys.modules.keys()"
    for arguments, code in ((["site", "--help"], 0), (["site", "--lessons", "99"], 2)):
        done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
        assert done.returncode == code, done.stderr


def test_only_code_decides_whether_cells_run_again(tmp_path: Path) -> None:
    lesson = tmp_path / "lesson.py"
    lesson.write_text("# %% [markdown]\n# Old words.\n\n# %%\nx = 1\n")
    before = building.key_of_code([tmp_path])
    lesson.write_text("# %% [markdown]\n# New words, and more of them.\n\n# %%\nx = 1\n")
    assert building.key_of_code([tmp_path]) == before
    lesson.write_text("# %% [markdown]\n# Old words.\n\n# %%\nx = 2\n")
    assert building.key_of_code([tmp_path]) != before


def test_pages_lead_nowhere_outside_of_what_is_shown(tmp_path: Path) -> None:
    write_pages(tmp_path, select("1"))
    words = (tmp_path / "words.md").read_text()
    assert "[01](lesson01_neuron.py)" in words
    assert "| 05 |" in words
    assert "test_" not in (tmp_path / "ideas.md").read_text().split("| A1, D1 |", 1)[1].split("|")[4]
    assert "](pictures/lesson.png)" in (tmp_path / "index.md").read_text()


def test_the_start_page_says_how_to_get_the_commands(tmp_path: Path) -> None:
    """Who comes to the site first has not installed anything."""
    write_pages(tmp_path, select("1"), "https://example.org/lessons")
    index = (tmp_path / "index.md").read_text(encoding="utf-8")
    assert "```\ngit clone https://example.org/lessons && cd" in index
    assert "source .venv/bin/activate" in index
    assert "[The glossary](words.md)" in index
    write_pages(tmp_path, select("1"))
    assert "git clone <this repository>" in (tmp_path / "index.md").read_text(encoding="utf-8")


# ---------------------------------------------------------------- two lessons, built


class Page(html.parser.HTMLParser):
    """What a page refers to: links and files, ids of its own, and images without words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.files: list[str] = []
        self.ids: set[str] = set()
        self.wordless: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.add(found.get("id") or "")
        if tag == "a" and found.get("href"):
            self.links.append(str(found["href"]))
        if tag == "link" and "stylesheet" in str(found.get("rel")):
            self.files.append(str(found["href"]))
        if found.get("src"):
            self.files.append(str(found["src"]))
        if tag == "img" and not found.get("alt"):
            self.wordless.append(str(found.get("src")))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lessons 01 and 04."""
    folder = tmp_path_factory.mktemp("site")
    chosen = [lesson for which in SHOWN for lesson in select(which)]
    cache = folder / "cache"
    building.build(chosen, folder / "out", run=True, cache=cache, repository="https://example.org/lessons")
    return folder / "out"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    return {path.name: Page(path.read_text(encoding="utf-8")) for path in sorted(site.glob("*.html"))}


@pytest.mark.slow
def test_nothing_comes_from_outside(site: Path, pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        assert not [file for file in page.files if "//" in file], name
    for sheet in site.rglob("*.css"):
        assert not re.findall(r"url\(\s*['\"]?https?:", sheet.read_text(encoding="utf-8")), sheet


@pytest.mark.slow
def test_every_link_leads_somewhere(site: Path, pages: dict[str, Page]) -> None:
    checked = 0
    for name, page in pages.items():
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme:
                continue
            target = site / urllib.parse.unquote(parts.path or name)
            assert target.exists(), (name, link)
            fragment = urllib.parse.unquote(parts.fragment)
            known = pages.get(target.relative_to(site).as_posix())
            if fragment and known:
                assert fragment in known.ids, (name, link)
            checked += 1
    assert checked > 200


@pytest.mark.slow
def test_lessons_show_what_they_demonstrate(site: Path, pages: dict[str, Page]) -> None:
    for which in SHOWN:
        (lesson,) = select(which)
        text = (site / f"{lesson.path.stem}.html").read_text(encoding="utf-8")
        prose = re.sub(r"(?s)<pre>.*?</pre>|<code.*?</code>|<script.*?</script>", "", text)
        assert not re.search(r"\$[^$<>\n]{1,80}\$|\\frac|\\partial", prose)
        assert "|---" not in text
        assert "<math>" in text
        for demo in lesson.demos():
            shown = text.split(f"<strong>{html.escape(heading(demo), quote=False)}</strong>", 1)
            assert len(shown) == 2, demo.__name__
            assert re.match(r"(?s).{0,400}?<(img|table|pre)", shown[1]), demo.__name__
        assert pages[f"{lesson.path.stem}.html"].wordless == []
        path = site / "notebooks" / f"{lesson.path.stem}.ipynb"
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        assert "%pip install" in "".join(cells[1]["source"])
        assert sum(bool(cell.get("outputs")) for cell in cells) >= 3


@pytest.mark.slow
def test_the_start_page_has_a_picture_of_each_lesson(site: Path) -> None:
    text = (site / "index.html").read_text(encoding="utf-8")
    for lesson in (lesson for which in SHOWN for lesson in select(which)):
        assert re.search(rf'data-lesson="{lesson.path.stem}"><img [^>]*src="_images/', text)


@pytest.mark.slow
def test_the_reference_says_what_proves_a_piece(site: Path) -> None:
    text = (site / "reference.html").read_text(encoding="utf-8")
    linear = text.split('id="lessons.lesson04_layers.Linear"', 1)[1].split("<dl ", 1)[0]
    assert re.search(r'Proven on <a [^>]*href="compare04.html"', linear)
    assert 'href="https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html"' in linear
    assert 'id="models.networks.scratch.' in text


@pytest.mark.slow
def test_lessons_follow_each_other(site: Path) -> None:
    names = [path.path.name for which in SHOWN for path in select(which)]
    for one, other in itertools.pairwise(names):
        here = (site / one.replace(".py", ".html")).read_text(encoding="utf-8")
        there = (site / other.replace(".py", ".html")).read_text(encoding="utf-8")
        assert re.search(rf'class="next-page" href="{other.replace(".py", ".html")}"', here)
        assert re.search(rf'class="prev-page" href="{one.replace(".py", ".html")}"', there)


@pytest.mark.slow
def test_comparisons_bear_the_numbers_of_the_command(site: Path) -> None:
    for which in SHOWN:
        chosen = select(which)
        text = (site / f"compare{chosen[0].number:02}.html").read_text(encoding="utf-8")
        for row in compare_lessons(chosen, "float64", "cpu"):
            below = text.split(f"<h2>{row['pair']}<", 1)[1].split("<h2>", 1)[0]
            assert f"{row['largest']:.1e}" in below, row["pair"]
            assert below.count("equal</p>") >= 1


@pytest.mark.slow
def test_new_words_run_no_cell_again(site: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cache = site.parent / "cache"
    source = cache / "source" / "lesson01_neuron.py"
    said = source.read_text(encoding="utf-8")

    def copy(folder: Path, chosen: Any) -> None:
        new = said.replace("# ## From scratch", "# ## From scratch, in new words", 1)
        source.write_text(new, encoding="utf-8")

    def no_cells(*_: object, **__: object) -> None:
        raise AssertionError("a cell ran")

    monkeypatch.setattr(building, "_copy_lessons", copy)
    monkeypatch.setattr("nbclient.NotebookClient.execute", no_cells)
    chosen = [lesson for which in SHOWN for lesson in select(which)]
    building.build(chosen, tmp_path / "again", run=True, cache=cache)
    assert "in new words" in (tmp_path / "again" / "lesson01_neuron.html").read_text(encoding="utf-8")


# ---------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=options)


def is_outside(address: str) -> bool:
    return urllib.parse.urlsplit(address).scheme not in ("file", "data", "blob")


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1024, 1100, 1400, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_and_say_nothing_to_the_console(site: Path, browser: Any, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if is_outside(request.url) else None)
    for path in sorted(site.glob("*.html")):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
    page.close()
    assert said == []


@needs_browser
@pytest.mark.slow
def test_a_lesson_holds_its_live_piece(site: Path, browser: Any) -> None:
    """Made of the files of the playground, which the site has, too; without JavaScript it is not seen."""
    address = (site / "lesson01_neuron.html").as_uri()
    page = browser.new_page()
    page.goto(address)
    piece = page.get_by_role("group", name="Touch it: one neuron")
    piece.get_by_role("button", name="One step").press("Enter")
    assert "0.6767" in piece.inner_text()
    page.goto((site / "play.html").as_uri())
    for name in ("Digits", "Points", "Pieces"):
        page.get_by_role("link", name=name, exact=True).click()
        assert "/playground/" in page.url
        page.go_back()
    page.close()
    quiet = browser.new_page(java_script_enabled=False)
    quiet.goto(address)
    assert not quiet.locator(".piece").is_visible()
    quiet.close()


@needs_browser
@pytest.mark.slow
def test_search_works_from_a_file(site: Path, browser: Any) -> None:
    page = browser.new_page()
    page.goto((site / "search.html").as_uri() + "?q=gradient")
    page.wait_for_selector("#search-results li a")
    assert any(
        "lesson01" in link.get_attribute("href") for link in page.locator("#search-results li a").all()
    )
    page.close()


# The theme's own (its captions' role has no level, its two sidebars have no names), and the empty corner of a
# table whose first column holds the names of the rows.
NOT_OURS = {"aria-required-attr", "landmark-unique", "empty-table-header"}


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_for_everybody(site: Path, browser: Any, scheme: str) -> None:
    """axe-core finds nothing: contrast, words for pictures, order of headings, use without a mouse."""
    page = browser.new_page(color_scheme=scheme)
    for name in ("index", "lesson01_neuron", "compare01", "compare04", "reference", "words", "runs", "play"):
        page.goto((site / f"{name}.html").as_uri())
        page.wait_for_load_state("load")
        found = Axe().run(page).response["violations"]
        assert [fault for fault in found if fault["id"] not in NOT_OURS] == [], name
    page.close()


@needs_browser
@pytest.mark.slow
def test_on_a_phone_one_side_is_shown_at_a_time(site: Path, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto((site / "compare04.html").as_uri())
    block = page.locator(".beside").first
    ours, theirs = block.locator("> .column").all()
    assert (ours.is_visible(), theirs.is_visible()) == (True, False)
    block.get_by_label("PyTorch").check()
    assert (ours.is_visible(), theirs.is_visible()) == (False, True)
    page.set_viewport_size({"width": 1280, "height": 900})
    assert ours.is_visible()
    assert theirs.is_visible()
    page.close()


@needs_browser
@pytest.mark.slow
def test_on_a_phone_in_the_dark_figures_keep_their_words_and_colours(site: Path, browser: Any) -> None:
    """Words of 13 pixels stay at 8 or more, though the page is narrow, and yellow stays yellow."""
    page = browser.new_page(viewport={"width": 390, "height": 900}, color_scheme="dark")
    page.goto((site / "lesson01_neuron.html").as_uri())
    page.wait_for_load_state("load")
    figures = page.locator("div.cell_output img").all()
    assert len(figures) >= 5
    for figure in figures:
        looks = figure.evaluate(
            "e => [e.getBoundingClientRect().width / e.naturalWidth, getComputedStyle(e).filter]"
        )
        assert looks[0] > 0.6
        assert "invert" not in looks[1]
    page.close()


@pytest.mark.slow
def test_all_lessons_are_on_the_first_page_without_running(tmp_path: Path) -> None:
    first = building.build(lessons(), tmp_path / "out", run=False, cache=tmp_path / "cache")
    text = first.read_text(encoding="utf-8")
    for lesson in lessons():
        assert f'href="{lesson.path.stem}.html"' in text
    assert json.loads((tmp_path / "out/notebooks" / f"{lessons()[0].path.stem}.ipynb").read_text())["cells"]
