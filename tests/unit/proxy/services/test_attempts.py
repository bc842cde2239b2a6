"""The record as each role may see it."""

from datetime import timedelta

import pytest

from policies.vocabulary import Verdict
from proxy.services.attempts import list_attempts
from proxy.services.errors import BadInput, NotPermitted
from proxy.store.models import AttemptRow

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def recorded(school, now):
    """Three attempts: by a person, by a device, by an address."""
    with school.write() as session:
        for number, who in enumerate(({"person": "j.smith"}, {"device": "office-3"}, {"person": "head"})):
            at = now + number * MINUTE
            session.add(
                AttemptRow(
                    reference=f"R{number}",
                    verdict=Verdict.ALLOW if number == 2 else Verdict.DENY,
                    reason="not_authorised",
                    host="www.facebook.com",
                    service="facebook",
                    port=443,
                    protocol="tls",
                    kind="navigation",
                    address=f"10.20.0.{number}",
                    policy="p",
                    first_at=at,
                    last_at=at,
                    **who,
                )
            )


def references(school, actor, **filters) -> list[str]:
    with school.read() as session:
        return [view.reference for view in list_attempts(session, actor, **filters)]


def test_the_latest_first(school, head):
    """The newest is on top."""
    assert references(school, head) == ["R2", "R1", "R0"]


def test_filters(school, head, now):
    """By time, person, device, verdict and number, alone and together."""
    assert references(school, head, since=now + MINUTE) == ["R2", "R1"]
    assert references(school, head, person="J.Smith") == ["R0"]
    assert references(school, head, device="office-3") == ["R1"]
    assert references(school, head, verdict="deny") == ["R1", "R0"]
    assert references(school, head, limit=1) == ["R2"]
    assert references(school, head, person="head", verdict="deny") == []
    assert references(school, head, person="nobody") == []


@pytest.mark.parametrize(
    ("filters", "what"),
    [
        ({"verdict": "maybe"}, "no verdict"),
        ({"limit": 0}, "limit"),
        ({"limit": 10**9}, "limit"),
        ({"limit": -1}, "limit"),
    ],
)
def test_wrong_filters(school, head, filters, what):
    """A filter that cannot be is refused with what could."""
    with pytest.raises(BadInput, match=what):
        references(school, head, **filters)


def test_what_slt_see(school, head):
    """SLT see who, from where, to what."""
    with school.read() as session:
        view = list_attempts(session, head)[2]
    assert (view.person, view.address, view.host, view.verdict) == ("j.smith", "10.20.0.0", "www.facebook.com", "deny")


def test_what_technicians_see(school, tech):
    """Technicians see devices and hosts, and no person; nor can they ask for one."""
    with school.read() as session:
        views = list_attempts(session, tech)
    assert {view.person for view in views} == {None}
    assert views[1].device == "office-3"
    assert views[1].host is not None
    with pytest.raises(NotPermitted):
        references(school, tech, person="j.smith")


def test_what_the_network_team_sees(school, netops):
    """The network team sees services and reasons, and nothing that tells who; nor can it ask for that."""
    with school.read() as session:
        views = list_attempts(session, netops)
    assert len(views) == 3
    for view in views:
        assert (view.person, view.device, view.address, view.host) == (None,) * 4
        assert view.service == "facebook"
    for filters in ({"person": "j.smith"}, {"device": "office-3"}):
        with pytest.raises(NotPermitted):
            references(school, netops, **filters)


def test_what_staff_see(school, staff):
    """Staff see their own, and cannot ask for another's."""
    assert references(school, staff) == ["R0"]
    assert references(school, staff, person="j.smith") == ["R0"]
    assert references(school, staff, device="office-3") == []
    with pytest.raises(NotPermitted):
        references(school, staff, person="head")
