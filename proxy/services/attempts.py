"""Looking at the record: each role sees as much of an attempt as it needs, and cannot ask its way to the rest."""

from dataclasses import dataclass, fields, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from policies.vocabulary import Role, Verdict
from proxy.services.errors import BadInput, NotPermitted
from proxy.services.permission import Actor, permitted
from proxy.services.text import clean, quoted
from proxy.store.models import AttemptRow, Person

MOST = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One row of the record, as it is shown and published; what the viewer's role may not see is None."""

    verdict: str
    reason: str
    clause: str | None
    service: str | None
    category: str | None
    host: str | None
    kind: str
    outcome: str | None
    address: str | None
    device: str | None
    person: str | None
    authorisation: int | None
    count: int
    first_at: datetime
    last_at: datetime
    reference: str
    rule: str | None
    would_be: str | None
    port: int
    protocol: str
    network: str | None
    policy: str
    bytes_up: int
    bytes_down: int
    seconds: float


def list_attempts(  # noqa: PLR0913 -- each is one filter
    session: Session,
    actor: Actor,
    *,
    since: datetime | None = None,
    person: str | None = None,
    device: str | None = None,
    verdict: str | None = None,
    reference: str | None = None,
    limit: int = 100,
) -> list[AttemptView]:
    """The latest attempts first."""
    viewer = permitted(session, actor, *Role, to="see attempts")
    wanted = _person_filter(viewer, person)
    query = select(AttemptRow).order_by(AttemptRow.last_at.desc(), AttemptRow.id.desc()).limit(_limit(limit))
    if since is not None:
        query = query.where(AttemptRow.last_at >= since)
    if wanted is not None:
        query = query.where(AttemptRow.person == wanted)
    if device is not None:
        query = query.where(AttemptRow.device == _device_filter(viewer, device))
    if verdict is not None:
        query = query.where(AttemptRow.verdict == _verdict(verdict))
    if reference is not None:
        query = query.where(AttemptRow.reference == clean(reference).upper())
    return [_hidden(_view(row), viewer.role) for row in session.scalars(query)]


def _person_filter(viewer: Person, person: str | None) -> str | None:
    wanted = clean(person).lower() if person is not None else None
    if viewer.role is Role.SLT:
        return wanted
    if viewer.role is Role.STAFF and wanted in (None, viewer.name):
        return viewer.name
    if wanted is None:
        return None
    raise NotPermitted("not_permitted", "Only the senior leadership team may see a person's attempts.")


def _device_filter(viewer: Person, device: str) -> str:
    if viewer.role is Role.NETWORK:
        raise NotPermitted("not_permitted", "The network team sees figures, and no device's attempts.")
    return clean(device).lower()


def _verdict(typed: str) -> Verdict:
    try:
        return Verdict(typed)
    except ValueError:
        raise BadInput("bad_verdict", f"{quoted(typed)} is no verdict.", "Write allow or deny.") from None


def _limit(limit: int) -> int:
    if not 1 <= limit <= MOST:
        raise BadInput("bad_limit", f"A limit is between 1 and {MOST}.")
    return limit


def _view(row: AttemptRow) -> AttemptView:
    return AttemptView(**{field.name: getattr(row, field.name) for field in fields(AttemptView)})


def _hidden(view: AttemptView, role: Role) -> AttemptView:
    match role:
        case Role.TECHNICIAN:
            return replace(view, person=None)
        case Role.NETWORK:
            return replace(view, person=None, device=None, address=None, host=None)
        case Role.SLT | Role.STAFF:
            return view
