"""The rules that the schema itself holds: each is violated here, on every kind of store."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import PrimaryKeyConstraint, literal_column, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session

from policies.authorisation import RequestState, SubjectKind, TargetKind
from policies.vocabulary import Role, Verdict
from proxy.store import models
from proxy.store.engine import Store

NOW = datetime(2026, 3, 2, 10, 0, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)


def person(**changes):
    fields = {"name": "head", "display_name": "The Head", "role": Role.SLT, "enabled": True, "added_at": NOW}
    return models.Person(**{**fields, **changes})


def authorisation(**changes):
    fields = {
        "subject_kind": SubjectKind.ADDRESS,
        "subject_name": "10.20.0.10",
        "target_kind": TargetKind.SERVICE,
        "target_name": "facebook",
        "starts_at": NOW,
        "ends_at": NOW + HOUR,
        "reason": "open day",
        "granted_by_id": 1,
        "granted_at": NOW,
    }
    return models.AuthorisationRow(**{**fields, **changes})


def request(**changes):
    fields = {
        "requester_id": 1,
        "target_kind": TargetKind.ALL,
        "target_name": "",
        "seconds": 60,
        "reason": "a lesson",
        "asked_at": NOW,
    }
    return models.AccessRequestRow(**{**fields, **changes})


def waiting(**changes):
    return models.WaitingChange(**{"act": "join", "body": "{}", "asked_by_id": 1, "asked_at": NOW, **changes})


def attempt(**changes):
    fields = {
        "reference": "AAAA-BBBB-CCCC-DDDD",
        "verdict": Verdict.DENY,
        "reason": "not_authorised",
        "port": 443,
        "protocol": "tls",
        "kind": "unknown",
        "address": "10.20.0.10",
        "policy": "p",
        "first_at": NOW,
        "last_at": NOW,
    }
    return models.AttemptRow(**{**fields, **changes})


def device(**changes):
    return models.Device(**{"name": "office-3", "added_at": NOW, **changes})


@pytest.fixture
def session(store: Store):
    """A unit of work with one person, one group and one device in it."""
    with store.write() as session:
        session.add_all([person(), models.Group(name="governors"), device()])
        session.flush()
        yield session
        session.rollback()


VIOLATIONS: list[tuple[str, Callable[[], list[models.Base]]]] = [
    ("uq_people_site_name", lambda: [person(display_name="Another")]),
    ("ck_people_named", lambda: [person(name="")]),
    ("ck_people_browsing_whole", lambda: [person(name="b", browsing_hash="h")]),
    ("ck_people_browsing_whole", lambda: [person(name="b", browsing_id="i")]),
    ("ck_people_password_set", lambda: [person(name="b", password_set_by_id=1)]),
    ("ck_people_browsing_set", lambda: [person(name="b", browsing_set_by_id=1)]),
    ("fk_people_password_set_by_id_people", lambda: [person(name="b", password_hash="h", password_set_by_id=99)]),
    (
        "fk_people_browsing_set_by_id_people",
        lambda: [person(name="b", browsing_hash="h", browsing_id="i", browsing_set_by_id=99)],
    ),
    ("uq_groups_site_name", lambda: [models.Group(name="governors")]),
    ("ck_groups_named", lambda: [models.Group(name="")]),
    ("uq_devices_site_name", lambda: [device()]),
    ("ck_devices_named", lambda: [device(name="")]),
    ("fk_devices_owner_id_people", lambda: [device(name="b", owner_id=99)]),
    ("fk_device_addresses_device_id_devices", lambda: [models.DeviceAddress(device_id=99, network="10.0.0.1/32")]),
    (
        "uq_device_addresses_site_network",
        lambda: [
            models.DeviceAddress(device_id=1, network="10.0.0.1/32"),
            models.DeviceAddress(device_id=1, network="10.0.0.1/32"),
        ],
    ),
    ("ck_memberships_one_member", lambda: [models.Membership(group_id=1)]),
    ("ck_memberships_one_member", lambda: [models.Membership(group_id=1, person_id=1, device_id=1)]),
    ("uq_memberships_group_id_person_id", lambda: [models.Membership(group_id=1, person_id=1) for _ in range(2)]),
    ("uq_memberships_group_id_device_id", lambda: [models.Membership(group_id=1, device_id=1) for _ in range(2)]),
    ("fk_memberships_group_id_groups", lambda: [models.Membership(group_id=99, person_id=1)]),
    ("fk_memberships_person_id_people", lambda: [models.Membership(group_id=1, person_id=99)]),
    ("fk_memberships_device_id_devices", lambda: [models.Membership(group_id=1, device_id=99)]),
    ("ck_authorisations_ends_after_start", lambda: [authorisation(ends_at=NOW)]),
    ("ck_authorisations_reasoned", lambda: [authorisation(reason="")]),
    ("ck_authorisations_subject_named", lambda: [authorisation(subject_name="")]),
    ("ck_authorisations_target_named", lambda: [authorisation(target_name="")]),
    ("ck_authorisations_target_named", lambda: [authorisation(target_kind=TargetKind.ALL)]),
    ("fk_authorisations_granted_by_id_people", lambda: [authorisation(granted_by_id=99)]),
    ("ck_authorisations_revoked_by_someone", lambda: [authorisation(revoked_at=NOW, revoked_reason="done")]),
    ("ck_authorisations_revoked_by_someone", lambda: [authorisation(revoked_at=NOW, revoked_by_id=1)]),
    ("ck_authorisations_revoked_by_someone", lambda: [authorisation(revoked_by_id=1, revoked_reason="done")]),
    ("ck_access_requests_wants_time", lambda: [request(seconds=0)]),
    ("ck_access_requests_target_named", lambda: [request(target_kind=TargetKind.SERVICE)]),
    ("ck_access_requests_decided_once", lambda: [request(state=RequestState.REFUSED)]),
    ("ck_access_requests_decided_once", lambda: [request(decided_at=NOW, decided_by_id=1)]),
    ("ck_access_requests_decided_by_someone", lambda: [request(state=RequestState.REFUSED, decided_at=NOW)]),
    (
        "ck_access_requests_granted_if_approved",
        lambda: [
            authorisation(id=1),
            request(state=RequestState.REFUSED, decided_at=NOW, decided_by_id=1, authorisation_id=1),
        ],
    ),
    (
        "ck_access_requests_not_by_oneself",
        lambda: [request(state=RequestState.APPROVED, decided_at=NOW, decided_by_id=1)],
    ),
    ("fk_access_requests_requester_id_people", lambda: [request(requester_id=99)]),
    ("ck_waiting_changes_named", lambda: [waiting(act="")]),
    ("ck_waiting_changes_decided_once", lambda: [waiting(state=RequestState.REFUSED)]),
    ("ck_waiting_changes_decided_once", lambda: [waiting(decided_at=NOW, decided_by_id=1)]),
    ("ck_waiting_changes_decided_by_someone", lambda: [waiting(state=RequestState.REFUSED, decided_at=NOW)]),
    (
        "ck_waiting_changes_not_by_oneself",
        lambda: [waiting(state=RequestState.APPROVED, decided_at=NOW, decided_by_id=1)],
    ),
    ("fk_waiting_changes_asked_by_id_people", lambda: [waiting(asked_by_id=99)]),
    (
        "fk_waiting_changes_decided_by_id_people",
        lambda: [waiting(state=RequestState.REFUSED, decided_at=NOW, decided_by_id=99)],
    ),
    ("uq_attempts_reference", lambda: [attempt(), attempt()]),
    ("ck_attempts_counted", lambda: [attempt(count=0)]),
    ("ck_attempts_last_after_first", lambda: [attempt(last_at=NOW - HOUR)]),
    ("ck_attempts_measured", lambda: [attempt(bytes_up=-1)]),
    ("ck_attempts_measured", lambda: [attempt(bytes_down=-1)]),
    ("ck_attempts_measured", lambda: [attempt(seconds=-0.5)]),
    ("ck_journal_positions_forward", lambda: [models.JournalPosition(segment="a", offset=-1)]),
    ("pk_journal_positions", lambda: [models.JournalPosition(segment="a", offset=1) for _ in range(2)]),
    (
        "pk_open_attempts",
        lambda: [models.OpenAttempt(attempt="a", reference="r", journal="j", at=NOW) for _ in range(2)],
    ),
    (
        "ck_ledger_from_one",
        lambda: [models.LedgerRow(seq=0, at=NOW, act="a", body="", commitments="", previous="", hash="")],
    ),
    (
        "uq_ledger_hash",
        lambda: [
            models.LedgerRow(seq=n, at=NOW, act="a", body="", commitments="", previous="", hash="h") for n in (1, 2)
        ],
    ),
    ("fk_ledger_personal_seq_ledger", lambda: [models.LedgerPersonal(seq=9, field="actor", salt="s", value="v")]),
    ("ck_generation_one_row", lambda: [models.Generation(id=2, number=0)]),
    ("fk_sign_ins_person_id_people", lambda: [sign_in(person_id=99)]),
    ("ck_sign_ins_expires", lambda: [sign_in(expires_at=NOW)]),
    ("uq_sign_ins_token_hash", lambda: [sign_in(), sign_in()]),
    ("ck_failed_sign_ins_counted", lambda: [models.FailedSignIn(name="a", failures=0, last_at=NOW, again_at=NOW)]),
    (
        "fk_authorisations_revoked_by_id_people",
        lambda: [authorisation(revoked_at=NOW, revoked_by_id=99, revoked_reason="r")],
    ),
    (
        "fk_access_requests_decided_by_id_people",
        lambda: [request(state=RequestState.REFUSED, decided_at=NOW, decided_by_id=99)],
    ),
    (
        "fk_access_requests_authorisation_id_authorisations",
        lambda: [
            person(name="b"),
            request(state=RequestState.APPROVED, decided_at=NOW, decided_by_id=2, authorisation_id=99),
        ],
    ),
]

WORDS = [
    ("people", "role"),
    ("authorisations", "subject_kind"),
    ("authorisations", "target_kind"),
    ("access_requests", "target_kind"),
    ("access_requests", "state"),
    ("waiting_changes", "state"),
    ("attempts", "verdict"),
]


def sign_in(**changes):
    fields = {"token_hash": "h", "person_id": 1, "started_at": NOW, "seen_at": NOW, "expires_at": NOW + HOUR}
    return models.SignIn(**{**fields, **changes})


@pytest.mark.filterwarnings("ignore:New instance:sqlalchemy.exc.SAWarning")  # two rows with one key are the point
@pytest.mark.parametrize(("constraint", "rows"), VIOLATIONS, ids=[constraint for constraint, _ in VIOLATIONS])
def test_rule(session: Session, constraint: str, rows: Callable[[], list[models.Base]]) -> None:
    """What breaks a rule is refused by the database, for just that rule."""
    *fine, broken = rows()
    session.add_all(fine)
    session.flush()
    session.add(broken)
    with pytest.raises(IntegrityError) as caught:
        session.flush()
    assert constraint in _named_by(caught.value, constraint)


@pytest.mark.parametrize(("table", "column"), WORDS)
def test_words(session: Session, table: str, column: str) -> None:
    """A word that is not in the vocabulary is refused, whoever writes it."""
    decided = {"state": RequestState.WITHDRAWN, "decided_at": NOW, "decided_by_id": 1}
    asked = request(target_kind=TargetKind.SERVICE, target_name="x", **decided)
    session.add_all([authorisation(), asked, waiting(**decided), attempt()])
    session.flush()
    nonsense = update(models.METADATA.tables[table]).values({column: literal_column("'nonsense'")})
    with pytest.raises(IntegrityError, match=f"ck_{table}_{column}"):
        session.execute(nonsense)


def test_every_rule_is_violated_here() -> None:
    """A constraint that nobody has seen refuse anything is not known to be there."""
    there = {
        str(constraint.name)
        for table in models.METADATA.tables.values()
        for constraint in table.constraints
        if not isinstance(constraint, PrimaryKeyConstraint)
    }
    violated = {constraint for constraint, _ in VIOLATIONS} | {f"ck_{table}_{column}" for table, column in WORDS}
    assert there - violated == {"ck_generation_forward"}  # the number only ever grows by one


def _named_by(error: IntegrityError, constraint: str) -> str:
    """What the database says of it. SQLite names check constraints only; of the others it says which kind."""
    said = str(error.orig)
    kinds = {"uq": "UNIQUE constraint", "pk": "UNIQUE constraint", "fk": "FOREIGN KEY constraint"}
    return constraint if kinds.get(constraint[:2], constraint) in said else said


def test_words_are_values(session: Session) -> None:
    """The row holds the published word, not a name that the code happens to use."""
    assert session.execute(text("SELECT role FROM people")).scalar_one() == "slt"


def test_site(session: Session) -> None:
    """What a site owns says whose it is, from the start."""
    assert session.scalars(select(models.Person.site)).one() == "main"


def test_ids_are_never_used_again(store: Store) -> None:
    """The number of a grant names one grant for ever."""
    with store.write() as session:
        session.add(person())
        session.flush()
        first = authorisation()
        session.add(first)
        session.flush()
        number = first.id
        session.delete(first)
    with store.write() as session:
        second = authorisation()
        session.add(second)
        session.flush()
        assert second.id > number


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=45))])
def test_times_come_back_aware(store: Store, zone: timezone) -> None:
    """A moment is the same moment again, in UTC, to the microsecond."""
    with store.write() as session:
        session.add(person(added_at=NOW.astimezone(zone)))
    with store.read() as session:
        at = session.scalars(select(models.Person.added_at)).one()
    assert at == NOW
    assert at.tzinfo is UTC


def test_naive_times_are_refused(session: Session) -> None:
    """A time without a zone says no moment."""
    with pytest.raises(StatementError, match="no time zone"):
        session.execute(select(models.Person).where(models.Person.added_at < NOW.replace(tzinfo=None)))
