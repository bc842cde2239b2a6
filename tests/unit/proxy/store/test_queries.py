"""What a snapshot takes from the store, and ends that are latched."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from sqlalchemy import select

from policies.authorisation import Authorisation, State, Subject, SubjectKind, Target, TargetKind
from policies.snapshot import Device, Member
from policies.vocabulary import Role
from proxy.record import ledger
from proxy.store import models
from proxy.store.engine import Store
from proxy.store.queries import latch_ended, snapshot_parts

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def authorisation(starts_at: datetime, ends_at: datetime, **changes) -> models.AuthorisationRow:
    return models.AuthorisationRow(
        subject_kind=SubjectKind.ADDRESS,
        subject_name="10.20.0.10",
        target_kind=TargetKind.SERVICE,
        target_name="facebook",
        starts_at=starts_at,
        ends_at=ends_at,
        reason="open day",
        granted_by_id=1,
        granted_at=NOW,
        **changes,
    )


@pytest.fixture
def peopled(store: Store) -> Store:
    with store.write() as session:
        head = models.Person(name="head", display_name="Head", role=Role.SLT, added_at=NOW)
        head.browsing_hash, head.browsing_id = "hash", "first"
        gone = models.Person(name="gone", display_name="Gone", role=Role.STAFF, enabled=False, added_at=NOW)
        session.add_all([head, gone])
        session.flush()
        governors = models.Group(name="governors")
        device = models.Device(name="office-3", owner=head, added_at=NOW)
        device.addresses = [models.DeviceAddress(network=n) for n in ("10.20.0.10/32", "2001:db8::/64")]
        members = [{"person": head}, {"person": gone}, {"device": device}]
        session.add_all([models.Membership(group=governors, **member) for member in members])
    return store


def test_people_and_devices(peopled: Store) -> None:
    """Enabled people with the id of their browsing credential, and every device, each with their groups."""
    with peopled.read() as session:
        parts = snapshot_parts(session, NOW)
    governors = frozenset({"governors"})
    assert parts.members == {"head": Member("slt", governors, browsing="first")}
    addresses = (ip_network("10.20.0.10/32"), ip_network("2001:db8::/64"))
    assert parts.devices == (Device("office-3", addresses, governors),)
    assert parts.authorisations == ()


@pytest.mark.parametrize(
    ("row", "there"),
    [
        (authorisation(NOW - HOUR, NOW + HOUR), True),
        (authorisation(NOW + DAY, NOW + DAY + HOUR), True),
        (authorisation(NOW - 2 * HOUR, NOW - HOUR), True),
        (authorisation(NOW - 2 * DAY, NOW - DAY + HOUR), True),
        (authorisation(NOW - 2 * DAY, NOW - DAY), False),
        (authorisation(NOW - HOUR, NOW + HOUR, revoked_at=NOW - HOUR, revoked_by_id=1, revoked_reason="done"), True),
        (authorisation(NOW, NOW + DAY, revoked_at=NOW - DAY, revoked_by_id=1, revoked_reason="done"), False),
    ],
)
def test_which_grants(peopled: Store, row: models.AuthorisationRow, *, there: bool) -> None:
    """Grants that are live, to come, or ended within the last day."""
    copied = {
        c.key: getattr(row, c.key) for c in models.AuthorisationRow.__table__.columns if c.key not in ("id", "site")
    }
    with peopled.write() as session:
        session.add(models.AuthorisationRow(**copied))
    with peopled.read() as session:
        assert bool(snapshot_parts(session, NOW).authorisations) is there


def test_a_grant_is_a_value(peopled: Store) -> None:
    """A row becomes the value that decisions take, whole."""
    with peopled.write() as session:
        session.add(authorisation(NOW, NOW + HOUR))
    with peopled.read() as session:
        (value,) = snapshot_parts(session, NOW).authorisations
    assert value == Authorisation(
        id=value.id,
        subject=Subject(SubjectKind.ADDRESS, "10.20.0.10"),
        target=Target(TargetKind.SERVICE, "facebook"),
        starts_at=NOW,
        ends_at=NOW + HOUR,
    )


def test_ends_are_latched(peopled: Store) -> None:
    """An end that was seen stays an end when the clock steps back; it is in the ledger, once."""
    with peopled.write() as session:
        session.add_all([authorisation(NOW - HOUR, NOW), authorisation(NOW - HOUR, NOW + HOUR)])
        session.add(
            authorisation(NOW - HOUR, NOW, revoked_at=NOW - HOUR, revoked_by_id=1, revoked_reason="finished early")
        )
    before = peopled.generation()
    for latched in ([1], []):
        with peopled.write() as session:
            assert latch_ended(session, NOW) == latched
    assert peopled.generation() == before + 1
    with peopled.read() as session:
        values = snapshot_parts(session, NOW).authorisations
        assert [value.state(NOW - HOUR) for value in values] == [State.ENDED, State.LIVE, State.REVOKED]
        assert session.scalars(select(models.LedgerRow.act)).all() == ["lapse"]
        assert ledger.verify(session).intact
