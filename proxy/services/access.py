"""Who comes under which grant: worked out from the store as a whole, before and after a change (law 7).

A change of people, groups or devices opens something if afterwards somebody, or some address, comes under a grant that
is live or still to come, and did not before. It is judged by that alone, whatever act brought it about, so that no way
round a corner is left out: only SLT let it happen, and not where they gain by it themselves.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.orm import Session

from policies.authorisation import Subject, SubjectKind
from policies.model import Policy
from policies.vocabulary import Role
from proxy.services.errors import NotPermitted, Refused
from proxy.services.holdings import Gain, gained, holdings, subjects_of
from proxy.store.models import AuthorisationRow, Person

MOST_NAMED = 3  # gains in one error
_JUDGED = "a change is being judged"


class Widens(NotPermitted):
    """What only SLT may let happen; ``gains`` says why."""

    def __init__(self, gains: Sequence[Gain]) -> None:
        super().__init__(
            "widens_access",
            f"That would bring {named(gains)}, which only the senior leadership team may do.",
            "Ask one of them, or wait until the authorisation has ended.",
        )
        self.gains = tuple(gains)


class OwnGrant(Refused):
    """What nobody lets happen for themselves; ``gains`` says why."""

    def __init__(self, gains: Sequence[Gain], judge: Person) -> None:
        super().__init__(
            "own_grant",
            f"That would bring {named(gains, judge.role)}, and nobody authorises themselves.",
            "Ask another member of the senior leadership team.",
        )
        self.gains = tuple(gains)


@contextmanager
def judged(session: Session, judge: Person | None, now: datetime, policy: Policy | None = None) -> Iterator[list[Gain]]:
    """Let a change happen if ``judge`` may let it; what it opened is in the list afterwards.

    Raises Widens, OwnGrant; then the caller's unit of work is undone. ``judge`` None: the owner of the state directory.
    Within a change that is being judged already, this leaves it to that. A change that moves no device needs no policy.
    """
    gains: list[Gain] = []
    if session.info.get(_JUDGED):
        yield gains
        return
    before = holdings(session, _all_open(session, now), policy)
    session.info[_JUDGED] = True
    try:
        yield gains
    finally:
        session.info[_JUDGED] = False
    session.flush()
    gains += gained(before, holdings(session, _all_open(session, now), policy))
    _demand_right(judge, gains)


def named(gains: Sequence[Gain], to: Role = Role.TECHNICIAN) -> str:
    """``device:office-3 under authorisation 7 and 2 more``; only SLT are told which person holds which."""
    said = list(dict.fromkeys(_said(gain, to) for gain in gains))
    more = [f"{len(said) - MOST_NAMED} more"] if len(said) > MOST_NAMED else []
    return " and ".join([*said[:MOST_NAMED], *more])


def open_grants(session: Session, subjects: Sequence[Subject], now: datetime) -> list[AuthorisationRow]:
    """The grants to any of these that are live or still to come."""
    row = AuthorisationRow
    named = tuple_(row.subject_kind, row.subject_name).in_([(s.kind, s.name) for s in subjects])
    return list(session.scalars(select(row).where(named, *_still_open(now)).order_by(row.id)))


def refuse_standing_in(session: Session, by: Person | None, person: Person, now: datetime) -> None:
    """A technician who knew a password of somebody with a grant could sign in, or browse, as them (law 7)."""
    if by is None or by is person or by.role is Role.SLT:
        return
    if open_grants(session, subjects_of(person), now):
        raise NotPermitted(
            "widens_access",
            f"Whoever sets this password could act as {person.name}: that is for {person.name} or SLT now.",
            f"Let {person.name} set it, or ask a member of the senior leadership team.",
        )


def _said(gain: Gain, to: Role) -> str:
    if to is Role.SLT:
        return f"{gain.who} under authorisation {gain.grant}"
    if gain.of_holder:
        return f"{gain.who} under an authorisation"
    who = "somebody" if gain.who.startswith(f"{SubjectKind.PERSON}:") else gain.who
    return f"{who} under authorisation {gain.grant}"


def _demand_right(judge: Person | None, gains: Sequence[Gain]) -> None:
    if judge is None or not gains:
        return
    if own := [gain for gain in gains if gain.benefits == judge.name]:
        raise OwnGrant(own, judge)
    if judge.role is not Role.SLT:
        raise Widens(gains)


def _all_open(session: Session, now: datetime) -> list[AuthorisationRow]:
    return list(session.scalars(select(AuthorisationRow).where(*_still_open(now))))


def _still_open(now: datetime) -> tuple[ColumnElement[bool], ...]:
    row = AuthorisationRow
    return row.revoked_at.is_(None), row.lapsed_at.is_(None), row.ends_at > now
