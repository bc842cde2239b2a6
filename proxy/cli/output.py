"""What a command prints: JSON, CSV, tables, sentences, a bar while work is long. Stored text never steers a terminal.

What comes from the store was typed, or sent, by somebody: control characters, those that turn the direction of writing
and those that are not seen are shown as escapes; a value that a spreadsheet would run as a formula gets an apostrophe.
Colour and bars are for a terminal; a pipe gets plain text of 80 columns.
"""

import csv
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

type Progress = Callable[[int, int], None]
"""Told how much is done, of how much. Services take one, and know no bar."""

WIDTH = 80
WIDE = 120  # from here on, columns marked ``+`` are shown too
LEAST = 20  # what a narrower terminal shows is for it to wrap
NARROWEST = 8  # below this, a folded column is no longer read
GAP = 2
# Unicode's default-ignorable characters that Python takes for printable, and the empty Braille cell
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # as OWASP lists them


def clean(text: object) -> str:
    """``text`` with everything that is not plainly visible as an escape: ``\\x1b``, ``\\u202e``."""
    printable = "".join(c if c.isprintable() else _escaped(c) for c in str(text))
    return _UNSEEN.sub(lambda found: _escaped(found[0]), printable)


def emit_json(value: object) -> None:
    """ASCII only: safe on any terminal and in any locale."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def emit_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    writer = csv.writer(sys.stdout, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)


def say(text: str) -> None:
    """One sentence; wrapped on a terminal, whole in a pipe."""
    if not sys.stdout.isatty():
        sys.stdout.write(clean(text) + "\n")
        return
    from rich.text import Text

    _print(_console(sys.stdout), Text(clean(text)))


def points(sentences: Iterable[str]) -> None:
    """A list of sentences; on a terminal their lines begin below each other."""
    if sys.stdout.isatty():
        _pairs(_console(sys.stdout), (("-", clean(sentence)) for sentence in sentences), indent=2)
        return
    for sentence in sentences:
        say(f"  - {sentence}")


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


@contextmanager
def told_after(seconds: float, text: str) -> Iterator[None]:
    """Say on a terminal's standard error what it is that takes long, if the body does."""
    if not sys.stderr.isatty():
        yield
        return
    timer = Timer(seconds, sys.stderr.write, (f"schoolgate: {clean(text)}\n",))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def flagged(level: str, text: str) -> None:
    """A sentence behind its level, ``amber`` or ``red``, which a terminal shows in that colour."""
    from rich.text import Text

    if not sys.stdout.isatty():
        sys.stdout.write(f"{level}: {clean(text)}\n")
        return
    style = {"amber": "bold yellow", "red": "bold red"}[level]
    _console(sys.stdout).print(Text.assemble((f"{level}: ", style), clean(text)))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table as wide as the terminal, 80 columns in a pipe: long cells fold, nothing is lost.

    A column named with a ``*`` before it is never folded, one with a ``+`` is for terminals that are wide
    (``+*`` is both). A tuple is a cell of several lines. A terminal too narrow for columns gets a
    paragraph for each row.
    """
    listed = [[_lines(cell) for cell in row] for row in rows]
    if not listed:
        say(empty)
        return
    console = _console(sys.stdout)
    shown = [at for at, column in enumerate(columns) if console.width >= WIDE or not column.startswith("+")]
    heads = [columns[at].removeprefix("+") for at in shown]
    cells = [[row[at] for at in shown] for row in listed]
    widths = _widths(heads, cells, console.width)
    if widths is None:
        _paragraphs(console, heads, cells)
    else:
        _grid(console, heads, cells, widths)


def facts(pairs: Iterable[tuple[str, object]], *, indent: int = 2) -> None:
    """``name  value`` lines, names in one column; in a pipe each value is whole on its line."""
    told = [(name, clean(value)) for name, value in pairs]
    if sys.stdout.isatty():
        _pairs(_console(sys.stdout), told, indent)
        return
    width = max((len(name) for name, _ in told), default=0)
    sys.stdout.writelines(f"{' ' * indent}{name:<{width}}{' ' * GAP}{value}".rstrip() + "\n" for name, value in told)


@contextmanager
def progress(title: str, *, quiet: bool = False) -> Iterator[Progress]:
    """A bar on a terminal's standard error while the body runs; nothing in a pipe, nor when asked to be quiet.

    The body says how far it is: ``bar(done, total)``. Until it does, the bar only moves. Ask for nothing inside.
    """
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda _done, _total: None
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    parts = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = _console(sys.stderr)  # what is printed meanwhile goes where it belongs, not through it
    with Bar(*parts, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task(clean(title), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def counted[T](items: Sequence[T], progress: Progress) -> Iterator[T]:
    """The items, and word of how many of them are done, a hundred times in all."""
    step = max(1, len(items) // 100)
    for done, item in enumerate(items):
        if done % step == 0:
            progress(done, len(items))
        yield item


def _lines(cell: object) -> str:
    parts = cell if isinstance(cell, tuple) else (cell,)
    return "\n".join(clean(part) for part in parts if part is not None)


def _widths(heads: Sequence[str], cells: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Fixed columns whole; the others share what is left, the narrow ones first. None where that is too little."""
    from rich.cells import cell_len

    names = [head.removeprefix("*") for head in heads]
    lines = [[name, *(line for row in cells for line in row[at].splitlines())] for at, name in enumerate(names)]
    widths = [max(map(cell_len, column)) for column in lines]
    folding = sorted((at for at, head in enumerate(heads) if not head.startswith("*")), key=widths.__getitem__)
    room -= GAP * (len(heads) - 1) + sum(width for at, width in enumerate(widths) if at not in folding)
    for number, at in enumerate(folding):
        share = room // (len(folding) - number)
        if share < min(widths[at], NARROWEST):
            return None
        widths[at] = min(widths[at], share)
        room -= widths[at]
    return widths if room >= 0 else None


def _grid(console: "Console", heads: Sequence[str], cells: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    for head, width in zip(heads, widths, strict=True):
        shown.add_column(head.removeprefix("*"), overflow="fold", width=width)
    for row in cells:
        shown.add_row(*map(Text, row))
    _print(console, shown)


def _paragraphs(console: "Console", heads: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    names = [head.removeprefix("*") for head in heads]
    for number, row in enumerate(cells):
        if number:
            sys.stdout.write("\n")
        _pairs(console, zip(names, row, strict=True), 0)


def _pairs(console: "Console", pairs: Iterable[tuple[str, str]], indent: int) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    shown = Table.grid(padding=(0, GAP, 0, 0))
    shown.add_column(style="bold", no_wrap=True)
    shown.add_column(overflow="fold")
    for name, value in pairs:
        shown.add_row(Text(name), Text(value))
    _print(console, Padding(shown, (0, 0, 0, indent), expand=False))


def _print(console: "Console", shown: "RenderableType") -> None:
    """Without the blanks that fill the lines up."""
    with console.capture() as printed:
        console.print(shown)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in printed.get().splitlines())


def _console(stream: TextIO) -> "Console":
    """Styled on a terminal, unless NO_COLOR is set; nothing forces style upon a pipe."""
    from rich.console import Console

    terminal = stream.isatty()
    console = Console(
        file=stream,
        width=None if terminal else WIDTH,
        color_system="auto" if terminal and not os.environ.get("NO_COLOR") else None,
        force_terminal=terminal,
        markup=False,
        highlight=False,
        emoji=False,
    )
    console.width = max(console.width, LEAST)
    return console


def _escaped(text: str) -> str:
    return text.encode("unicode_escape", "surrogatepass").decode("ascii")


def _cell(value: object) -> str:
    text = clean("" if value is None else value)
    return "'" + text if str(value).startswith(_FORMULA) else text
