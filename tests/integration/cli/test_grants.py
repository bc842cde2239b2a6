"""Granting, listing, extending, revoking, as SLT type it."""

from datetime import datetime, timedelta

import pytest

from proxy.store.models import AuthorisationRow

FOR_AN_HOUR = ("--for", "1h", "--reason", "Open day posts")


def test_a_grant_says_what_it_does(head):
    """Who, what, until when, which shared hosts open too, and how to end it."""
    result = head("grant", "address:10.20.0.10", "instagram", *FOR_AN_HOUR)
    assert result.code == 0, result.err
    for part in ("instagram", "address:10.20.0.10", "until", "fbcdn.net", "schoolgate revoke 1"):
        assert part in result.out


def test_a_grant_in_json(head):
    """An object with ``id``; times with their offset."""
    granted = head("grant", "10.20.0.10", "facebook", *FOR_AN_HOUR, "--json").json
    assert granted["id"] == 1
    assert granted["who"] == "address:10.20.0.10"
    assert granted["state"] == "live"
    start, end = (datetime.fromisoformat(granted[name]) for name in ("starts_at", "ends_at"))
    assert start.tzinfo is not None
    assert end - start == timedelta(hours=1)


def test_a_grant_with_a_window(head):
    """From tomorrow until later tomorrow: future, and listed."""
    window = ("--from", "tomorrow 09:00", "--until", "tomorrow 12:00", "--reason", "Training day")
    assert head("grant", "j.smith", "category:forum", *window).code == 0
    listed = head("grants", "--json").json
    assert [(g["who"], g["target"], g["state"]) for g in listed] == [("person:j.smith", "category:forum", "future")]
    assert "person:j.smith" in head("grants").out.replace("\n", "")


def test_listed_for_people(head):
    """Id and who whole, how long it still lasts, why and by whom; 80 columns."""
    assert head("grant", "10.20.0.10", "facebook", "--for", "2h", "--reason", "Pictures of " * 9).code == 0
    window = ("--from", "tomorrow 09:00", "--until", "tomorrow 12:00", "--reason", "Training day")
    assert head("grant", "network:guest", "all", *window).code == 0
    assert head("grant", "10.20.0.11", "reddit", *FOR_AN_HOUR).code == 0
    assert head("revoke", "3", "--reason", "Finished early").code == 0
    shown = head("grants", "--all").out
    for part in ("address:10.20.0.10", "1 h 59 min left", "09:00", "12:00", "revoked", "by head"):
        assert part in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_nothing_granted_says_how_to(head):
    """Whoever looks for the first time sees what to type."""
    assert "schoolgate grant WHO TARGET" in head("grants").out


def test_extend_and_revoke(head):
    """The end moves; then it is over, and stays so."""
    granted = head("grant", "10.20.0.10", "facebook", *FOR_AN_HOUR, "--json").json
    extended = head("extend", "1", "--for", "30m", "--reason", "It overran", "--json").json
    moved = datetime.fromisoformat(extended["ends_at"]) - datetime.fromisoformat(granted["ends_at"])
    assert moved == timedelta(minutes=30)
    assert head("revoke", "1", "--reason", "Finished early", "--json").json["state"] == "revoked"
    assert head("grants", "--json").json == []
    assert head("grants", "--all", "--json").json[0]["revoked_by"] == "head"
    for again in (("revoke", "1", "--reason", "Finished"), ("extend", "1", "--for", "1h", "--reason", "Finished")):
        result = head(*again, "--json")
        assert result.code == 1
        assert result.error["code"] == "already_revoked"


def test_nobody_grants_to_themselves(head):
    """Law 7, as the command says it."""
    result = head("grant", "head", "facebook", *FOR_AN_HOUR, "--json")
    assert result.code == 1
    assert result.error["code"] == "own_grant"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("10.20.0.10", "facebook", "--reason", "No length"), 2),
        (("10.20.0.10", "facebook", "--for", "1h", "--until", "23:59", "--reason", "Two ends"), 2),
        (("10.20.0.10", "facebook", "--for", "soon", "--reason", "No length"), 2),
        (("10.20.0.10", "facebook", "--for", "9" * 50_000 + "h", "--reason", "Too long"), 2),
        (("10.20.0.10", "facebook", "--until", "9999-12-31T23:59", "--reason", "For ever"), 1),
        (("10.20.0.10", "facebook", "--until", "2020-01-01T00:00", "--reason", "In the past"), 2),
        (("10.20.0.10", "facebook", "--for", "9h", "--reason", "Too long"), 1),
        (("10.20.0.10", "facebook", "--from", "2031-01-01T09:00", "--for", "1h", "--reason", "Far off"), 1),
        (("10.20.0.10", "facebook", "--for", "1h", "--reason", ""), 2),
        (("10.20.0.10", "facebook", "--for", "1h", "--reason", "x" * 100_000), 2),
        (("10.20.0.10", "facebook", "--for", "1h", "--reason", "\x1b\x1b\x1b\x1b\x1b\x1b"), 2),
        (("10.20.0.10", "nosuchservice", *FOR_AN_HOUR), 1),
        (("10.20.0.10", "category:nosuch", *FOR_AN_HOUR), 1),
        (("10.20.0.10", "domain:exa mple", *FOR_AN_HOUR), 2),
        (("10.20.0.10", "x" * 100_000, *FOR_AN_HOUR), 1),
        (("10.20.0.999", "facebook", *FOR_AN_HOUR), 2),
        (("person:nobody.such", "facebook", *FOR_AN_HOUR), 1),
        (("device:nosuch", "facebook", *FOR_AN_HOUR), 1),
        (("nobody'; drop table people; --", "facebook", *FOR_AN_HOUR), 1),
        (("x" * 100_000, "facebook", *FOR_AN_HOUR), 2),
        (("", "facebook", *FOR_AN_HOUR), 2),
        (("10.20.0.10",), 2),
        ((), 2),
    ],
)
def test_what_cannot_be_granted(head, arguments, code):
    """A sentence, the exit code, and no grant."""
    result = head("grant", *arguments)
    assert result.code == code, result.err
    assert result.err.startswith("schoolgate: ")
    assert len(result.err) < 1500
    assert "\x1b" not in result.err
    assert head("grants", "--all", "--json").json == []


@pytest.mark.parametrize(("number", "code"), [("7", 1), ("0", 1), ("abc", 2), ("9" * 30, 1), ("9" * 50_000, 2)])
def test_a_grant_that_is_not_there(head, number, code):
    """Whatever number is typed."""
    assert head("revoke", number, "--reason", "Finished").code == code
    assert head("extend", number, "--for", "1h", "--reason", "Finished").code == code


def test_with_a_broken_policy_file_the_one_in_force_counts(head):
    """A slip of the technician's does not stop SLT."""
    broken = head.state_dir.parent / "policy.yaml"
    broken.write_text("school: [")
    head.extra["SCHOOLGATE_POLICY"] = str(broken)
    result = head("grant", "10.20.0.10", "facebook", *FOR_AN_HOUR)
    assert result.code == 0
    assert "The policy in force is used" in result.err
    (head.state_dir / "snapshot").unlink()
    assert head("grant", "10.20.0.10", "facebook", *FOR_AN_HOUR, "--json").error["code"] == "policy_invalid"


def test_what_is_stored_does_not_steer_a_terminal(head):
    """Whatever a reason holds by the time it is listed."""
    assert head("grant", "10.20.0.10", "facebook", *FOR_AN_HOUR).code == 0
    store = head.store
    with store.write() as unit:
        unit.get(AuthorisationRow, 1).reason = "\x1b]0;owned\x07\u202e[red]"
    store.close()
    for arguments in (("grants",), ("grants", "--json")):
        shown = head(*arguments).out
        assert not any(control in shown for control in "\x1b\x07\u202e")
