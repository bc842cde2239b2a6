"""What a waiting change was asked about, as it was then: approving is for that, and not for what has its name since."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from proxy.services import text
from proxy.services.devices import find_device
from proxy.services.devices import view_of as device_view
from proxy.services.groups import names_of
from proxy.services.permission import find_person
from proxy.store.models import Device, Person

type About = Mapping[str, Any]
"""The kind, id and name of a row, and what a decision rests on of it."""


def about(session: Session, act: str, arguments: Mapping[str, Any]) -> About | None:
    """What an act is about, as it is now; None: nothing that is there."""
    name = text.clean(str(arguments["name"])).lower()
    match act:
        case "change_person":
            person = find_person(session, name)
            return _of_person(person) if person else None
        case "change_device" | "remove_device":
            device = find_device(session, name)
            return _of_device(device) if device else None
        case _:
            return None


def difference(was: About | None, now: About | None) -> str | None:
    """What is otherwise now than it was, as a sentence; None: nothing."""
    if was == now:
        return None
    if was is None or now is None:
        return "What this was asked about is not there by that name any more."
    if was["id"] != now["id"]:
        return f"{was['name']} is another {was['kind']} than the one that this was asked about: {in_words(now)}."
    parts = [
        f"{field} {_words(now[field])} now, {_words(was[field])} then" for field in was if was[field] != now[field]
    ]
    return f"{was['name']} is not what it was when this was asked: {'; '.join(parts)}."


def in_words(was: About) -> str:
    """``addresses 10.60.0.1, groups suite``"""
    fields = (field for field in was if field not in {"kind", "id", "name"})
    return ", ".join(f"{field} {_words(was[field])}" for field in fields if was[field] not in (None, []))


def _of_person(person: Person) -> About:
    said = {"role": str(person.role), "groups": list(names_of(person)), "enabled": person.enabled}
    return {"kind": "person", "id": person.id, "name": person.name, **said}


def _of_device(device: Device) -> About:
    view = device_view(device)
    said = {"addresses": list(view.addresses), "owner": view.owner, "groups": list(view.groups)}
    return {"kind": "device", "id": device.id, "name": device.name, **said}


def _words(value: object) -> str:
    return "none" if value in (None, []) else text.in_words(value)
