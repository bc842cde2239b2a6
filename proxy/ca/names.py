"""Which names the CA may ever be asked for: those the policy can refuse, the gateway's own, and no other."""

from collections import defaultdict
from collections.abc import Mapping

from policies import names as host_names
from policies.model import Catalogue, Policy, Service
from policies.names import HostName
from policies.shared_infrastructure import is_shared_infrastructure

GATEWAY = "gateway"  # beside the catalogue's categories: the name of the proxy itself, for its TLS listener


def refusable_names(
    policy: Policy, catalogue: Catalogue, host_name: str | None = None
) -> Mapping[str, tuple[HostName, ...]]:
    """Category -> the domains of its services that the policy does not exempt. Hosts merely shared are left out.

    So are domains that are nobody's own, whatever a list says: their refusals are alerts. ``host_name`` is the
    gateway's, where it has one.
    """
    names: defaultdict[str, list[HostName]] = defaultdict(list)
    for service in catalogue.services.values():
        names[service.category] += [d for d in service.domains if _refusable(d, service, policy, catalogue)]
    if host_name is not None:
        names[GATEWAY].append(host_names.host_name(host_name))
    return {category: tuple(domains) for category, domains in names.items() if domains}


def _refusable(domain: HostName, service: Service, policy: Policy, catalogue: Catalogue) -> bool:
    """As ``policies.decision`` takes it: a lock comes before an exemption, by name or for a service that needs it."""
    if is_shared_infrastructure(domain):
        return False
    if policy.lock_on(service):
        return True
    return policy.exemption_of(domain, (service.key, *catalogue.sharing(domain))) is None
