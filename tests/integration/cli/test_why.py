"""``why``: the decision, explained to whoever can read the state directory."""

from datetime import UTC, datetime, timedelta

import pytest

FIELDS = {
    "verdict", "reason", "clause", "service", "category", "host", "rule", "network", "device", "person",
    "authorisation", "granted_by", "would_be", "shared_hosts", "needed_by", "at", "steps", "remedy",
}  # fmt: skip


def test_a_refusal_is_explained(school):
    """Network, service, rule, clause, and what would open it; nobody needs to sign in."""
    result = school("why", "m.facebook.com", "--from", "10.20.0.10")
    assert result.code == 0, result.err
    for part in (
        "DENY",
        "not_authorised",
        "network estate",
        "Facebook",
        "Clause 3 ¶1",
        "schoolgate grant address:10.2",
    ):
        assert part in result.out


def test_in_json(school):
    """Everything a program needs, by fixed names."""
    told = school("why", "https://www.instagram.com/p/1", "--from", "10.20.0.10", "--json").json
    assert set(told) == FIELDS
    assert (told["verdict"], told["reason"], told["service"]) == ("deny", "not_authorised", "instagram")
    assert "fbcdn.net" in told["shared_hosts"]
    assert told["remedy"] == "schoolgate grant address:10.20.0.10 instagram --for 1h --reason …"


@pytest.mark.parametrize("published", [True, False])
def test_an_authorisation_is_named_and_who_gave_it_to_slt_only(head, published):
    """On the published state, or on store and policy where there is none."""
    assert head("devices", "add", "office-3", "--address", "10.20.0.10").code == 0
    assert head("grant", "device:office-3", "facebook", "--for", "1h", "--reason", "A visit").code == 0
    head.publish() if published else (head.state_dir / "snapshot").unlink()
    told = head("why", "www.facebook.com", "--from", "10.20.0.10", "--json").json
    assert (told["verdict"], told["reason"], told["authorisation"]) == ("allow", "authorised", 1)
    assert (told["device"], told["granted_by"]) == ("office-3", "head")
    head.act_as("tech")
    assert head("why", "www.facebook.com", "--from", "10.20.0.10", "--json").json["granted_by"] is None
    head("logout")
    assert head("why", "www.facebook.com", "--from", "10.20.0.10", "--json").json["granted_by"] is None
    assert head("why", "www.facebook.com", "--from", "10.20.0.11", "--json").json["verdict"] == "deny"


def test_at_another_time(head):
    """A grant opens nothing behind its end; lessons are where the timetable has them."""
    assert head("grant", "10.20.0.10", "facebook", "--for", "1h", "--reason", "A visit").code == 0
    head.publish()
    later = ("--from", "10.20.0.10", "--at", (datetime.now(UTC) + timedelta(hours=3)).isoformat(), "--json")
    assert head("why", "facebook.com", *later).json["reason"] == "authorisation_ended"
    lesson = ("--from", "10.99.0.5", "--at", "2026-12-01 10:00", "--json")
    assert head("why", "facebook.com", *lesson).json["reason"] == "in_lesson"
    evening = ("--from", "10.99.0.5", "--at", "2026-12-01 18:30", "--json")
    assert head("why", "facebook.com", *evening).json["reason"] == "outside_lessons"


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("www.bbc.co.uk", "unlisted"),
        ("notfacebook.com", "unlisted"),
        ("facebook.com.evil.example", "unlisted"),
        ("FACEBOOK.COM.", "not_authorised"),
        ("93.184.216.34", "address_literal"),
        ("[2001:db8::1]", "address_literal"),
    ],
)
def test_hosts(school, host, reason):
    """Whole labels, any case, and addresses."""
    assert school("why", host, "--from", "10.20.0.10", "--json").json["reason"] == reason


@pytest.mark.parametrize(
    "arguments",
    [
        ("why",),
        ("why", "facebook.com"),
        ("why", "facebook.com", "--from", "office-3"),
        ("why", "face book", "--from", "10.20.0.10"),
        ("why", "", "--from", "10.20.0.10"),
        ("why", "http://[", "--from", "10.20.0.10"),
        ("why", "x" * 100_000, "--from", "10.20.0.10"),
        ("why", "facebook.com", "--from", "1" * 100_000),
        ("why", "facebook.com", "--from", "10.20.0.10", "--at", "soon"),
    ],
)
def test_wrong_use(school, arguments):
    """Exit code 2 and a short sentence."""
    result = school(*arguments)
    assert result.code == 2
    assert len(result.err) < 1000


def test_a_person_and_a_stranger(school):
    """Who sits there is told as far as it is known."""
    known = school("why", "facebook.com", "--from", "10.20.0.10", "--person", "J.Smith", "--json").json
    assert any("in the role staff" in step for step in known["steps"])
    assert known["remedy"].startswith("schoolgate grant person:j.smith facebook")
    stranger = school("why", "facebook.com", "--from", "10.20.0.10", "--person", "x\x1b[31m", "--json")
    assert stranger.code == 0
    assert "\x1b" not in stranger.out
