"""What a command prints: JSON, CSV, tables, sentences. Stored text never steers a terminal.

What comes from the store was typed, or sent, by somebody: control characters, and those that turn the direction of
writing, are shown as escapes; a value that a spreadsheet would run as a formula gets an apostrophe.
"""

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

WIDTH = 80
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def clean(text: object) -> str:
    """``text`` with everything that is not plainly visible as an escape: ``\\x1b``, ``\\u202e``."""
    return "".join(c if c.isprintable() else _escaped(c) for c in str(text))


def emit_json(value: object) -> None:
    """ASCII only: safe on any terminal and in any locale."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def emit_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    writer = csv.writer(sys.stdout, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)


def say(text: str) -> None:
    """One sentence; wrapped on a terminal, whole in a pipe."""
    from rich.text import Text

    _console().print(Text(clean(text)), soft_wrap=not sys.stdout.isatty())


def command(line: str) -> None:
    """A command to type: on one line whatever its length, so that it can be copied."""
    sys.stdout.write(f"    {clean(line)}\n")


def tell(sentence: str, fields: object, *, as_json: bool) -> None:
    """What was done: as a sentence, or as JSON."""
    if as_json:
        emit_json(fields)
    else:
        say(sentence)


def warn(text: str) -> None:
    sys.stderr.write(f"schoolgate: warning: {clean(text)}\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table as wide as the terminal, 80 columns in a pipe: long cells fold, nothing is lost.

    A column named with a ``*`` before it is never folded. A tuple is a cell of several lines.
    """
    from rich.table import Table
    from rich.text import Text

    cells = [[Text(_lines(cell)) for cell in row] for row in rows]
    if not cells:
        say(empty)
        return
    shown = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        shown.add_column(column.removeprefix("*"), overflow="fold", no_wrap=column.startswith("*"))
    for row in cells:
        shown.add_row(*row)
    _console().print(shown)


def _lines(cell: object) -> str:
    parts = cell if isinstance(cell, tuple) else (cell,)
    return "\n".join(clean(part) for part in parts if part is not None)


def facts(pairs: Iterable[tuple[str, object]], *, indent: int = 2) -> None:
    """``name  value`` lines, names in one column."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    shown = Table.grid(padding=(0, 2, 0, 0))
    shown.add_column(style="bold", no_wrap=True)
    shown.add_column(overflow="fold")
    for name, value in pairs:
        shown.add_row(Text(name), Text(clean(value)))
    _console().print(Padding(shown, (0, 0, 0, indent), expand=False))


def _console() -> "Console":
    from rich.console import Console

    width = None if sys.stdout.isatty() else WIDTH
    return Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _cell(value: object) -> str:
    text = clean("" if value is None else value)
    return "'" + text if str(value).startswith(_FORMULA) else text
