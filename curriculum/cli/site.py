"""The command that builds the site."""

import functools
from pathlib import Path
from typing import Annotated

import typer

from curriculum.discover import Lesson, select
from curriculum.discover import lessons as all_lessons

ADDRESS = "127.0.0.1"


def site(
    out: Annotated[Path, typer.Option(help="Folder for the site.")] = Path("site"),
    run: Annotated[
        bool, typer.Option("--run/--no-run", help="Run the cells, for tables and figures.")
    ] = True,
    lessons: Annotated[str, typer.Option(help="Numbers or names, as in 1,5; all by default.")] = "all",
    repository: Annotated[
        str | None, typer.Option(help="Address from which notebooks on Colab install the lessons.")
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Then show it on this machine, until Ctrl-C.")
    ] = False,
) -> None:
    """Build the lessons as a site: pages to read, offline too."""
    chosen = _chosen(lessons)
    from curriculum.site.build import build

    first = build(chosen, out, run, repository=repository)
    print(f"open: {first.resolve().as_uri()}")
    if serve:
        _serve(out)


def _chosen(which: str) -> list[Lesson]:
    """In the order of their numbers, each once."""
    wanted = {lesson.number for name in which.split(",") for lesson in select(name.strip())}
    return [lesson for lesson in all_lessons() if lesson.number in wanted]


def _serve(out: Path) -> None:
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(out))
    with ThreadingHTTPServer((ADDRESS, 0), handler) as server:
        print(f"open: http://{ADDRESS}:{server.server_port}/ (Ctrl-C ends it)", flush=True)
        server.serve_forever()
