"""Devices: who adds them, what they are known by, and that they are no way round SLT."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from proxy.record import ledger
from proxy.services import devices, grants
from proxy.services.devices import DeviceView
from proxy.services.errors import BadInput, Conflict, NotPermitted, Refused, ServiceError, UnknownName
from proxy.store.models import DeviceAddress, LedgerRow, Membership


@pytest.fixture
def add(school, tech, now, policy):
    """Add a device in a unit of its own."""

    def add(actor=tech, **changes):
        fields = {
            "name": "office-3",
            "addresses": ["10.20.0.10"],
            "groups": [],
            "owner": None,
            "now": now,
            "policy": policy,
        }
        with school.write() as session:
            return devices.add_device(session, actor, **{**fields, **changes})

    return add


@pytest.fixture
def grant(school, head, now, policy, catalogue):
    """Let SLT grant all to somebody for an hour."""

    def grant(who, actor=head):
        window = {"starts_at": now, "ends_at": now + timedelta(hours=1), "reason": "open day posts", "now": now}
        with school.write() as session:
            return grants.grant(session, actor, who=who, target="all", policy=policy, catalogue=catalogue, **window)

    return grant


def test_added(school, add, tech):
    """A device has its addresses in normal form, its groups and owner, and is in the list and the ledger."""
    view = add(addresses=["10.20.0.10/32", "::ffff:10.20.0.11", "10.20.0.10"], groups=["Office"], owner="J.Smith")
    assert view == DeviceView(
        name="office-3", addresses=("10.20.0.10", "10.20.0.11"), groups=("office",), owner="j.smith"
    )
    with school.read() as session:
        assert devices.list_devices(session, tech) == [view]
        assert session.scalars(select(LedgerRow.act)).all() == ["add_device"]
        assert ledger.verify(session).intact


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"name": "no spaces"}, BadInput),
        ({"name": "10.20.0.10"}, BadInput),
        ({"addresses": []}, BadInput),
        ({"addresses": ["nonsense"]}, BadInput),
        ({"addresses": [f"10.20.1.{n}" for n in range(65)]}, BadInput),
        ({"owner": "nobody"}, UnknownName),
        ({"groups": ["a b"]}, BadInput),
        ({"name": "office-1", "addresses": ["10.20.0.12"]}, Conflict),
        ({"addresses": ["10.20.0.1"]}, Conflict),
    ],
)
def test_wrong(school, add, tech, changes, kind):
    """What cannot be, or is taken, is refused, and nothing is left."""
    add(name="office-1", addresses=["10.20.0.1"])
    with pytest.raises(kind):
        add(**changes)
    with school.read() as session:
        assert [view.name for view in devices.list_devices(session, tech)] == ["office-1"]


def test_a_narrower_range_may_be_set_apart(add):
    """A device may lie within another's range; the same range twice may not."""
    add(name="suite", addresses=["10.20.0.0/24"])
    add(name="desk", addresses=["10.20.0.7"])


def test_who_adds(add, head, netops, staff):
    """SLT and technicians add devices."""
    add(head)
    for actor in (netops, staff):
        with pytest.raises(NotPermitted):
            add(actor, name="other", addresses=["10.20.0.99"])


def test_who_sees(school, add, head, tech, netops, staff):
    """Staff see their own devices, the network team none."""
    add(owner="j.smith")
    add(name="other", addresses=["10.20.0.99"])
    with school.read() as session:
        seen = {actor.name: len(devices.list_devices(session, actor)) for actor in (head, tech, staff)}
        assert seen == {"head": 2, "tech": 2, "j.smith": 1}
        with pytest.raises(NotPermitted):
            devices.list_devices(session, netops)


@pytest.mark.parametrize(
    ("who", "changes"), [("group:suite", {"groups": ["suite"]}), ("j.smith", {"owner": "j.smith"})]
)
def test_widening_waits_for_slt(add, grant, head, tech, who, changes):
    """A technician adds no device to a group or an owner that holds an authorisation; SLT do."""
    add(name="first", addresses=["10.20.0.1"], groups=["suite"])
    grant(who)
    with pytest.raises(NotPermitted, match=r"under (an authorisation|authorisation 1)"):
        add(tech, **changes)
    add(head, **changes)


def test_nobody_joins_their_own_device_to_a_grant(add, grant, head, deputy):
    """One of SLT cannot put a device of their own into a group that holds an authorisation; another can."""
    add(name="first", addresses=["10.20.0.1"], groups=["suite"])
    grant("group:suite")
    with pytest.raises(Refused, match="nobody authorises themselves"):
        add(head, owner="head", groups=["suite"])
    add(deputy, owner="head", groups=["suite"])


@pytest.mark.parametrize("who", ["address:10.99.0.7", "address:10.99.0.0/24", "network:guest"])
def test_nobody_brings_a_device_of_their_own_under_a_grant_they_gave(add, grant, head, deputy, school, who):
    """What could not be granted to oneself is not reached by adding the device afterwards; nothing is kept of it."""
    grant(who)
    with pytest.raises(Refused, match="nobody authorises themselves"):
        add(head, name="mine", addresses=["10.99.0.7"], owner="head")
    with school.read() as session:
        assert devices.list_devices(session, head) == []
    assert add(head, name="theirs", addresses=["10.99.0.7"], owner="deputy").owner == "deputy"


class TestChanging:
    @pytest.fixture
    def change(self, school, tech, now, policy, add):
        """A device, and changes of it in units of their own."""
        add(addresses=["10.20.0.10", "10.20.0.11"], groups=["office"], owner="j.smith")

        def change(actor=tech, name="office-3", **said):
            with school.write() as session:
                return devices.change_device(session, actor, name=name, now=now, policy=policy, **said)

        return change

    @pytest.mark.parametrize(
        ("said", "changed"),
        [
            ({"addresses": ["10.20.0.12"]}, {"addresses": ("10.20.0.12",)}),
            ({"addresses": ["10.20.0.11", "10.20.0.9"]}, {"addresses": ("10.20.0.9", "10.20.0.11")}),
            ({"owner": "netops"}, {"owner": "netops"}),
            ({"owner": devices.NOBODY}, {"owner": None}),
            ({"join": ["choir"], "leave": ["office"]}, {"groups": ("choir",)}),
            ({"rename": "Office-4"}, {"name": "office-4"}),
        ],
    )
    def test_changed(self, school, change, tech, said, changed):
        """What is said, and nothing else; the ledger has what it was."""
        expected = DeviceView(
            name="office-3", addresses=("10.20.0.10", "10.20.0.11"), groups=("office",), owner="j.smith"
        )
        expected = replace(expected, **changed)
        assert change(**said) == expected
        with school.read() as session:
            assert devices.list_devices(session, tech) == [expected]
            assert session.scalars(select(LedgerRow.act)).all() == ["add_device", "change_device"]
            assert ledger.verify(session).intact

    @pytest.mark.parametrize(
        ("said", "code"),
        [
            ({"addresses": ["10.20.0.11", "10.20.0.10"]}, "nothing_to_do"),
            ({}, "nothing_to_do"),
            ({"addresses": []}, "no_address"),
            ({"addresses": ["10.20.0.1"]}, "address_taken"),
            ({"owner": "nobody.here"}, "unknown_person"),
            ({"rename": "office-1"}, "name_taken"),
            ({"rename": "no spaces"}, "bad_name"),
            ({"name": "office-9", "owner": "netops"}, "unknown_device"),
            ({"leave": ["choir"]}, "not_a_member"),
        ],
    )
    def test_wrong(self, school, add, change, tech, said, code):
        """Refused, and all stays as it was."""
        add(name="office-1", addresses=["10.20.0.1"])
        with school.read() as session:
            before = devices.list_devices(session, tech)
        with pytest.raises(ServiceError) as caught:
            change(**said)
        assert caught.value.code == code
        with school.read() as session:
            assert devices.list_devices(session, tech) == before

    def test_removed(self, school, change, tech, now, policy):
        """Gone with its addresses and memberships, which others may have then."""
        with school.write() as session:
            devices.remove_device(session, tech, name="Office-3", now=now, policy=policy)
        with school.read() as session:
            assert devices.list_devices(session, tech) == []
            assert [*session.scalars(select(DeviceAddress)), *session.scalars(select(Membership))] == []
            assert session.scalars(select(LedgerRow.act)).all() == ["add_device", "remove_device"]
        with pytest.raises(UnknownName):
            change(owner="netops")
