"""A solution's source as the learner sees it. Nothing here imports torch."""

import ast
import re

# What a solution tells the grader, not the learner.
GRADERS_CONSTANTS = {"ANSWER", "REREAD", "HINTS", "AFTER"}


def for_learners(source: str) -> str:
    """`source` up to its `pairs`, without the grader's constants and what only the grader imports."""
    shown, _ = re.split(r"^def pairs\(", source, maxsplit=1, flags=re.M)
    lines = shown.splitlines()
    tree = ast.parse(shown)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in reversed(tree.body):  # from the end, so that the lines above keep their numbers
        place = slice(node.lineno - 1, node.end_lineno)
        lines[place] = _shown(node, lines[place], used)
    text = re.sub(r"\n{3,}(?=from |import )", "\n\n", "\n".join(lines))
    return re.sub(r"\n{4,}", "\n\n\n", text).strip()


def _shown(node: ast.stmt, lines: list[str], used: set[str]) -> list[str]:
    """What is left of one statement's `lines`."""
    if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in GRADERS_CONSTANTS:
        return []
    if isinstance(node, ast.Import | ast.ImportFrom):
        return _import_of(node, lines, used)
    return lines


def _import_of(node: ast.Import | ast.ImportFrom, lines: list[str], used: set[str]) -> list[str]:
    kept = [name for name in node.names if (name.asname or name.name).partition(".")[0] in used]
    if kept == node.names:
        return lines
    if not kept:
        return []
    node.names = kept
    return [ast.unparse(node)]
