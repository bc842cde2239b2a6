"""Importing from a file: each line's fate as a table, before (``--dry-run``) or after it is done."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from proxy.cli.context import Site, opened
from proxy.cli.output import emit_json, progress, say, table

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from proxy.services.imports import LineView, Table
    from proxy.services.permission import Actor

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would become of each line.")]

IN_WORDS = {"add": "added", "change": "changed", "same": "the same", "wait": "waiting for SLT", "error": "wrong"}


def file(columns: str) -> object:
    """The argument FILE, as typer is told of it; the help names the columns."""
    return typer.Argument(metavar="FILE", help=f"A CSV file with the columns {columns}; - reads standard input.")


def run(
    context: typer.Context,
    name: str,
    plan: "Callable[[Session, Actor, IO[bytes]], Table]",
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Import the file; where lines are wrong, show them all and import nothing."""
    from proxy.services.imports import ImportRefused

    with opened(context) as site:
        actor = site.actor
        content = _content(name)
        try:
            with site.store.read() as unit:
                planned = plan(unit, actor, content)
            lines = _carried_out(site, actor, planned, dry_run=dry_run, as_json=as_json)
        except ImportRefused as refused:
            _show(refused.lines, done=False, as_json=as_json)
            raise
    _show(lines, done=not dry_run, as_json=as_json)
    if not as_json:
        say(_summary(lines, dry_run=dry_run))


def _carried_out(site: Site, actor: "Actor", planned: "Table", *, dry_run: bool, as_json: bool) -> "list[LineView]":
    """What became of each line. The store is ours alone only if there is something to change."""
    from proxy.services import imports

    if not planned.changes:
        return planned.fates(planned.errors, {})
    policy = site.policy
    unit_of_work = site.store.rehearse if dry_run else site.write
    with progress("Importing", quiet=as_json) as bar, unit_of_work() as unit:
        return imports.carry_out(unit, actor, planned, now=site.now, policy=policy, progress=bar)


def _content(name: str) -> BytesIO:
    """As much of it as may be, and a byte to show that there is more."""
    from proxy.services.tables import LARGEST

    if name == "-":
        return BytesIO(sys.stdin.buffer.read(LARGEST + 1))
    with Path(name).open("rb") as opened_file:
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
