"""Whom a grant is to: finding who is meant, and seeing that nobody grants to themselves (law 7)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_network
from types import MappingProxyType

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session

from policies.authorisation import Subject, SubjectKind
from policies.index import IPNetwork
from policies.model import Policy
from proxy.services import addresses
from proxy.services.errors import BadInput, Refused, UnknownName
from proxy.services.ground import Span
from proxy.services.holdings import lies_in, spans_of
from proxy.services.permission import find_person
from proxy.services.text import clean, quoted
from proxy.store.models import Device, DeviceAddress, Group, Membership, Person

LONGEST = 200
ADDRESS_LETTERS = frozenset("0123456789abcdef.:/")


@dataclass(frozen=True, slots=True)
class Found:
    """Who was meant, and what the one who typed it should know of that."""

    subject: Subject
    notes: tuple[str, ...] = ()


def find(session: Session, who: str, policy: Policy) -> Found:
    """Read ``kind:name``, an address, or a bare name: a person, then a device. Raises BadInput, UnknownName."""
    typed = clean(who).lower()
    if not typed or len(typed) > LONGEST:
        raise BadInput("bad_subject", "Say whom it is for.", "Write a person, a device, an address or group:NAME.")
    kind, colon, name = typed.partition(":")
    if colon and kind in SubjectKind:
        return Found(_known(session, SubjectKind(kind), name.strip(), policy))
    if _looks_like_address(typed):
        return Found(_known(session, SubjectKind.ADDRESS, typed, policy))
    return _bare(session, typed, policy)


def refuse_own(session: Session, person: Person, subject: Subject, policy: Policy) -> None:
    """Raise Refused if a grant to ``subject`` would be one to ``person``."""
    if why := _OWN[subject.kind](session, person, subject.name, policy):
        raise Refused(
            "own_grant",
            f"{subject} {why}, and nobody authorises themselves.",
            "Ask another member of the senior leadership team.",
        )


def _looks_like_address(typed: str) -> bool:
    """Whether an address was meant, well or badly written: every name has a letter and no colon or slash."""
    return set(typed) <= ADDRESS_LETTERS and (":" in typed or "/" in typed or not any(c.isalpha() for c in typed))


def _known(session: Session, kind: SubjectKind, name: str, policy: Policy) -> Subject:
    if kind is SubjectKind.ADDRESS:
        return Subject(kind, addresses.shown(addresses.network(name)))
    there = _names(session, kind, policy)
    if name not in there:
        raise UnknownName(f"unknown_{kind}", f"There is no {kind} {quoted(name)}.", _near(name, there))
    if kind is SubjectKind.PERSON and (person := find_person(session, name)) and not person.enabled:
        raise Refused("account_disabled", f"The account {name} is disabled.", "Enable it first.")
    return Subject(kind, name)


def _bare(session: Session, name: str, policy: Policy) -> Found:
    people = _names(session, SubjectKind.PERSON, policy)
    devices = _names(session, SubjectKind.DEVICE, policy)
    if name in people:
        also = (f"There is a device {name} as well: write device:{name} if that was meant.",) if name in devices else ()
        return Found(_known(session, SubjectKind.PERSON, name, policy), also)
    if name in devices:
        return Found(Subject(SubjectKind.DEVICE, name))
    near = _near(name, [*people, *devices])
    raise UnknownName("unknown_subject", f"There is no person and no device {quoted(name)}.", near)


def _names(session: Session, kind: SubjectKind, policy: Policy) -> Sequence[str]:
    match kind:
        case SubjectKind.PERSON:
            return session.scalars(select(Person.name)).all()
        case SubjectKind.DEVICE:
            return session.scalars(select(Device.name)).all()
        case SubjectKind.GROUP:
            return session.scalars(select(Group.name)).all()
        case _:
            return tuple(policy.networks)


def _near(name: str, there: Sequence[str]) -> str:
    near = get_close_matches(name, there, n=3)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return "Write person:NAME, device:NAME, address:ADDRESS, network:NAME or group:NAME."


# What is one's own


def _own_person(_session: Session, person: Person, name: str, _policy: Policy) -> str | None:
    return "is yourself" if name == person.name else None


def _own_device(session: Session, person: Person, name: str, _policy: Policy) -> str | None:
    if session.scalar(select(exists().where(Device.name == name, Device.owner_id == person.id))):
        return "is your own"
    return "lies in the range of a device of yours" if _reaches(session, person, Device.name == name) else None


def _own_group(session: Session, person: Person, name: str, _policy: Policy) -> str | None:
    query = (
        select(Membership.id)
        .join(Membership.group)
        .outerjoin(Membership.device)
        .where(Group.name == name, or_(Membership.person_id == person.id, Device.owner_id == person.id))
    )
    if session.scalars(query).first() is not None:
        return "has you or a device of yours in it"
    inside = Device.memberships.any(Membership.group.has(Group.name == name))
    return "has a device in the range of one of yours in it" if _reaches(session, person, inside) else None


def _own_address(session: Session, person: Person, name: str, _policy: Policy) -> str | None:
    granted = ip_network(name)
    held = any(addresses.overlap(granted, network) for network in _addresses_of(session, person))
    return "is held by a device of yours" if held else None


def _own_network(session: Session, person: Person, name: str, policy: Policy) -> str | None:
    held = any(lies_in(Span.of(network), name, policy) for network in _addresses_of(session, person))
    return "has a device of yours in it" if held else None


def _reaches(session: Session, person: Person, devices: ColumnElement[bool]) -> bool:
    """Whether an address of these devices lies in a range of one of the person's own."""
    own = [Span.of(network) for network in _addresses_of(session, person)]
    return bool(own) and any(span.common(mine) for span in spans_of(session, devices) for mine in own)


def _addresses_of(session: Session, person: Person) -> list[IPNetwork]:
    query = select(DeviceAddress.network).join(DeviceAddress.device).where(Device.owner_id == person.id)
    return [ip_network(network) for network in session.scalars(query)]


type Own = Callable[[Session, Person, str, Policy], str | None]

_OWN: Mapping[SubjectKind, Own] = MappingProxyType(
    {
        SubjectKind.PERSON: _own_person,
        SubjectKind.DEVICE: _own_device,
        SubjectKind.GROUP: _own_group,
        SubjectKind.ADDRESS: _own_address,
        SubjectKind.NETWORK: _own_network,
    }
)
