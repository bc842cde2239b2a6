"""How ``schoolgate catalogue find`` tells what was found: as sentences, or as JSON."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from proxy.cli.output import emit_json, facts, say

if TYPE_CHECKING:
    from policies.catalogue import Catalogue, Service
    from policies.finding import Finding
    from policies.model import Policy
    from policies.names import IPAddress


NOTHING: Mapping[str, object] = {
    "host": None,
    "address": None,
    "written": None,
    "service": None,
    "matched": None,
    "needed_by": [],
    "internal": False,
    "locked": None,
    "exempt": None,
    "teaching": [],
    "alike": [],
    "shared_by": None,
}
"""What is printed as JSON of a host, or of an address, of which there is nothing to say."""


def tell(found: "Finding", catalogue: "Catalogue") -> None:
    named = found.host if found.written == found.host else f"{found.host} (written {found.written})"
    if found.service is None:
        say(f"{named} is in no catalogue.")
    else:
        say(f"{named} belongs to {found.service.name}.")
    facts([*_listed(found, catalogue), *_judged(found), *_opened(found)])
    if found.alike:
        say(f"It is not {' or '.join(found.alike)}, nor below: names are compared by whole labels, letter by letter.")


def _listed(found: "Finding", catalogue: "Catalogue") -> Iterator[tuple[str, str]]:
    if (service := found.service) is not None:
        category = catalogue.categories[service.category]
        yield "Service", service.key
        yield "Listed as", f"{found.domain}, which covers all names below it; the longest listed name counts"
        yield "Category", f"{category.key}: {category.description}"
        yield "Source", service.source
    if found.platform is not None:
        yield (
            "Shared",
            f"infrastructure of {found.platform.operator}, used by unrelated sites; it is never listed whole",
        )


def _judged(found: "Finding") -> Iterator[tuple[str, str]]:
    yield "Policy", _judgement(found)
    for choice in found.teaching:
        said = "open" if choice.allow else "closed, until granted"
        yield "Choice", f"{choice.service} is {said}: {choice.because} (§ {choice.clause})"


def _judgement(found: "Finding") -> str:
    if found.internal:
        return "the school's own name, never judged"
    if found.lock is not None:
        return f"locked: {found.lock.name} (§ {found.lock.clause}); no authorisation opens it"
    if (passes := found.exemption) is not None:
        bundle = f", bundle {passes.bundle}" if passes.bundle else ""
        return f"passes always: {passes.because} (§ {passes.clause}{bundle})"
    if found.service is not None:
        return "the rules decide, by network and time; SLT can grant it"
    return "passes, unlisted, and is not recorded"


def _opened(found: "Finding") -> Iterator[tuple[str, str]]:
    """What a grant takes along, in both directions."""
    if found.lock is not None:
        return
    if (service := found.service) is not None:
        more = f", and of others {', '.join(service.shared_hosts)}" if service.shared_hosts else ""
        yield "A grant opens", f"{', '.join(service.domains)}{more}"
    if found.needed_by:
        names = ", ".join(service.key for service in found.needed_by)
        yield "Shared with", f"{names}: a grant of any of them opens this host too"


def fields(found: "Finding") -> dict[str, object]:
    lock, exemption = found.lock, found.exemption
    return {
        **NOTHING,
        "host": found.host,
        "written": found.written,
        "service": service_fields(found.service) if found.service else None,
        "matched": found.domain,
        "needed_by": [service.key for service in found.needed_by],
        "internal": found.internal,
        "locked": {"name": lock.name, "clause": lock.clause} if lock else None,
        "exempt": exemption.model_dump(mode="json", include={"because", "clause", "bundle"}) if exemption else None,
        "teaching": [choice.model_dump(mode="json") for choice in found.teaching],
        "alike": list(found.alike),
        "shared_by": found.platform.operator if found.platform else None,
    }


def service_fields(service: "Service") -> dict[str, object]:
    return {
        "key": service.key,
        "name": service.name,
        "category": service.category,
        "domains": list(service.domains),
        "shared_hosts": list(service.shared_hosts),
        "source": service.source,
    }


def tell_address(address: "IPAddress", policy: "Policy", *, as_json: bool) -> None:
    internal = policy.is_internal_address(address)
    if as_json:
        emit_json({**NOTHING, "address": str(address), "internal": internal})
        return
    say(f"{address} is an address; the catalogue has names.")
    own = (
        "It is one of the school's own." if internal else "To an address nothing passes that the policy does not list."
    )
    say(f"{own} `schoolgate why {address} --from ADDRESS` explains what is decided.")
