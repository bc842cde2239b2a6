"""The record, as the command lists it."""

import csv
import io
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
    assert head("attempts").out == "Nothing is recorded.\n"
    assert head("attempts", "--json").json == []
