"""What only the whole can show to be wrong: names that the catalogue does not have, and the policy's own examples."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from difflib import get_close_matches
from ipaddress import ip_address
from itertools import chain, pairwise

from policies.attempt import Attempt
from policies.catalogue import Catalogue
from policies.decision import Decision, decide
from policies.model import Example, Exemption, Policy
from policies.names import HostName, IPAddress, parents
from policies.snapshot import Member, Snapshot
from policies.vocabulary import Protocol, Role

HTTPS = 443
_BELLS = 60  # moments at which an example without a time is tried: some weeks of a usual timetable
_BEFORE_TERMS = datetime(2026, 1, 1, tzinfo=UTC)  # a policy without terms is alike in all years


def check(policy: Policy, catalogue: Catalogue) -> tuple[str, ...]:
    """Every disagreement between policy and catalogue, and every example that does not hold. () means fine."""
    return tuple(chain(_unknown(policy, catalogue), _too_wide(policy, catalogue), _examples(policy, catalogue)))


def _unknown(policy: Policy, catalogue: Catalogue) -> Iterator[str]:
    named = [
        *((f"locked {lock.name!r}", lock.categories, lock.services) for lock in policy.locked),
        *((_title(exemption), (), exemption.services) for exemption in policy.exempt),
        *(("teaching", (), (teaching.service,)) for teaching in policy.teaching),
        *((f"rule {rule.name!r}", rule.categories, rule.services) for rule in policy.rules),
    ]
    for where, categories, services in named:
        missing = [("category", key, _close(key, catalogue.categories)) for key in categories]
        missing += [("service", key, _close(key, catalogue.services)) for key in services]
        yield from (f"{where}: the catalogue has no {what} {key!r}{close}" for what, key, close in missing if close)
    chosen = sorted(teaching.service for teaching in policy.teaching)
    yield from (f"teaching: {one} is chosen twice" for one, other in pairwise(chosen) if one == other)


def _close(key: str, existing: Collection[str]) -> str | None:
    """None for a name that exists; else the end of a sentence, with the nearest that does."""
    if key in existing:
        return None
    close = get_close_matches(key, existing, n=1)
    return f"; did you mean {close[0]}?" if close else "; `schoolgate catalogue list` has them all"


def _title(exemption: Exemption) -> str:
    return f"exempt bundle {exemption.bundle}" if exemption.bundle else f"exempt {exemption.because!r}"


def _too_wide(policy: Policy, catalogue: Catalogue) -> Iterator[str]:
    """An exempt or internal domain above a service's own would open that service too."""
    wide: defaultdict[HostName, list[str]] = defaultdict(list)
    for exemption in policy.exempt:
        for domain in exemption.domains:
            wide[domain].append(_title(exemption))
    for suffix in policy.internal.suffixes:
        wide[suffix].append("internal.suffixes")
    for service in catalogue.services.values():
        above = dict.fromkeys(chain.from_iterable((own, *parents(own)) for own in service.domains))
        for domain in (domain for domain in above if domain in wide):
            for where in wide[domain]:
                yield f"{where}: {domain} also opens {service.name}; name the hosts below it that are meant"


def _examples(policy: Policy, catalogue: Catalogue) -> Iterator[str]:
    for place, example in enumerate(policy.examples, 1):
        at = f" at {example.at:%Y-%m-%d %H:%M}" if example.at else ""
        where = f"example {place}: {example.host} from {example.source}{at}"
        if (address := _address(policy, example)) is None:
            yield f"{where}: that is neither an address nor a network that has any"
            continue
        for moment in _moments(policy, example):
            decision = _decided(policy, catalogue, example, address, moment)
            if (decision.verdict, decision.reason) != (example.verdict, example.reason):
                local = moment.astimezone(policy.zone)
                yield (
                    f"{where}: {decision.verdict}, {decision.reason} on {local:%a %Y-%m-%d %H:%M}; "
                    f"expected {example.verdict}, {example.reason}"
                )
                break


def _address(policy: Policy, example: Example) -> IPAddress | None:
    if example.source in policy.networks:
        addresses = policy.networks[example.source].addresses
        return addresses[0].network_address if addresses else None
    try:
        return ip_address(example.source)
    except ValueError:
        return None


def _moments(policy: Policy, example: Example) -> Iterator[datetime]:
    """The example's own time; without one, every bell of some weeks, for it is to hold at any time."""
    if example.at is not None:
        yield policy.aware(example.at)
        return
    first = min((term.first for term in policy.timetable.terms), default=_BEFORE_TERMS.date())
    moment: datetime | None = datetime.combine(first, _BEFORE_TERMS.time(), policy.zone)
    for _ in range(_BELLS):
        if moment is None:
            return
        yield moment
        moment = policy.timetable.next_change(moment)


def _decided(policy: Policy, catalogue: Catalogue, example: Example, address: IPAddress, moment: datetime) -> Decision:
    """The decision on a TLS connection through the explicit proxy, with no authorisation anywhere."""
    members = {example.person: Member(role=Role.STAFF)} if example.person else {}
    snapshot = Snapshot(number=0, confirmed_at=moment, policy=policy, catalogue=catalogue, members=members)
    attempt = Attempt(
        address=address,
        destination=example.host,
        port=HTTPS,
        protocol=Protocol.TLS,
        explicit=True,
        server_name=example.host,
        person=example.person,
    )
    return decide(attempt, snapshot, moment)
