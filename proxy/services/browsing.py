"""Browsing passwords: who somebody is on the wire. They open what was granted to that person, and grant nothing.

Separate from the password for signing in, either way: this one crosses the network with each new connection and lies
in a browser's store. Whoever sets one for somebody else could browse as them: nobody does where that would be a way to
a grant that is not theirs to use, and who did is kept until its owner sets another.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from policies.vocabulary import Role
from proxy.identity.door import Identity, Unproven
from proxy.record import ledger
from proxy.services import back_off, passwords, text
from proxy.services.access import refuse_standing_in
from proxy.services.errors import Conflict, NotPermitted
from proxy.services.permission import MANAGED_BY, Actor, find_person, named_person, permitted
from proxy.store.engine import Store
from proxy.store.models import Person

ID_BYTES = 12


def set_password(session: Session, actor: Actor, name: str, password: str, now: datetime) -> None:
    """Give a browsing password: one's own, or that of somebody one may change. What rested on the old one ends."""
    person, by = _theirs(session, actor, name, to="set that person's browsing password")
    refuse_standing_in(session, by, person, now)
    passwords.refuse_same(password, person.password_hash)
    person.browsing_hash = passwords.hashed(password, name=person.name)
    person.browsing_id = secrets.token_urlsafe(ID_BYTES)
    person.browsing_set_by = person.password_set_by if by is person else by  # who knows that one may be there for them
    back_off.forget(session, _counted_as(person.name))
    _note(session, now, "set_browsing_password", by, person)


def remove_password(session: Session, actor: Actor, name: str, now: datetime) -> None:
    """Take the browsing password away: what is open under it ends."""
    person, by = _theirs(session, actor, name, to="remove that person's browsing password")
    if person.browsing_hash is None:
        raise Conflict("nothing_to_do", f"{person.name} has no browsing password.")
    person.browsing_hash = person.browsing_id = person.browsing_set_by = None
    _note(session, now, "remove_browsing_password", by, person)


def _theirs(session: Session, actor: Actor, name: str, *, to: str) -> tuple[Person, Person]:
    """Whose it is, and who acts, if they may."""
    person = named_person(session, name)
    roles = tuple(Role) if actor.name == person.name else MANAGED_BY[person.role]
    return person, permitted(session, actor, *roles, to=to)


def _note(session: Session, now: datetime, act: str, by: Person, person: Person) -> None:
    ledger.append(session, at=now, act=act, actor=by.name, body={}, personal={"person": person.name})


# On the wire


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the store has of a name: nothing, for one that cannot browse."""

    person: str
    hash: str
    credential: str


def verify(store: Store, name: str, password: str, now: datetime, *, known: bool = False) -> Identity | Unproven:
    """Who this name and password stand for; counting a wrong one is the next step. Raises StoreError.

    ``known``: they come from where that name has signed in lately, and the name's own wait, which others may have
    brought about from elsewhere, does not keep them out. The work of Argon2 is done between two units, so that nobody
    waits for it; it is the same for a name nobody has.
    """
    name = text.clean(name).lower()
    with store.read() as session:
        if not known and _waits(session, name, now):
            return Unproven.WAIT
        kept, failed = _kept(session, name), back_off.has_failed(session, _counted_as(name))
    if not passwords.verified(password, kept.hash if kept else None) or kept is None:
        return Unproven.WRONG
    if failed:
        with store.write() as session:
            back_off.forget(session, _counted_as(name))
    return Identity(kept.person, kept.credential)


def count_wrong(store: Store, name: str, now: datetime) -> None:
    """A wrong password makes its name wait, sooner or later, whether or not anybody has it. Raises StoreError."""
    with store.write() as session:
        back_off.count_failure(session, _counted_as(text.clean(name).lower()), now)


def _waits(session: Session, name: str, now: datetime) -> bool:
    try:
        back_off.demand_patience(session, _counted_as(name), now)
    except NotPermitted:
        return True
    return False


def _kept(session: Session, name: str) -> _Kept | None:
    person = find_person(session, name)
    if person is None or not person.enabled or person.browsing_hash is None or person.browsing_id is None:
        return None
    return _Kept(person.name, person.browsing_hash, person.browsing_id)


def _counted_as(name: str) -> str:
    """Apart from failures to sign in: no name that is typed there has a capital left."""
    return f"Browsing/{name}"
