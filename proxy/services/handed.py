"""Passwords that somebody else set: until its owner changes one, whoever set it may be there in their place (law 7).

A school lives by it that somebody gives the others their first passwords, so that is no hindrance; and a rule against
it would hinder nobody, for whoever set one can change it in its owner's name. It is said where something is granted, of
those it is granted to and of whoever grants it, and kept in the ledger, which shows who knew what, and when.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload

from policies.authorisation import Subject
from proxy.services.holdings import subjects_of
from proxy.store.models import Membership, Person

MOST_SAID = 3  # people, each in a note of their own
SIGNING_IN, BROWSING = "", " --browsing"  # the option that changes it
_WHICH = MappingProxyType({SIGNING_IN: "password", BROWSING: "browsing password"})


class Handed:
    """The people with a password that somebody else set, as they are now."""

    def __init__(self, people: Iterable[Person]) -> None:
        self._of: defaultdict[Subject, list[Person]] = defaultdict(list)
        for person in people:
            for subject in subjects_of(person):
                self._of[subject].append(person)

    @classmethod
    def of(cls, session: Session) -> "Handed":
        set_by_another = or_(Person.password_set_by_id.is_not(None), Person.browsing_set_by_id.is_not(None))
        parts = (
            selectinload(Person.memberships).selectinload(Membership.group),
            selectinload(Person.password_set_by),
            selectinload(Person.browsing_set_by),
        )
        return cls(session.scalars(select(Person).options(*parts).where(set_by_another).order_by(Person.name)))

    def knowers(self, *subjects: Subject) -> list[str]:
        """Who knows a password of one of these."""
        setters = (setter for person in self._people(subjects) for setter in _setters(person).values())
        return sorted({setter.name for setter in setters})

    def notes(self, *subjects: Subject) -> tuple[str, ...]:
        """The same in words, and what to do about it."""
        people = self._people(subjects)
        more = len(people) - MOST_SAID
        rest = (f"So it is with {more} more of them.",) if more > 0 else ()
        return (*map(_note, people[:MOST_SAID]), *rest)

    def _people(self, subjects: Sequence[Subject]) -> list[Person]:
        return list(dict.fromkeys(person for subject in subjects for person in self._of.get(subject, ())))


def _setters(person: Person) -> Mapping[str, Person]:
    """Who set which password, by the option that changes it."""
    setters = {SIGNING_IN: person.password_set_by, BROWSING: person.browsing_set_by}
    return {option: setter for option, setter in setters.items() if setter is not None}


def _note(person: Person) -> str:
    """``j.smith still has the browsing password that head set, and whoever knows it … (to change it: …).``"""
    setters = _setters(person)
    known = " and ".join(f"the {_WHICH[option]} that {setter.name} set" for option, setter in setters.items())
    change = " and ".join(_change_it(person, option) for option in setters)
    return f"{person.name} still has {known}, and whoever knows it could be there as them (to change it: {change})."


def _change_it(person: Person, option: str) -> str:
    return f"schoolgate --as {person.name} people password {person.name}{option}"
