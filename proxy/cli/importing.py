"""Importing from a file: each line's fate as a table, before (``--dry-run``) or after it is done."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli.context import opened
from proxy.cli.output import emit_json, progress, say, table

if TYPE_CHECKING:
    from proxy.services.imports import LineView

File = Annotated[str, typer.Argument(metavar="FILE", help="A CSV file; - reads standard input.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would become of each line.")]

IN_WORDS = {"add": "added", "change": "changed", "same": "the same", "wait": "waiting for SLT", "error": "wrong"}


def run(
    context: typer.Context, file: str, act: "Callable[..., list[LineView]]", *, dry_run: bool, as_json: bool
) -> None:
    """Import the file; where lines are wrong, show them all and import nothing."""
    from proxy.services.imports import ImportRefused

    with opened(context) as site:
        actor = site.actor
        content = _content(file)  # before the store is ours alone: whoever sends it may take their time
        unit_of_work = site.store.rehearse if dry_run else site.store.write
        try:
            with progress("Importing", quiet=as_json) as bar, unit_of_work() as unit:
                lines = act(unit, actor, content, now=site.now, policy=site.policy, progress=bar)
        except ImportRefused as refused:
            _show(refused.lines, done=False, as_json=as_json)
            raise
    _show(lines, done=not dry_run, as_json=as_json)
    if not as_json:
        say(_summary(lines, dry_run=dry_run))


def _content(file: str) -> BytesIO:
    """As much of it as may be, and a byte to show that there is more."""
    from proxy.services.tables import LARGEST

    if file == "-":
        return BytesIO(sys.stdin.buffer.read(LARGEST + 1))
    with Path(file).open("rb") as opened_file:
        return BytesIO(opened_file.read(LARGEST + 1))


def _show(lines: "Sequence[LineView]", *, done: bool, as_json: bool) -> None:
    if as_json:
        listed = [{"line": v.line, "name": v.name, "fate": v.fate, "what": v.what} for v in lines]
        emit_json({"imported": done, "lines": listed})
        return
    rows = ((v.line, v.name, v.fate, v.what) for v in lines)
    table(("*Line", "Name", "*Fate", "What"), rows, empty="There is no line below the heading.")


def _summary(lines: "Sequence[LineView]", *, dry_run: bool) -> str:
    counts = Counter(view.fate for view in lines)
    said = ", ".join(f"{counts[fate]} {IN_WORDS[fate]}" for fate in counts) or "nothing"
    return f"This would be: {said}. Leave out --dry-run to do it." if dry_run else f"Imported: {said}."
