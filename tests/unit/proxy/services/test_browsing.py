"""Who may set whose browsing password, that it is for browsing alone, and what verifying it says."""

from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from policies.authorisation import SubjectKind, TargetKind
from policies.vocabulary import Role
from proxy.identity.door import Identity, Unproven
from proxy.record import ledger
from proxy.services import accounts, browsing, grants, passwords
from proxy.services.back_off import FREE
from proxy.services.errors import BadInput, Conflict, NotPermitted, ServiceError, UnknownName
from proxy.services.permission import Actor
from proxy.store import models
from proxy.store.engine import Store
from tests.unit.proxy.services.conftest import PEOPLE, actor

SIGNING_IN, BROWSING, OTHER = "signing in is a secret", "browsing: three random words", "another: three random words"
HOUR = timedelta(hours=1)
SLT_AND_TECHNICIANS = {Role.SLT, Role.TECHNICIAN}


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    """Argon2 with next to no work: how much it is has its own tests."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", hasher)
    monkeypatch.setattr(passwords, "NOBODY", hasher.hash("nobody"))


def set_(school: Store, now, by: Actor, name: str, password: str = BROWSING) -> None:
    with school.write() as session:
        browsing.set_password(session, by, name, password, now)


def remove(school: Store, now, by: Actor, name: str) -> None:
    with school.write() as session:
        browsing.remove_password(session, by, name, now)


def person(school: Store, name: str) -> models.Person:
    with school.read() as session:
        return session.scalars(select(models.Person).where(models.Person.name == name)).one()


def change(school: Store, name: str, **changes) -> None:
    with school.write() as session:
        session.execute(update(models.Person).where(models.Person.name == name).values(changes))


def acts(school: Store) -> list[str]:
    with school.read() as session:
        assert ledger.verify(session).intact
        return list(session.scalars(select(models.LedgerRow.act).order_by(models.LedgerRow.seq)))


def granted(school: Store, kind: SubjectKind, name: str, now, **changes) -> None:
    fields = {"starts_at": now - HOUR, "ends_at": now + HOUR, "granted_at": now, "reason": "a lesson"}
    with school.write() as session:
        head = session.scalars(select(models.Person).where(models.Person.name == "head")).one()
        what = {"subject_kind": kind, "subject_name": name, "target_kind": TargetKind.ALL, "target_name": ""}
        session.add(models.AuthorisationRow(**{**what, **fields, "granted_by": head, **changes}))


def join(school: Store, name: str, group: str) -> None:
    with school.write() as session:
        who = session.scalars(select(models.Person).where(models.Person.name == name)).one()
        session.add(models.Membership(group=models.Group(name=group), person=who))


# Who may


@pytest.mark.parametrize("by", PEOPLE)
@pytest.mark.parametrize("name", PEOPLE)
def test_roles(school, now, by, name):
    """Everybody theirs; technicians and SLT others'; that of SLT only SLT."""
    may = by == name or PEOPLE[by] is Role.SLT or (PEOPLE[by] in SLT_AND_TECHNICIANS and PEOPLE[name] is not Role.SLT)
    change(school, name, browsing_hash="x", browsing_id="first")
    for act in (set_, remove):
        before = person(school, name).browsing_id
        if may:
            act(school, now, actor(by), name)
            assert person(school, name).browsing_id != before
        else:
            with pytest.raises(NotPermitted):
                act(school, now, actor(by), name)
            assert person(school, name).browsing_id == before
    assert acts(school) == (["set_browsing_password", "remove_browsing_password"] if may else [])


@pytest.mark.parametrize("own", [True, False])
def test_an_account_that_is_disabled_does_nothing(school, now, tech, own):
    """Not even for itself."""
    change(school, "tech", enabled=False)
    for act in (set_, remove):
        with pytest.raises(NotPermitted, match="is disabled"):
            act(school, now, tech, "tech" if own else "j.smith")


def test_nobody(school, now, head):
    """A name that nobody has is not made by this."""
    for act in (set_, remove):
        with pytest.raises(UnknownName):
            act(school, now, head, "nobody")


# A way round (law 7)

GRANTS = [
    (SubjectKind.PERSON, "j.smith", {}, True),
    (SubjectKind.GROUP, "governors", {}, True),
    (SubjectKind.PERSON, "j.smith", {"starts_at": HOUR, "ends_at": 2 * HOUR}, True),
    (SubjectKind.GROUP, "governors", {"starts_at": HOUR, "ends_at": 2 * HOUR}, True),
    (SubjectKind.PERSON, "j.smith", {"ends_at": timedelta(0)}, False),
    (SubjectKind.PERSON, "j.smith", {"lapsed_at": timedelta(0)}, False),
    (SubjectKind.PERSON, "j.smith", {"revoked_at": timedelta(0)}, False),
    (SubjectKind.PERSON, "deputy", {}, False),
    (SubjectKind.GROUP, "others", {}, False),
    (SubjectKind.DEVICE, "j.smith", {}, False),
]


@pytest.mark.parametrize(("kind", "name", "times", "refused"), GRANTS)
def test_a_technician_gives_no_password_that_opens_something(
    school, now, tech, head, staff, kind, name, times, refused
):
    """They would know it, and could browse as somebody who was granted; that person and SLT set it."""
    join(school, "j.smith", "governors")
    changes = {field: now + span for field, span in times.items()}
    if "revoked_at" in changes:
        changes |= {"revoked_by_id": 1, "revoked_reason": "done"}
    granted(school, kind, name, now, **changes)
    if refused:
        with pytest.raises(NotPermitted) as caught:
            set_(school, now, tech, "j.smith")
        assert caught.value.code == "widens_access"
        assert person(school, "j.smith").browsing_id is None
    else:
        set_(school, now, tech, "j.smith")
    set_(school, now, head, "j.smith", OTHER)
    set_(school, now, staff, "j.smith")
    remove(school, now, tech, "j.smith")  # takes access away, and nobody need wait for that


def test_a_technicians_own_password_is_theirs(school, now, tech):
    """Whatever was granted to them."""
    granted(school, SubjectKind.PERSON, "tech", now)
    set_(school, now, tech, "tech")


# What it is


def test_each_is_another_credential(school, now, head):
    """The same password again is a new one: what was open under the one before ends."""
    ids = set()
    for _ in range(3):
        set_(school, now, head, "j.smith")
        ids.add(person(school, "j.smith").browsing_id)
    assert len(ids) == 3


def test_a_change_reaches_the_snapshot(school, now, head):
    """The generation moves with it."""
    before = school.generation()
    set_(school, now, head, "j.smith")
    remove(school, now, head, "j.smith")
    assert school.generation() == before + 2


@pytest.mark.parametrize("password", ["", "short", "password1", "j.smithj.smith"[:10], "aaaaaaaaaaaaaaa", "x" * 2000])
def test_a_bad_one(school, now, head, password):
    """The rules are those of every password."""
    with pytest.raises(BadInput):
        set_(school, now, head, "j.smith", password)
    assert person(school, "j.smith").browsing_hash is None


def test_what_is_kept(school, now, head):
    """A hash; in the ledger, who did it and whose it is."""
    set_(school, now, head, "j.smith")
    kept = person(school, "j.smith")
    assert kept.browsing_hash.startswith("$argon2id$")
    assert kept.password_hash is None
    with school.read() as session:
        row = session.scalars(select(models.LedgerRow)).one()
        personal = {p.field: p.value for p in row.personal}
    assert personal == {"actor": '"head"', "person": '"j.smith"'}
    assert BROWSING not in row.body + row.commitments


def test_nothing_to_remove(school, now, head):
    """There is none."""
    with pytest.raises(Conflict):
        remove(school, now, head, "j.smith")


# Apart from signing in


def test_the_two_passwords_differ(school, now, head, staff):
    """Whichever is set last."""
    with school.write() as session:
        accounts.set_password(session, head, name="j.smith", password=SIGNING_IN, now=now)
    with pytest.raises(BadInput) as caught:
        set_(school, now, staff, "j.smith", SIGNING_IN)
    assert caught.value.code == "same_password"
    set_(school, now, staff, "j.smith")
    with pytest.raises(BadInput) as caught, school.write() as session:
        accounts.set_password(session, staff, name="j.smith", password=BROWSING, now=now)
    assert caught.value.code == "same_password"
    assert browsing.verify(school, "j.smith", SIGNING_IN, now) is Unproven.WRONG


def sign_in(school: Store, now, name: str, password: str) -> Actor | ServiceError:
    try:
        with school.write() as session:
            return accounts.sign_in(session, name, password, now)
    except ServiceError as error:
        return error


def test_it_signs_nobody_in(school, now, head):
    """Nor does it grant: only who signed in is an actor."""
    set_(school, now, head, "head")
    refused = sign_in(school, now, "head", BROWSING)
    assert isinstance(refused, NotPermitted)
    assert refused.code == "sign_in_failed"


def test_a_browser_never_grants(school, now, head, policy, catalogue):
    """Somebody without a password for signing in, who browses, is nobody to the services."""
    set_(school, now, head, "deputy")
    assert isinstance(browsing.verify(school, "deputy", BROWSING, now), Identity)
    assert isinstance(sign_in(school, now, "deputy", BROWSING), NotPermitted)
    with school.read() as session:
        assert grants.list_grants(session, head, now=now, include_ended=True) == []


def test_guesses_are_counted_apart(school, now, head):
    """Who guesses at the proxy locks nobody out of signing in, nor the other way round."""
    with school.write() as session:
        accounts.set_password(session, head, name="head", password=SIGNING_IN, now=now)
    set_(school, now, head, "head")
    for _ in range(FREE + 1):
        browsing.count_wrong(school, "head", now)
    assert browsing.verify(school, "head", BROWSING, now) is Unproven.WAIT
    assert isinstance(sign_in(school, now, "head", SIGNING_IN), Actor)
    for name in ("deputy", "Browsing/j.smith", "browsing/j.smith", "BROWSING/J.SMITH"):
        for _ in range(FREE + 1):
            sign_in(school, now, name, "guess")
    set_(school, now, head, "j.smith")
    for _ in range(FREE + 1):
        sign_in(school, now, "Browsing/j.smith", "guess")
    assert isinstance(browsing.verify(school, "j.smith", BROWSING, now), Identity)


# Verifying


def test_verified(school, now, head):
    """The person, and the credential that the snapshot has."""
    set_(school, now, head, "j.smith")
    credential = person(school, "j.smith").browsing_id
    assert browsing.verify(school, " J.SMITH", BROWSING, now) == Identity("j.smith", credential)


@pytest.mark.parametrize("name", ["j.smith", "nobody", "n" * 63])
def test_wrong_ones_make_a_name_wait(school, now, head, name):
    """Anybody's and nobody's; not for ever; a right one begins anew, and a new one need not wait."""
    set_(school, now, head, "j.smith")
    for _ in range(FREE + 1):
        assert browsing.verify(school, name, "guess", now) is Unproven.WRONG
        browsing.count_wrong(school, name, now)
    assert browsing.verify(school, name, BROWSING, now) is Unproven.WAIT
    assert browsing.verify(school, "head", BROWSING, now) is Unproven.WRONG
    later = now + timedelta(minutes=1)
    assert browsing.verify(school, name, "guess", later) is Unproven.WRONG
    if name == "j.smith":
        assert isinstance(browsing.verify(school, name, BROWSING, later), Identity)
        browsing.count_wrong(school, name, later)
        assert isinstance(browsing.verify(school, name, BROWSING, later), Identity)


def test_a_new_one_need_not_wait(school, now, head):
    """Whoever forgot theirs gets another."""
    set_(school, now, head, "j.smith")
    for _ in range(FREE + 1):
        browsing.count_wrong(school, "j.smith", now)
    set_(school, now, head, "j.smith", OTHER)
    assert isinstance(browsing.verify(school, "j.smith", OTHER, now), Identity)


@pytest.mark.parametrize("name", ["j.smith", "deputy", "netops", "nobody", ""])
def test_the_same_work_for_every_name(school, now, head, monkeypatch, name):
    """Known, without a browsing password, disabled, or nobody's: one hash is computed."""
    set_(school, now, head, "j.smith")
    set_(school, now, head, "netops")
    change(school, "netops", enabled=False)
    work = []

    class Watched(PasswordHasher):
        def verify(self, hash, password):  # noqa: A002 -- the library's name
            work.append(hash)
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "_HASHER", Watched(time_cost=1, memory_cost=8, parallelism=1))
    assert browsing.verify(school, name, "guess", now) is Unproven.WRONG
    assert len(work) == 1
    assert {len(kept) for kept in work} == {len(passwords.NOBODY)}
