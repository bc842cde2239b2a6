"""A waiting change is for what it was asked about: not for what has its name since, nor for what it has become."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from proxy.services import asked_about, changes, devices, grants
from proxy.services.changes import ChangeView
from proxy.services.errors import Conflict
from tests.unit.proxy.services.conftest import actor

HOUR = timedelta(hours=1)
OWN = "10.60.0.66"  # of a laptop that nobody else knows of

type Submit = Callable[..., Any]
type Approve = Callable[..., ChangeView]


@pytest.fixture
def submit(school, now, policy) -> Submit:
    """An act of the technician's, in a unit of its own."""

    def submit(act: str, **said: Any) -> Any:
        with school.write() as session:
            return changes.submit(session, actor("tech"), act, said, now, policy)

    return submit


@pytest.fixture
def approve(school, now, policy) -> Approve:
    def approve(number: int = 1, by: str = "head") -> ChangeView:
        with school.write() as session:
            return changes.approve(session, actor(by), number, now, policy)[0]

    return approve


@pytest.fixture
def asked(school, submit, now, policy, catalogue) -> None:
    """A device that waits to come under a grant to a group; a person likewise; a laptop beside them."""
    submit("add_device", name="suite-1", addresses=["10.60.9.0/28"], groups=["suite"])
    submit("add_device", name="office-3", addresses=["10.60.0.1"])
    submit("add_device", name="laptop", addresses=[OWN])
    with school.write() as session:
        window = {"starts_at": now, "ends_at": now + HOUR, "reason": "open day posts", "now": now}
        grants.grant(
            session, actor("head"), who="group:suite", target="all", policy=policy, catalogue=catalogue, **window
        )
    assert submit("change_device", name="office-3", join=["suite"]).id == 1
    assert submit("change_person", name="j.smith", join=["suite"]).id == 2


def refused(approve: Approve, number: int = 1) -> str:
    with pytest.raises(Conflict) as caught:
        approve(number)
    assert caught.value.code == "change_impossible"
    return caught.value.message


def in_suite(school) -> list[str]:
    """Which devices are in the group."""
    with school.read() as session:
        return [view.name for view in devices.list_devices(session, actor("head")) if "suite" in view.groups]


@pytest.mark.usefixtures("asked")
def test_another_device_under_its_name(school, submit, approve):
    """A laptop that was given the name meanwhile is not what was asked about, and SLT are told what it is."""
    submit("change_device", name="office-3", rename="office-3-old")
    submit("change_device", name="laptop", rename="office-3")
    assert refused(approve) == (
        "Change 1 cannot be made now: office-3 is another device than the one that this was asked about: "
        f"addresses {OWN}."
    )
    assert in_suite(school) == ["suite-1"]


@pytest.mark.usefixtures("asked")
def test_another_address_of_the_same(school, submit, approve):
    """A device that moved meanwhile is not what it was, and SLT are told both."""
    submit("change_device", name="laptop", addresses=["10.60.0.67"])
    submit("change_device", name="office-3", addresses=[OWN])
    assert refused(approve) == (
        "Change 1 cannot be made now: office-3 is not what it was when this was asked: "
        f"addresses {OWN} now, 10.60.0.1 then."
    )
    assert in_suite(school) == ["suite-1"]


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("number", "act", "said"),
    [
        (1, "change_device", {"name": "office-3", "owner": "netops"}),
        (1, "change_device", {"name": "office-3", "join": ["others"]}),
        (1, "remove_device", {"name": "office-3"}),
        (2, "change_person", {"name": "j.smith", "role": "network"}),
        (2, "change_person", {"name": "j.smith", "join": ["others"]}),
        (2, "change_person", {"name": "j.smith", "enabled": False}),
    ],
)
def test_whatever_is_otherwise(submit, approve, number, act, said):
    """Owner, groups, role, a closed account, or nothing there any more: SLT decided on something else."""
    submit(act, **said)
    assert refused(approve, number)


@pytest.mark.usefixtures("asked")
def test_removed_and_added_again(submit, approve):
    """The same in every word, but another."""
    submit("remove_device", name="office-3")
    submit("add_device", name="office-3", addresses=["10.60.0.1"])
    assert "another device" in refused(approve)


@pytest.mark.usefixtures("asked")
def test_put_back(school, submit, approve):
    """What is again as it was can be approved."""
    submit("change_device", name="office-3", rename="office-4")
    refused(approve)
    submit("change_device", name="office-4", rename="office-3")
    assert approve().state == "approved"
    assert in_suite(school) == ["office-3", "suite-1"]


@pytest.mark.usefixtures("asked")
def test_asked_for_again_when_it_is_otherwise(submit, approve):
    """The same words about what has changed are another change; about what has not, the same one."""
    again = {"name": "office-3", "join": ["suite"]}
    assert submit("change_device", **again).id == 1
    submit("change_device", name="office-3", addresses=["10.60.0.2"])
    assert submit("change_device", **again).id == 3
    assert approve(3).state == "approved"


@pytest.mark.usefixtures("asked")
def test_it_is_shown(school):
    """The list has what each was asked about."""
    with school.read() as session:
        device, person = changes.list_changes(session, actor("head"), include_decided=False)
    assert device.about is not None
    assert person.about is not None
    assert asked_about.in_words(device.about) == "addresses 10.60.0.1"
    assert asked_about.in_words(person.about) == "enabled yes, role staff"
    assert (device.about["kind"], device.about["name"]) == ("device", "office-3")


@pytest.mark.usefixtures("asked")
def test_something_new_is_about_nothing(submit, approve):
    """Adding rests on nothing that is there."""
    view = submit("add_device", name="new", addresses=["10.60.0.99"], groups=["suite"])
    assert view.about is None
    assert approve(view.id).state == "approved"
