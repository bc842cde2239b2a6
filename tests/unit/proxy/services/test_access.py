"""Law 7: nobody comes under a grant by their own doing, directly or round a corner; technicians let nobody do."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from policies.authorisation import State
from policies.vocabulary import Role
from proxy.services import accounts, changes, devices, grants, groups
from proxy.services.access import Widens
from proxy.services.changes import ChangeView
from proxy.services.errors import Refused, ServiceError
from proxy.store.models import Device, Person
from tests.unit.proxy.services.conftest import actor

HOUR = timedelta(hours=1)

type Do = Callable[..., Any]


@pytest.fixture
def do(school, now, policy, catalogue) -> Do:
    """One act by somebody, in a unit of its own."""

    def do(by: str, act: str, /, *, later: timedelta = timedelta(), **said: Any) -> Any:
        with school.write() as session:
            if act == "grant":
                window = {"starts_at": now, "ends_at": now + HOUR, "reason": "open day posts", "now": now}
                said = {"target": "all", "policy": policy, "catalogue": catalogue, **window, **said}
                return grants.grant(session, actor(by), **said)
            if act == "approve":
                return changes.approve(session, actor(by), said["id"], now + later, policy)
            return changes.submit(session, actor(by), act, said, now + later, policy)

    return do


@pytest.fixture
def things(do):
    """A laptop of the head's, one of nobody's in a group, a range with a hole, an empty group."""
    do("tech", "add_device", name="laptop", addresses=["10.20.0.7"], owner="head")
    do("tech", "add_device", name="suite-1", addresses=["10.20.4.0/26"], groups=["suites"])
    do("tech", "add_device", name="desk", addresses=["10.20.4.9"])
    do("tech", "change_person", name="j.smith", join=["governors"])


def waits(result: Any) -> bool:
    return isinstance(result, ChangeView)


# What brings somebody or something under a grant, as (grants that are there, the act). Each waits if a technician asks.
WIDENING: Mapping[str, tuple[list[str], str, dict[str, Any]]] = {
    "a person joins": (["group:governors"], "change_person", {"name": "netops", "join": ["governors"]}),
    "a person is added": (
        ["group:governors"],
        "add_person",
        {"name": "new", "display_name": "New", "role": Role.STAFF, "groups_of": ["governors"]},
    ),
    "a device joins": (["group:suites"], "change_device", {"name": "desk", "join": ["suites"]}),
    "a device is added": (
        ["group:suites"],
        "add_device",
        {"name": "new", "addresses": ["10.20.0.99"], "groups": ["suites"]},
    ),
    "into a range, into a group": (
        ["group:suites"],
        "add_device",
        {"name": "new", "addresses": ["10.20.4.8/30", "10.20.7.1"], "groups": ["suites"]},
    ),
    "an address more": (
        ["device:desk"],
        "change_device",
        {"name": "desk", "addresses": ["10.20.4.9", "10.20.0.99"]},
    ),
    "another address": (["device:desk"], "change_device", {"name": "desk", "addresses": ["10.20.0.99"]}),
    "out of a hole": (["device:suite-1"], "change_device", {"name": "desk", "addresses": ["10.20.0.99"]}),
    "the hole goes": (["device:suite-1"], "remove_device", {"name": "desk"}),
    "to a holder": (["person:j.smith"], "change_device", {"name": "desk", "owner": "j.smith"}),
    "to a holder by group": (["group:governors"], "change_device", {"name": "desk", "owner": "j.smith"}),
    "new, to a holder": (
        ["person:j.smith"],
        "add_device",
        {"name": "new", "addresses": ["10.20.0.99"], "owner": "j.smith"},
    ),
    "an owner of what is granted": (["device:desk"], "change_device", {"name": "desk", "owner": "netops"}),
    "an owner in what is granted": (["address:10.20.4.0/24"], "change_device", {"name": "desk", "owner": "netops"}),
    "an owner in the network": (["network:estate"], "change_device", {"name": "desk", "owner": "netops"}),
    "an own device into the network": (
        ["network:guest"],
        "change_device",
        {"name": "laptop", "addresses": ["10.20.0.7", "10.99.0.7"]},
    ),
}


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize("case", WIDENING)
def test_what_widens_waits(school, do, now, policy, case):
    """A technician's act waits and changes nothing; SLT who do not gain do it, and let it happen; so it does later."""
    held, act, said = WIDENING[case]
    for who in held:
        do("deputy", "grant", who=who)
    with school.read() as session:
        before = everything(session, now)
    assert waits(do("tech", act, **said))
    with school.read() as session:
        assert everything(session, now) == before
    view, gains = do("deputy", "approve", id=1)
    assert (view.state, view.decided_by) == ("approved", "deputy")
    assert gains
    with school.read() as session:
        assert everything(session, now) != before


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize("case", WIDENING)
def test_slt_do_it_at_once(do, case):
    """Somebody of SLT who gains nothing by it asks nobody."""
    held, act, said = WIDENING[case]
    for who in held:
        do("deputy", "grant", who=who)
    assert not waits(do("deputy", act, **said))


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize("case", WIDENING)
def test_after_the_grant_nothing_waits(do, case):
    """What has ended is widened by nothing."""
    held, act, said = WIDENING[case]
    for who in held:
        do("deputy", "grant", who=who)
    assert not waits(do("tech", act, later=HOUR, **said))


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize(
    ("held", "act", "said"),
    [
        (["group:governors"], "change_person", {"name": "j.smith", "leave": ["governors"]}),
        (["group:suites"], "change_device", {"name": "suite-1", "addresses": ["10.20.4.0/27"]}),
        (["group:suites"], "change_device", {"name": "suite-1", "leave": ["suites"]}),
        (["group:suites"], "add_device", {"name": "new", "addresses": ["10.20.4.10"]}),
        (["device:suite-1"], "remove_device", {"name": "suite-1"}),
        (["device:laptop"], "change_device", {"name": "laptop", "owner": ""}),
        (["person:j.smith"], "change_person", {"name": "j.smith", "enabled": False}),
        (["address:10.20.0.7"], "change_device", {"name": "laptop", "join": ["leaders"], "rename": "tablet"}),
        (["group:suites", "person:j.smith"], "change_device", {"name": "desk", "join": ["others"]}),
        (["network:estate"], "add_device", {"name": "new", "addresses": ["10.20.0.99"]}),
        (["group:governors"], "change_person", {"name": "j.smith", "role": Role.NETWORK}),
    ],
)
def test_what_does_not_widen_is_done(do, held, act, said):
    """Narrowing, and what a grant has nothing to do with, is a technician's."""
    for who in held:
        do("deputy", "grant", who=who)
    assert not waits(do("tech", act, **said))


@pytest.mark.usefixtures("things")
def test_enabling_again_waits(do, school, now, policy):
    """Somebody in a granted group comes under it again with their account."""
    do("tech", "change_person", name="j.smith", enabled=False)
    do("deputy", "grant", who="group:governors")
    assert waits(do("tech", "change_person", name="j.smith", enabled=True))
    with school.write() as session, pytest.raises(Widens):
        accounts.set_enabled(session, actor("tech"), name="j.smith", enabled=True, now=now)


# Ways by which the head would come under a grant themselves, step by step: the last one must fail.
ROUND_THE_CORNER: Mapping[str, list[tuple[str, str, dict[str, Any]]]] = {
    "to oneself": [("head", "grant", {"who": "person:head"})],
    "to one's device": [("head", "grant", {"who": "device:laptop"})],
    "to one's address": [("head", "grant", {"who": "address:10.20.0.7"})],
    "to a range round it": [("head", "grant", {"who": "address:10.20.0.0/16"})],
    "to one's network": [("head", "grant", {"who": "network:estate"})],
    "to one's group": [
        ("deputy", "change_person", {"name": "head", "join": ["governors"]}),
        ("head", "grant", {"who": "group:governors"}),
    ],
    "to a group of one's device": [
        ("deputy", "change_device", {"name": "laptop", "join": ["suites"]}),
        ("head", "grant", {"who": "group:suites"}),
    ],
    "to a group, then join": [
        ("head", "grant", {"who": "group:governors"}),
        ("head", "change_person", {"name": "head", "join": ["governors"]}),
    ],
    "to a group, then one's device joins": [
        ("head", "grant", {"who": "group:suites"}),
        ("head", "change_device", {"name": "laptop", "join": ["suites"]}),
    ],
    "to another's grant": [
        ("deputy", "grant", {"who": "group:suites"}),
        ("head", "change_device", {"name": "laptop", "join": ["suites"]}),
    ],
    "to an address, then register there": [
        ("head", "grant", {"who": "address:10.20.0.99"}),
        ("head", "add_device", {"name": "mine", "addresses": ["10.20.0.99"], "owner": "head"}),
    ],
    "to a range, then move there": [
        ("head", "grant", {"who": "address:10.30.0.0/24"}),
        ("head", "change_device", {"name": "laptop", "addresses": ["10.20.0.7", "10.30.0.1"]}),
    ],
    "to a network, then register there": [
        ("head", "grant", {"who": "network:guest"}),
        ("head", "add_device", {"name": "mine", "addresses": ["10.99.0.99"], "owner": "head"}),
    ],
    "to a device, then own it": [
        ("head", "grant", {"who": "device:desk"}),
        ("head", "change_device", {"name": "desk", "owner": "head"}),
    ],
    "to a device within one's range": [
        ("head", "add_device", {"name": "net", "addresses": ["10.20.1.0/30"], "owner": "head"}),
        ("head", "add_device", {"name": "kiosk", "addresses": ["10.20.1.2"]}),
        ("head", "grant", {"who": "device:kiosk"}),
    ],
    "to a group with a device within one's range": [
        ("head", "add_device", {"name": "net", "addresses": ["10.20.1.0/30"], "owner": "head"}),
        ("head", "add_device", {"name": "kiosk", "addresses": ["10.20.1.2"], "groups": ["suites"]}),
        ("head", "grant", {"who": "group:suites"}),
    ],
    "to a device, then a range of one's own round it": [
        ("head", "add_device", {"name": "kiosk", "addresses": ["10.20.1.2"]}),
        ("head", "grant", {"who": "device:kiosk"}),
        ("head", "add_device", {"name": "net", "addresses": ["10.20.1.0/30"], "owner": "head"}),
    ],
    "to a device, then own the range round it": [
        ("head", "add_device", {"name": "net", "addresses": ["10.20.1.0/30"]}),
        ("head", "add_device", {"name": "kiosk", "addresses": ["10.20.1.2"]}),
        ("head", "grant", {"who": "device:kiosk"}),
        ("head", "change_device", {"name": "net", "owner": "head"}),
    ],
    "to an address of another's, then a range of one's own round it": [
        ("head", "add_device", {"name": "kiosk", "addresses": ["10.20.1.2"]}),
        ("head", "grant", {"who": "address:10.20.1.2"}),
        ("head", "add_device", {"name": "net", "addresses": ["10.20.1.0/30"], "owner": "head"}),
    ],
    "a device within one's range joins": [
        ("head", "add_device", {"name": "net", "addresses": ["10.20.1.0/30"], "owner": "head"}),
        ("head", "add_device", {"name": "kiosk", "addresses": ["10.20.1.2"]}),
        ("head", "grant", {"who": "group:suites"}),
        ("head", "change_device", {"name": "kiosk", "join": ["suites"]}),
    ],
    "through a technician, a range of one's own round it": [
        ("head", "add_device", {"name": "kiosk", "addresses": ["10.20.1.2"]}),
        ("head", "grant", {"who": "device:kiosk"}),
        ("tech", "add_device", {"name": "net", "addresses": ["10.20.1.0/30"], "owner": "head"}),
        ("head", "approve", {"id": 1}),
    ],
    "one's name off first": [("head", "change_device", {"name": "laptop", "owner": ""})],
    "one's name off, given away": [("head", "change_device", {"name": "laptop", "owner": "j.smith"})],
    "one's address off first": [("head", "change_device", {"name": "laptop", "addresses": ["10.20.0.8"]})],
    "one's device off the list": [("head", "remove_device", {"name": "laptop"})],
    "through a technician, to a group": [
        ("head", "grant", {"who": "group:governors"}),
        ("tech", "change_device", {"name": "laptop", "join": ["governors"]}),
        ("head", "approve", {"id": 1}),
    ],
    "through a technician, to an address": [
        ("head", "grant", {"who": "address:10.20.0.99"}),
        ("tech", "add_device", {"name": "mine", "addresses": ["10.20.0.99"], "owner": "head"}),
        ("head", "approve", {"id": 1}),
    ],
    "through a technician, to a device": [
        ("head", "grant", {"who": "device:desk"}),
        ("tech", "change_device", {"name": "desk", "owner": "head"}),
        ("head", "approve", {"id": 1}),
    ],
    "through a technician, one's own place in a range": [
        ("tech", "add_device", {"name": "mine", "addresses": ["10.20.4.20"], "owner": "head"}),
        ("head", "grant", {"who": "device:suite-1"}),
        ("tech", "remove_device", {"name": "mine"}),
        ("head", "approve", {"id": 1}),
    ],
    "through a technician, for another's grant": [
        ("deputy", "grant", {"who": "device:desk"}),
        ("tech", "change_device", {"name": "desk", "owner": "head"}),
        ("head", "approve", {"id": 1}),
    ],
    "through a technician, with others": [
        ("deputy", "change_person", {"name": "head", "join": ["governors"]}),
        ("deputy", "grant", {"who": "group:governors"}),
        ("tech", "change_device", {"name": "desk", "join": ["governors"], "owner": "head"}),
        ("head", "approve", {"id": 1}),
    ],
}


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize("way", ROUND_THE_CORNER)
def test_nobody_grants_to_themselves_round_a_corner(do, way):
    """The last step is refused, even where it only hides what is one's own."""
    *steps, last = ROUND_THE_CORNER[way]
    for who, act, said in steps:
        do(who, act, **said)
    who, act, said = last
    with pytest.raises(Refused) as caught:
        do(who, act, **said)
    assert caught.value.code in {"own_grant", "own_device"}


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize("way", [way for way in ROUND_THE_CORNER if way.startswith("through")])
def test_another_of_slt_may_let_it_happen(do, way):
    """What a technician asked for in the head's favour is the deputy's to decide."""
    *steps, _ = ROUND_THE_CORNER[way]
    for who, act, said in steps:
        do(who, act, **said)
    view, gains = do("deputy", "approve", id=1)
    assert view.state == "approved"
    assert "head" in {gain.benefits for gain in gains}


def test_a_grant_that_became_ones_own_is_extended_by_another(do, school, now, policy, things):
    """Promotion to SLT does not let anybody lengthen what was granted to them."""
    given = do("deputy", "grant", who="j.smith")
    with school.write() as session:
        accounts.set_role(session, actor("deputy"), name="j.smith", role=Role.SLT, now=now)
    with school.write() as session, pytest.raises(ServiceError) as caught:
        grants.extend(session, actor("j.smith"), given.id, HOUR, "a little longer", now, policy)
    assert caught.value.code == "own_grant"


@pytest.mark.usefixtures("things")
def test_ones_own_within_a_range_is_not_that_range(do):
    """A grant to a device does not reach a narrower one within it, so that one's owner may give it."""
    do("tech", "add_device", name="mine", addresses=["10.20.4.20"], owner="head")
    assert do("head", "grant", who="device:suite-1").state is State.LIVE


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize(
    ("held", "act", "said", "told"),
    [
        (
            "group:governors",
            "change_person",
            {"name": "netops", "join": ["governors"]},
            "somebody under authorisation 1",
        ),
        ("person:j.smith", "change_device", {"name": "desk", "owner": "j.smith"}, "device:desk under an authorisation"),
        ("group:suites", "change_device", {"name": "desk", "join": ["suites"]}, "device:desk under authorisation 1"),
    ],
)
def test_technicians_are_not_told_who_holds_what(school, do, held, act, said, told):
    """No more than the list of grants tells them; SLT are told who."""
    do("deputy", "grant", who=held)
    assert do("tech", act, **said).opens == told
    with school.read() as session:
        (seen,) = changes.list_changes(session, actor("tech"), include_decided=True)
        (whole,) = changes.list_changes(session, actor("head"), include_decided=True)
    assert seen.opens == told
    assert whole.opens == f"{'person:netops' if act == 'change_person' else 'device:desk'} under authorisation 1"


@pytest.mark.usefixtures("things")
def test_a_technician_who_would_gain_is_not_told_either(do):
    """Nor by the sentence with which their own gain is refused."""
    do("deputy", "grant", who="group:governors")
    with pytest.raises(Refused, match="would bring somebody under authorisation 1, and nobody authorises themselves"):
        do("tech", "change_person", name="tech", join=["governors"])


@pytest.mark.usefixtures("things")
def test_a_granted_device_keeps_its_name(do):
    """A grant is to a name: it is not left behind for the next device that takes it."""
    do("deputy", "grant", who="device:desk")
    with pytest.raises(ServiceError) as caught:
        do("deputy", "change_device", name="desk", rename="table")
    assert caught.value.code == "name_granted"


@pytest.mark.usefixtures("things")
def test_a_removed_device_leaves_no_grant(do, school, now):
    """What was granted to it is revoked, so that the next device of that name comes under nothing."""
    given = do("deputy", "grant", who="device:desk")
    do("tech", "remove_device", name="desk")
    with school.read() as session:
        [view] = grants.list_grants(session, actor("head"), now=now, include_ended=True)
    assert (view.id, view.state, view.revoked_by) == (given.id, State.REVOKED, "tech")
    assert not waits(do("tech", "add_device", name="desk", addresses=["10.20.4.9"]))


def test_a_network_that_is_in_no_range(school, do, policy, now):
    """Own devices outside every range are in the network for the unknown."""
    do("tech", "add_device", name="far", addresses=["192.0.2.7"], owner="head")
    with pytest.raises(Refused):
        do("head", "grant", who=f"network:{policy.unknown_network}")


def everything(session, now) -> Any:
    """People, devices and groups as they are."""
    people = [accounts.view_of(p) for p in session.scalars(select(Person).order_by(Person.name))]
    kept = [devices.view_of(d) for d in session.scalars(select(Device).order_by(Device.name))]
    return people, kept, groups.list_groups(session, actor("head"))
