"""Who is asked who they are: exactly those whose answer could open what was refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import asking
from policies.asking import would_ask
from policies.decision import decide
from policies.snapshot import Device, Member
from policies.vocabulary import Protocol, Reason

LESSON = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
GUEST, OFFICE = "10.99.0.5", "10.20.0.12"
MEMBERS = {
    "head": Member("slt", frozenset({"leaders"})),
    "j.smith": Member("staff", frozenset({"governors", "mixed"}), browsing="first"),
}
DEVICES = (Device("office-3", (ip_network(OFFICE),), frozenset({"tablets", "mixed"})),)


@pytest.fixture(scope="session")
def school(make_snapshot):
    """A snapshot with people, a device, and these grants."""
    return lambda *grants, **changes: make_snapshot(*grants, **{"members": MEMBERS, "devices": DEVICES, **changes})


# Whose grants count


@pytest.mark.parametrize(
    ("who", "target", "asks"),
    [
        ("person:j.smith", "facebook", True),
        ("person:j.smith", "all", True),
        ("person:j.smith", "category:social-network", True),
        ("person:j.smith", "domain:www.facebook.com", True),
        ("group:governors", "facebook", True),
        ("group:mixed", "facebook", True),
        ("person:j.smith", "forum", False),
        ("person:j.smith", "domain:m.facebook.com", False),
        ("person:gone", "facebook", False),
        ("group:tablets", "facebook", False),
        ("group:empty", "facebook", False),
        ("device:office-9", "facebook", False),
        ("address:10.20.0.99", "facebook", False),
        ("network:guest", "facebook", False),
    ],
)
def test_the_grant_of_a_person_or_of_a_group_with_people(school, grant, make_attempt, who, target, asks):
    """One that covers the host; devices, addresses, networks and people without an account answer nothing."""
    assert would_ask(make_attempt(), school(grant(who, target)), LESSON) is asks


@pytest.mark.parametrize(
    ("changes", "asks"),
    [
        ({}, True),
        ({"starts_at": LESSON + HOUR, "ends_at": LESSON + 2 * HOUR}, True),
        ({"starts_at": LESSON}, True),
        ({"ends_at": LESSON}, False),
        ({"revoked_at": LESSON}, False),
        ({"revoked_at": LESSON, "starts_at": LESSON + HOUR, "ends_at": LESSON + 2 * HOUR}, False),
        ({"lapsed_at": LESSON}, False),
    ],
)
def test_live_and_future_grants_count(school, grant, make_attempt, changes, asks):
    """What is over is over."""
    assert would_ask(make_attempt(), school(grant("person:j.smith", "facebook", **changes)), LESSON) is asks


def test_an_end_that_was_seen_is_over(school, grant, make_attempt):
    """A clock that steps back has nobody asked for it."""
    snapshot = school(grant("person:j.smith", "facebook", id=5), latched=frozenset({5}))
    assert not would_ask(make_attempt(), snapshot, LESSON)


def test_grants_that_nobody_vouches_for_open_nothing(school, grant, make_attempt):
    """So nobody is asked."""
    snapshot = school(grant("person:j.smith", "facebook"), confirmed_at=LESSON - timedelta(minutes=15))
    assert not would_ask(make_attempt(), snapshot, LESSON)
    assert would_ask(make_attempt(), snapshot, LESSON - timedelta(seconds=1))


# What is asked about


@pytest.mark.parametrize(
    ("attempt", "asks"),
    [
        ({}, True),
        ({"destination": "www.facebook.com", "explicit": True}, True),
        ({"host": None, "destination": "www.facebook.com", "explicit": True, "protocol": Protocol.HTTP}, True),
        ({"host": "m.youtube.com"}, True),
        ({"address": GUEST}, True),  # whether a page can be shown there is not asked here
        ({"person": "head"}, True),
        ({"person": "nobody", "credential": "x"}, True),
        ({"host": "www.bbc.co.uk"}, False),
        ({"host": "help.facebook.com"}, False),
        ({"host": "scratch.mit.edu"}, False),
        ({"host": "vpn.example"}, False),
        ({"host": "printer.local"}, False),
        ({"host": "printer.local", "address": GUEST}, False),
        ({"host": None}, False),
        ({"host": None, "protocol": Protocol.OTHER}, False),
        ({"host": None, "protocol": Protocol.HTTP}, False),
        ({"explicit": True, "port": 22}, False),
        ({"fault": Reason.MALFORMED}, False),
        ({"fault": Reason.TOO_BUSY}, False),
        ({"fault": Reason.BAD_CREDENTIALS}, False),
        ({"destination": "www.bbc.co.uk", "explicit": True}, False),
        ({"destination": "m.facebook.com", "explicit": True}, False),
    ],
)
def test_only_a_refusal_that_a_grant_would_turn(school, grant, make_attempt, attempt, asks):
    """Not what passes, what no grant opens, or two names that do not agree."""
    assert would_ask(make_attempt(**attempt), school(grant("person:j.smith", "all")), LESSON) is asks


def test_not_where_it_is_open_already(school, grant, make_attempt, make_policy):
    """For the device, by the time of day, or because the network is being observed."""
    mine = grant("person:j.smith", "all")
    assert not would_ask(make_attempt(address=OFFICE), school(mine, grant("device:office-3", "facebook", id=2)), LESSON)
    assert would_ask(make_attempt(address=GUEST), school(mine), LESSON)
    assert not would_ask(make_attempt(address=GUEST), school(mine), LESSON.replace(hour=8))
    assert not would_ask(make_attempt(), school(mine, policy=make_policy(observe={"estate": "2026-12-18"})), LESSON)


def test_without_a_snapshot(make_attempt):
    """Everything is refused, and no answer would change that."""
    assert not would_ask(make_attempt(), None, LESSON)


def test_without_personal_grants_nothing_is_looked_at(school, grant, make_attempt, monkeypatch):
    """However many grants there are for devices and addresses."""
    monkeypatch.setattr(asking, "decide", None)
    snapshot = school(*(grant("device:office-3", "all", id=number) for number in range(9)))
    assert not would_ask(make_attempt(), snapshot, LESSON)


# What holds of every attempt


hosts = st.sampled_from(
    ["www.facebook.com", "fbcdn.net", "instagram.com", "help.facebook.com", "forum.example", "vpn.example", "bbc.co.uk"]
)
subjects = st.sampled_from(
    ["person:head", "person:j.smith", "person:gone", "group:leaders", "group:mixed", "group:tablets", "device:office-3"]
)
targets = st.sampled_from(["all", "facebook", "instagram", "category:forum", "domain:facebook.com", "domain:bbc.co.uk"])
moments = st.integers(-4, 4).map(lambda half_hours: LESSON + half_hours * HOUR / 2)
windows = st.tuples(moments, moments).filter(lambda ends: ends[0] < ends[1])
grants = st.lists(st.tuples(subjects, targets, windows, st.booleans(), st.booleans()), max_size=4)
attempts = st.fixed_dictionaries(
    {"host": st.none() | hosts, "address": st.sampled_from(["10.20.0.10", OFFICE, GUEST])},
    optional={
        "destination": hosts,
        "explicit": st.booleans(),
        "port": st.sampled_from([80, 443, 993]),
        "protocol": st.sampled_from(Protocol),
        "fault": st.sampled_from([Reason.MALFORMED, Reason.TOO_BUSY]),
    },
)


@given(attempt=attempts, given_=grants, now=moments)
def test_it_asks_exactly_where_an_answer_could_help(school, grant, make_attempt, attempt, given_, now):
    """Not asked: no answer opens it now. Asked: somebody's would, were the grants that are to come live."""
    made = [
        grant(who, what, id=n, starts_at=start, ends_at=end, revoked_at=LESSON if revoked else None)
        for n, (who, what, (start, end), revoked, _) in enumerate(given_)
    ]
    latched = frozenset(n for n, (*_, seen) in enumerate(given_) if seen)
    snapshot, judged = school(*made, confirmed_at=now, latched=latched), make_attempt(**attempt)
    refused = not decide(judged, snapshot, now).allowed

    def opens(snapshot) -> bool:
        answers = (decide(replace(judged, person=name), snapshot, now) for name in MEMBERS)
        return refused and any(answer.reason is Reason.AUTHORISED for answer in answers)

    if would_ask(judged, snapshot, now):
        begun = [replace(a, starts_at=min(a.starts_at, now)) for a in made]
        assert opens(replace(snapshot, authorisations=tuple(begun)))
    else:
        assert not opens(snapshot)
