"""Groups: people and devices that are meant together. Joining one is no way round SLT: see ``access``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from policies.vocabulary import Role
from proxy.record import ledger
from proxy.services.access import judged
from proxy.services.errors import BadInput, Conflict
from proxy.services.permission import MANAGED_BY, Actor, named_person, permitted
from proxy.services.text import key
from proxy.store.models import Device, Group, Membership, Person

MOST = 64  # groups of one person or device


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """A group as ``groups list`` shows it."""

    name: str
    people: int
    devices: int


def list_groups(session: Session, actor: Actor) -> list[GroupView]:
    """Every group, and how many are in it."""
    permitted(session, actor, Role.SLT, Role.TECHNICIAN, to="see the groups")
    counts = func.count(Membership.person_id), func.count(Membership.device_id)
    query = select(Group.name, *counts).outerjoin(Group.memberships).group_by(Group.id, Group.name).order_by(Group.name)
    return [GroupView(name=name, people=people, devices=devices) for name, people, devices in session.execute(query)]


def change_groups(  # noqa: PLR0913 -- each is one thing about the change
    session: Session,
    actor: Actor,
    *,
    name: str,
    join: Sequence[str] = (),
    leave: Sequence[str] = (),
    now: datetime,
) -> tuple[str, ...]:
    """Let a person join groups, which are made where they are missing, and leave others; the groups afterwards."""
    person = named_person(session, name)
    by = permitted(session, actor, *MANAGED_BY[person.role], to=f"change the groups of a person in {person.role}")
    with judged(session, by, now):
        joined, left = move(session, person, join=join, leave=leave)
        if not joined and not left:
            raise Conflict("nothing_to_do", f"{person.name} is in just these groups already.")
        ledger.append(
            session,
            at=now,
            act="change_groups",
            actor=by.name,
            body={"joined": [*joined], "left": [*left]},
            personal={"person": person.name},
        )
    return names_of(person)


def named_groups(session: Session, names: Sequence[str]) -> list[Group]:
    """The groups of these names, each once, made where they are missing."""
    keys = dict.fromkeys(key(name, "group") for name in names)
    if len(keys) > MOST:
        raise BadInput("too_many_groups", f"Nobody is in more than {MOST} groups, and these are {len(keys)}.")
    if not keys:
        return []
    there = {group.name: group for group in session.scalars(select(Group).where(Group.name.in_(keys)))}
    return [there.get(name) or _made(session, name) for name in keys]


def move(
    session: Session, member: Person | Device, *, join: Sequence[str], leave: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Put a member into groups and take it out of others; the names of those that it was not, or was, in."""
    there = {membership.group.name: membership for membership in member.memberships}
    entering = named_groups(session, join)
    leaving = list(dict.fromkeys(key(name, "group") for name in leave))
    if both := {group.name for group in entering}.intersection(leaving):
        raise BadInput("joins_and_leaves", f"{min(both)} would be joined and left at once.")
    for name in leaving:
        if name not in there:
            raise Conflict("not_a_member", f"{member.name} is not in the group {name}.")
        member.memberships.remove(there[name])
        session.delete(there[name])
    joining = [group for group in entering if group.name not in there]
    member.memberships += [Membership(group=group) for group in joining]
    session.flush()
    return sorted(group.name for group in joining), sorted(leaving)


def names_of(member: Person | Device) -> tuple[str, ...]:
    return tuple(sorted(membership.group.name for membership in member.memberships))


def _made(session: Session, name: str) -> Group:
    group = Group(name=name)
    session.add(group)
    session.flush()
    return group
