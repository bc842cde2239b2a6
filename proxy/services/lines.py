"""What one line of a table asks for: the act that would make the store as the line says, and its arguments.

Nothing is looked up here: who and what is there already is handed in, by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from policies.vocabulary import Role
from proxy.services import devices
from proxy.services.accounts import PersonView
from proxy.services.addresses import network, shown
from proxy.services.devices import DeviceView
from proxy.services.errors import BadInput
from proxy.services.tables import Row
from proxy.services.text import display_name, in_words, key, quoted

BETWEEN = ";"  # several groups or addresses in one cell
ENABLED: Mapping[str, bool] = {
    **dict.fromkeys(("yes", "true", "1", "enabled"), True),
    **dict.fromkeys(("no", "false", "0", "disabled"), False),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """``act`` is the name of a change (``changes``), empty where all is so already; ``what`` says it in words."""

    line: int
    name: str
    act: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    what: str = ""


def plan_person(row: Row, people: Mapping[str, PersonView]) -> Plan:
    """Raises BadInput."""
    cells = _cells(row)
    name = key(cells["name"], "person")
    wanted: dict[str, Any] = {"display_name": display_name(cells["display_name"]), "role": _role(cells["role"])}
    enabled = _enabled(cells["enabled"]) if cells.get("enabled") else None
    there = people.get(name)
    if there is None:
        if enabled is False:
            raise BadInput("disabled_new", f"{name} is new, and would be disabled.", "Leave the line out.")
        return _adding(row, "add_person", {"name": name, **wanted}, "groups_of", _groups(cells) or [])
    if enabled is not None:
        wanted["enabled"] = enabled
    return _changing(row, "change_person", there, wanted, _groups(cells))


def plan_device(row: Row, there_are: Mapping[str, DeviceView]) -> Plan:
    """Raises BadInput."""
    cells = _cells(row)
    name = key(cells["name"], "device")
    wanted: dict[str, Any] = {"addresses": _addresses(cells["addresses"])}
    if "owner" in cells:
        wanted["owner"] = key(cells["owner"], "person") if cells["owner"] else devices.NOBODY
    there = there_are.get(name)
    if there is None:
        return _adding(row, "add_device", {"name": name, **wanted}, "groups", _groups(cells) or [])
    return _changing(row, "change_device", there, wanted, _groups(cells))


def _adding(row: Row, act: str, said: dict[str, Any], in_groups: str, join: list[str]) -> Plan:
    details = [f"{_field(field)} {in_words(value)}" for field, value in said.items() if field != "name" and value]
    return Plan(row.line, said["name"], act, {**said, in_groups: join}, _listed(details, join, []))


def _changing(
    row: Row, act: str, view: PersonView | DeviceView, wanted: dict[str, Any], groups: list[str] | None
) -> Plan:
    was = {field: _plain(getattr(view, field)) for field in wanted}
    said = {field: value for field, value in wanted.items() if value != was[field]}
    details = [f"{_field(field)} {in_words(was[field])} → {in_words(value)}" for field, value in said.items()]
    join = [group for group in groups if group not in view.groups] if groups is not None else []
    leave = [group for group in view.groups if group not in groups] if groups is not None else []
    if not (said or join or leave):
        return Plan(row.line, view.name)
    said |= {field: names for field, names in (("join", join), ("leave", leave)) if names}
    return Plan(row.line, view.name, act, {"name": view.name, **said}, _listed(details, join, leave))


def _plain(value: object) -> object:
    """As a line says it: a list of addresses, nobody as an owner."""
    return list(value) if isinstance(value, tuple) else devices.NOBODY if value is None else value


def _cells(row: Row) -> dict[str, str]:
    if row.error is not None:
        raise BadInput("bad_line", row.error)
    return row.cells


def _role(cell: str) -> Role:
    try:
        return Role(cell.lower())
    except ValueError:
        roles = ", ".join(Role)
        raise BadInput("bad_role", f"{quoted(cell)} is no role.", f"Write one of {roles}.") from None


def _enabled(cell: str) -> bool:
    try:
        return ENABLED[cell.lower()]
    except KeyError:
        raise BadInput("bad_enabled", f"{quoted(cell)} in the column enabled is neither yes nor no.") from None


def _groups(cells: Mapping[str, str]) -> list[str] | None:
    """The groups of the line; None where the table says nothing of groups."""
    if "groups" not in cells:
        return None
    return list(dict.fromkeys(key(name, "group") for name in _several(cells["groups"])))


def _addresses(cell: str) -> list[str]:
    """In the order in which they are listed of a device."""
    networks = sorted({network(text) for text in _several(cell)}, key=lambda n: (n.version, n))
    return [shown(n) for n in networks]


def _several(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(BETWEEN) if part.strip()]


def _field(name: str) -> str:
    return name.replace("_", " ")


def _listed(details: Sequence[str], join: Sequence[str], leave: Sequence[str]) -> str:
    """``role staff → technician, joins governors, leaves visitors``"""
    moves = [f"{verb} {' and '.join(names)}" for verb, names in (("joins", join), ("leaves", leave)) if names]
    return ", ".join([*details, *moves])
