"""The school's devices: known by their addresses, perhaps somebody's own, perhaps in groups.

What would widen access that was granted, only SLT do, and not for themselves: see ``access``. Nor does one of SLT take
their own name off a device, or the device out of the list: what they grant afterwards would be to themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from policies.authorisation import Subject, SubjectKind
from policies.model import Policy
from policies.vocabulary import Role
from proxy.record import ledger
from proxy.services import addresses as ranges
from proxy.services import grants
from proxy.services.access import judged, open_grants
from proxy.services.errors import BadInput, Conflict, Refused, UnknownName
from proxy.services.groups import move, named_groups, names_of
from proxy.services.permission import Actor, named_person, permitted
from proxy.services.text import clean, key, quoted
from proxy.store.models import Device, DeviceAddress, Membership, Person

MOST_ADDRESSES = 64
NOBODY = ""  # as an owner: the device is nobody's own


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """A device as ``devices list`` shows it."""

    name: str
    addresses: tuple[str, ...]
    groups: tuple[str, ...]
    owner: str | None


def add_device(  # noqa: PLR0913 -- each names one thing about the device
    session: Session,
    actor: Actor,
    *,
    name: str,
    addresses: Sequence[str],
    now: datetime,
    policy: Policy,
    groups: Sequence[str] = (),
    owner: str | None = None,
) -> DeviceView:
    """Add a device at its addresses."""
    by = permitted(session, actor, Role.SLT, Role.TECHNICIAN, to="add devices")
    device_name = _free_name(session, name)
    networks = _networks(session, addresses, None)
    whose = named_person(session, owner) if owner else None
    with judged(session, by, now, policy):
        device = Device(name=device_name, owner=whose, added_at=now)
        device.addresses = [DeviceAddress(network=network) for network in networks]
        device.memberships = [Membership(group=group) for group in named_groups(session, groups)]
        session.add(device)
        session.flush()
        view = view_of(device)
        _note(session, now, "add_device", by, view)
    return view


def change_device(  # noqa: PLR0913 -- each is one thing that may change
    session: Session,
    actor: Actor,
    *,
    name: str,
    now: datetime,
    policy: Policy,
    rename: str | None = None,
    addresses: Sequence[str] | None = None,
    owner: str | None = None,
    join: Sequence[str] = (),
    leave: Sequence[str] = (),
) -> DeviceView:
    """Change what is said; ``addresses`` are all that it has from now on, the owner ``NOBODY`` is none."""
    by = permitted(session, actor, Role.SLT, Role.TECHNICIAN, to="change devices")
    device = named_device(session, name)
    with judged(session, by, now, policy):
        before = view_of(device)
        if rename is not None:
            _rename(session, device, rename, now)
        if addresses is not None:
            _move_to(session, device, _networks(session, addresses, device))
        if owner is not None:
            device.owner = named_person(session, owner) if owner != NOBODY else None
        move(session, device, join=join, leave=leave)
        session.flush()
        view = view_of(device)
        if view == before:
            raise Conflict("nothing_to_do", f"{device.name} is just so already.")
        _refuse_hiding_own(by, before, view)
        _note(session, now, "change_device", by, view, before)
    return view


def remove_device(session: Session, actor: Actor, *, name: str, now: datetime, policy: Policy) -> DeviceView:
    """Take a device out of the list; what was granted to it is revoked."""
    by = permitted(session, actor, Role.SLT, Role.TECHNICIAN, to="remove devices")
    device = named_device(session, name)
    view = view_of(device)
    _refuse_hiding_own(by, view, None)
    with judged(session, by, now, policy):
        subject = Subject(SubjectKind.DEVICE, device.name)
        grants.revoke_all_of(session, by, subject, "the device was removed", now)
        _note(session, now, "remove_device", by, view)
        for part in (*device.addresses, *device.memberships):
            session.delete(part)
        session.delete(device)
    return view


def list_devices(session: Session, actor: Actor) -> list[DeviceView]:
    """Every device for those who look after them; staff see their own."""
    person = permitted(session, actor, Role.SLT, Role.TECHNICIAN, Role.STAFF, to="see the devices")
    parts = (
        selectinload(Device.addresses),
        selectinload(Device.owner),
        selectinload(Device.memberships).selectinload(Membership.group),
    )
    query = select(Device).options(*parts).order_by(Device.name)
    if person.role is Role.STAFF:
        query = query.where(Device.owner_id == person.id)
    return [view_of(device) for device in session.scalars(query)]


def find_device(session: Session, name: str) -> Device | None:
    return session.scalars(select(Device).where(Device.name == clean(name).lower())).one_or_none()


def named_device(session: Session, name: str) -> Device:
    """The device of that name. Raises UnknownName."""
    device = find_device(session, name)
    if device is None:
        raise UnknownName("unknown_device", f"There is no device {quoted(name)}.", "See `schoolgate devices list`.")
    return device


def _free_name(session: Session, name: str) -> str:
    free = key(name, "device")
    if find_device(session, free):
        raise Conflict("name_taken", f"There is already a device {free}.", "See `schoolgate devices list`.")
    return free


def _networks(session: Session, typed: Sequence[str], device: Device | None) -> list[str]:
    """Normal forms, each once, none of them another device's."""
    networks = list(dict.fromkeys(str(ranges.network(text)) for text in typed))
    if not 1 <= len(networks) <= MOST_ADDRESSES:
        raise BadInput("no_address", f"A device has 1 to {MOST_ADDRESSES} addresses, and this has {len(networks)}.")
    query = select(DeviceAddress).where(DeviceAddress.network.in_(networks))
    if taken := next((found for found in session.scalars(query) if found.device is not device), None):
        shown = ranges.shown(ip_network(taken.network))
        raise Conflict("address_taken", f"{shown} is the address of {taken.device.name}.", "One device has an address.")
    return networks


def _rename(session: Session, device: Device, name: str, now: datetime) -> None:
    """A grant is to a name: one that is open would be left behind, and fall to the next device of that name."""
    if key(name, "device") == device.name:
        return
    if granted := open_grants(session, [Subject(SubjectKind.DEVICE, device.name)], now):
        raise Conflict(
            "name_granted",
            f"{device.name} holds authorisation {granted[0].id} by that name.",
            "Rename it when that has ended, or was revoked.",
        )
    device.name = _free_name(session, name)


def _move_to(session: Session, device: Device, networks: Sequence[str]) -> None:
    for address in [kept for kept in device.addresses if kept.network not in networks]:
        device.addresses.remove(address)
        session.delete(address)
    session.flush()
    there = {kept.network for kept in device.addresses}
    device.addresses += [DeviceAddress(network=network) for network in networks if network not in there]


def _refuse_hiding_own(by: Person, before: DeviceView, after: DeviceView | None) -> None:
    if by.role is not Role.SLT or before.owner != by.name:
        return
    kept = after is not None and after.owner == before.owner and set(before.addresses) <= set(after.addresses)
    if not kept:
        raise Refused(
            "own_device",
            f"{before.name} is your own: somebody else takes your name or an address off it.",
            "Ask a technician, or another member of the senior leadership team.",
        )


def _note(  # noqa: PLR0913, PLR0917 -- the parts of a ledger row
    session: Session, now: datetime, act: str, by: Person, view: DeviceView, was: DeviceView | None = None
) -> None:
    """What the device is now, and what it was where that changed."""
    body: dict[str, ledger.Value] = {"groups": list(view.groups)}
    personal: dict[str, ledger.Value] = {"device": view.name, "addresses": list(view.addresses), "owner": view.owner}
    if was is not None:
        body["were_groups"] = list(was.groups)
        personal |= {"was_device": was.name, "were_addresses": list(was.addresses), "was_owner": was.owner}
    ledger.append(session, at=now, act=act, actor=by.name, body=body, personal=personal)


def view_of(device: Device) -> DeviceView:
    networks = sorted((ip_network(kept.network) for kept in device.addresses), key=lambda n: (n.version, n))
    return DeviceView(
        name=device.name,
        addresses=tuple(map(ranges.shown, networks)),
        groups=names_of(device),
        owner=device.owner.name if device.owner else None,
    )
