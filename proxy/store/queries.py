"""What the keeper asks of the store: the parts of a snapshot, and latching the ends that have passed."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from policies.authorisation import Authorisation, Subject, Target
from policies.decision import REMEMBERED
from policies.snapshot import Device, Member
from proxy.record import ledger
from proxy.store import models

KEEPER = "(keeper)"  # who latched an end; no person can have such a name


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotParts:
    """What of a snapshot comes from the store."""

    authorisations: tuple[Authorisation, ...]
    devices: tuple[Device, ...]
    members: Mapping[str, Member]


def snapshot_parts(session: Session, now: datetime) -> SnapshotParts:
    """Grants that are live, future or ended within the last day; every device; every enabled person."""
    groups = _Groups.of(session)
    return SnapshotParts(
        authorisations=_authorisations(session, now),
        devices=_devices(session, groups),
        members=_members(session, groups),
    )


def latch_ended(session: Session, now: datetime) -> list[int]:
    """Note for good that these grants have ended, each in the ledger: a clock that steps back reopens nothing."""
    row = models.AuthorisationRow
    open_ended = select(row).where(row.ends_at <= now, row.lapsed_at.is_(None), row.revoked_at.is_(None))
    ended = session.scalars(open_ended.order_by(row.id)).all()
    for authorisation in ended:
        authorisation.lapsed_at = now
        ledger.append(session, at=now, act="lapse", actor=KEEPER, body={"authorisation": authorisation.id})
    return [authorisation.id for authorisation in ended]


def value_of(row: models.AuthorisationRow) -> Authorisation:
    """A grant as the decision takes it."""
    return Authorisation(
        id=row.id,
        subject=Subject(row.subject_kind, row.subject_name),
        target=Target(row.target_kind, row.target_name),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        revoked_at=row.revoked_at,
        lapsed_at=row.lapsed_at,
    )


@dataclass(frozen=True, slots=True)
class _Groups:
    """Names of the groups that people and devices are in, by their ids."""

    of_person: Mapping[int, frozenset[str]]
    of_device: Mapping[int, frozenset[str]]

    @classmethod
    def of(cls, session: Session) -> "_Groups":
        of_person: defaultdict[int, set[str]] = defaultdict(set)
        of_device: defaultdict[int, set[str]] = defaultdict(set)
        member = models.Membership
        query = select(models.Group.name, member.person_id, member.device_id).join(member.group)
        for name, person, device in session.execute(query):
            if person is not None:
                of_person[person].add(name)
            if device is not None:
                of_device[device].add(name)
        return cls(
            {id_: frozenset(names) for id_, names in of_person.items()},
            {id_: frozenset(names) for id_, names in of_device.items()},
        )


def _authorisations(session: Session, now: datetime) -> tuple[Authorisation, ...]:
    row = models.AuthorisationRow
    remembered = func.coalesce(row.revoked_at, row.ends_at) > now - REMEMBERED
    return tuple(value_of(found) for found in session.scalars(select(row).where(remembered).order_by(row.id)))


def _devices(session: Session, groups: _Groups) -> tuple[Device, ...]:
    query = select(models.Device).options(selectinload(models.Device.addresses)).order_by(models.Device.name)
    return tuple(
        Device(
            name=device.name,
            addresses=tuple(ip_network(address.network) for address in device.addresses),
            groups=groups.of_device.get(device.id, frozenset()),
        )
        for device in session.scalars(query)
    )


def _members(session: Session, groups: _Groups) -> Mapping[str, Member]:
    people = session.scalars(select(models.Person).where(models.Person.enabled))
    return {
        p.name: Member(role=p.role, groups=groups.of_person.get(p.id, frozenset()), browsing=p.browsing_id)
        for p in people
    }
