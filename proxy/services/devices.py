"""The school's devices: known by their addresses, perhaps somebody's own, perhaps in groups."""

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
from proxy.services.errors import BadInput, Conflict, Refused
from proxy.services.groups import grants_open_by, joinable, open_grants, refuse_widening
from proxy.services.permission import Actor, named_person, permitted
from proxy.services.subjects import refuse_own
from proxy.services.text import key
from proxy.store.models import Device, DeviceAddress, Group, Membership, Person

MOST_ADDRESSES = 64


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
    groups: Sequence[str],
    owner: str | None,
    now: datetime,
    policy: Policy,
) -> DeviceView:
    """Add a device at its addresses. What would widen access that was granted, only SLT do, and not for themselves."""
    by = permitted(session, actor, Role.SLT, Role.TECHNICIAN, to="add devices")
    device_name = key(name, "device")
    if session.scalars(select(Device).where(Device.name == device_name)).first():
        raise Conflict("name_taken", f"There is already a device {device_name}.", "See `schoolgate devices list`.")
    networks = _networks(session, addresses)
    whose = named_person(session, owner) if owner is not None else None
    joined = joinable(session, by, groups, now)
    _demand_no_gain(session, by, whose, joined, now)
    device = Device(name=device_name, owner=whose, added_at=now)
    device.addresses = [DeviceAddress(network=network) for network in networks]
    device.memberships = [Membership(group=group) for group in joined]
    session.add(device)
    session.flush()
    if whose is not None and (whose is by or by.role is not Role.SLT):  # else another of SLT answers for it
        _demand_no_own_grant(session, whose, now, policy)
    ledger.append(
        session,
        at=now,
        act="add_device",
        actor=by.name,
        body={"groups": [group.name for group in joined]},
        personal={"device": device.name, "addresses": list(networks), "owner": whose.name if whose else None},
    )
    return _view(device)


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
    return [_view(device) for device in session.scalars(query)]


def _networks(session: Session, typed: Sequence[str]) -> list[str]:
    """Normal forms, each once, none of them another device's."""
    networks = list(dict.fromkeys(str(ranges.network(text)) for text in typed))
    if not 1 <= len(networks) <= MOST_ADDRESSES:
        raise BadInput("no_address", f"A device has 1 to {MOST_ADDRESSES} addresses, and this has {len(networks)}.")
    query = select(DeviceAddress).where(DeviceAddress.network.in_(networks))
    if taken := session.scalars(query).first():
        shown = ranges.shown(ip_network(taken.network))
        raise Conflict("address_taken", f"{shown} is the address of {taken.device.name}.", "One device has an address.")
    return networks


def _demand_no_gain(session: Session, by: Person, owner: Person | None, joined: Sequence[Group], now: datetime) -> None:
    """A device of one's own does not join a group that holds an authorisation; a technician adds none to its holder."""
    if owner is None:
        return
    refuse_widening(session, by, [Subject(SubjectKind.PERSON, owner.name)], now)
    granted = open_grants(session, [Subject(SubjectKind.GROUP, group.name) for group in joined], now)
    if owner is by and granted:
        raise Refused(
            "own_grant",
            f"The group {granted[0].subject_name} holds an authorisation, and nobody authorises themselves.",
            "Ask another member of the senior leadership team.",
        )


def _demand_no_own_grant(session: Session, owner: Person, now: datetime, policy: Policy) -> None:
    """The device does not put its owner under a grant of their own: of its address, its network, its group."""
    for row in grants_open_by(session, owner, now):
        refuse_own(session, owner, Subject(SubjectKind(row.subject_kind), row.subject_name), policy)


def _view(device: Device) -> DeviceView:
    return DeviceView(
        name=device.name,
        addresses=tuple(ranges.shown(ip_network(address.network)) for address in device.addresses),
        groups=tuple(sorted(member.group.name for member in device.memberships)),
        owner=device.owner.name if device.owner else None,
    )
