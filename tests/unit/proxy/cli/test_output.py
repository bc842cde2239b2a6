"""What is printed cannot steer a terminal, run in a spreadsheet, or break out of 80 columns."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.cli import output

HOSTILE = "\x1b[31mred\x07\u202eevil\u2028\x9b2J"


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


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_csv_formulas_are_neutralised(formula, capsys):
    """A host name is no formula; quotes and commas stay where they are."""
    output.emit_csv(("host", "n"), [{"host": formula, "n": None}, {"host": 'a,"b"\n', "n": 7}])
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == ["host", "n"]
    assert rows[1][0].startswith("'")
    assert rows[2] == [r'a,"b"\n', "7"]
