"""The record, as the command lists it."""

import csv
import io
import os
import re
import shlex
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from proxy.cli.attempts import FIELDS
from proxy.store.models import AttemptRow

NOW = datetime.now(UTC)


def _attempt(number: int, **changes: object) -> AttemptRow:
    at = NOW - timedelta(minutes=number)
    fields = {
        "reference": f"AAAA-BBBB-CCCC-{number:04}",
        "verdict": "deny",
        "reason": "not_authorised",
        "clause": "3 ¶1",
        "service": "facebook",
        "category": "social-network",
        "host": "www.facebook.com",
        "port": 443,
        "protocol": "tls",
        "kind": "navigation",
        "address": "10.20.0.10",
        "device": "office-3",
        "person": "j.smith",
        "policy": "abc",
        "first_at": at,
        "last_at": at,
    }
    return AttemptRow(**{**fields, **changes})


@pytest.fixture
def recorded(head):
    """Three attempts: one allowed, one of somebody else's, one with a formula for a name."""
    store = head.store
    with store.write() as unit:
        unit.add(_attempt(1, count=3))
        unit.add(_attempt(2, verdict="allow", reason="authorised", authorisation=7, person="a.jones", outcome="closed"))
        unit.add(_attempt(60 * 48, device="=cmd|' /C calc'!A0", host="\x1b[2Jx.com", person=None))
    store.close()
    return head


def test_in_json(recorded):
    """A list, newest first, each with the fixed fields, times with offset."""
    listed = recorded("attempts", "--json").json
    assert [tuple(attempt) for attempt in listed] == [FIELDS] * 3
    first = listed[0]
    assert (first["verdict"], first["count"], first["reference"]) == ("deny", 3, "AAAA-BBBB-CCCC-0001")
    assert datetime.fromisoformat(first["last_at"]).tzinfo is not None


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--since", "2020-01-01"), 3),
        (("--since", "now"), 0),
        (("--person", "j.smith"), 1),
        (("--device", "office-3"), 2),
        (("--verdict", "allow"), 1),
        (("--limit", "2"), 2),
        (("--person", "nobody' or '1'='1"), 0),
    ],
)
def test_filters(recorded, options, count):
    """Each narrows the list."""
    assert len(recorded("attempts", "--json", *options).json) == count


def test_csv(recorded):
    """A header and a row each; no cell is a formula."""
    rows = list(csv.reader(io.StringIO(recorded("attempts", "--csv").out)))
    assert tuple(rows[0]) == FIELDS
    assert len(rows) == 4
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        ("unresolvable", "unresolvable"),
        ("refused_destination", "refused destination"),
        ("unreachable", "unreachable"),
        ("cut", None),
        ("closed", None),
    ],
)
def test_an_outcome_that_nobody_would_guess(head, outcome, shown):
    """What was allowed and did not arrive says why; what just ended does not."""
    with closing(head.store) as store, store.write() as unit:
        unit.add(_attempt(1, verdict="allow", reason="authorised", authorisation=7, outcome=outcome))
    told = head("attempts").out
    assert "allow: authorised" in told
    assert [
        word for word in ("unresolvable", "refused destination", "unreachable", "cut", "closed") if word in told
    ] == [*filter(None, [shown])]


HOSTILE = [
    "\x1b]0;owned\x07",
    "\x1b[2J",
    "\x9b31m",
    "\u202egnp.exe",
    "\u2066\u2069",
    "a\u200bb\ufe0f",
    "\u3164",
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "+1",
    "-1",
    "\t=1",
    "\r\n=1",
    "＝1",
    '","=1',
    "[red]x[/red]",
]
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe0f]")


@pytest.fixture
def hostile(head):
    """A record in which everything that others chose is meant to do harm."""
    store = head.store
    with store.write() as unit:
        for number, text in enumerate(HOSTILE):
            unit.add(_attempt(number, host=text, device=text, person=text, service=text, clause=text, category=text))
    store.close()
    return head


def test_a_hostile_record_on_a_terminal(hostile, tmp_path):
    """A real terminal gets no escape but the table's own bold heading, whatever is listed."""
    command = shlex.join([sys.executable, "-m", "proxy.cli", "attempts"])
    shown = subprocess.run(
        ["script", "--quiet", "--return", "--command", f"stty cols 160 rows 24; {command}", os.devnull],
        capture_output=True,
        text=True,
        check=True,
        env={**hostile.environment, "TERM": "xterm-256color", "NO_COLOR": ""},
        timeout=60,
        stdin=subprocess.DEVNULL,
    ).stdout
    styled = re.sub(r"\x1b\[[01]m", "", shown.replace("\r\n", "\n"))
    assert styled != shown.replace("\r\n", "\n"), "it was no terminal"
    assert not UNSAFE.search(styled)
    assert r"\u202egnp.exe" in styled
    assert "[red]x[/red]" in styled


def test_a_bar_beside_a_file(recorded, tmp_path):
    """On a terminal a long CSV shows how far it is, and every line of it is in the file."""
    file = tmp_path / "attempts.csv"
    command = f"{shlex.join([sys.executable, '-m', 'proxy.cli', 'attempts', '--csv'])} > {shlex.quote(str(file))}"
    shown = subprocess.run(
        ["script", "--quiet", "--return", "--command", command, os.devnull],
        capture_output=True,
        text=True,
        check=True,
        env={**recorded.environment, "TERM": "xterm-256color"},
        timeout=60,
        stdin=subprocess.DEVNULL,
    ).stdout
    assert "Writing CSV" in shown
    assert "www.facebook.com" not in shown
    assert len(file.read_text().splitlines()) == 4


def test_a_hostile_record_in_a_pipe_and_for_programs(hostile):
    """Plain text, CSV and JSON carry no control character; no cell of CSV is a formula; JSON has what was there."""
    for options in ((), ("--csv",), ("--json",)):
        assert not UNSAFE.search(hostile("attempts", *options).out)
    rows = list(csv.reader(io.StringIO(hostile("attempts", "--csv").out)))
    assert {len(row) for row in rows} == {len(FIELDS)}
    assert not any(cell.startswith(("=", "+", "-", "@", "＝")) for row in rows for cell in row)
    assert [attempt["host"] for attempt in hostile("attempts", "--json").json] == HOSTILE


def test_as_a_table(recorded):
    """80 columns, references whole, nothing that steers the terminal."""
    shown = recorded("attempts").out
    assert max(map(len, shown.splitlines())) <= 80
    assert "AAAA-BBBB-CCCC-0001" in shown
    assert "\x1b" not in shown


def test_names_are_hidden_by_role(recorded):
    """Technicians see no person; the network team neither person, device, address nor host; staff their own."""
    seen = {}
    for name in ("tech", "net", "j.smith"):
        recorded.act_as(name)
        seen[name] = recorded("attempts", "--json").json
    assert (seen["tech"][0]["person"], seen["tech"][0]["device"]) == (None, "office-3")
    assert {seen["net"][0][name] for name in ("person", "device", "address", "host")} == {None}
    assert [attempt["person"] for attempt in seen["j.smith"]] == ["j.smith"]


@pytest.mark.parametrize(
    "options",
    [("--limit", "0"), ("--limit", "9" * 40), ("--verdict", "maybe"), ("--since", "soon"), ("--csv", "--json")],
)
def test_wrong_use(recorded, options):
    """Exit code 2."""
    assert recorded("attempts", *options).code == 2


def test_an_empty_record(head):
    """Says so; in JSON it is an empty list."""
    assert head("attempts").out.startswith("Nothing is recorded yet")
    assert head("attempts", "--json").json == []


def test_nothing_that_fits(recorded):
    """What to do next is said."""
    assert "--since" in recorded("attempts", "--device", "nosuch").out


def test_by_reference(recorded):
    """What the refusal page shows finds the attempt, however it is typed."""
    assert [a["count"] for a in recorded("attempts", "--reference", " aaaa-bbbb-cccc-0001", "--json").json] == [3]
    assert recorded("attempts", "--reference", "AAAA-BBBB-CCCC-9999", "--json").json == []


def test_more_than_is_shown(recorded):
    """A list that was cut says so; one that was not, does not."""
    assert "--limit shows more" in recorded("attempts", "--limit", "2").out
    assert "--limit shows more" not in recorded("attempts").out
