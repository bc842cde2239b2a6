"""Tables that people export from a spreadsheet, read with suspicion: CSV in UTF-8, or in UTF-16 with its mark.

Of a file that is larger than a school can need no more than that is read; a fault is told with the number of its line.
The delimiter is the one that the heading is written with: a comma, a semicolon (as Excel in much of Europe) or a tab.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import zip_longest
from typing import IO

from proxy.services.errors import BadInput
from proxy.services.text import quoted

LARGEST = 8 * 2**20  # bytes
LONGEST_LINE = 16 * 2**10  # characters
MOST_LINES = 5000
DELIMITERS = ",;\t"
SAVE_AS = "In a spreadsheet, save it as “CSV UTF-8”."


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table, by the names of its columns; ``error`` where the line itself is broken."""

    line: int
    cells: dict[str, str]
    error: str | None = None


def read(file: IO[bytes], *, required: Sequence[str], optional: Sequence[str]) -> Iterator[Row]:
    """The lines below the heading. Raises BadInput for what is no such table at all."""
    lines = _lines(file)
    heading = next(lines, "")
    delimiter = max(DELIMITERS, key=heading.count)
    columns = _columns(next(csv.reader([heading], delimiter=delimiter), []), required, optional)
    yield from _rows(lines, delimiter, columns)


def _columns(heading: Sequence[str], required: Sequence[str], optional: Sequence[str]) -> list[str]:
    known = [*required, *optional]
    columns = [name.strip().lower() for name in heading]
    while columns and not columns[-1]:
        columns.pop()  # a spreadsheet's empty columns
    for name in columns:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f" Did you mean {near[0]}?" if near else ""
            raise _bad(f"Line 1: {quoted(name)} is no column.{meant}", f"The columns are {', '.join(known)}.")
        if columns.count(name) > 1:
            raise _bad(f"Line 1: there are two columns {name}.", "Keep one of them.")
    if missing := [name for name in required if name not in columns]:
        needed = f"The first line names the columns: {', '.join(required)}, and if you like {', '.join(optional)}."
        raise _bad(f"Line 1: the column {missing[0]} is missing.", needed)
    return columns


def _rows(lines: Iterator[str], delimiter: str, columns: Sequence[str]) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 2  # the heading was line 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(line, {}, f"a quotation that begins here is not closed, or not separated ({error})")
            return
        if not any(cell.strip() for cell in cells):
            continue
        if line > MOST_LINES:
            raise _bad(f"There are more than {MOST_LINES} lines.", "Import it in parts.")
        yield _row(line, cells, columns)


def _row(line: int, cells: Sequence[str], columns: Sequence[str]) -> Row:
    """A line by its columns: cells that a spreadsheet left out at the end are empty, more cells are an error."""
    by_name = {name: cell.strip() for name, cell in zip_longest(columns, cells[: len(columns)], fillvalue="")}
    if any(cell.strip() for cell in cells[len(columns) :]):
        return Row(line, by_name, f"there are {len(cells)} cells, and the heading has {len(columns)}")
    if strange := next((c for cell in cells for c in cell if "\udc80" <= c <= "\udcff"), None):
        return Row(line, by_name, f"the byte 0x{ord(strange) - 0xDC00:02x} is not UTF-8. {SAVE_AS}")
    return Row(line, by_name)


def _lines(file: IO[bytes]) -> Iterator[str]:
    """The lines as text, each with its end."""
    raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise _bad(f"The file is larger than {LARGEST // 2**20} MB.", "Import it in parts.")
    for line in io.StringIO(_text(raw), newline=""):
        if len(line) > LONGEST_LINE:
            raise _bad(f"A line is longer than {LONGEST_LINE} characters.", "Is this the file that was meant?")
        yield line


def _text(raw: bytes) -> str:
    """What is not UTF-8 becomes surrogates, so that its line can be named."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return raw.decode("utf-16")
        except UnicodeDecodeError as error:
            raise _bad(f"This is not the UTF-16 that it begins as: {error.reason}.", SAVE_AS) from None
    if b"\x00" in raw[:LONGEST_LINE]:
        raise _bad("This is no table: there are zero bytes in it.", SAVE_AS)
    return raw.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def _bad(what: str, hint: str) -> BadInput:
    return BadInput("bad_table", what, hint)
