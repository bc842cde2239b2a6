"""Groups: made when somebody joins, left one at a time, counted."""

import pytest
from sqlalchemy import select

from proxy.record import ledger
from proxy.services import devices, groups
from proxy.services.errors import BadInput, Conflict, NotPermitted, ServiceError
from proxy.services.groups import GroupView
from proxy.store.models import LedgerRow, Membership


@pytest.fixture
def change(school, tech, now):
    """Change the groups of j.smith in a unit of its own."""

    def change(by=tech, name="j.smith", **said):
        with school.write() as session:
            return groups.change_groups(session, by, name=name, now=now, **said)

    return change


def test_joining_and_leaving(school, change, tech, now, policy):
    """Names are known in lower case, each once; who is in a group is counted."""
    assert change(join=["Governors", "governors ", "choir"]) == ("choir", "governors")
    assert change(join=["choir", "band"], leave=["governors"]) == ("band", "choir")
    with school.write() as session:
        devices.add_device(
            session, tech, name="desk", addresses=["10.20.0.9"], groups=["choir"], now=now, policy=policy
        )
    with school.read() as session:
        assert groups.list_groups(session, tech) == [
            GroupView(name="band", people=1, devices=0),
            GroupView(name="choir", people=1, devices=1),
            GroupView(name="governors", people=0, devices=0),
        ]
        bodies = session.scalars(select(LedgerRow.body).where(LedgerRow.act == "change_groups")).all()
        assert bodies == [
            '{"joined":["choir","governors"],"left":[]}',
            '{"joined":["band"],"left":["governors"]}',
        ]
        assert ledger.verify(session).intact


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ({"join": ["choir"]}, Conflict, "nothing_to_do"),
        ({}, Conflict, "nothing_to_do"),
        ({"leave": ["band"]}, Conflict, "not_a_member"),
        ({"leave": ["choir", "band"]}, Conflict, "not_a_member"),
        ({"join": ["band"], "leave": ["Band"]}, BadInput, "joins_and_leaves"),
        ({"join": ["choir"], "leave": ["choir"]}, BadInput, "joins_and_leaves"),
        ({"join": ["not a group"]}, BadInput, "bad_name"),
        ({"join": [f"g{n}" for n in range(65)]}, BadInput, "too_many_groups"),
        ({"name": "nobody.here", "join": ["band"]}, ServiceError, "unknown_person"),
    ],
)
def test_wrong(school, change, said, kind, code):
    """Refused, and nothing is half done."""
    change(join=["choir"])
    with pytest.raises(kind) as caught:
        change(**said)
    assert caught.value.code == code
    with school.read() as session:
        assert len(session.scalars(select(Membership)).all()) == 1


def test_who_sees_them(school, netops, staff, head):
    """Those who look after people and devices."""
    with school.read() as session:
        assert groups.list_groups(session, head) == []
        for actor in (netops, staff):
            with pytest.raises(NotPermitted):
                groups.list_groups(session, actor)
