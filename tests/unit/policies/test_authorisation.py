"""Authorisations and requests: who, what, when, and the one table of how a request may move."""

from datetime import timedelta

import pytest

from policies.authorisation import (
    TRANSITIONS,
    ImpossibleTransition,
    RequestAct,
    RequestState,
    State,
    Subject,
    SubjectKind,
    Target,
    TargetKind,
    after,
)
from policies.names import host_name


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("person:j.smith", SubjectKind.PERSON, "j.smith"),
        ("device: office-3 ", SubjectKind.DEVICE, "office-3"),
        ("network:guest", SubjectKind.NETWORK, "guest"),
        ("group:governors", SubjectKind.GROUP, "governors"),
        ("address:10.20.0.10", SubjectKind.ADDRESS, "10.20.0.10"),
        ("10.20.0.10", SubjectKind.ADDRESS, "10.20.0.10"),
        ("::ffff:10.20.0.10", SubjectKind.ADDRESS, "10.20.0.10"),
        ("2001:DB8::1", SubjectKind.ADDRESS, "2001:db8::1"),
    ],
)
def test_subjects(text, kind, name):
    """A kind and a name; an address is itself, in its normal form."""
    assert Subject.parse(text) == Subject(kind, name)


@pytest.mark.parametrize("text", ["", "person:", "person:  ", "address:office", "office-3", "10.20.0.0/16", "role:slt"])
def test_wrong_subjects(text):
    """What is neither says what to write."""
    with pytest.raises(ValueError, match=r"write"):
        Subject.parse(text)


@pytest.mark.parametrize(
    ("text", "target", "shown"),
    [
        ("facebook", Target(TargetKind.SERVICE, "facebook"), "facebook"),
        (" Facebook ", Target(TargetKind.SERVICE, "facebook"), "facebook"),
        ("service:facebook", Target(TargetKind.SERVICE, "facebook"), "facebook"),
        ("category:forum", Target(TargetKind.CATEGORY, "forum"), "category:forum"),
        ("domain:Example.ORG.", Target(TargetKind.DOMAIN, "example.org"), "domain:example.org"),
        ("all", Target(TargetKind.ALL), "all"),
        ("ALL", Target(TargetKind.ALL), "all"),
    ],
)
def test_targets(text, target, shown):
    """A service, a category, a domain, or all; shown as it would be typed, and read back the same."""
    assert Target.parse(text) == target
    assert str(target) == shown
    assert Target.parse(shown) == target


@pytest.mark.parametrize(
    "text", ["", ":", "category:", "domain:", "domain:com", "domain:co.uk", "domain:10.0.0.1", "all:x", "person:x"]
)
def test_wrong_targets(text):
    """Nothing, an unknown kind, an address, a domain that is everybody's: an error."""
    with pytest.raises(ValueError, match=r"write|name|domain"):
        Target.parse(text)


def test_a_domain_target_is_by_whole_labels():
    """The domain and what is below it, not what ends like it."""
    target = Target.parse("domain:example.org")
    assert target.is_domain_of(host_name("a.example.org"))
    assert not target.is_domain_of(host_name("notexample.org"))
    assert not Target.parse("facebook").is_domain_of(host_name("facebook.com"))


def test_state_is_a_function_of_time(grant):
    """Half-open at both instants."""
    given = grant("person:a", "facebook")
    second = timedelta(seconds=1)
    assert given.state(given.starts_at - second) is State.FUTURE
    assert given.state(given.starts_at) is State.LIVE
    assert given.state(given.ends_at - second) is State.LIVE
    assert given.state(given.ends_at) is State.ENDED


def test_revoked_and_latched_are_for_good(grant):
    """No moment makes a revoked or lapsed authorisation live again."""
    start = grant("person:a", "facebook").starts_at
    moments = [start + timedelta(minutes=minutes) for minutes in (-10, 0, 30, 600)]
    revoked = grant("person:a", "facebook", revoked_at=start)
    lapsed = grant("person:a", "facebook", lapsed_at=start)
    assert {revoked.state(moment) for moment in moments} == {State.REVOKED}
    assert {lapsed.state(moment) for moment in moments} == {State.ENDED}


@pytest.mark.parametrize("state", RequestState)
@pytest.mark.parametrize("act", RequestAct)
def test_requests_move_by_the_table_only(state, act):
    """Pending moves; whatever was decided is final."""
    expected = {
        (RequestState.PENDING, RequestAct.APPROVE): RequestState.APPROVED,
        (RequestState.PENDING, RequestAct.REFUSE): RequestState.REFUSED,
        (RequestState.PENDING, RequestAct.WITHDRAW): RequestState.WITHDRAWN,
    }
    assert dict(TRANSITIONS) == expected
    if (state, act) in expected:
        assert after(state, act) is expected[state, act]
    else:
        with pytest.raises(ImpossibleTransition, match=f"too late to {act}.*is {state}"):
            after(state, act)
