"""Which names the CA may ever be asked for: those the policy can refuse, and no other."""

from collections import defaultdict
from collections.abc import Mapping

from policies.model import Catalogue, Policy, Service
from policies.names import HostName


def refusable_names(policy: Policy, catalogue: Catalogue) -> Mapping[str, tuple[HostName, ...]]:
    """Category -> the domains of its services that the policy does not exempt. Hosts merely shared are left out."""
    names: defaultdict[str, list[HostName]] = defaultdict(list)
    for service in catalogue.services.values():
        names[service.category] += [d for d in service.domains if _refusable(d, service, policy, catalogue)]
    return {category: tuple(domains) for category, domains in names.items() if domains}


def _refusable(domain: HostName, service: Service, policy: Policy, catalogue: Catalogue) -> bool:
    """As ``policies.decision`` takes it: a lock comes before an exemption, by name or for a service that needs it."""
    if policy.lock_on(service):
        return True
    return policy.exemption_of(domain, (service.key, *catalogue.sharing(domain))) is None
