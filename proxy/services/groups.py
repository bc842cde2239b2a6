"""Groups, and the rule that joining one is no way round SLT: what would widen access waits for them."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.orm import Session

from policies.authorisation import Subject, SubjectKind
from policies.vocabulary import Role
from proxy.services.errors import NotPermitted
from proxy.services.text import key
from proxy.store.models import AuthorisationRow, Group, Person


def joinable(session: Session, by: Person | None, names: Sequence[str], now: datetime) -> list[Group]:
    """The groups of these names, made where they are missing, that ``by`` may put somebody or something in."""
    keys = list(dict.fromkeys(key(name, "group") for name in names))
    refuse_widening(session, by, [Subject(SubjectKind.GROUP, name) for name in keys], now)
    return [_group(session, name) for name in keys]


def refuse_widening(session: Session, by: Person | None, subjects: Iterable[Subject], now: datetime) -> None:
    """Only SLT give more devices or people to what already has, or will have, an authorisation."""
    if by is None or by.role is Role.SLT:
        return
    for subject in subjects:
        if open_grants(session, [subject], now):
            raise NotPermitted(
                "widens_access",
                f"{subject} holds an authorisation, and this would extend it to more.",
                "Ask a member of the senior leadership team to do it, or wait until it has ended.",
            )


def open_grants(session: Session, subjects: Sequence[Subject], now: datetime) -> list[AuthorisationRow]:
    """The grants to any of these that are live or still to come."""
    row = AuthorisationRow
    named = tuple_(row.subject_kind, row.subject_name).in_([(s.kind, s.name) for s in subjects])
    return list(session.scalars(select(row).where(named, *_still_open(now)).order_by(row.id)))


def grants_open_by(session: Session, person: Person, now: datetime) -> list[AuthorisationRow]:
    """The grants that this person gave and that are live or still to come."""
    row = AuthorisationRow
    given = row.granted_by_id == person.id
    return list(session.scalars(select(row).where(given, *_still_open(now)).order_by(row.id)))


def _still_open(now: datetime) -> tuple[ColumnElement[bool], ...]:
    row = AuthorisationRow
    return row.revoked_at.is_(None), row.lapsed_at.is_(None), row.ends_at > now


def _group(session: Session, name: str) -> Group:
    group = session.scalars(select(Group).where(Group.name == name)).one_or_none()
    if group is None:
        group = Group(name=name)
        session.add(group)
        session.flush()
    return group
