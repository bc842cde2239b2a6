"""Several changes of one person as one act, which is done whole, or waits whole (``changes``), or not at all."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from policies.vocabulary import Role
from proxy.services import accounts, groups
from proxy.services.access import judged
from proxy.services.accounts import PersonView, view_of
from proxy.services.errors import Conflict
from proxy.services.permission import Actor, named_person, permitted


def change_person(  # noqa: PLR0913 -- each is one thing that may change
    session: Session,
    actor: Actor,
    *,
    name: str,
    now: datetime,
    display_name: str | None = None,
    role: Role | None = None,
    enabled: bool | None = None,
    join: Sequence[str] = (),
    leave: Sequence[str] = (),
) -> PersonView:
    """Change what is said and is not so already; the role of the person says who may."""
    by = permitted(session, actor, Role.SLT, Role.TECHNICIAN, to="change people")
    person = named_person(session, name)
    before = view_of(person)
    with judged(session, by, now):
        if display_name is not None and display_name != person.display_name:
            accounts.set_display_name(session, actor, name=name, display_name=display_name, now=now)
        if join or leave:
            groups.change_groups(session, actor, name=name, join=join, leave=leave, now=now)
        if role not in {None, person.role}:
            accounts.set_role(session, actor, name=name, role=Role(role), now=now)
        if enabled not in {None, person.enabled}:
            accounts.set_enabled(session, actor, name=name, enabled=bool(enabled), now=now)
    view = view_of(person)
    if view == before:
        raise Conflict("nothing_to_do", f"{person.name} is just so already.")
    return view
