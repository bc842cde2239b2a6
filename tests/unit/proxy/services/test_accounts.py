"""Who may sign in, who may add and change whom, and that the school is never locked out."""

from collections.abc import Callable
from datetime import timedelta

import argon2
import pytest
from sqlalchemy import select

from policies.vocabulary import Role
from proxy.record import ledger
from proxy.services import accounts, grants, groups
from proxy.services.errors import BadInput, Conflict, NotPermitted, ServiceError, UnknownName
from proxy.store.engine import Store
from proxy.store.models import FailedSignIn, LedgerPersonal, LedgerRow, Person, SignIn

GOOD = "three random words"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def add(store: Store, now) -> Callable[..., accounts.PersonView]:
    """Add a person in a unit of its own."""

    def add(actor=None, **changes):
        fields = {"name": "head", "display_name": "The Head", "role": Role.SLT, "password": GOOD, "now": now}
        with store.write() as session:
            return accounts.add_person(session, actor, **{**fields, **changes})

    return add


def fails(store: Store, act: Callable, *args, **kwargs) -> ServiceError:
    """The error with which an act is refused, in a unit of its own; it must leave no ledger row."""
    with store.read() as session:
        before = ledger.verify(session).rows
    with pytest.raises(ServiceError) as caught, store.write() as session:
        act(session, *args, **kwargs)
    with store.read() as session:
        assert ledger.verify(session).rows == before
    return caught.value


class TestFirstAccount:
    def test_by_the_owner(self, store, add):
        """The owner of the state directory adds the first SLT account, and the ledger says so."""
        with store.read() as session:
            assert accounts.needs_first_account(session)
        view = add(owner=True)
        assert (view.name, view.role, view.enabled, view.has_password) == ("head", Role.SLT, True, True)
        with store.read() as session:
            assert not accounts.needs_first_account(session)
            assert session.scalars(select(LedgerRow.act)).all() == ["add_person"]
            values = session.scalars(select(LedgerPersonal.value).order_by(LedgerPersonal.field)).all()
            assert values == [ledger.canonical(accounts.OWNER), '"head"']

    def test_by_nobody(self, store, add):
        """Without owning the directory nobody adds anybody."""
        with pytest.raises(NotPermitted) as caught:
            add(owner=False)
        assert caught.value.exit_code == 3

    @pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.NETWORK, Role.STAFF])
    def test_is_one_of_slt(self, add, role):
        """The first account is one that can make the others."""
        with pytest.raises(NotPermitted, match="first account is one of SLT"):
            add(owner=True, role=role)

    def test_only_the_first(self, add):
        """Once an SLT account works, the owner signs in like everybody else."""
        add(owner=True)
        with pytest.raises(NotPermitted, match=r"There is an SLT account \(head\)"):
            add(owner=True, name="deputy")

    def test_the_last_is_restored(self, store, add, now):
        """A lost password of the last SLT account is set anew by the owner; of one among two it is not."""
        view = add(owner=True)
        with store.write() as session:
            accounts.set_password(session, None, name="head", password="another good one", now=now, owner=True)
            assert accounts.sign_in(session, "head", "another good one", now).name == "head"
        head = accounts.Actor(view.name, view.display_name, view.role)
        add(head, name="deputy")
        error = fails(store, accounts.set_password, None, name="head", password=GOOD, now=now, owner=True)
        assert isinstance(error, NotPermitted)

    def test_the_only_one_disabled_is_enabled_by_the_owner(self, store, add, now):
        """Even where somebody wrote so into the store; and what the owner does is in the ledger as theirs."""
        add(owner=True)
        with store.write() as session:
            session.scalars(select(Person)).one().enabled = False
        with store.write() as session:
            assert accounts.set_enabled(session, None, name="head", enabled=True, now=now, owner=True).enabled
            assert accounts.sign_in(session, "head", GOOD, now).name == "head"
        with store.read() as session:
            assert session.scalars(select(LedgerRow.act)).all() == ["add_person", "enable_person"]
            actors = select(LedgerPersonal.value).where(LedgerPersonal.field == "actor")
            assert set(session.scalars(actors)) == {ledger.canonical(accounts.OWNER)}

    def test_the_owner_restores_only_slt_and_only_the_last(self, store, add, now):
        """While another SLT account works the owner changes none; nor ever one that is not of SLT, nor disables."""
        head = add(owner=True)
        head = accounts.Actor(head.name, head.display_name, head.role)
        add(head, name="deputy")
        add(head, name="tech", role=Role.TECHNICIAN)
        with store.write() as session:
            accounts.set_enabled(session, head, name="deputy", enabled=False, now=now)
        by_owner = {"now": now, "owner": True}
        password = {"password": "another good one", **by_owner}
        assert fails(store, accounts.set_enabled, None, name="deputy", enabled=True, **by_owner).exit_code == 3
        assert fails(store, accounts.set_password, None, name="deputy", **password).exit_code == 3
        assert fails(store, accounts.set_password, None, name="tech", **password).exit_code == 3
        assert fails(store, accounts.set_enabled, None, name="head", enabled=False, **by_owner).exit_code == 3
        with store.write() as session:
            session.scalars(select(Person).where(Person.name == "head")).one().enabled = False
        assert fails(store, accounts.set_password, None, name="tech", **password).exit_code == 3
        with store.write() as session:
            accounts.set_enabled(session, None, name="deputy", enabled=True, **by_owner)
        assert fails(store, accounts.set_enabled, None, name="head", enabled=True, **by_owner).exit_code == 3

    def test_without_a_password_it_does_not_work_yet(self, store, add):
        """An SLT account that cannot sign in locks nobody out."""
        add(owner=True, password=None)
        with store.read() as session:
            assert accounts.needs_first_account(session)


class TestWhoChangesWhom:
    @pytest.mark.parametrize("role", list(Role))
    @pytest.mark.parametrize("by", ["head", "tech", "netops", "j.smith"])
    def test_adding(self, school, add, request, by, role):
        """SLT add everybody, technicians everybody but SLT, others nobody."""
        actor = request.getfixturevalue({"j.smith": "staff"}.get(by, by))
        allowed = by == "head" or (by == "tech" and role is not Role.SLT)
        if allowed:
            assert add(actor, name="new", role=role, password=None).role is role
        else:
            with pytest.raises(NotPermitted):
                add(actor, name="new", role=role, password=None)

    def test_a_technician_cannot_become_slt(self, school, tech, now):
        """Nobody takes an account of SLT over: not by role, nor by password, nor by disabling."""
        for error in (
            fails(school, accounts.set_role, tech, name="tech", role=Role.SLT, now=now),
            fails(school, accounts.set_role, tech, name="head", role=Role.STAFF, now=now),
            fails(school, accounts.set_password, tech, name="head", password=GOOD, now=now),
            fails(school, accounts.set_enabled, tech, name="head", enabled=False, now=now),
        ):
            assert isinstance(error, NotPermitted)

    def test_a_role_that_was_taken_away(self, school, head, deputy, now):
        """Somebody signed in as SLT is not SLT once the store says otherwise."""
        with school.write() as session:
            accounts.set_role(session, deputy, name="head", role=Role.STAFF, now=now)
        error = fails(school, accounts.set_role, head, name="j.smith", role=Role.NETWORK, now=now)
        assert "role staff" in error.message

    def test_ones_own_password(self, school, staff, now):
        """Everybody changes their own password, and nobody's else."""
        with school.write() as session:
            accounts.set_password(session, staff, name="j.smith", password=GOOD, now=now)
        assert isinstance(
            fails(school, accounts.set_password, staff, name="tech", password=GOOD, now=now), NotPermitted
        )

    def test_the_last_slt_account_stays(self, school, head, deputy, now):
        """One SLT account always works: the last is neither disabled nor given another role."""
        with school.write() as session:
            accounts.set_enabled(session, head, name="deputy", enabled=False, now=now)
        for error in (
            fails(school, accounts.set_enabled, head, name="head", enabled=False, now=now),
            fails(school, accounts.set_role, head, name="head", role=Role.STAFF, now=now),
        ):
            assert isinstance(error, Conflict)
            assert "last SLT account" in error.message

    def test_an_account_that_is_disabled_does_nothing(self, school, head, deputy, now):
        """A disabled account acts no more, whatever it was signed in as."""
        with school.write() as session:
            accounts.set_enabled(session, head, name="deputy", enabled=False, now=now)
        assert (
            fails(school, accounts.set_role, deputy, name="tech", role=Role.STAFF, now=now).code == "account_disabled"
        )

    def test_nothing_to_do(self, school, head, now):
        """What is so already is said to be so."""
        with_role = fails(school, accounts.set_role, head, name="tech", role=Role.TECHNICIAN, now=now)
        assert with_role.code == "nothing_to_do"
        assert fails(school, accounts.set_enabled, head, name="tech", enabled=True, now=now).code == "nothing_to_do"

    def test_unknown(self, school, head, now):
        """Somebody who is not there cannot be changed."""
        error = fails(school, accounts.set_role, head, name="nobody", role=Role.STAFF, now=now)
        assert isinstance(error, UnknownName)


class TestAdding:
    @pytest.mark.parametrize(
        ("changes", "kind"),
        [
            ({"name": "head"}, Conflict),
            ({"name": "HEAD "}, Conflict),
            ({"name": "no spaces"}, BadInput),
            ({"name": "new", "display_name": "\u202e"}, BadInput),
            ({"name": "new", "display_name": "x" * 101}, BadInput),
            ({"name": "new", "password": "short"}, BadInput),
            ({"name": "new", "groups_of": ["not a group"]}, BadInput),
        ],
    )
    def test_wrong(self, school, add, head, changes, kind):
        """A name that is taken or cannot be, a bad password, a bad group: refused, nothing is left."""
        with pytest.raises(kind):
            add(head, **changes)
        with school.read() as session:
            assert session.scalars(select(Person).where(Person.name == "new")).first() is None

    def test_groups(self, school, add, head):
        """A person joins groups, which are made where they are missing."""
        assert add(head, name="new", role=Role.STAFF, groups_of=["governors", "Staff-Room"]).groups == (
            "governors",
            "staff-room",
        )
        with school.read() as session:
            views = {view.name: view.groups for view in accounts.list_people(session, head)}
        assert views["new"] == ("governors", "staff-room")

    def test_joining_a_granted_group_waits_for_slt(self, school, add, head, tech, now, policy, catalogue):
        """A technician adds nobody to a group that holds an authorisation; SLT do."""
        add(head, name="one", role=Role.STAFF, groups_of=["governors"])
        with school.write() as session:
            window = {"starts_at": now, "ends_at": now + 60 * MINUTE, "reason": "governors' day", "now": now}
            grants.grant(
                session, head, who="group:governors", target="all", policy=policy, catalogue=catalogue, **window
            )
        with pytest.raises(NotPermitted, match="somebody under authorisation 1"):
            add(tech, name="two", role=Role.STAFF, groups_of=["governors"])
        add(head, name="two", role=Role.STAFF, groups_of=["governors"])
        add(tech, name="three", role=Role.STAFF, groups_of=["governors"], now=now + 60 * MINUTE)

    def test_who_sees_the_list(self, school, tech, netops, staff):
        """Those who look after accounts see them."""
        with school.read() as session:
            assert [v.name for v in accounts.list_people(session, tech)] == [
                "deputy",
                "head",
                "j.smith",
                "netops",
                "tech",
            ]
            for actor in (netops, staff):
                with pytest.raises(NotPermitted):
                    accounts.list_people(session, actor)


@pytest.fixture
def known(store: Store, add) -> Store:
    """A store with one person who can sign in."""
    add(owner=True)
    return store


class TestSigningIn:
    def sign_in(self, store, now, name="head", password=GOOD):
        with store.write() as session:
            return accounts.sign_in(session, name, password, now)

    def test_in(self, known, now):
        """The right password shows who it is; a name is a name in any case."""
        assert self.sign_in(known, now, name=" HEAD ") == accounts.Actor("head", "The Head", Role.SLT)

    @pytest.mark.parametrize(
        ("name", "password"), [("head", "wrong"), ("nobody", GOOD), ("", ""), ("x" * 9999, "y" * 9999)]
    )
    def test_wrong(self, known, now, name, password):
        """A wrong password and an unknown name get the same answer."""
        with pytest.raises(NotPermitted, match="The name or the password is wrong"):
            self.sign_in(known, now, name, password)

    def test_disabled(self, known, add, now):
        """A disabled person cannot sign in, though the password is right; enabled again, they can."""
        head = self.sign_in(known, now)
        add(head, name="tech", role=Role.TECHNICIAN)
        for enabled in (False, True):
            with known.write() as session:
                accounts.set_enabled(session, head, name="tech", enabled=enabled, now=now)
            if enabled:
                assert self.sign_in(known, now, "tech").name == "tech"
            else:
                with pytest.raises(NotPermitted, match="account tech is disabled"):
                    self.sign_in(known, now, "tech")

    @pytest.mark.parametrize("name", ["head", "nobody"])
    def test_guessing_is_slowed_down(self, known, now, name):
        """After a few failures a name waits, longer each time, and is told how long; also a name nobody has."""
        for _ in range(5):
            with pytest.raises(NotPermitted, match="password is wrong"):
                self.sign_in(known, now, name, "wrong")
        with pytest.raises(NotPermitted) as caught:
            self.sign_in(known, now + timedelta(seconds=5), name, GOOD)
        assert (caught.value.code, caught.value.hint) == ("too_many_failures", "Try again in 10 seconds.")
        with pytest.raises(NotPermitted, match="password is wrong"):
            self.sign_in(known, now + timedelta(seconds=15), name, "wrong")
        with pytest.raises(NotPermitted) as caught:
            self.sign_in(known, now + timedelta(seconds=16), name, GOOD)
        assert caught.value.hint == "Try again in 29 seconds."

    def test_waiting_has_an_end(self, known, now):
        """However often it failed, a name waits a quarter of an hour at most; then the right password is taken."""
        with known.write() as session:
            session.add(FailedSignIn(name="head", failures=10**6, last_at=now, again_at=now))
        with pytest.raises(NotPermitted, match="password is wrong"):
            self.sign_in(known, now, password="wrong")
        with pytest.raises(NotPermitted) as caught:
            self.sign_in(known, now + MINUTE)
        assert caught.value.hint == "Try again in 14 minutes."
        assert self.sign_in(known, now + 15 * MINUTE).name == "head"
        with known.read() as session:
            assert session.scalars(select(FailedSignIn)).first() is None

    def test_failures_are_forgotten(self, known, now):
        """Names that were guessed do not fill the store for ever."""
        for hours, name in ((0, "a"), (25, "b")):
            with pytest.raises(NotPermitted):
                self.sign_in(known, now + timedelta(hours=hours), name, "wrong")
        with known.read() as session:
            assert session.scalars(select(FailedSignIn.name)).all() == ["b"]

    def test_an_outdated_hash_is_renewed(self, known, now):
        """A hash made with less work is replaced when its password is shown."""
        with known.write() as session:
            weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(GOOD)
            session.scalars(select(Person)).one().password_hash = weak
        self.sign_in(known, now)
        with known.read() as session:
            kept = session.scalars(select(Person.password_hash)).one()
            assert kept is not None
            assert kept.startswith("$argon2id$v=19$m=65536")


class TestSessions:
    @pytest.fixture
    def token(self, school, head, now):
        with school.write() as session:
            return accounts.start_session(session, head, now)

    def actor_of(self, store, token, now):
        with store.write() as session:
            return accounts.actor_of(session, token, now)

    def test_a_session(self, school, token, head, now):
        """The token stands for who signed in; the store holds only its hash."""
        assert self.actor_of(school, token, now + MINUTE) == head
        assert len(token) >= 43
        with school.read() as session:
            assert token not in session.scalars(select(SignIn.token_hash)).all()

    def test_a_new_role_ends_sessions(self, school, token, deputy, now):
        """Whoever signed in with more, or less, to say signs in anew."""
        with school.write() as session:
            accounts.set_role(session, deputy, name="head", role=Role.NETWORK, now=now)
        with pytest.raises(NotPermitted):
            self.actor_of(school, token, now)

    def test_idle(self, school, token, now):
        """Being seen keeps a session; half an hour of nothing ends it."""
        for minutes in (29, 58, 87):
            self.actor_of(school, token, now + minutes * MINUTE)
        with pytest.raises(NotPermitted) as caught:
            self.actor_of(school, token, now + 117 * MINUTE)
        assert caught.value.code == "session_ended"

    def test_absolute(self, school, token, now):
        """However busy, a session ends after eight hours."""
        for quarter in range(32):
            self.actor_of(school, token, now + quarter * 15 * MINUTE)
        with pytest.raises(NotPermitted):
            self.actor_of(school, token, now + timedelta(hours=8))

    def test_ended(self, school, token, now):
        """After signing out the token is nothing."""
        with school.write() as session:
            accounts.end_session(session, token)
        with pytest.raises(NotPermitted):
            self.actor_of(school, token, now)

    @pytest.mark.parametrize("token", ["", "guess", "x" * 10000, "\udce9", "\x00"])
    def test_no_token(self, school, now, token):
        """What is no token is nobody."""
        with pytest.raises(NotPermitted):
            self.actor_of(school, token, now)

    def test_disabling_ends_sessions(self, school, token, deputy, now):
        """Somebody disabled is signed out, and stays so when enabled again."""
        for enabled in (False, True):
            with school.write() as session:
                accounts.set_enabled(session, deputy, name="head", enabled=enabled, now=now)
            with pytest.raises(NotPermitted):
                self.actor_of(school, token, now)

    def test_a_new_password_ends_sessions(self, school, token, deputy, now):
        """Whoever knew the old password is signed out."""
        with school.write() as session:
            accounts.set_password(session, deputy, name="head", password=GOOD, now=now)
        with pytest.raises(NotPermitted):
            self.actor_of(school, token, now)

    def test_expired_ones_are_removed(self, school, token, head, now):
        """Sessions that are over do not fill the store."""
        with school.write() as session:
            accounts.start_session(session, head, now + timedelta(hours=9))
            assert len(session.scalars(select(SignIn)).all()) == 1


def test_disabling_revokes_what_was_granted(school, head, tech, now, policy, catalogue):
    """With the account ends what was granted to the person, whoever closes it."""
    with school.write() as session:
        window = {"starts_at": now, "ends_at": now + 60 * MINUTE, "reason": "open day posts", "now": now}
        grants.grant(session, head, who="j.smith", target="facebook", policy=policy, catalogue=catalogue, **window)
    with school.write() as session:
        accounts.set_enabled(session, tech, name="j.smith", enabled=False, now=now + MINUTE)
    with school.read() as session:
        (view,) = grants.list_grants(session, head, now=now + MINUTE, include_ended=True)
        assert (view.state, view.revoked_by) == ("revoked", "tech")
        assert ledger.verify(session).intact


def test_no_technician_stands_in_for_who_holds_a_grant(school, head, tech, staff, now, policy, catalogue):
    """A technician who set the password of somebody with a grant could act as them; SLT decide about it anyway."""
    with school.write() as session:
        groups.change_groups(session, tech, name="j.smith", join=["governors"], now=now)
        window = {"starts_at": now, "ends_at": now + 60 * MINUTE, "reason": "open day posts", "now": now}
        grants.grant(session, head, who="group:governors", target="all", policy=policy, catalogue=catalogue, **window)
    change = {"name": "j.smith", "password": GOOD}
    assert fails(school, accounts.set_password, tech, now=now, **change).code == "widens_access"
    with school.write() as session:
        for actor, at in ((staff, now), (head, now), (tech, now + 60 * MINUTE)):
            accounts.set_password(session, actor, now=at, **change)
