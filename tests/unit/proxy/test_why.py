"""A decision in words: what it rests on, and what would change it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest

from policies.attempt import Attempt
from policies.authorisation import Authorisation, Subject, Target
from policies.decision import decide
from policies.loading import default_policy_path, load_catalogue, load_policy
from policies.names import host_name
from policies.snapshot import Device, Member, Snapshot
from policies.vocabulary import Protocol, Reason
from proxy.why import BASIS, as_of, explain

NOW = datetime(2026, 12, 1, 18, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
OFFICE, GUEST = "10.20.0.10", "10.99.0.5"


def _grant(target: str = "facebook", **changes) -> Authorisation:
    given = {"starts_at": NOW - HOUR, "ends_at": NOW + HOUR}
    subject = Subject.parse(f"address:{OFFICE}")
    return Authorisation(id=7, subject=subject, target=Target.parse(target), **{**given, **changes})


@pytest.fixture(scope="module")
def school() -> Snapshot:
    """The school's own policy and catalogue, a device, a member of staff."""
    return Snapshot(
        number=1,
        confirmed_at=NOW,
        policy=load_policy(default_policy_path()),
        catalogue=load_catalogue(),
        devices=(Device("office-3", (ip_network("10.20.0.10/32"),), frozenset({"office"})),),
        members={"j.smith": Member("staff")},
    )


def _attempt(host: str, address: str = OFFICE, person: str | None = None) -> Attempt:
    name = host_name(host)
    return Attempt(
        address=ip_address(address),
        destination=name,
        server_name=name,
        port=443,
        protocol=Protocol.TLS,
        explicit=True,
        person=person,
    )


def test_it_tells_what_decide_decides(school):
    """One decision: the explanation carries it unchanged."""
    attempt = _attempt("www.facebook.com")
    assert explain(attempt, school, NOW).decision == decide(attempt, school, NOW)


def test_a_refusal_step_by_step(school):
    """Network, device, service, rule, clause; then the grant that would open it."""
    told = explain(_attempt("m.facebook.com"), school, NOW)
    steps = " ".join(told.steps)
    for part in (
        "network estate",
        "office-3, in office",
        "belongs to Facebook",
        "nobody has authorised",
        "Clause 3 ¶1",
    ):
        assert part in steps
    assert told.remedy == "schoolgate grant device:office-3 facebook --for 1h --reason …"


def test_who_would_be_granted(school):
    """The person if one is named, else the device, else the address."""
    assert "person:j.smith" in (explain(_attempt("facebook.com", person="j.smith"), school, NOW).remedy or "")
    assert "address:10.20.0.11" in (explain(_attempt("facebook.com", "10.20.0.11"), school, NOW).remedy or "")


def test_an_authorisation(school):
    """Its window, in the school's zone; nothing more would open it."""
    granted = replace(school, authorisations=(_grant(),))
    told = explain(_attempt("facebook.com"), granted, NOW)
    assert told.authorisation == _grant()
    assert "from 2026-12-01 17:30 until 2026-12-01 19:30" in " ".join(told.steps)
    assert told.remedy is None


def test_shared_hosts(school):
    """What opens together is told on both sides."""
    assert "fbcdn.net" in explain(_attempt("www.instagram.com"), school, NOW).shared_hosts
    told = explain(_attempt("x.fbcdn.net"), school, NOW)
    assert "instagram" in told.needed_by
    assert "Instagram" in " ".join(told.steps)


@pytest.mark.parametrize(
    ("host", "reason"),
    [("www.bbc.co.uk", Reason.UNLISTED), ("help.instagram.com", Reason.EXEMPT), ("nordvpn.com", Reason.LOCKED)],
)
def test_where_no_grant_would_help(school, host, reason):
    """What passes, and what is locked, names no command."""
    told = explain(_attempt(host), school, NOW)
    assert told.decision.reason is reason
    assert told.remedy is None


def test_grants_that_nobody_vouches_for(school):
    """With the keeper gone for longer than the policy allows, the explanation says so."""
    granted = replace(school, authorisations=(_grant(),), confirmed_at=NOW - HOUR)
    told = explain(_attempt("facebook.com"), granted, NOW)
    assert not told.decision.allowed
    assert "Is it running?" in told.steps[-1]


def test_the_state_at_another_time(school):
    """What was revoked or lapsed since then had not been; a fresh state stays fresh in the future."""
    revoked = replace(school, authorisations=(_grant(revoked_at=NOW - timedelta(minutes=5)),))
    before = NOW - timedelta(minutes=30)
    assert explain(_attempt("facebook.com"), as_of(revoked, before, NOW), before).decision.allowed
    assert not explain(_attempt("facebook.com"), as_of(revoked, NOW, NOW), NOW).decision.allowed
    tomorrow = NOW + timedelta(days=1)
    future = replace(school, authorisations=(_grant(starts_at=tomorrow - HOUR, ends_at=tomorrow + HOUR),))
    assert explain(_attempt("facebook.com"), as_of(future, tomorrow, NOW), tomorrow).decision.allowed


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words(school, reason):
    """Also those that only a connection can have."""
    sentence = BASIS.get(reason, "It is {verdict}: {reason}.")
    assert sentence.format(rule="r", authorisation=1, would_be="x", verdict="refused", reason=reason).endswith(".")
