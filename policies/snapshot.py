"""Everything a decision rests on, as one immutable value, swapped whole (law 5).

``Coverage`` answers the hot question, "which authorisations could cover this subject?", without walking them all.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from ipaddress import ip_network
from typing import NamedTuple

from policies.authorisation import Authorisation, SubjectKind
from policies.index import AddressIndex, IPNetwork
from policies.model import Catalogue, Policy
from policies.names import IPAddress, normal_address


@dataclass(frozen=True, slots=True)
class Device:
    """A school device, known by its addresses (single ones, or a range set apart for it)."""

    name: str
    addresses: tuple[IPNetwork, ...]
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Member:
    """A person as a decision needs them: their role and groups. Disabled people are not members."""

    role: str
    groups: frozenset[str] = frozenset()


class Who(NamedTuple):
    """Everyone a connection may stand for. ``person`` without ``member`` is a name that stands for nobody."""

    address: IPAddress
    network: str
    device: Device | None
    person: str | None
    member: Member | None

    @property
    def groups(self) -> frozenset[str]:
        of_device = self.device.groups if self.device else frozenset()
        return of_device | self.member.groups if self.member else of_device


class Coverage:
    """Authorisations by subject: one dictionary look-up each for address, network, device, person and groups."""

    def __init__(self, authorisations: Iterable[Authorisation]) -> None:
        by_name: defaultdict[tuple[SubjectKind, str], list[Authorisation]] = defaultdict(list)
        by_address: list[tuple[IPNetwork, Authorisation]] = []
        for authorisation in authorisations:
            subject = authorisation.subject
            if subject.kind is SubjectKind.ADDRESS:
                by_address.append((ip_network(subject.name), authorisation))
            else:
                by_name[subject.kind, subject.name].append(authorisation)
        self._by_name = dict(by_name)
        self._by_address = AddressIndex(by_address)
        self._empty = not (by_name or by_address)

    def of(self, who: Who) -> tuple[Authorisation, ...]:
        """Every authorisation, whatever its state, whose subject is ``who``."""
        if self._empty:
            return ()
        keys = [(SubjectKind.NETWORK, who.network)]
        if who.device:
            keys.append((SubjectKind.DEVICE, who.device.name))
        if who.person and who.member:
            keys.append((SubjectKind.PERSON, who.person))
        keys.extend((SubjectKind.GROUP, group) for group in who.groups)
        return (*self._by_address.all(who.address), *(a for key in keys for a in self._by_name.get(key, ())))


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One numbered state of policy, catalogue, people, devices and authorisations.

    ``confirmed_at`` is when the keeper last vouched that the store still says this; the grants lapse once that is
    older than the policy's ``grant_max_staleness``. ``latched`` are authorisations that this process saw end.
    """

    number: int
    confirmed_at: datetime
    policy: Policy
    catalogue: Catalogue
    authorisations: tuple[Authorisation, ...] = ()
    devices: tuple[Device, ...] = ()
    members: Mapping[str, Member] = field(default_factory=dict)
    latched: frozenset[int] = frozenset()

    @property
    def grants_lapse_at(self) -> datetime:
        """When the grants end if nobody vouches for them until then."""
        return self.confirmed_at + self.policy.authorisations.grant_max_staleness

    @cached_property
    def coverage(self) -> Coverage:
        return Coverage(self.authorisations)

    @cached_property
    def _devices(self) -> AddressIndex[Device]:
        return AddressIndex((addresses, device) for device in self.devices for addresses in device.addresses)

    def device_at(self, address: IPAddress) -> Device | None:
        """The device at an address: by its own address, else by the narrowest range."""
        return self._devices.find(address)

    def who(self, address: IPAddress, person: str | None) -> Who:
        address = normal_address(address)
        return Who(
            address=address,
            network=self.policy.network_of(address).name,
            device=self.device_at(address),
            person=person,
            member=self.members.get(person) if person else None,
        )
