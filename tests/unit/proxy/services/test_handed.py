"""Who set a password is remembered until its owner sets another, and is not let round law 7 by it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from policies.vocabulary import Role
from proxy.record import ledger
from proxy.services import accounts, browsing, changes, grants, passwords
from proxy.services.errors import ServiceError
from proxy.services.permission import Actor
from proxy.store.models import LedgerPersonal, Person

HOUR = timedelta(hours=1)
GOOD, OTHER = "bramble teapot wren", "thistle kettle lark"
ROLES = {"head": Role.SLT, "deputy": Role.SLT, "second": Role.SLT, "tech": Role.TECHNICIAN, "j.smith": Role.STAFF}

type Do = Callable[..., Any]


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    """Argon2 with next to no work: how much it is has its own tests."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", hasher)


def who(name: str) -> Actor:
    return Actor(name, name.title(), ROLES[name])


@pytest.fixture
def sets(school, now) -> Do:
    """Somebody sets a password for signing in."""

    def sets(by: str, name: str, password: str = GOOD) -> None:
        with school.write() as session:
            accounts.set_password(session, who(by), name=name, password=password, now=now)

    return sets


@pytest.fixture
def sets_browsing(school, now) -> Do:
    def sets_browsing(by: str, name: str, password: str = OTHER) -> None:
        with school.write() as session:
            browsing.set_password(session, who(by), name, password, now)

    return sets_browsing


@pytest.fixture
def adds(school, now) -> Do:
    def adds(by: str, name: str, role: Role, password: str | None = GOOD) -> None:
        with school.write() as session:
            said = {"name": name, "display_name": name, "role": role, "password": password}
            accounts.add_person(session, who(by), now=now, **said)

    return adds


@pytest.fixture
def grant(school, now, policy, catalogue) -> Do:
    def grant(by: str, to: str) -> grants.GrantView:
        window = {"starts_at": now, "ends_at": now + HOUR, "reason": "open day posts", "now": now}
        with school.write() as session:
            return grants.grant(
                session, who(by), who=to, target="instagram", policy=policy, catalogue=catalogue, **window
            )

    return grant


@pytest.fixture
def submit(school, now, policy) -> Do:
    def submit(by: str, act: str, **said: Any) -> Any:
        with school.write() as session:
            return changes.submit(session, who(by), act, said, now, policy)

    return submit


def setters(school, name: str) -> tuple[str | None, str | None]:
    """Who set the password for signing in, and for browsing."""
    with school.read() as session:
        person = session.scalars(select(Person).where(Person.name == name)).one()
        both = person.password_set_by, person.browsing_set_by
        return both[0].name if both[0] else None, both[1].name if both[1] else None


def knows(school) -> list[str]:
    """What the ledger says of who knows a password, in its order."""
    query = select(LedgerPersonal.value).where(LedgerPersonal.field == "knows_password").order_by(LedgerPersonal.seq)
    with school.read() as session:
        assert ledger.verify(session).intact
        return list(session.scalars(query))


# Remembering


def test_who_set_it_is_kept_until_its_owner_does(school, sets, sets_browsing):
    """Each of the two for itself; the last one counts."""
    sets("tech", "j.smith")
    sets_browsing("head", "j.smith")
    assert setters(school, "j.smith") == ("tech", "head")
    sets("head", "j.smith")
    assert setters(school, "j.smith") == ("head", "head")
    sets("j.smith", "j.smith")
    assert setters(school, "j.smith") == (None, "head")
    sets_browsing("j.smith", "j.smith")
    assert setters(school, "j.smith") == (None, None)


def test_with_a_new_account(school, adds):
    """Whoever adds it knows the password, if there is one."""
    adds("tech", "a.jones", Role.STAFF)
    adds("tech", "b.brown", Role.STAFF, None)
    assert setters(school, "a.jones") == ("tech", None)
    assert setters(school, "b.brown") == (None, None)


def test_what_one_sets_with_a_password_of_anothers_is_theirs_too(school, sets, sets_browsing):
    """Whoever knows the password for signing in may be the one who sets the other."""
    sets("tech", "j.smith")
    sets_browsing("j.smith", "j.smith")
    sets("j.smith", "j.smith")
    assert setters(school, "j.smith") == (None, "tech")


def test_taken_away(school, sets_browsing, now):
    """A browsing password that is not there is known to nobody."""
    sets_browsing("tech", "j.smith")
    with school.write() as session:
        browsing.remove_password(session, who("tech"), "j.smith", now)
    assert setters(school, "j.smith") == (None, None)


def test_the_first_account_is_its_own(school, now):
    """The owner of the state directory is nobody whom the store knows."""
    with school.write() as session:
        for person in session.scalars(select(Person).where(Person.role == Role.SLT)):
            person.enabled = False
    with school.write() as session:
        said = {"name": "first", "display_name": "First", "role": Role.SLT, "password": GOOD}
        accounts.add_person(session, None, owner=True, now=now, **said)
    assert setters(school, "first") == (None, None)


# Of whoever grants


def test_one_of_slt_with_the_password_that_another_gave_them(school, grant, sets):
    """What they grant says so, and the ledger, whoever it is to: whoever set it could have granted it to themselves."""
    sets("head", "deputy")
    for to in ("person:head", "person:j.smith"):
        (note,) = grant("deputy", to).notes
        assert note.startswith("deputy still has the password that head set, ")
    sets("deputy", "deputy")
    assert grant("deputy", "person:head").notes == ()
    assert knows(school) == ['["head"]'] * 2


def test_nor_is_it_hidden_by_turns(school, adds, grant):
    """A second account of SLT may be granted to by whoever made it; the ledger says who knows its password."""
    adds("head", "second", Role.SLT)
    (note,) = grant("head", "person:second").notes
    assert note.startswith("second still has the password that head set, ")
    assert knows(school) == ['["head"]']


def test_an_extension_by_them_says_it(school, grant, sets, now, policy):
    """As a grant does."""
    given = grant("deputy", "person:head")
    sets("head", "deputy")
    with school.write() as session:
        view = grants.extend(session, who("deputy"), given.id, HOUR, "a little longer", now, policy)
    assert "the password that head set" in view.notes[0]
    assert knows(school) == ['["head"]']


def test_an_approval_by_them_says_it(school, grant, sets, submit, now, policy):
    """Likewise."""
    submit("tech", "add_device", name="suite-1", addresses=["10.20.4.0/26"], groups=["suites"])
    grant("deputy", "group:suites")
    sets("head", "deputy")
    submit("tech", "change_person", name="j.smith", join=["suites"])
    with school.write() as session:
        view, _ = changes.approve(session, who("deputy"), 1, now, policy)
    assert "the password that head set" in view.notes[0]
    assert knows(school) == ['["head"]']


def test_a_forgotten_password_of_somebody_with_a_grant(school, grant, sets_browsing, now):
    """SLT set another, whoever granted; the list of grants says who knows it."""
    grant("head", "person:j.smith")
    sets_browsing("head", "j.smith")
    with school.read() as session:
        (view,) = grants.list_grants(session, who("head"), now=now, include_ended=False)
    assert view.notes[0].startswith("j.smith still has the browsing password that head set, ")


# A grant to somebody whose password somebody else knows


def test_the_everyday_way(school, adds, sets_browsing, grant):
    """One of SLT adds somebody, gives them passwords, and grants: it is done, and told, and in the ledger."""
    adds("head", "a.jones", Role.STAFF)
    sets_browsing("head", "a.jones")
    view = grant("head", "person:a.jones")
    (note,) = view.notes
    assert note == (
        "a.jones still has the password that head set and the browsing password that head set, and whoever knows it "
        "could be there as them (to change it: schoolgate --as a.jones people password a.jones and "
        "schoolgate --as a.jones people password a.jones --browsing)."
    )
    assert knows(school) == ['["head"]']


def test_a_technician_who_knows_it(school, sets_browsing, grant, submit):
    """By name and by group; who has one of their own is not named."""
    submit("tech", "change_person", name="j.smith", join=["governors"])
    submit("tech", "change_person", name="tech", join=["governors"])
    sets_browsing("tech", "j.smith")
    for to in ("person:j.smith", "group:governors"):
        (note,) = grant("head", to).notes
        assert note.startswith("j.smith still has the browsing password that tech set, ")
    assert knows(school) == ['["tech"]'] * 2


def test_nothing_is_noted_where_nobody_knows_it(school, sets, sets_browsing, grant):
    """Once it is changed."""
    sets("tech", "j.smith")
    sets("j.smith", "j.smith")
    sets_browsing("j.smith", "j.smith")
    assert grant("head", "person:j.smith").notes == ()
    assert knows(school) == []


def test_an_extension_says_it_as_well(school, grant, sets, now, policy):
    """Another of SLT may have set the password since."""
    given = grant("head", "person:j.smith")
    sets("deputy", "j.smith")
    with school.write() as session:
        view = grants.extend(session, who("deputy"), given.id, HOUR, "a little longer", now, policy)
    assert "the password that deputy set" in view.notes[0]
    assert knows(school) == ['["deputy"]']


def test_the_list_says_it_to_slt(school, grant, sets_browsing, now):
    """While it is so, and the grant is open; nobody else is told whose it is."""
    sets_browsing("tech", "j.smith")
    given = grant("head", "person:j.smith")

    def noted(name: str) -> list[bool]:
        with school.read() as session:
            views = grants.list_grants(session, who(name), now=now, include_ended=True)
            return [bool(view.notes) for view in views]

    assert [noted(name) for name in ("head", "tech", "j.smith")] == [[True], [False], [False]]
    with school.write() as session:
        grants.revoke(session, who("head"), given.id, "it is over", now)
    assert noted("head") == [False]


def test_many_in_one_group(school, adds, grant, submit):
    """Three are named, the others counted."""
    for number in range(5):
        adds("tech", f"p{number}", Role.STAFF)
        submit("tech", "change_person", name=f"p{number}", join=["governors"])
    *named, rest = grant("head", "group:governors").notes
    assert [note.split()[0] for note in named] == ["p0", "p1", "p2"]
    assert rest == "So it is with 2 more of them."
    assert knows(school) == ['["tech"]']


def test_an_approval_says_it(school, grant, sets_browsing, submit, now, policy):
    """Whoever comes under a grant by a change is somebody to whom something is granted."""
    submit("tech", "add_device", name="suite-1", addresses=["10.20.4.0/26"], groups=["suites"])
    grant("head", "group:suites")
    sets_browsing("tech", "j.smith")
    submit("tech", "change_person", name="j.smith", join=["suites"])
    with school.write() as session:
        view, _ = changes.approve(session, who("head"), 1, now, policy)
    assert "the browsing password that tech set" in view.notes[0]
    assert knows(school) == ['["tech"]']


def test_a_technician_is_not_told_who_holds_what(grant, sets):
    """What keeps them from setting a password says no more than it must."""
    grant("head", "person:j.smith")
    with pytest.raises(ServiceError) as caught:
        sets("tech", "j.smith")
    assert caught.value.code == "widens_access"
    assert "authorisation" not in caught.value.message
