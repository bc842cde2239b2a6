"""What is printed cannot steer a terminal, run in a spreadsheet, or break out of 80 columns."""

import csv
import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from proxy.cli import output

HOSTILE = "\x1b[31mred\x07\u202eevil\u2028\x9b2J"


UNSEEN = "\u115f\u3164\uffa0\u2800\ufe0f\u034f\u200b\u2066\u00ad\U000e0001\U000e0100"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Standard output and standard error on a terminal of so many columns."""

    def of(columns: int, **environment: str) -> Terminal:
        stream = Terminal()
        for name, value in {"TERM": "xterm-256color", "COLUMNS": str(columns), **environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    monkeypatch.delenv("NO_COLOR", raising=False)
    return of


@given(st.text())
def test_clean_text_is_visible(text):
    """No control, no direction mark, no line end is left, and plain text is as it was."""
    cleaned = output.clean(text)
    assert cleaned.isprintable()
    assert output.clean(cleaned) == cleaned


def test_escapes_are_shown():
    """What was there can still be seen."""
    assert output.clean(HOSTILE) == r"\x1b[31mred\x07\u202eevil\u2028\x9b2J"
    assert output.clean("Zoë ¶1 – 学校") == "Zoë ¶1 – 学校"


@pytest.mark.parametrize("character", UNSEEN)
def test_what_is_not_seen_is_shown(character):
    """A name with something invisible in it does not look like the name without."""
    assert output.clean(f"a{character}b").startswith("a\\")


def test_tables_fit_80_columns_and_lose_nothing(capsys):
    """Long cells fold; columns marked * do not."""
    output.table(("*Id", "Host", "Why"), [("K7QF-2M9X", "a" * 150, "b c " * 40)], empty="")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.count("a") for line in lines) == 150
    assert any("K7QF-2M9X" in line for line in lines)


def test_tables_neutralise_what_is_stored(capsys):
    """Neither escapes nor Rich's own markup take effect."""
    output.table(("A",), [(HOSTILE,), ("[red]x[/red] :smile:",)], empty="")
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "[red]x[/red] :smile:" in shown


WIDE_TABLE = ("*Id", "Who", "+Kind", "+*Reference")
ROW = ("7", "office-3 " * 3, "navigation", "K7QF-2M9X-4TDA-81CW")


@pytest.mark.parametrize(("columns", "shown"), [(80, False), (119, False), (120, True), (200, True)])
def test_a_wide_terminal_shows_more(columns, shown, terminal):
    """Columns marked + are for those who have the room."""
    stream = terminal(columns)
    output.table(WIDE_TABLE, [ROW], empty="")
    assert ("K7QF-2M9X-4TDA-81CW" in stream.getvalue()) is shown
    assert ("Kind" in stream.getvalue()) is shown


def test_a_pipe_gets_80_columns_without_blanks_at_their_ends(capsys, monkeypatch):
    """Whatever the terminal behind it, and whatever wants to force colour upon it."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    output.table(WIDE_TABLE, [ROW], empty="")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["Id  Who", "7   office-3 office-3 office-3"]


@pytest.mark.parametrize("columns", [5, 20, 32])
def test_a_terminal_too_narrow_for_columns_gets_paragraphs(columns, terminal):
    """A row each, nothing cut: ids and references least of all."""
    stream = terminal(columns, NO_COLOR="1")
    output.table(("*Id", "*Reference", "Host"), [("1", "K7QF-2M9X-4TDA-81CW", "x" * 50)] * 2, empty="")
    shown = stream.getvalue()
    assert "".join(shown.split()).count("K7QF-2M9X-4TDA-81CW") == 2
    assert shown.count("x") == 100
    assert shown.count("Host") == 2


@given(cells=st.lists(st.text(max_size=60), min_size=3, max_size=3), columns=st.integers(30, 130))
def test_no_line_is_wider_than_the_terminal(cells, columns):
    """Whatever is stored, in cells of whatever width (学 takes two)."""
    stream = Terminal()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stdout", stream)
        patched.setenv("COLUMNS", str(columns))
        patched.setenv("TERM", "xterm")
        patched.setenv("NO_COLOR", "1")
        output.table(("*Id", "Who", "What", "Why"), [("1", *cells)], empty="")
    assert all(cell_len(line) <= columns for line in stream.getvalue().splitlines())


@pytest.mark.parametrize(("environment", "styled"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_style_is_for_terminals_that_want_it(environment, styled, terminal):
    """NO_COLOR (no-color.org) and a dumb terminal get none."""
    stream = terminal(80, **environment)
    output.table(("A",), [("b",)], empty="")
    output.facts([("Name", "value")])
    output.say("A sentence.")
    assert ("\x1b" in stream.getvalue()) is styled


def test_points_hang_below_each_other(terminal, capsys):
    """On a terminal; in a pipe each is whole on its line."""
    output.points(["word " * 30, "short"])
    assert [line[:5] for line in capsys.readouterr().out.splitlines()] == ["  - w", "  - s"]
    stream = terminal(40, NO_COLOR="1")
    output.points(["word " * 30, "short"])
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("  -  word")
    assert lines[1].startswith("     word")


def test_facts_in_a_pipe_are_whole(capsys):
    """Whoever greps a fingerprint finds all of it."""
    output.facts([("SHA-256", "42:" * 40), ("To", None), ("Empty", "")])
    assert capsys.readouterr().out.splitlines() == [f"  SHA-256  {'42:' * 40}", "  To       None", "  Empty"]


def test_a_bar_is_for_a_terminal(terminal, capsys):
    """Shown while work is long, gone afterwards; nothing in a pipe, nothing for programs."""
    for quiet in (True, False):
        with output.progress("Copying", quiet=quiet) as bar:
            bar(1, 2)
        captured = capsys.readouterr()
        assert captured.out + captured.err == ""
    stream = terminal(80)
    with output.progress("Copying", quiet=True) as bar:
        bar(1, 2)
    assert stream.getvalue() == ""
    with output.progress("Copying\x1b]0;owned\x07") as bar:
        bar(1, 2)
    assert "Copying" in stream.getvalue()
    assert "50%" in stream.getvalue()
    assert "\x07" not in stream.getvalue()


def test_counting_tells_a_hundred_times_at_most():
    """A long list does not spend its time on telling how long it is."""
    told = []
    assert list(output.counted(range(100_000), lambda *so_far: told.append(so_far))) == list(range(100_000))
    assert len(told) == 100
    assert told[50] == (50_000, 100_000)


def test_no_rows_are_a_sentence(capsys):
    """An empty table says so."""
    output.table(("A",), [], empty="Nothing is granted.")
    assert capsys.readouterr().out == "Nothing is granted.\n"


def test_sentences_are_whole_in_a_pipe(capsys):
    """Whoever greps finds one line."""
    output.say("word " * 60)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_json_is_ascii_and_itself(capsys):
    """Any terminal can take it, and what it holds comes back."""
    output.emit_json([{"a": HOSTILE, "b": None, "c": 3}])
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert "\x1b" not in printed
    assert json.loads(printed) == [{"a": HOSTILE, "b": None, "c": 3}]


@pytest.mark.parametrize(
    "formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠A1"]
)
def test_csv_formulas_are_neutralised(formula, capsys):
    """A host name is no formula; quotes and commas stay where they are."""
    output.emit_csv(("host", "n"), [{"host": formula, "n": None}, {"host": 'a,"b"\n', "n": 7}])
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == ["host", "n"]
    assert rows[1][0].startswith("'")
    assert rows[2] == [r'a,"b"\n', "7"]
