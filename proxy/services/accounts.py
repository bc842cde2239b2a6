"""Accounts: signing in, the sessions that keep it, and who may add and change whom.

Only SLT make and change SLT; technicians or SLT the others. There is always one SLT account that works; the owner of
the state directory may make the first and restore the last, and the ledger says so.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, selectinload

from policies.authorisation import Subject, SubjectKind
from policies.vocabulary import Role
from proxy.record import ledger
from proxy.services import back_off, grants, passwords, text
from proxy.services.access import judged, refuse_standing_in
from proxy.services.errors import Conflict, NotPermitted
from proxy.services.groups import named_groups, names_of
from proxy.services.permission import MANAGED_BY, Actor, find_person, named_person, permitted
from proxy.store.models import Membership, Person, SignIn

OWNER = "(owner of the state directory)"  # who acted, in the ledger; no person can have such a name
SESSION_LENGTH = timedelta(hours=8)
SESSION_IDLE = timedelta(minutes=30)
TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonView:
    """A person as ``people list`` shows them."""

    name: str
    display_name: str
    role: Role
    enabled: bool
    has_password: bool
    has_browsing: bool
    groups: tuple[str, ...]


# Signing in


def sign_in(session: Session, name: str, password: str, now: datetime) -> Actor:
    """Who shows this name and password. Raises NotPermitted; a failure is counted, and committed, before that."""
    name = text.clean(name).lower()
    back_off.demand_patience(session, name, now)
    person = find_person(session, name)
    kept = person.password_hash if person else None
    if not passwords.verified(password, kept) or person is None:
        back_off.count_failure(session, name, now)
        session.commit()  # the error ends the caller's unit of work, and must not undo the count
        raise NotPermitted("sign_in_failed", "The name or the password is wrong.")
    if not person.enabled:
        raise NotPermitted("account_disabled", f"The account {name} is disabled.", "Ask a technician or SLT.")
    back_off.forget(session, name)
    if kept and passwords.outdated(kept):
        person.password_hash = passwords.rehashed(password)
    return Actor.of(person)


def start_session(session: Session, actor: Actor, now: datetime) -> str:
    """A token to keep; the store keeps its hash."""
    person = permitted(session, actor, *Role, to="sign in")
    session.execute(delete(SignIn).where(SignIn.expires_at <= now))
    token = secrets.token_urlsafe(TOKEN_BYTES)
    expires_at = now + SESSION_LENGTH
    session.add(
        SignIn(token_hash=_hash(token), person_id=person.id, started_at=now, seen_at=now, expires_at=expires_at)
    )
    session.flush()
    return token


def actor_of(session: Session, token: str, now: datetime) -> Actor:
    """Who the token stands for, in a write unit: being seen keeps a session from going idle. Raises NotPermitted."""
    found = session.scalars(select(SignIn).where(SignIn.token_hash == _hash(token))).one_or_none()
    if found is None or not found.person.enabled or now >= min(found.expires_at, found.seen_at + SESSION_IDLE):
        raise NotPermitted("session_ended", "You are not signed in any more.", "Run `schoolgate login NAME`.")
    found.seen_at = max(found.seen_at, now)
    return Actor.of(found.person)


def end_session(session: Session, token: str) -> None:
    session.execute(delete(SignIn).where(SignIn.token_hash == _hash(token)))


# People


def needs_first_account(session: Session) -> bool:
    """Whether no SLT account works, so that the owner of the state directory may make one."""
    return not _working_slt(session)


def add_person(  # noqa: PLR0913 -- each names one thing about the person
    session: Session,
    actor: Actor | None,
    *,
    name: str,
    display_name: str,
    role: Role,
    password: str | None,
    now: datetime,
    owner: bool = False,
    groups_of: Sequence[str] = (),
) -> PersonView:
    """Add an account; without a password it cannot sign in yet. ``actor`` None: the owner, for the first SLT."""
    others = _working_slt(session) if actor is None else ()
    by = _may_change(session, actor, owner=owner, role=role, others=others, to="add people in that role")
    key = text.key(name, "person")
    if find_person(session, key):
        raise Conflict("name_taken", f"There is already a person {key}.", "See `schoolgate people list`.")
    kept = passwords.hashed(password, name=key) if password is not None else None
    shown = text.display_name(display_name)
    with judged(session, by, now):
        person = Person(name=key, display_name=shown, role=role, enabled=True, password_hash=kept, added_at=now)
        person.password_set_by = by if kept is not None else None
        person.memberships = [Membership(group=group) for group in named_groups(session, groups_of)]
        session.add(person)
        session.flush()
        _note(session, now, "add_person", by, person, role=role, has_password=kept is not None)
    return view_of(person)


def list_people(session: Session, actor: Actor) -> list[PersonView]:
    permitted(session, actor, Role.SLT, Role.TECHNICIAN, to="see the accounts")
    query = select(Person).options(selectinload(Person.memberships).selectinload(Membership.group))
    return [view_of(person) for person in session.scalars(query.order_by(Person.name))]


def set_password(  # noqa: PLR0913 -- likewise
    session: Session, actor: Actor | None, *, name: str, password: str, now: datetime, owner: bool = False
) -> None:
    """Give a new password and end the person's sessions. One's own, or that of somebody one may change."""
    person = named_person(session, name)
    if actor is not None and actor.name == person.name:
        by: Person | None = permitted(session, actor, *Role, to="change their password")
    else:
        others = [p for p in _working_slt(session) if p is not person]
        by = _may_change(
            session, actor, owner=owner, role=person.role, others=others, to="change that person's password"
        )
        refuse_standing_in(session, by, person, now)
    passwords.refuse_same(password, person.browsing_hash)
    person.password_hash = passwords.hashed(password, name=person.name)
    person.password_set_by = None if by is person else by
    _end_sessions(session, person)
    back_off.forget(session, person.name)
    _note(session, now, "set_password", by, person)


def set_enabled(  # noqa: PLR0913 -- likewise
    session: Session, actor: Actor | None, *, name: str, enabled: bool, now: datetime, owner: bool = False
) -> PersonView:
    """Disable an account: its sessions end, and what was granted to the person is revoked. Or enable it again."""
    person = named_person(session, name)
    others = [p for p in _working_slt(session) if p is not person]
    by = _may_change(
        session, actor, owner=owner and enabled, role=person.role, others=others, to="enable or disable that person"
    )
    if person.enabled == enabled:
        raise Conflict("nothing_to_do", f"{person.name} is already {'enabled' if enabled else 'disabled'}.")
    with judged(session, by, now):
        if not enabled and by is not None:
            _keep_one_slt(person, others)
            _end_sessions(session, person)
            subject = Subject(SubjectKind.PERSON, person.name)
            grants.revoke_all_of(session, by, subject, "the account was disabled", now)
        person.enabled = enabled
        _note(session, now, "enable_person" if enabled else "disable_person", by, person)
    return view_of(person)


def set_role(session: Session, actor: Actor, *, name: str, role: Role, now: datetime) -> PersonView:
    """Give another role, and end the person's sessions: whoever may change both the old and the new one."""
    person = named_person(session, name)
    allowed = [r for r in MANAGED_BY[person.role] if r in MANAGED_BY[role]]
    by = permitted(session, actor, *allowed, to=f"make a person in the role {person.role} one in the role {role}")
    if person.role is role:
        raise Conflict("nothing_to_do", f"{person.name} is already in the role {role}.")
    _keep_one_slt(person, [p for p in _working_slt(session) if p is not person])
    was, person.role = person.role, role
    _end_sessions(session, person)
    _note(session, now, "set_role", by, person, was=was, role=role)
    return view_of(person)


def set_display_name(session: Session, actor: Actor, *, name: str, display_name: str, now: datetime) -> PersonView:
    """Show the person under another name."""
    person = named_person(session, name)
    by = permitted(session, actor, *MANAGED_BY[person.role], to=f"rename a person in the role {person.role}")
    shown = text.display_name(display_name)
    if person.display_name == shown:
        raise Conflict("nothing_to_do", f"{person.name} is already shown as {shown}.")
    person.display_name = shown
    _note(session, now, "set_display_name", by, person)
    return view_of(person)


def _may_change(  # noqa: PLR0913 -- everything that the rule of who changes whom rests on
    session: Session, actor: Actor | None, *, owner: bool, role: Role, others: Sequence[Person], to: str
) -> Person | None:
    """Who acts, if they may; None is the owner, who may only while no other SLT account works."""
    if actor is not None:
        return permitted(session, actor, *MANAGED_BY[role], to=to)
    if not owner:
        raise NotPermitted("not_signed_in", f"Sign in to {to}.", "Use `schoolgate --as NAME …` or `schoolgate login`.")
    if others:
        raise NotPermitted(
            "not_signed_in",
            f"There is an SLT account ({others[0].name}): sign in to {to}.",
            "Only while no SLT account works may the owner of the state directory do this without signing in.",
        )
    if role is not Role.SLT:
        raise NotPermitted("first_is_slt", "The first account is one of SLT.", "Add it with --role slt.")
    return None


def _working_slt(session: Session) -> list[Person]:
    query = select(Person).where(Person.role == Role.SLT, Person.enabled, Person.password_hash.is_not(None))
    return list(session.scalars(query.order_by(Person.name)))


def _keep_one_slt(person: Person, others: Sequence[Person]) -> None:
    if person.role is Role.SLT and person.enabled and not others:
        raise Conflict("last_slt", f"{person.name} is the last SLT account that works.", "Add another SLT first.")


def _end_sessions(session: Session, person: Person) -> None:
    session.execute(delete(SignIn).where(SignIn.person_id == person.id))


def _note(session: Session, now: datetime, act: str, by: Person | None, person: Person, **body: str | bool) -> None:
    ledger.append(session, at=now, act=act, actor=by.name if by else OWNER, body=body, personal={"person": person.name})


def view_of(person: Person) -> PersonView:
    return PersonView(
        name=person.name,
        display_name=person.display_name,
        role=person.role,
        enabled=person.enabled,
        has_password=person.password_hash is not None,
        has_browsing=person.browsing_hash is not None,
        groups=names_of(person),
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
