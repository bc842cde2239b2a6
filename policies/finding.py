"""What catalogue and policy have to say of one host name, explained: for whoever asks why it is, or is not, listed.

A name is matched by whole labels, and the longest listed domain wins; what merely looks alike is another name.
"""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import islice
from typing import NamedTuple

import idna

from policies.catalogue import Catalogue, Service
from policies.model import Exemption, Lock, Policy, TeachingService
from policies.names import HostName, is_within
from policies.shared_infrastructure import Platform, shared_platform

MOST_ALIKE = 3
ALIKE = 0.85  # difflib's measure: ``facebok.com`` is 0.96 of ``facebook.com``


class Finding(NamedTuple):
    """A host, the service it belongs to and by which of its domains, and what the policy says of it."""

    host: HostName
    written: str  # as people read it: ``xn--fcebook-2fg.com`` is ``fаcebook.com``, with a Cyrillic letter
    internal: bool
    service: Service | None
    domain: HostName | None
    needed_by: tuple[Service, ...]
    lock: Lock | None
    exemption: Exemption | None
    teaching: tuple[TeachingService, ...]
    alike: tuple[HostName, ...]
    platform: Platform | None


def find(host: HostName, policy: Policy, catalogue: Catalogue) -> Finding:
    service, written = catalogue.find(host), _written(host)
    needed_by = tuple(catalogue.services[key] for key in sorted(catalogue.sharing(host)))
    keys = [s.key for s in ((service, *needed_by) if service else needed_by)]
    exemption = policy.exemption_of(host, keys)
    alike = _alike(host, written, catalogue) if service is None and exemption is None else ()
    return Finding(
        host=host,
        written=written,
        internal=policy.is_internal_name(host),
        service=service,
        domain=_longest(host, service.domains) if service else None,
        needed_by=needed_by,
        lock=policy.lock_on(service) if service else None,
        exemption=exemption,
        teaching=tuple(choice for choice in policy.teaching if choice.service in keys),
        alike=tuple(islice(dict.fromkeys(alike), MOST_ALIKE)),
        platform=shared_platform(host),
    )


def _longest(host: HostName, domains: Iterable[HostName]) -> HostName | None:
    return max((domain for domain in domains if is_within(host, domain)), key=len, default=None)


def _written(host: HostName) -> str:
    try:
        return idna.decode(host)
    except (idna.IDNAError, UnicodeError):
        return host


def _alike(host: HostName, written: str, catalogue: Catalogue) -> Iterator[HostName]:
    """Listed domains that a host might be taken for: its text has them, not its labels; or nearly their letters."""
    listed = [domain for service in catalogue.services.values() for domain in service.domains]
    inside = [domain for domain in listed if host.endswith(domain) or f"{domain}." in host]
    yield from sorted(inside, key=len, reverse=True)
    for spelling in dict.fromkeys((host, written)):
        labels = spelling.split(".")
        for ending in dict.fromkeys((".".join(labels[-2:]), ".".join(labels[-3:]))):
            yield from map(HostName, get_close_matches(ending, listed, MOST_ALIKE, ALIKE))
