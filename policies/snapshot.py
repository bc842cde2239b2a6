"""Everything a decision rests on, as one immutable value, swapped whole (law 5).

A decision asks it two things: ``standing``, who is asking, and ``listing``, what the host is. Neither answer depends on
the time, so each is worked out once and remembered, for as many as are usual in a school; the rest of deciding is time.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from ipaddress import ip_network
from typing import NamedTuple

from policies.authorisation import Authorisation, SubjectKind
from policies.index import AddressIndex, IPNetwork
from policies.model import Catalogue, Exemption, Lock, Network, Policy, Service
from policies.names import HostName, IPAddress, normal_address

MOST_STANDINGS = 4096  # clients remembered
MOST_LISTINGS = 16384  # hosts remembered: 4 MB when full; in memory only, and gone with the next snapshot


@dataclass(frozen=True, slots=True)
class Device:
    """A school device, known by its addresses (single ones, or a range set apart for it)."""

    name: str
    addresses: tuple[IPNetwork, ...]
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Member:
    """A person as a decision needs them: their role and groups. Disabled people are not members.

    ``browsing`` names the credential that stands for them on the wire now; None: they have none.
    """

    role: str
    groups: frozenset[str] = frozenset()
    browsing: str | None = None


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

    @property
    def subjects(self) -> list[tuple[SubjectKind, str]]:
        """What a grant may name to mean this connection, beside its address."""
        subjects = [(SubjectKind.NETWORK, self.network)]
        if self.device:
            subjects.append((SubjectKind.DEVICE, self.device.name))
        if self.person and self.member:
            subjects.append((SubjectKind.PERSON, self.person))
        if groups := self.groups:
            subjects += [(SubjectKind.GROUP, group) for group in groups]
        return subjects


class Standing(NamedTuple):
    """Who is asking, from where, and every authorisation, whatever its state, that they are the subject of."""

    who: Who
    network: Network
    grants: tuple[Authorisation, ...]


class Listing(NamedTuple):
    """What policy and catalogue say of a host, whoever asks and whenever."""

    internal: bool = False
    service: Service | None = None
    lock: Lock | None = None
    exemption: Exemption | None = None


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

    def of(self, who: Who) -> tuple[Authorisation, ...]:
        """Every authorisation, whatever its state, whose subject is ``who``."""
        found = [*self._by_address.all(who.address)]
        for subject in who.subjects:
            found += self._by_name.get(subject, ())
        return tuple(found)


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
    def personal(self) -> tuple[Authorisation, ...]:
        """The authorisations of people: those whose subject is a member, or a group with a member in it."""
        groups = frozenset(group for member in self.members.values() for group in member.groups)
        people = {SubjectKind.PERSON: self.members, SubjectKind.GROUP: groups}
        return tuple(a for a in self.authorisations if a.subject.name in people.get(a.subject.kind, ()))

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

    @cached_property
    def standing(self) -> Callable[[IPAddress, str | None], Standing]:
        """Who is asking, by address and person."""
        return lru_cache(MOST_STANDINGS)(self._standing)

    def _standing(self, address: IPAddress, person: str | None) -> Standing:
        who = self.who(address, person)
        return Standing(who, self.policy.networks[who.network], self.coverage.of(who))

    @cached_property
    def listing(self) -> Callable[[HostName], Listing]:
        """What a host is."""
        return lru_cache(MOST_LISTINGS)(self._listing)

    def _listing(self, host: HostName) -> Listing:
        policy, catalogue = self.policy, self.catalogue
        if policy.is_internal_name(host):
            return Listing(internal=True)
        if (service := catalogue.find(host)) is None:
            return Listing(exemption=policy.exemption_of(host, ()))
        exemption = policy.exemption_of(host, (service.key, *sorted(catalogue.sharing(host))))
        return Listing(service=service, lock=policy.lock_on(service), exemption=exemption)
