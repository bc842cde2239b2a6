"""Granting, extending and revoking. Only SLT do it, nobody for themselves, within the policy's limits, on the record.

A grant is never edited: its end may move later, once, twice, as often as the longest duration allows, and every
move is in the ledger; a revocation is final.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from policies.authorisation import State, Subject, SubjectKind
from policies.catalogue import Catalogue
from policies.model import Limits, Policy
from policies.vocabulary import Role
from proxy.record import ledger
from proxy.services import subjects, targets, text
from proxy.services.access import open_grants
from proxy.services.errors import BadInput, Conflict, Refused, UnknownName
from proxy.services.handed import Handed
from proxy.services.holdings import subjects_of
from proxy.services.permission import Actor, permitted
from proxy.store.models import AuthorisationRow, Person
from proxy.store.queries import value_of

_OPEN = frozenset({State.LIVE, State.FUTURE})
SLACK = timedelta(minutes=1)  # how far back "now" may lie when a command arrives


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantView:
    """A grant as it is shown; what the viewer's role may not see is None. ``opens``: shared hosts beside the target."""

    id: int
    who: str | None
    target: str
    starts_at: datetime
    ends_at: datetime
    state: State
    reason: str | None
    granted_by: str | None
    granted_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None
    opens: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def grant(  # noqa: PLR0913 -- each names one thing about the grant, or what it is judged by
    session: Session,
    actor: Actor,
    *,
    who: str,
    target: str,
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    now: datetime,
    policy: Policy,
    catalogue: Catalogue,
) -> GrantView:
    """Authorise ``who`` to reach ``target`` from ``starts_at`` until ``ends_at``."""
    person = permitted(session, actor, Role.SLT, to="grant authorisations")
    found = subjects.find(session, who, policy)
    what = targets.find(target, policy, catalogue)
    because = text.reason(reason, policy.authorisations.shortest_reason)
    _demand_window(starts_at, ends_at, now, policy)
    subjects.refuse_own(session, person, found.subject, policy)
    row = AuthorisationRow(
        subject_kind=found.subject.kind,
        subject_name=found.subject.name,
        target_kind=what.kind,
        target_name=what.name,
        starts_at=starts_at.astimezone(UTC),
        ends_at=ends_at.astimezone(UTC),
        reason=because,
        granted_by=person,
        granted_at=now.astimezone(UTC),
    )
    session.add(row)
    session.flush()
    body = {"target": str(what), "starts_at": row.starts_at.isoformat(), "ends_at": row.ends_at.isoformat()}
    handed = Handed.of(session)
    _note(session, now, "grant", person, row, body, because, handed)
    notes = (*found.notes, *targets.notes(what, catalogue), *handed.notes(found.subject, _self(person)))
    return _view(row, now, catalogue, notes)


def extend(  # noqa: PLR0913, PLR0917 -- likewise
    session: Session, actor: Actor, grant_id: int, by: timedelta, reason: str, now: datetime, policy: Policy
) -> GrantView:
    """Move the end later, within the longest duration in total."""
    person = permitted(session, actor, Role.SLT, to="extend authorisations")
    row = _open(session, grant_id, now)
    because = text.reason(reason, policy.authorisations.shortest_reason)
    if by <= timedelta():
        raise BadInput("bad_duration", "An extension is longer than nothing.", "To end it sooner, revoke it.")
    subjects.refuse_own(session, person, _subject(row), policy)
    was, until = row.ends_at, _later(row.ends_at, by)
    _demand_length(row.starts_at, until, policy.authorisations)
    row.ends_at = until
    session.flush()
    handed = Handed.of(session)
    _note(session, now, "extend", person, row, {"was": was.isoformat(), "ends_at": until.isoformat()}, because, handed)
    return _view(row, now, notes=handed.notes(_subject(row), _self(person)))


def revoke(session: Session, actor: Actor, grant_id: int, reason: str, now: datetime) -> GrantView:
    """End it at once and for good."""
    person = permitted(session, actor, Role.SLT, to="revoke authorisations")
    row = _open(session, grant_id, now)
    _revoke(session, person, row, text.reason(reason), now)
    return _view(row, now)


def revoke_all_of(session: Session, by: Person, subject: Subject, because: str, now: datetime) -> None:
    """What was granted to somebody ends with their account, or the device; whoever may end that may do this."""
    for row in open_grants(session, [subject], now):
        _revoke(session, by, row, because, now)


def list_grants(
    session: Session, actor: Actor, *, now: datetime, include_ended: bool, catalogue: Catalogue | None = None
) -> list[GrantView]:
    """Grants in the order they were given: SLT see all, others what their role lets them."""
    person = permitted(session, actor, *Role, to="see authorisations")
    by = (selectinload(AuthorisationRow.granted_by), selectinload(AuthorisationRow.revoked_by))
    query = select(AuthorisationRow).options(*by).order_by(AuthorisationRow.id)
    if not include_ended:
        row = AuthorisationRow
        query = query.where(row.revoked_at.is_(None), row.lapsed_at.is_(None), row.ends_at > now)
    own = subjects_of(person) if person.role is Role.STAFF else ()
    rows = [r for r in session.scalars(query) if person.role is not Role.STAFF or _subject(r) in own]
    handed = Handed.of(session)
    notes = {row.id: handed.notes(_subject(row)) for row in rows if value_of(row).state(now) in _OPEN}
    return [_hidden(_view(row, now, catalogue, notes.get(row.id, ())), person.role) for row in rows]


# Limits


def _demand_window(starts_at: datetime, ends_at: datetime, now: datetime, policy: Policy) -> None:
    limits = policy.authorisations
    if starts_at.tzinfo is None or ends_at.tzinfo is None:
        raise BadInput("bad_time", "A time needs an offset or a zone.")
    if ends_at <= starts_at:
        raise BadInput("ends_before_start", f"It would end ({_at(ends_at, policy)}) before it has started.")
    if ends_at <= now:
        raise BadInput("ends_in_the_past", f"It would have ended already, {_at(ends_at, policy)}.")
    if starts_at < now - SLACK:
        raise BadInput("starts_in_the_past", f"It would start in the past, {_at(starts_at, policy)}.", "Start it now.")
    if starts_at > now + limits.furthest_ahead:
        latest = _at(now + limits.furthest_ahead, policy)
        raise Refused("too_far_ahead", f"The policy lets an authorisation start by {latest} at the latest.")
    _demand_length(starts_at, ends_at, limits)


def _demand_length(starts_at: datetime, ends_at: datetime, limits: Limits) -> None:
    if ends_at - starts_at > limits.longest:
        raise Refused(
            "too_long",
            f"The policy lets an authorisation last {_long(limits.longest)} in total, and this would last "
            f"{_long(ends_at - starts_at)}.",
            "Give it for less, and grant again when it has ended.",
        )


def _later(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        raise BadInput("bad_duration", "That is longer than the calendar.") from None


def _at(moment: datetime, policy: Policy) -> str:
    return f"{moment.astimezone(policy.zone):%a %d %b %Y %H:%M}"


def _long(span: timedelta) -> str:
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{amount}{unit}" for amount, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if amount]
    return "".join(parts) or "0s"


# Rows


def _open(session: Session, grant_id: int, now: datetime) -> AuthorisationRow:
    """The grant of that number, live or still to come."""
    row = session.get(AuthorisationRow, grant_id) if 0 < grant_id < 2**63 else None
    if row is None:
        raise UnknownName("unknown_grant", f"There is no authorisation {grant_id}.", "See `schoolgate grants`.")
    match value_of(row).state(now):
        case State.REVOKED:
            raise Conflict("already_revoked", f"Authorisation {grant_id} was revoked, and that is final.")
        case State.ENDED:
            raise Conflict("already_ended", f"Authorisation {grant_id} has ended already.", "Grant a new one.")
        case _:
            return row


def _revoke(session: Session, by: Person, row: AuthorisationRow, because: str, now: datetime) -> None:
    row.revoked_at, row.revoked_by, row.revoked_reason = now, by, because
    session.flush()
    _note(session, now, "revoke", by, row, {}, because)


def _note(  # noqa: PLR0913, PLR0917 -- the parts of a ledger row
    session: Session,
    now: datetime,
    act: str,
    by: Person,
    row: AuthorisationRow,
    body: dict[str, str],
    because: str,
    handed: Handed | None = None,
) -> None:
    """``handed``: where it matters who else could use the grant."""
    personal: dict[str, ledger.Value] = {"who": str(_subject(row)), "reason": because}
    if handed and (knowers := handed.knowers(_subject(row), _self(by))):
        personal["knows_password"] = [*knowers]
    ledger.append(session, at=now, act=act, actor=by.name, body={"authorisation": row.id, **body}, personal=personal)


def _self(person: Person) -> Subject:
    return Subject(SubjectKind.PERSON, person.name)


def _subject(row: AuthorisationRow) -> Subject:
    return Subject(row.subject_kind, row.subject_name)


# Views


def _view(
    row: AuthorisationRow, now: datetime, catalogue: Catalogue | None = None, notes: tuple[str, ...] = ()
) -> GrantView:
    value = value_of(row)
    return GrantView(
        id=row.id,
        who=str(value.subject),
        target=str(value.target),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        state=value.state(now),
        reason=row.reason,
        granted_by=row.granted_by.name,
        granted_at=row.granted_at,
        revoked_at=row.revoked_at,
        revoked_by=row.revoked_by.name if row.revoked_by else None,
        opens=targets.opens(value.target, catalogue) if catalogue else (),
        notes=notes,
    )


def _hidden(view: GrantView, role: Role) -> GrantView:
    """Names only where the role needs them: technicians see devices and addresses, the network team figures."""
    if role is Role.SLT:
        return view
    view = replace(view, notes=())
    if role is Role.NETWORK:
        return replace(view, who=None, reason=None, granted_by=None, revoked_by=None)
    if role is Role.TECHNICIAN and view.who and view.who.startswith(f"{SubjectKind.PERSON}:"):
        return replace(view, who=None, reason=None)
    return replace(view, reason=None) if role is Role.TECHNICIAN else view
