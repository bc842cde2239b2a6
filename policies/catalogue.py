"""The catalogue of services as frozen values: what is social media, and which hosts belong to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pydantic import Field, model_validator

from policies.authorisation import Target, TargetKind
from policies.fields import Domain, Frozen, Key, field_of, with_names
from policies.index import HostIndex, NameTrie
from policies.names import HostName


class Category(Frozen):
    key: Key
    name: str
    description: str = ""


class Service(Frozen):
    """One service, with every domain of its own and the shared hosts it cannot work without."""

    key: Key
    name: str
    category: Key
    domains: tuple[Domain, ...] = Field(min_length=1)
    shared_hosts: tuple[Domain, ...] = ()
    source: str = ""


class CatalogueFile(Frozen):
    """One category and its services, as a file of the catalogue holds them; a service is written without the two."""

    category: Key
    name: str
    description: str = ""
    services: Mapping[Key, Service]

    @model_validator(mode="before")
    @classmethod
    def _said_once(cls, values: object) -> object:
        return with_names(values, "services", key="key", category=field_of(values, "category"))

    def as_category(self) -> Category:
        return Category(key=self.category, name=self.name, description=self.description)


@dataclass(frozen=True)
class Catalogue:
    """Every service, and the trie that finds the one a host belongs to (by place in ``services``)."""

    version: str
    categories: Mapping[str, Category]
    services: Mapping[str, Service]
    trie: NameTrie = field(repr=False, compare=False)

    @cached_property
    def _by_number(self) -> tuple[Service, ...]:
        return tuple(self.services.values())

    @cached_property
    def _sharers(self) -> HostIndex[frozenset[str]]:
        """Shared host -> keys of the services that need it."""
        needed: dict[HostName, set[str]] = {}
        for service in self.services.values():
            for host in service.shared_hosts:
                needed.setdefault(host, set()).add(service.key)
        return HostIndex({host: frozenset(keys) for host, keys in needed.items()})

    def find(self, host: HostName) -> Service | None:
        """The service that a host belongs to: the longest listed domain that it lies in."""
        number = self.trie.find(host)
        return None if number is None else self._by_number[number]

    def sharing(self, host: HostName) -> frozenset[str]:
        """Keys of the services that cannot work without this host of another."""
        found = self._sharers.find(host)
        return found[1] if found else frozenset()

    def covers(self, target: Target, host: HostName, service: Service | None) -> bool:
        """Whether a grant of ``target`` opens ``host``: what was named, and the hosts it cannot work without."""
        match target.kind:
            case TargetKind.ALL:
                return service is not None
            case TargetKind.DOMAIN:
                return target.is_domain_of(host)
            case TargetKind.SERVICE:
                return (service is not None and service.key == target.name) or target.name in self.sharing(host)
            case TargetKind.CATEGORY:
                if service is not None and service.category == target.name:
                    return True
                return any(self.services[key].category == target.name for key in self.sharing(host))
