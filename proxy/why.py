"""One decision, explained in words. Pure: it asks ``decide`` once, and tells what that rests on; it judges nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from policies.asking import GRANTABLE
from policies.attempt import Attempt
from policies.authorisation import Authorisation
from policies.catalogue import Service
from policies.decision import Decision, decide
from policies.names import HostName
from policies.snapshot import Snapshot
from policies.vocabulary import Reason

BASIS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.UNLISTED: "Nothing in the policy speaks against it.",
        Reason.EXEMPT: "The policy passes it: {rule}.",
        Reason.INTERNAL: "It is the school's own.",
        Reason.OBSERVED: "It would be refused ({would_be}), but this network is only observed for now.",
        Reason.OUTSIDE_LESSONS: "The rule {rule!r} passes it at this time.",
        Reason.AUTHORISED: "Authorisation {authorisation} covers it.",
        Reason.NOT_AUTHORISED: "The rule {rule!r} refuses it, and nobody has authorised it.",
        Reason.AUTHORISATION_ENDED: "The rule {rule!r} refuses it: authorisation {authorisation} has ended.",
        Reason.AUTHORISATION_REVOKED: "The rule {rule!r} refuses it: authorisation {authorisation} was revoked.",
        Reason.IN_LESSON: "The rule {rule!r} refuses it at this time.",
        Reason.LOCKED: "It is locked ({rule}): no authorisation opens it.",
        Reason.ADDRESS_LITERAL: "Browsing by address shows no name to judge.",
        Reason.NO_SNAPSHOT: "There is nothing to judge by yet.",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A decision, the sentences that lead to it, and what would open what it refuses."""

    decision: Decision
    at: datetime
    steps: tuple[str, ...]
    remedy: str | None
    authorisation: Authorisation | None
    shared_hosts: tuple[str, ...]  # what a grant of the service opens with it
    needed_by: tuple[str, ...]  # the services that cannot work without this host


def explain(attempt: Attempt, snapshot: Snapshot, at: datetime) -> Explanation:
    """Decide as of ``at``, and say why."""
    decision = decide(attempt, snapshot, at)
    service = snapshot.catalogue.services.get(decision.service) if decision.service else None
    authorisation = next((a for a in snapshot.authorisations if a.id == decision.authorisation), None)
    return Explanation(
        decision=decision,
        at=at,
        steps=(*_steps(attempt, snapshot, decision, service, authorisation), *_staleness(snapshot, at)),
        remedy=_remedy(attempt, decision),
        authorisation=authorisation,
        shared_hosts=service.shared_hosts if service else (),
        needed_by=_needed_by(snapshot, decision),
    )


def as_of(snapshot: Snapshot, at: datetime, now: datetime) -> Snapshot:
    """The state as it was, or will be if nothing changes, at another moment."""
    if at == now:
        return snapshot
    known = tuple(_before(a, at) for a in snapshot.authorisations)
    confirmed_at = max(snapshot.confirmed_at + (at - now), snapshot.confirmed_at)
    return replace(snapshot, authorisations=known, confirmed_at=confirmed_at, latched=frozenset())


def _before(authorisation: Authorisation, at: datetime) -> Authorisation:
    """Without what had not happened to it yet."""
    revoked, lapsed = authorisation.revoked_at, authorisation.lapsed_at
    return replace(
        authorisation,
        revoked_at=revoked if revoked and revoked <= at else None,
        lapsed_at=lapsed if lapsed and lapsed <= at else None,
    )


# The steps


def _steps(
    attempt: Attempt,
    snapshot: Snapshot,
    decision: Decision,
    service: Service | None,
    authorisation: Authorisation | None,
) -> Iterator[str]:
    yield from _who(attempt, snapshot, decision)
    yield from _what(snapshot, decision, service)
    yield _basis(decision)
    if authorisation:
        yield _window(authorisation, snapshot)
    if decision.clause:
        yield f"Clause {decision.clause} of the {snapshot.policy.school.policy_title}."


def _who(attempt: Attempt, snapshot: Snapshot, decision: Decision) -> Iterator[str]:
    yield f"{attempt.address} is in the network {decision.network}."
    who = snapshot.who(attempt.address, attempt.person)
    if who.device is None:
        yield "No device is known at that address."
    else:
        groups = f", in {', '.join(sorted(who.device.groups))}" if who.device.groups else ""
        yield f"The device there is {who.device.name}{groups}."
    if attempt.person is not None:
        role = f"is known, in the role {who.member.role}" if who.member else "is nobody with an open account"
        yield f"{attempt.person} {role}."


def _what(snapshot: Snapshot, decision: Decision, service: Service | None) -> Iterator[str]:
    host = decision.host
    if service is not None:
        category = snapshot.catalogue.categories[service.category].name
        yield f"{host} belongs to {service.name} ({category})."
    elif isinstance(host, str):
        yield f"{host} is in no catalogue."
    if needed_by := _needed_by(snapshot, decision):
        names = ", ".join(snapshot.catalogue.services[key].name for key in needed_by)
        yield f"{names} cannot work without it, so a grant of that opens it too."


def _basis(decision: Decision) -> str:
    sentence = BASIS.get(decision.reason, "It is {verdict}: {reason}.")
    return sentence.format(
        rule=decision.rule,
        authorisation=decision.authorisation,
        would_be=decision.would_be,
        verdict="allowed" if decision.allowed else "refused",
        reason=decision.reason,
    )


def _window(authorisation: Authorisation, snapshot: Snapshot) -> str:
    zone = snapshot.policy.zone
    start, end = (at.astimezone(zone) for at in (authorisation.starts_at, authorisation.ends_at))
    window = f"from {start:%Y-%m-%d %H:%M} until {end:%Y-%m-%d %H:%M}"
    return f"Authorisation {authorisation.id}: {authorisation.target} for {authorisation.subject}, {window}."


def _staleness(snapshot: Snapshot, at: datetime) -> Iterator[str]:
    """Grants lapse while nobody vouches for them: that must not look like a mistake of whoever granted."""
    age, longest = at - snapshot.confirmed_at, snapshot.policy.authorisations.grant_max_staleness
    if snapshot.authorisations and age > longest:
        confirmed = f"{snapshot.confirmed_at.astimezone(snapshot.policy.zone):%Y-%m-%d %H:%M}"
        yield f"No authorisation counts at present: the keeper last confirmed them at {confirmed}. Is it running?"


def _needed_by(snapshot: Snapshot, decision: Decision) -> tuple[str, ...]:
    if not isinstance(decision.host, str):
        return ()
    needed = snapshot.catalogue.sharing(HostName(decision.host))
    return tuple(sorted(needed - {decision.service or ""}))


def _remedy(attempt: Attempt, decision: Decision) -> str | None:
    """The command that would open it, where one would."""
    if decision.allowed or decision.reason not in GRANTABLE or decision.service is None:
        return None
    if attempt.person:
        who = f"person:{attempt.person}"
    else:
        who = f"device:{decision.device}" if decision.device else f"address:{attempt.address}"
    return f"schoolgate grant {who} {decision.service} --for 1h --reason …"
