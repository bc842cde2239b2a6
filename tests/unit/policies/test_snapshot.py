"""Who a connection may stand for, and which authorisations could cover it."""

from dataclasses import FrozenInstanceError
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.authorisation import SubjectKind
from policies.names import host_name
from policies.snapshot import MOST_LISTINGS, MOST_STANDINGS, Coverage, Device, Member

DEVICES = (
    Device("trolley", (ip_network("10.20.0.0/24"),), frozenset({"tablets"})),
    Device("office", (ip_network("10.20.0.10"), ip_network("fd00::10")), frozenset({"office"})),
)


@pytest.mark.parametrize(
    ("address", "network", "device"),
    [
        ("10.20.0.10", "estate", "office"),
        ("10.20.0.11", "estate", "trolley"),
        ("fd00::10", "estate", "office"),
        ("::ffff:10.20.0.10", "estate", "office"),
        ("10.99.0.1", "guest", None),
        ("203.0.113.1", "estate", None),
    ],
)
def test_who(make_snapshot, address, network, device):
    """The narrowest network and device; an unknown address is the estate's; a mapped one is what it maps."""
    who = make_snapshot(devices=DEVICES).who(ip_address(address), None)
    assert (who.network, who.device.name if who.device else None) == (network, device)


def test_groups_of_device_and_person(make_snapshot):
    """Both count; without a member, only the device's."""
    snapshot = make_snapshot(devices=DEVICES, members={"head": Member("slt", frozenset({"leaders"}))})
    assert snapshot.who(ip_address("10.20.0.10"), "head").groups == {"office", "leaders"}
    assert snapshot.who(ip_address("10.20.0.10"), "nobody").groups == {"office"}
    assert snapshot.who(ip_address("10.99.0.1"), None).groups == frozenset()


def test_a_snapshot_does_not_change(make_snapshot):
    """It is swapped whole, never edited."""
    with pytest.raises(FrozenInstanceError):
        make_snapshot().number = 2


people = ["person:head", "person:other", "device:office", "device:trolley", "network:estate", "network:guest"]
groups = ["group:office", "group:leaders", "group:tablets"]
places = ["address:10.20.0.10", "address:10.20.0.11", "address:fd00::10"]


@given(
    subjects=st.lists(st.sampled_from(people + groups + places)),
    address=st.sampled_from(["10.20.0.10", "10.20.0.11", "fd00::10", "10.99.0.1"]),
    person=st.sampled_from([None, "head", "other"]),
)
def test_coverage_is_what_walking_them_all_gives(make_snapshot, grant, subjects, address, person):
    """The index finds exactly the authorisations whose subject is this connection's."""
    grants = [grant(subject, "all", id=number) for number, subject in enumerate(subjects)]
    snapshot = make_snapshot(devices=DEVICES, members={"head": Member("slt", frozenset({"leaders"}))})
    who = snapshot.who(ip_address(address), person)
    stands_for = {
        (SubjectKind.ADDRESS, address),
        (SubjectKind.NETWORK, who.network),
        (SubjectKind.DEVICE, who.device.name if who.device else None),
        (SubjectKind.PERSON, person if who.member else None),
        *((SubjectKind.GROUP, group) for group in who.groups),
    }
    expected = {a.id for a in grants if (a.subject.kind, a.subject.name) in stands_for}
    found = [a.id for a in Coverage(grants).of(who)]
    assert set(found) == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("host", "internal", "service", "lock", "exemption"),
    [
        ("printer.local", True, None, None, None),
        ("vpn.example", False, "vpn", "Ways round", None),
        ("help.facebook.com", False, "facebook", None, "Help"),
        ("i.ytimg.com", False, "youtube", None, "Clips"),
        ("www.facebook.com", False, "facebook", None, None),
        ("www.bbc.co.uk", False, None, None, None),
    ],
)
def test_listing(make_snapshot, host, internal, service, lock, exemption):
    """What a host is, asked for the first time and again."""
    snapshot = make_snapshot()
    for listing in (snapshot.listing(host_name(host)), snapshot.listing(host_name(host))):
        assert listing.internal is internal
        assert (listing.service and listing.service.key) == service
        assert (listing.lock and listing.lock.name) == lock
        assert (listing.exemption and listing.exemption.because) == exemption


def test_standing_is_of_the_address_and_the_person(make_snapshot, grant):
    """Two people at one address, and one person at two, are remembered apart."""
    snapshot = make_snapshot(
        grant("person:head", "all", id=1), grant("network:guest", "all", id=2), members={"head": Member("slt")}
    )
    estate, guest = ip_address("10.20.0.10"), ip_address("10.99.0.1")
    for _ in range(2):
        assert [a.id for a in snapshot.standing(estate, "head").grants] == [1]
        assert [a.id for a in snapshot.standing(estate, None).grants] == []
        assert {a.id for a in snapshot.standing(guest, "head").grants} == {1, 2}
        assert snapshot.standing(guest, "head").network.name == "guest"


def test_no_more_is_remembered_than_is_said(make_snapshot):
    """Strangers and the names they make up do not fill the memory."""
    snapshot = make_snapshot()
    assert snapshot.standing.cache_parameters()["maxsize"] == MOST_STANDINGS
    assert snapshot.listing.cache_parameters()["maxsize"] == MOST_LISTINGS
