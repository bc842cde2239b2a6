"""Tables from a spreadsheet, from any spreadsheet, and from somebody who means ill."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.services import tables
from proxy.services.errors import BadInput

REQUIRED, OPTIONAL = ("name", "addresses"), ("groups",)


def read(raw: bytes) -> list[tables.Row]:
    return list(tables.read(io.BytesIO(raw), required=REQUIRED, optional=OPTIONAL))


EXPECTED = [tables.Row(2, {"name": "a", "addresses": "1;2"}), tables.Row(3, {"name": "b", "addresses": "3"})]


@pytest.mark.parametrize(
    "raw",
    [
        b"name,addresses\na,1;2\nb,3\n",
        b"name,addresses\r\na,1;2\r\nb,3",
        b"name,addresses\ra,1;2\rb,3\r",
        b'\xef\xbb\xbfname;addresses\r\na;"1;2"\r\nb;3\r\n',
        b"name\taddresses\na\t1;2\nb\t3\n",
        " Name ,ADDRESSES\na , 1;2\nb,3\n".encode("utf-16"),
        "\ufeffname\taddresses\na\t1;2\nb\t3\n".encode("utf-16-be"),
        b"name,addresses,,\na,1;2,,\nb,3,,\n",
    ],
)
def test_every_spreadsheet_s_way(raw: bytes) -> None:
    """Commas, semicolons or tabs; any end of line; with or without a mark; columns that are empty."""
    assert read(raw) == EXPECTED


def test_lines_keep_their_numbers() -> None:
    """Blank lines and cells of several lines count, so that the number is the one an editor shows."""
    rows = read(b'name,addresses\n\na,"1\n2"\n,\nb,3\n')
    assert [(row.line, row.cells["name"]) for row in rows] == [(3, "a"), (6, "b")]


def test_cells_that_were_left_out() -> None:
    """A spreadsheet leaves out what is empty at the end of a line; too many cells are an error of that line."""
    rows = read(b"name,addresses,groups\na,1\nb,2,g,extra\nc,3,g\n")
    assert rows[0].cells == {"name": "a", "addresses": "1", "groups": ""}
    assert [row.error for row in rows] == [None, "there are 4 cells, and the heading has 3", None]


def test_a_line_that_is_not_utf_8() -> None:
    """Is named, with the byte; the lines around it are read."""
    rows = read(b"name,addresses\na,1\nJos\xe9,2\nb,3\n")
    assert [row.error and row.error[:28] for row in rows] == [None, "the byte 0xe9 is not UTF-8. ", None]


@pytest.mark.parametrize(("raw", "line"), [(b'name,addresses\na,1\nb,"2\nc,3\n', 3), (b'name,addresses\na,"1"2\n', 2)])
def test_unbalanced_quotes(raw: bytes, line: int) -> None:
    """The line where they begin is named."""
    last = read(raw)[-1]
    assert last.line == line
    assert last.error is not None
    assert "quotation" in last.error


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "the column name is missing"),
        (b"\n", "the column name is missing"),
        (b"addresses\n1\n", "the column name is missing"),
        (b"a,1\nb,2\n", "'a' is no column"),
        (b"name,adresses\n", "'adresses' is no column. Did you mean addresses?"),
        (b"name,name,addresses\n", "two columns name"),
        (b"name,addresses\x00\n", "zero bytes"),
        ("name,addresses\n".encode("utf-16-le"), "zero bytes"),
        (b"\xff\xfen", "UTF-16"),
        (b"PK\x03\x04\x14\x00\x06\x00", "zero bytes"),
        (b"name," * 1_000_000, "longer than 16384 characters"),
        (b"name,addresses\n" + b"x" * 20_000, "longer than 16384 characters"),
        (b"name,addresses\n" + b"a,1\n" * 5_001, "more than 5000 lines"),
        (b"name,addresses\n" + b"\n" * tables.LARGEST, "larger than 8 MB"),
    ],
)
def test_what_is_no_table(raw: bytes, why: str) -> None:
    """Says what is wrong, and what to do."""
    with pytest.raises(BadInput) as caught:
        read(raw)
    assert why in caught.value.message
    assert caught.value.hint
    assert len(caught.value.message) < 300


def test_no_more_is_read_than_may_be() -> None:
    """Of a hundred megabytes, or of what never ends, the first few are looked at."""

    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            assert size > 0
            self.given += size
            return b"x" * size

    endless = Endless()
    with pytest.raises(BadInput, match="larger than 8 MB"):
        list(tables.read(endless, required=REQUIRED, optional=OPTIONAL))
    assert endless.given <= tables.LARGEST + 1


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes(raw: bytes) -> None:
    """Whatever follows a good heading is rows, broken rows, or an error in words."""
    try:
        rows = read(b"name,addresses\n" + raw)
    except BadInput:
        return
    assert all(row.line >= 2 for row in rows)
