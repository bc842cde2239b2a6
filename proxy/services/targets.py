"""What a grant opens: whether that is in the catalogue, whether the policy locks it, what opens beside it (law 8)."""

from collections.abc import Iterable
from difflib import get_close_matches

from policies.authorisation import Target, TargetKind
from policies.catalogue import Catalogue, Service
from policies.model import Lock, Policy
from policies.names import HostName, is_within
from proxy.services.errors import BadInput, Refused, UnknownName
from proxy.services.text import clean, quoted

LONGEST = 300


def find(typed: str, policy: Policy, catalogue: Catalogue) -> Target:
    """A target that exists and may be opened. Raises BadInput, UnknownName, Refused."""
    try:
        target = Target.parse(clean(typed)[:LONGEST])
    except ValueError as error:
        raise BadInput("bad_target", str(error), "Try `schoolgate catalogue list`.") from None
    _demand_known(target, catalogue)
    if lock := lock_on(target, policy, catalogue):
        raise Refused(
            "locked", f"The policy locks {target} ({lock.name}, section {lock.clause}): no authorisation opens it."
        )
    return target


def lock_on(target: Target, policy: Policy, catalogue: Catalogue) -> Lock | None:
    """The lock that keeps a whole target shut; of a target with locked parts, just these stay shut."""
    match target.kind:
        case TargetKind.SERVICE:
            return policy.lock_on(catalogue.services[target.name])
        case TargetKind.DOMAIN:
            service = catalogue.find(HostName(target.name))
            return policy.lock_on(service) if service else None
        case TargetKind.CATEGORY:
            return next((lock for lock in policy.locked if target.name in lock.categories), None)
        case TargetKind.ALL:
            return None


def opens(target: Target, catalogue: Catalogue) -> tuple[str, ...]:
    """The hosts of others that a target cannot work without, and which open with it."""
    services = list(_services_of(target, catalogue))
    own = {service.key for service in services}
    shared = {host for service in services for host in service.shared_hosts}
    return tuple(sorted(host for host in shared if (found := catalogue.find(host)) is None or found.key not in own))


def notes(target: Target, catalogue: Catalogue) -> tuple[str, ...]:
    """What whoever grants this should know of it."""
    if target.kind is TargetKind.DOMAIN and catalogue.find(HostName(target.name)) is None:
        return (f"{target.name} is in no service of the catalogue: it is only refused where a rule says so.",)
    return ()


def _services_of(target: Target, catalogue: Catalogue) -> Iterable[Service]:
    if target.kind is TargetKind.SERVICE and target.name in catalogue.services:
        return (catalogue.services[target.name],)
    if target.kind is TargetKind.CATEGORY:
        return (service for service in catalogue.services.values() if service.category == target.name)
    return ()


def _demand_known(target: Target, catalogue: Catalogue) -> None:
    match target.kind:
        case TargetKind.SERVICE if target.name not in catalogue.services:
            raise _unknown("service", target.name, catalogue.services)
        case TargetKind.CATEGORY if target.name not in catalogue.categories:
            raise _unknown("category", target.name, catalogue.categories)
        case TargetKind.DOMAIN:
            _demand_one_service(HostName(target.name), catalogue)
        case _:
            return


def _demand_one_service(domain: HostName, catalogue: Catalogue) -> None:
    """A domain above the domains of several services would open more than it names."""
    below = {s.key for s in catalogue.services.values() for d in s.domains if d != domain and is_within(d, domain)}
    if len(below) > 1:
        raise Refused(
            "too_wide",
            f"domain:{domain} would open more than one service.",
            "Name the services or a category; `all` opens all social media.",
        )


def _unknown(kind: str, name: str, there: Iterable[str]) -> UnknownName:
    near = get_close_matches(name, list(there), n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else "See `schoolgate catalogue list`."
    return UnknownName(f"unknown_{kind}", f"There is no {kind} {quoted(name)} in the catalogue.", hint)
