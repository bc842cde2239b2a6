"""Changes that wait for SLT: what a technician asked for, and what would widen access.

``submit`` does an act, or keeps it waiting if it only lacks SLT. Approving does exactly what was asked, by whoever
asked, to the same person or device as it was then (``asked_about``), judged anew at that moment; it is refused to
whoever asked and to whoever would gain (law 7). A change that cannot be made any more says why, and waits on until
somebody refuses or withdraws it. What is decided is final.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from policies.authorisation import ImpossibleTransition, RequestAct, RequestState, Subject, SubjectKind, after
from policies.model import Policy
from policies.vocabulary import Role
from proxy.record import ledger
from proxy.services import accounts, asked_about, devices, people, text
from proxy.services.access import Widens, judged, named
from proxy.services.accounts import PersonView
from proxy.services.asked_about import About
from proxy.services.devices import DeviceView
from proxy.services.errors import Conflict, NotPermitted, Refused, ServiceError, UnknownName
from proxy.services.handed import Handed
from proxy.services.holdings import Gain
from proxy.services.permission import Actor, permitted
from proxy.store.models import Person, WaitingChange

MOST_WAITING = 1000  # of one person; more is a mistake, or mischief

type Arguments = Mapping[str, Any]
type Done = PersonView | DeviceView


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """A change as ``changes list`` shows it.

    ``opens``: what it would have opened when it was asked for; ``about``: whom or what that was asked about, as it was.
    """

    id: int
    act: str
    what: str
    arguments: Arguments
    opens: str
    asked_by: str
    asked_at: datetime
    state: RequestState
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    about: About | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Act:
    """One kind of change: how it is done, and how it is said."""

    do: Callable[[Session, Actor, dict[str, Any], datetime, Policy], Done]
    say: str


def _add_person(session: Session, actor: Actor, said: dict[str, Any], now: datetime, _policy: Policy) -> Done:
    said = {"password": None, **said, "role": Role(said["role"])}
    return accounts.add_person(session, actor, now=now, **said)


def _change_person(session: Session, actor: Actor, said: dict[str, Any], now: datetime, _policy: Policy) -> Done:
    if said.get("role") is not None:
        said = {**said, "role": Role(said["role"])}
    return people.change_person(session, actor, now=now, **said)


def _add_device(session: Session, actor: Actor, said: dict[str, Any], now: datetime, policy: Policy) -> Done:
    return devices.add_device(session, actor, now=now, policy=policy, **said)


def _change_device(session: Session, actor: Actor, said: dict[str, Any], now: datetime, policy: Policy) -> Done:
    return devices.change_device(session, actor, now=now, policy=policy, **said)


def _remove_device(session: Session, actor: Actor, said: dict[str, Any], now: datetime, policy: Policy) -> Done:
    return devices.remove_device(session, actor, now=now, policy=policy, **said)


ACTS: Mapping[str, Act] = MappingProxyType(
    {
        "add_person": Act(_add_person, "add the person"),
        "change_person": Act(_change_person, "change the person"),
        "add_device": Act(_add_device, "add the device"),
        "change_device": Act(_change_device, "change the device"),
        "remove_device": Act(_remove_device, "remove the device"),
    }
)


def submit(  # noqa: PLR0913, PLR0917 -- an act, and what it is judged by
    session: Session,
    actor: Actor,
    act: str,
    arguments: Arguments,
    now: datetime,
    policy: Policy,
    secret: Arguments = MappingProxyType({}),
) -> Done | ChangeView:
    """Do it, or let it wait where only SLT may let it happen. Raises whatever the act raises besides.

    What is ``secret`` is an argument that is never kept waiting: whoever asked gives it once the change is made.
    """
    try:
        with session.begin_nested():
            return ACTS[act].do(session, actor, {**arguments, **secret}, now, policy)
    except Widens as widens:
        return wait(session, actor, act, arguments, widens.gains, now)


def wait(  # noqa: PLR0913, PLR0917 -- what was asked for, and why it has to wait
    session: Session, actor: Actor, act: str, arguments: Arguments, gains: Sequence[Gain], now: datetime
) -> ChangeView:
    """Keep a change for SLT; the same asked for again is the same."""
    by = permitted(session, actor, Role.SLT, Role.TECHNICIAN, to="ask for changes")
    arguments = {field: value for field, value in arguments.items() if value is not None}
    was = asked_about.about(session, act, arguments)
    opening = f'{{"about":{ledger.canonical(was)},"arguments":{ledger.canonical(arguments)},"opens":'
    mine = WaitingChange.state == RequestState.PENDING, WaitingChange.asked_by_id == by.id
    alike = select(WaitingChange).where(*mine, WaitingChange.body.startswith(opening, autoescape=True))
    if same := next((row for row in session.scalars(alike) if row.act == act and row.body.startswith(opening)), None):
        return _view(same, by)
    if session.scalars(select(func.count()).select_from(WaitingChange).where(*mine)).one() >= MOST_WAITING:
        raise Conflict(
            "too_many_waiting", f"{MOST_WAITING} changes of yours wait already.", "Withdraw some, or ask SLT to decide."
        )
    opens = {"opens": named(gains, Role.SLT), "opens_to_others": named(gains)}
    body = ledger.canonical({"about": was, "arguments": arguments, **opens})
    row = WaitingChange(act=act, body=body, asked_by=by, asked_at=now)
    session.add(row)
    session.flush()
    _note(session, now, "ask_change", by, row)
    return _view(row, by)


def list_changes(session: Session, actor: Actor, *, include_decided: bool) -> list[ChangeView]:
    """The changes that wait, in the order they were asked for; on request also those that were decided."""
    viewer = permitted(session, actor, Role.SLT, Role.TECHNICIAN, to="see the changes that wait")
    return [_view(row, viewer) for row in _rows(session, *(() if include_decided else (RequestState.PENDING,)))]


def approve(
    session: Session, actor: Actor, change_id: int, now: datetime, policy: Policy
) -> tuple[ChangeView, Sequence[Gain]]:
    """Do what was asked for, if it is still the same that it was asked about; what it opened comes with it."""
    by = permitted(session, actor, Role.SLT, to="approve changes")
    row = _pending(session, change_id, RequestAct.APPROVE)
    if row.asked_by is by:
        raise Refused(
            "own_change", "You asked for this change yourself.", "Ask another member of the senior leadership team."
        )
    _demand_same(session, row)
    with judged(session, by, now, policy) as gains:
        _do(session, row, now, policy)
    handed = Handed.of(session)
    opened_to = [
        Subject(SubjectKind.PERSON, name) for name in sorted({by.name, *(g.benefits for g in gains if g.benefits)})
    ]
    _decide(session, by, row, RequestAct.APPROVE, now, knowers=handed.knowers(*opened_to))
    return replace(_view(row, by), notes=handed.notes(*opened_to)), gains


def refuse(session: Session, actor: Actor, change_id: int, reason: str, now: datetime) -> ChangeView:
    by = permitted(session, actor, Role.SLT, to="refuse changes")
    row = _pending(session, change_id, RequestAct.REFUSE)
    _decide(session, by, row, RequestAct.REFUSE, now, because=text.reason(reason))
    return _view(row, by)


def withdraw(session: Session, actor: Actor, change_id: int, now: datetime) -> ChangeView:
    """Whoever asked does not want it any more."""
    by = permitted(session, actor, Role.SLT, Role.TECHNICIAN, to="withdraw changes")
    row = _pending(session, change_id, RequestAct.WITHDRAW)
    if row.asked_by is not by:
        raise NotPermitted("not_yours", f"{row.asked_by.name} asked for change {row.id}, and only they withdraw it.")
    _decide(session, by, row, RequestAct.WITHDRAW, now)
    return _view(row, by)


def _demand_same(session: Session, row: WaitingChange) -> None:
    body = _body(row)
    if otherwise := asked_about.difference(body["about"], asked_about.about(session, row.act, body["arguments"])):
        raise Conflict(
            "change_impossible",
            f"Change {row.id} cannot be made now: {otherwise}",
            "Refuse it; whoever asked may ask again. If it is put back as it was, the change can be approved.",
        )


def _do(session: Session, row: WaitingChange, now: datetime, policy: Policy) -> None:
    """The act itself, by whoever asked: they still have to be somebody who may."""
    try:
        ACTS[row.act].do(session, Actor.of(row.asked_by), _body(row)["arguments"], now, policy)
    except ServiceError as error:
        raise Conflict(
            "change_impossible",
            f"Change {row.id} cannot be made now: {error.message}",
            "It still waits: approve it when that has changed, or refuse it.",
        ) from error


def _decide(  # noqa: PLR0913 -- the parts of a decision
    session: Session,
    by: Person,
    row: WaitingChange,
    act: RequestAct,
    now: datetime,
    *,
    because: str | None = None,
    knowers: Sequence[str] = (),
) -> None:
    row.state = after(row.state, act)
    row.decided_by, row.decided_at, row.decision_reason = by, now, because
    session.flush()
    _note(session, now, f"{act}_change", by, row, knowers)


def _pending(session: Session, change_id: int, act: RequestAct) -> WaitingChange:
    row = session.get(WaitingChange, change_id) if 0 < change_id < 2**63 else None
    if row is None:
        raise UnknownName("unknown_change", f"There is no change {change_id}.", "See `schoolgate changes list --all`.")
    try:
        after(row.state, act)
    except ImpossibleTransition:
        raise Conflict("already_decided", f"Change {change_id} was {row.state} already, and that is final.") from None
    return row


def _rows(session: Session, *states: RequestState) -> Sequence[WaitingChange]:
    by = (selectinload(WaitingChange.asked_by), selectinload(WaitingChange.decided_by))
    query = select(WaitingChange).options(*by).order_by(WaitingChange.id)
    return session.scalars(query.where(WaitingChange.state.in_(states)) if states else query).all()


def _body(row: WaitingChange) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(row.body)
    return body


def _note(  # noqa: PLR0913, PLR0917 -- the parts of a ledger row
    session: Session, now: datetime, act: str, by: Person, row: WaitingChange, knowers: Sequence[str] = ()
) -> None:
    asked = _body(row)
    personal: dict[str, ledger.Value] = {"asked": asked["arguments"], "asked_by": row.asked_by.name}
    if asked["about"] is not None:
        personal["about"] = asked["about"]
    if knowers:
        personal["knows_password"] = [*knowers]
    if row.decision_reason is not None:
        personal["reason"] = row.decision_reason
    ledger.append(session, at=now, act=act, actor=by.name, body={"change": row.id, "act": row.act}, personal=personal)


# Views


def _view(row: WaitingChange, viewer: Person) -> ChangeView:
    """Which person holds which grant only SLT are told."""
    body = _body(row)
    return ChangeView(
        id=row.id,
        act=row.act,
        what=_said(row.act, body["arguments"]),
        arguments=body["arguments"],
        opens=body["opens" if viewer.role is Role.SLT else "opens_to_others"],
        asked_by=row.asked_by.name,
        asked_at=row.asked_at,
        state=row.state,
        decided_by=row.decided_by.name if row.decided_by else None,
        decided_at=row.decided_at,
        reason=row.decision_reason,
        about=body["about"],
    )


def _said(act: str, arguments: Arguments) -> str:
    """``change the device office-3: addresses 10.20.0.11, join governors``"""
    details = [
        f"{field.removesuffix('_of').replace('_', ' ')} {text.in_words(value)}"
        for field, value in arguments.items()
        if field != "name" and value != []
    ]
    return f"{ACTS[act].say} {arguments['name']}" + (f": {', '.join(details)}" if details else "")
