"""The policy as frozen values, field by field as its file has them. Reading the file, and its errors, is ``loading``.

Section numbers ("clause") are those of the school's social media policy.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from policies.catalogue import Catalogue, CatalogueFile, Category, Service
from policies.exemptions import Exemption, TeachingService
from policies.fields import (
    Addresses,
    Domain,
    Duration,
    End,
    Frozen,
    Key,
    LanguageKey,
    Moment,
    Port,
    Suffix,
    duration,
    field_of,
    with_names,
)
from policies.index import AddressIndex, HostIndex, IPNetwork
from policies.names import HostName, IPAddress, is_within
from policies.timetable import Timetable, ZoneName
from policies.vocabulary import Reason, Role, Verdict

__all__ = [
    "Catalogue",
    "CatalogueFile",
    "Category",
    "Example",
    "Exemption",
    "IPNetwork",
    "Internal",
    "Limits",
    "ListedDestination",
    "Lock",
    "Network",
    "Policy",
    "Rule",
    "School",
    "Service",
    "TeachingService",
    "Wording",
    "duration",
]


class School(Frozen):
    name: str = Field(min_length=1)
    time_zone: ZoneName = "Europe/London"
    contact: str = Field(min_length=1)  # whom a refused person asks, as the page says it
    policy_title: str = "Social Media Policy"


class Network(Frozen):
    """A part of the school's network. ``page``: whether its devices trust the school's CA and can be shown one."""

    name: Key
    addresses: tuple[Addresses, ...] = ()
    page: bool = True
    reaches_internal: bool = False


class Internal(Frozen):
    """The school's own: never judged; explicit clients reach it from networks with ``reaches_internal``."""

    networks: tuple[Addresses, ...] = ()
    suffixes: tuple[Suffix, ...] = ()


class Lock(Frozen):
    """What no authorisation opens."""

    name: str
    clause: str
    categories: tuple[Key, ...] = ()
    services: tuple[Key, ...] = ()


class ListedDestination(Frozen):
    """A destination that may be reached without a judgeable name (mail, an appliance)."""

    because: str = Field(min_length=1)
    clause: str
    networks: tuple[Addresses, ...] = ()
    domains: tuple[Domain, ...] = ()
    ports: tuple[Port, ...] = Field(min_length=1)

    def lists(self, destination: HostName | IPAddress, port: int) -> bool:
        if port not in self.ports:
            return False
        if isinstance(destination, str):
            return any(is_within(destination, domain) for domain in self.domains)
        return any(destination in network for network in self.networks)


class Rule(Frozen):
    """One rule: whom (networks, roles), what (categories, services; none = all of the catalogue), when, verdict."""

    name: str
    clause: str
    verdict: Verdict
    networks: tuple[Key, ...] = ()
    roles: tuple[Role, ...] = ()
    categories: tuple[Key, ...] = ()
    services: tuple[Key, ...] = ()
    during: tuple[Key, ...] = ()
    outside: tuple[Key, ...] = ()
    explanation: str = ""

    @property
    def reason(self) -> Reason:
        if self.verdict is Verdict.ALLOW:
            return Reason.OUTSIDE_LESSONS if self.outside else Reason.EXEMPT
        return Reason.IN_LESSON if self.during else Reason.NOT_AUTHORISED


class Limits(Frozen):
    """What SLT may grant, and how long grants outlive the store."""

    longest: Duration = timedelta(hours=8)
    furthest_ahead: Duration = timedelta(days=30)
    shortest_reason: int = Field(default=1, ge=1, le=200)
    grant_max_staleness: Duration = timedelta(minutes=15)


class Wording(Frozen):
    """The school's own words on the refusal page; where it has none, those of the page's language."""

    language: LanguageKey = "en"
    heading: str = ""
    advice: str = ""
    conditions: tuple[str, ...] = ()


class Example(Frozen):
    """A case the policy's author states, and ``schoolgate policy check`` runs."""

    source: str = Field(alias="from", description="an address, or a network's name")
    host: Suffix
    at: Moment | None = None  # none: at any time
    person: str | None = None
    verdict: Verdict
    reason: Reason


class Policy(Frozen):
    """A school's social media policy as the gateway enforces it; the fields are those of the file."""

    version: str = ""  # set by loading: a digest of the file
    school: School
    networks: Mapping[Key, Network]
    unknown_network: Key = "estate"
    internal: Internal = Internal()
    ports: tuple[Port, ...] = (80, 443)
    timetable: Timetable = Timetable()
    locked: tuple[Lock, ...] = ()
    exempt: tuple[Exemption, ...] = ()
    teaching: tuple[TeachingService, ...] = ()
    destinations: tuple[ListedDestination, ...] = ()
    rules: tuple[Rule, ...] = Field(min_length=1)
    authorisations: Limits = Limits()
    observe: Mapping[Key, End] = Field(default_factory=dict)  # being commissioned: refusals pass, marked, until then
    wording: Wording = Wording()
    examples: tuple[Example, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _said_once(cls, values: object) -> object:
        """A network's name is its heading; the timetable's zone is the school's."""
        values = with_names(values, "networks", key="name")
        zone, timetable = field_of(field_of(values, "school"), "time_zone"), field_of(values, "timetable")
        if isinstance(values, Mapping) and zone is not None and isinstance(timetable, Mapping | None):
            return {**values, "timetable": {"time_zone": zone, **(timetable or {})}}
        return values

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        """Each error begins with the place of what is wrong, as ``explaining`` expects it."""
        if self.timetable.time_zone != self.school.time_zone:
            raise ValueError("timetable.time_zone: leave it out; school.time_zone says it for both")
        seen: dict[IPNetwork, str] = {}
        for network in self.networks.values():
            for place, addresses in enumerate(network.addresses):
                if (other := seen.setdefault(addresses, network.name)) != network.name:
                    raise ValueError(f"networks.{network.name}.addresses.{place}: {addresses} is in {other} already")
        bundles = [exemption.bundle for exemption in self.exempt]
        for place, bundle in enumerate(bundles):
            if bundle is not None and bundles.index(bundle) < place:
                raise ValueError(f"exempt.{place}.bundle: {bundle} is exempt already, by an entry above")
        for where, name, existing, kind in self._references():
            if name not in existing:
                raise ValueError(f"{where}: there is no {kind} {name!r}; there are {', '.join(existing) or 'none'}")
        return self

    def _references(self) -> Iterator[tuple[str, str, Collection[str], str]]:
        """Every name of something that this file has: where it stands, the name, what there is, and what that is."""
        yield "unknown_network", self.unknown_network, self.networks, "network"
        for network in self.observe:
            yield f"observe.{network}", network, self.networks, "network"
        for place, rule in enumerate(self.rules):
            for number, network in enumerate(rule.networks):
                yield f"rules.{place}.networks.{number}", network, self.networks, "network"
            for when, periods in (("during", rule.during), ("outside", rule.outside)):
                for number, period in enumerate(periods):
                    yield f"rules.{place}.{when}.{number}", period, self.timetable.periods, "period"

    # What a decision asks

    @property
    def zone(self) -> ZoneInfo:
        return self.timetable.zone

    def aware(self, moment: datetime) -> datetime:
        """A moment as the file has it; on the school's wall, where it says no offset."""
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)

    @cached_property
    def observed_until(self) -> Mapping[str, datetime]:
        return {network: self.aware(end) for network, end in self.observe.items()}

    def observes(self, network: str, now: datetime) -> bool:
        """Whether this network is being commissioned: what would be refused passes, marked."""
        return (until := self.observed_until.get(network)) is not None and now < until

    @cached_property
    def _networks(self) -> AddressIndex[Network]:
        return AddressIndex((addresses, n) for n in self.networks.values() for addresses in n.addresses)

    def network_of(self, address: IPAddress) -> Network:
        """The network a client is in: the longest prefix decides; none is ``unknown_network``."""
        return self._networks.find(address) or self.networks[self.unknown_network]

    @cached_property
    def _internal_names(self) -> HostIndex[bool]:
        return HostIndex(dict.fromkeys(self.internal.suffixes, True))

    def is_internal_name(self, host: HostName) -> bool:
        return self._internal_names.find(host) is not None

    def is_internal_address(self, address: IPAddress) -> bool:
        return any(address in network for network in self.internal.networks)

    def lock_on(self, service: Service) -> Lock | None:
        return next((k for k in self.locked if service.category in k.categories or service.key in k.services), None)

    @cached_property
    def _exempt_names(self) -> HostIndex[Exemption]:
        return HostIndex({domain: e for e in reversed(self.exempt) for domain in e.domains})

    @cached_property
    def _exempt_services(self) -> Mapping[str, Exemption]:
        chosen = (teaching.as_exemption() for teaching in self.teaching if teaching.allow)
        return {service: e for e in (*chosen, *reversed(self.exempt)) for service in e.services}

    def exemption_of(self, host: HostName, services: Iterable[str]) -> Exemption | None:
        """Why a host passes: by its own name, or for one of the services that it belongs to or is shared by."""
        if found := self._exempt_names.find(host):
            return found[1]
        return next((e for service in services if (e := self._exempt_services.get(service))), None)

    def opens_port(self, destination: HostName | IPAddress, port: int) -> bool:
        """Whether anything on this port of a destination could pass, whatever its name turns out to be."""
        if port in self.ports or self.listed_destination(destination, port) is not None:
            return True
        if isinstance(destination, str):
            return self.is_internal_name(destination)
        return self.is_internal_address(destination)

    def listed_destination(self, destination: HostName | IPAddress, port: int) -> ListedDestination | None:
        """The first entry that lists this destination at this port."""
        return next((listed for listed in self.destinations if listed.lists(destination, port)), None)
