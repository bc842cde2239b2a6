"""Exempt bundles: hosts that a school cannot lose, gathered from what their vendors publish.

The law: a bundle opens what it says it is for, and no social media. It passes by, whatever the catalogue or a list says
of its hosts; so it names hosts, never the domain of a whole company, never a shared content network, and nothing that
the catalogue has, save where ``exceptions`` gives the reason. A test enforces it for those that come with schoolgate.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Self

from pydantic import Field, model_validator

from policies.fields import Domain, Frozen, Key
from policies.names import HostName


class HostGroup(Frozen):
    """Hosts of a bundle, and what they are for."""

    purpose: str = Field(min_length=1)
    domains: tuple[Domain, ...] = Field(min_length=1)


class Bundle(Frozen):
    """One bundle as its file has it. ``because`` and ``clause`` hold where the policy does not say its own."""

    key: Key = Field(alias="bundle")
    name: str = Field(min_length=1)
    purpose: str = Field(min_length=1)
    because: str = Field(min_length=1)
    clause: str = Field(min_length=1)
    source: str = Field(min_length=1)  # the title of the vendor's document, and where it is
    version: str = Field(min_length=1)  # its date or revision
    hosts: tuple[HostGroup, ...] = Field(min_length=1)
    exceptions: Mapping[Domain, str] = Field(default_factory=dict)  # a host that breaks the law above, and why
    digest: str = ""  # set by loading, of the file

    @property
    def domains(self) -> tuple[HostName, ...]:
        return tuple(chain.from_iterable(group.domains for group in self.hosts))

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        """Each error begins with the place of what is wrong, as ``explaining`` expects it."""
        seen: set[HostName] = set()
        for group, hosts in enumerate(self.hosts):
            for place, domain in enumerate(hosts.domains):
                if domain in seen:
                    raise ValueError(f"hosts.{group}.domains.{place}: {domain} stands in the bundle already")
                seen.add(domain)
        for domain in self.exceptions:
            if domain not in seen:
                raise ValueError(f"exceptions.{domain}: {domain} is no host of the bundle")
        return self
