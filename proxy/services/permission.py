"""Who acts, and whether they may. The store is asked again each time: a role taken away is gone at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import select
from sqlalchemy.orm import Session

from policies.vocabulary import Role
from proxy.services.errors import NotPermitted, UnknownName
from proxy.services.text import clean, quoted
from proxy.store.models import Person

IN_WORDS: Mapping[Role, str] = MappingProxyType(
    {
        Role.SLT: "the senior leadership team",
        Role.TECHNICIAN: "technicians",
        Role.NETWORK: "the network team",
        Role.STAFF: "staff",
    }
)

MANAGED_BY: Mapping[Role, tuple[Role, ...]] = MappingProxyType(  # who may add and change people in a role
    {
        Role.SLT: (Role.SLT,),
        Role.TECHNICIAN: (Role.SLT, Role.TECHNICIAN),
        Role.NETWORK: (Role.SLT, Role.TECHNICIAN),
        Role.STAFF: (Role.SLT, Role.TECHNICIAN),
    }
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who has shown who they are."""

    name: str
    display_name: str
    role: Role

    @classmethod
    def of(cls, person: Person) -> "Actor":
        return cls(person.name, person.display_name, person.role)


def permitted(session: Session, actor: Actor, *roles: Role, to: str) -> Person:
    """The actor's own row, if their role now is one of ``roles``. Raises NotPermitted; ``to`` says what for."""
    person = find_person(session, actor.name)
    if person is None or not person.enabled:
        raise NotPermitted("account_disabled", f"The account {actor.name} is disabled.", "Ask a technician or SLT.")
    if person.role not in roles:
        allowed = " and ".join(IN_WORDS[role] for role in roles)
        raise NotPermitted("not_permitted", f"Only {allowed} may {to}; {actor.name} is in the role {person.role}.")
    return person


def find_person(session: Session, name: str) -> Person | None:
    return session.scalars(select(Person).where(Person.name == name)).one_or_none()


def named_person(session: Session, name: str) -> Person:
    """The person of that name. Raises UnknownName."""
    person = find_person(session, clean(name).lower())
    if person is None:
        raise UnknownName("unknown_person", f"There is no person {quoted(name)}.", "See `schoolgate people list`.")
    return person
