"""Changes that wait: asked for once, decided once, done just as they were asked for, each step in the ledger."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from policies.vocabulary import Role
from proxy.record import ledger
from proxy.services import accounts, changes, devices, grants
from proxy.services.changes import ChangeView
from proxy.services.errors import BadInput, Conflict, NotPermitted, Refused, ServiceError, UnknownName
from proxy.store.models import LedgerPersonal, LedgerRow, Person, WaitingChange
from tests.unit.proxy.services.conftest import actor

HOUR = timedelta(hours=1)
SUITE = {"name": "suite-2", "addresses": ["10.20.5.0/26"], "groups": ["suites"], "owner": None}


@pytest.fixture
def granted(school, head, tech, now, policy, catalogue):
    """A group of devices that holds an authorisation."""
    with school.write() as session:
        first = {"name": "suite-1", "addresses": ["10.20.4.0/26"], "groups": ["suites"]}
        devices.add_device(session, tech, now=now, policy=policy, **first)
        window = {"starts_at": now, "ends_at": now + HOUR, "reason": "open day posts", "now": now}
        grants.grant(session, head, who="group:suites", target="all", policy=policy, catalogue=catalogue, **window)


@pytest.fixture
def submit(school, tech, now, policy, granted):
    """Ask for an act in a unit of its own."""

    def submit(act="add_device", by=tech, secret=None, **said):
        with school.write() as session:
            return changes.submit(session, by, act, said or SUITE, now, policy, secret or {})

    return submit


@pytest.fixture
def decide(school, now, policy):
    """Decide in a unit of its own."""

    def decide(how, by, number=1):
        with school.write() as session:
            if how == "approve":
                return changes.approve(session, actor(by), number, now, policy)[0]
            if how == "refuse":
                return changes.refuse(session, actor(by), number, "not for visitors", now)
            return changes.withdraw(session, actor(by), number, now)

    return decide


def acts(store):
    with store.read() as session:
        assert ledger.verify(session).intact
        return session.scalars(select(LedgerRow.act).order_by(LedgerRow.seq)).all()[2:]


def listed(store, name="head", *, include_decided=False):
    with store.read() as session:
        return changes.list_changes(session, actor(name), include_decided=include_decided)


def test_it_waits(school, submit, tech, now):
    """What was asked is kept whole, with what it would open; nothing of it is done."""
    view = submit()
    assert isinstance(view, ChangeView)
    assert view.what == "add the device suite-2: addresses 10.20.5.0/26, groups suites"
    assert (view.opens, view.asked_by, view.state) == ("device:suite-2 under authorisation 1", "tech", "pending")
    assert view.arguments == {"name": "suite-2", "addresses": ["10.20.5.0/26"], "groups": ["suites"]}
    assert listed(school) == listed(school, "tech") == [view]
    with school.read() as session:
        assert [device.name for device in devices.list_devices(session, tech)] == ["suite-1"]
    assert acts(school) == ["ask_change"]


def test_approved(school, submit, decide, tech):
    """The act is done as whoever asked, and approved as whoever approved; both are in the ledger."""
    submit()
    view = decide("approve", "deputy")
    assert (view.state, view.decided_by) == ("approved", "deputy")
    assert listed(school) == []
    assert listed(school, include_decided=True) == [view]
    with school.read() as session:
        assert "suite-2" in [device.name for device in devices.list_devices(session, tech)]
        actors = select(LedgerPersonal.value).where(LedgerPersonal.field == "actor").order_by(LedgerPersonal.seq)
        assert session.scalars(actors).all()[2:] == ['"tech"', '"tech"', '"deputy"']
    assert acts(school) == ["ask_change", "add_device", "approve_change"]


@pytest.mark.parametrize(("how", "by", "state"), [("refuse", "head", "refused"), ("withdraw", "tech", "withdrawn")])
def test_not_done(school, submit, decide, tech, how, by, state):
    """Refused or withdrawn, nothing of it happens."""
    submit()
    assert decide(how, by).state == state
    with school.read() as session:
        assert [device.name for device in devices.list_devices(session, tech)] == ["suite-1"]
    assert acts(school) == ["ask_change", f"{how}_change"]


@pytest.mark.parametrize("first", [("approve", "head"), ("refuse", "head"), ("withdraw", "tech")])
@pytest.mark.parametrize("then", [("approve", "deputy"), ("refuse", "deputy"), ("withdraw", "tech")])
def test_decided_once(school, submit, decide, first, then):
    """Whatever was decided is final, and deciding again does nothing twice."""
    submit()
    decide(*first)
    before = acts(school)
    with pytest.raises(Conflict) as caught:
        decide(*then)
    assert caught.value.code == "already_decided"
    assert acts(school) == before


def test_asked_twice(school, submit, decide):
    """The same asked for again is the same change; after it was decided it is another."""
    assert submit() == submit()
    assert len(listed(school)) == 1
    decide("refuse", "head")
    assert submit().id == 2


def test_a_password_does_not_wait(school, submit, decide):
    """It is nowhere in what is kept; the account that is approved has none yet."""
    said = {"name": "new", "display_name": "New", "role": Role.STAFF, "groups_of": ["suites"]}
    view = submit("add_person", secret={"password": "bramble teapot wren"}, **said)
    with school.read() as session:
        kept = [*session.scalars(select(WaitingChange.body)), *session.scalars(select(LedgerPersonal.value))]
        assert not any("bramble" in text for text in kept)
    assert view.what == "add the person new: display name New, groups suites, role staff"
    decide("approve", "head")
    with school.read() as session:
        [person] = session.scalars(select(Person).where(Person.name == "new"))
        assert (person.password_hash, person.role) == (None, Role.STAFF)


def test_a_password_that_need_not_wait(submit):
    """Where nothing is widened the account has it at once."""
    said = {"name": "new", "display_name": "New", "role": Role.STAFF, "groups_of": []}
    assert submit("add_person", secret={"password": "bramble teapot wren"}, **said).has_password


def test_what_makes_no_sense_any_more(school, submit, decide, tech, now, policy):
    """Approving says why it cannot be done, and it waits on until somebody decides otherwise, or it can."""
    submit()
    with school.write() as session:
        taken = {"name": "other", "addresses": ["10.20.5.0/26"]}
        devices.add_device(session, tech, now=now, policy=policy, **taken)
    with pytest.raises(Conflict, match=r"Change 1 cannot be made now: 10\.20\.5\.0/26 is the address of other"):
        decide("approve", "head")
    assert [view.state for view in listed(school)] == ["pending"]
    with school.write() as session:
        devices.remove_device(session, tech, name="other", now=now, policy=policy)
    assert decide("approve", "head").state == "approved"


def test_whoever_asked_must_still_be_somebody_who_may(school, submit, decide, head, now):
    """An act is done as whoever asked: of a closed account, or of one that is no technician any more, it is not."""
    submit()
    for role in (Role.STAFF, Role.TECHNICIAN):
        with school.write() as session:
            accounts.set_role(session, head, name="tech", role=role, now=now)
        if role is Role.STAFF:
            with pytest.raises(Conflict, match="Change 1 cannot be made now"):
                decide("approve", "head")
    with school.write() as session:
        accounts.set_enabled(session, head, name="tech", enabled=False, now=now)
    with pytest.raises(Conflict, match="account tech is disabled"):
        decide("approve", "head")
    assert decide("refuse", "head").state == "refused"


def test_nobody_approves_their_own(school, submit, decide, head, now):
    """Not even once they are of SLT; another of SLT does."""
    submit()
    with school.write() as session:
        accounts.set_role(session, head, name="tech", role=Role.SLT, now=now)
    with pytest.raises(Refused) as caught:
        decide("approve", "tech")
    assert caught.value.code == "own_change"
    assert decide("approve", "head").state == "approved"


@pytest.mark.parametrize("by", ["tech", "netops", "j.smith"])
@pytest.mark.parametrize("how", ["approve", "refuse"])
def test_only_slt_decide(submit, decide, how, by):
    """Nobody else approves or refuses."""
    submit()
    with pytest.raises(NotPermitted):
        decide(how, by)


def test_only_whoever_asked_withdraws(submit, decide):
    """SLT refuse, they do not withdraw for others."""
    submit()
    with pytest.raises(NotPermitted) as caught:
        decide("withdraw", "head")
    assert caught.value.code == "not_yours"


@pytest.mark.parametrize("number", [0, -1, 2, 2**63, 10**30])
@pytest.mark.parametrize(("how", "by"), [("approve", "head"), ("refuse", "head"), ("withdraw", "tech")])
def test_no_such_change(submit, decide, number, how, by):
    """A number that is none is said to be none."""
    submit()
    with pytest.raises(UnknownName):
        decide(how, by, number)


def test_what_is_wrong_does_not_wait(school, submit):
    """An act that could not be done by anybody is refused at once."""
    for said in ({**SUITE, "name": "no spaces"}, {**SUITE, "addresses": []}):
        with pytest.raises(BadInput):
            submit(**said)
    assert listed(school) == []


def test_there_is_an_end_to_waiting(school, submit, monkeypatch):
    """One person's mistake does not fill the store."""
    monkeypatch.setattr(changes, "MOST_WAITING", 2)
    for number in range(2):
        submit(**{**SUITE, "name": f"suite-{number + 5}"})
    with pytest.raises(Conflict) as caught:
        submit(**{**SUITE, "name": "suite-9"})
    assert caught.value.code == "too_many_waiting"


def test_a_change_keeps_what_was_asked_though_its_name_is_a_pattern(submit):
    """Looking for the same is not looking for what is alike: _ and % are just letters."""
    first = submit(**{**SUITE, "name": "suite_2"})
    assert submit(**{**SUITE, "name": "suite-2"}).id != first.id


def test_every_act_has_its_words(school, submit, granted):
    """The body is canonical JSON, and its arguments are those of the act."""
    submit()
    with school.read() as session:
        [body] = session.scalars(select(WaitingChange.body))
    assert json.loads(body)["arguments"]["name"] == "suite-2"
    assert body == ledger.canonical(json.loads(body))


def test_a_refusal_has_a_reason(school, submit, now):
    """Which is kept, and shown."""
    submit()
    with school.write() as session, pytest.raises(ServiceError, match="There is no reason"):
        changes.refuse(session, actor("head"), 1, " ", now)
    with school.write() as session:
        assert changes.refuse(session, actor("head"), 1, "not for visitors", now).reason == "not for visitors"
