"""One run as one web page: a file that needs no server, no script and no network. What `runs show` writes.

Everything that comes from the run's files is escaped, and the page forbids scripts and outside addresses.
"""

import base64
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from string import Template

from matplotlib.ticker import MaxNLocator

from curriculum import UserError
from curriculum.draw import OTHER, SCRATCH, TORCH
from curriculum.files import write_whole
from curriculum.runs import events
from curriculum.runs.catalogue import BREAKS_OFF, COUNTERS, RESULTS, config, curves, facts, number

COLOURS = (TORCH, SCRATCH, *OTHER)
DASHES = ("none", "6 3", "2 3")  # when the colours are used up
WIDTH, HEIGHT = 360, 200  # of a chart, in SVG units: about pixels
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 10, 24  # the margins that hold the numbers
BUCKETS = 400  # of steps: more points than two in each cannot be told apart


def write(run: Path, name: str) -> Path:
    """Write `run.html` into the run's folder, whole or not at all, and return its path.

    Args:
        run: a folder with event files.
        name: the title.

    Raises:
        UserError: the run cannot be read, or its folder not be written to.
    """
    target, text = run / "run.html", html(run, name)
    try:
        write_whole(target, text)
    except OSError as error:
        raise UserError(f"cannot write {target} ({error.strerror}); make its folder writable") from error
    return target


def html(run: Path, name: str) -> str:
    """The page as text. Raises `UserError` where the run cannot be read."""
    parts = (_results, _charts, _images, _facts, _texts, _config, _rest)
    return PAGE.substitute(
        name=escape(name),
        warning=f'<p class="warning">{escape(BREAKS_OFF)}</p>' if events.breaks_off(run) else "",
        body="\n".join(piece for part in parts for piece in part(run)),
        colours="\n".join(_colour_rules()),
    )


# ---------------------------------------------------------------- the sections


def _results(run: Path) -> Iterator[str]:
    final = events.final(run)
    shown = [tag for tag in RESULTS if tag in final]
    if shown:
        cells = (f"<div><dt>{tag}</dt><dd>{number(tag, final[tag])}</dd></div>" for tag in shown)
        yield f'<dl class="results">{"".join(cells)}</dl>'


def _charts(run: Path) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for tag in curves(run):
        groups.setdefault(tag.partition("/")[0], []).append(tag)
    charts = [_chart(prefix, run, tags) for prefix, tags in groups.items()]
    if charts:
        yield f'<h2>Curves</h2>\n<p>Across: training steps.</p>\n<div class="grid">{"".join(charts)}</div>'
    values = _final_values(run, [tag for tag in events.final(run) if tag not in COUNTERS])
    if values:
        yield f"<details><summary>All last values</summary>{_table(values)}</details>"


def _images(run: Path) -> Iterator[str]:
    last = {tag: events.images(run, tag)[-1] for tag in events.tags(run)["images"]}
    if last:
        figures = (_picture(tag, image) for tag, image in last.items())
        yield f'<h2>Pictures</h2>\n<div class="pictures">{"".join(figures)}</div>'


def _facts(run: Path) -> Iterator[str]:
    known = facts(run)
    if known:
        yield f"<h2>What was run</h2>\n{_table(known)}"


def _texts(run: Path) -> Iterator[str]:
    for tag, text in events.texts(run).items():
        if tag != "run":  # its rows stand among the facts
            yield f"<h2>{escape(tag)}</h2>\n<pre>{escape(text)}</pre>"


def _config(run: Path) -> Iterator[str]:
    if text := config(run):
        yield f"<details><summary>config.yaml</summary><pre>{escape(text)}</pre></details>"


def _rest(run: Path) -> Iterator[str]:
    tags = events.tags(run)
    left = [f"{what} ({len(tags[kind])})" for kind, what in LEFT_OUT.items() if tags[kind]]
    if left:
        yield f"<p>Not on this page, but in TensorBoard: {', '.join(left)}.</p>"


LEFT_OUT = {"histograms": "histograms", "tensors": "PR curves and other tensors"}


def _final_values(run: Path, tags: Iterable[str]) -> dict[str, str]:
    final = {tag: events.scalars(run, tag)[-1] for tag in tags}
    return {tag: f"{number(tag, point.value)} at step {point.step:,}" for tag, point in final.items()}


def _table(rows: Mapping[str, str]) -> str:
    cells = (f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows.items())
    return f"<table>{''.join(cells)}</table>"


def _picture(tag: str, image: events.Image) -> str:
    kind = "gif" if image.png.startswith(b"GIF8") else "png"
    source = f"data:image/{kind};base64,{base64.b64encode(image.png).decode()}"
    caption = f"{escape(tag)} at step {image.step:,}"
    return f'<figure><img alt="{caption}" src="{source}"><figcaption>{caption}</figcaption></figure>'


# ---------------------------------------------------------------- one chart


def _chart(title: str, run: Path, tags: list[str]) -> str:
    """All tags of one prefix in one chart, with a legend where there is more than one."""
    lines = {tag: _finite(events.scalars(run, tag)) for tag in tags}
    heading = escape(tags[0] if len(tags) == 1 else f"{title}/…")
    legend = [
        f'<span><svg class="key"><line class="s{_style(index)}" x1="0" x2="20" y1="5" y2="5"/></svg>'
        f"{escape(tag.partition('/')[2] or tag)} {number(tag, events.scalars(run, tag)[-1].value)}</span>"
        for index, tag in enumerate(tags)
    ]
    key = f"<figcaption>{''.join(legend)}</figcaption>" if len(tags) > 1 else ""
    return f'<figure class="chart"><h3>{heading}</h3>{_svg(lines, heading)}{key}</figure>'


def _svg(lines: Mapping[str, list[tuple[int, float]]], heading: str) -> str:
    points = [point for line in lines.values() for point in line]
    if not points:
        return "<p>No finite value.</p>"
    x_at, x_marks = _axis([x for x, _ in points], LEFT, WIDTH - RIGHT, whole=True)
    y_at, y_marks = _axis([y for _, y in points], HEIGHT - BOTTOM, TOP)
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{heading}">']
    for y, label in y_marks:
        parts.append(f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="y" x="{LEFT - 6}" y="{y + 4}">{label}</text>')
    for x, label in x_marks:
        parts.append(f'<text class="x" x="{x}" y="{HEIGHT - 6}">{label}</text>')
    for index, line in enumerate(lines.values()):
        path = " ".join(f"{x_at(x)},{y_at(y)}" for x, y in _thinned(line))
        parts.append(f'<polyline class="s{_style(index)}" points="{path}"/>')
    return "".join([*parts, "</svg>"])


def _axis(
    values: list[float] | list[int], begin: float, end: float, whole: bool = False
) -> tuple[Callable[[float], float], list[tuple[float, str]]]:
    """Where a value lies between `begin` and `end`, and the round values with their places.

    An axis of whole numbers ends at the values themselves, any other at round values.
    """
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 0.5, high + 0.5
    ticks = [
        float(tick) for tick in MaxNLocator(4, integer=whole, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    ]
    if whole:
        ticks = [tick for tick in ticks if low <= tick <= high]
    else:
        low, high = ticks[0], ticks[-1]

    def at(value: float) -> float:
        return round(begin + (value - low) / (high - low) * (end - begin), 1)

    return at, [(at(tick), f"{tick:,.0f}" if whole else f"{tick:.4g}") for tick in ticks]


def _finite(points: list[events.Point]) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in points if math.isfinite(point.value)]


def _thinned(line: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most the lowest and the highest point of each bucket, so that no spike is lost, and both ends."""
    size = math.ceil(len(line) / BUCKETS)
    if size < 3:
        return line
    kept = {0, len(line) - 1}
    for start in range(0, len(line), size):
        bucket = range(start, min(start + size, len(line)))
        kept |= {pick(bucket, key=lambda index: line[index][1]) for pick in (min, max)}
    return [line[index] for index in sorted(kept)]


def _style(index: int) -> int:
    return index % (len(COLOURS) * len(DASHES))


def _colour_rules() -> Iterator[str]:
    for index in range(len(COLOURS) * len(DASHES)):
        dash = DASHES[index // len(COLOURS)]
        yield f".s{index} {{ stroke: {COLOURS[index % len(COLOURS)]}; stroke-dasharray: {dash}; }}"


PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$name</title>
<style>
:root { color-scheme: light dark; --page: #fff; --ink: #1c2024; --soft: #667; --rule: #dde; --lift: 1; }
@media (prefers-color-scheme: dark) {
  :root { --page: #15181c; --ink: #e6e8ea; --soft: #9aa; --rule: #333a42; --lift: 1.5; }
}
body { background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
  max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 0.5rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p, figcaption, summary, dt { color: var(--soft); }
.warning { color: var(--ink); border-left: 4px solid #edae49; padding-left: 0.75rem; }
.results { display: flex; flex-wrap: wrap; gap: 1rem 2rem; }
.results dd { margin: 0; font-size: 1.5rem; }
.grid { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
.pictures { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: 0.85rem; overflow-wrap: anywhere; }
.chart figcaption { display: flex; flex-wrap: wrap; gap: 0 1rem; }
img { max-width: 100%; height: auto; background: #fff; }
svg { width: 100%; height: auto; display: block; }
svg.key { width: 20px; height: 10px; display: inline-block; margin-right: 0.4rem; }
svg text { font-size: 11px; fill: var(--soft); }
.x { text-anchor: middle; }
.y { text-anchor: end; }
.rule { stroke: var(--rule); }
[class^="s"] { fill: none; stroke-width: 1.6; filter: brightness(var(--lift)); }
$colours
table { border-collapse: collapse; font-size: 0.9rem; }
th, td { text-align: left; vertical-align: top; padding: 0.2rem 1.5rem 0.2rem 0;
  border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; }
th { font-weight: normal; color: var(--soft); min-width: 7rem; }
details { margin: 1rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.85rem; }
</style>
</head>
<body>
<h1>$name</h1>
$warning
$body
</body>
</html>
""")
