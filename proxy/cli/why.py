"""``schoolgate why``: what would be decided, and on what it rests."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli import times
from proxy.cli.context import Site, opened
from proxy.cli.errors import WrongUse
from proxy.cli.help import example, family
from proxy.cli.output import Json, command, emit_json, points, say

if TYPE_CHECKING:
    from policies.attempt import Attempt
    from policies.snapshot import Snapshot
    from proxy.why import Explanation

app = family()

HTTP, HTTPS = 80, 443


@app.command(
    epilog=example(
        "why www.facebook.com --from 10.20.0.10",
        "why m.youtube.com --from 10.99.1.4 --person j.smith --at 'tomorrow 10:00'",
    )
)
def why(
    context: typer.Context,
    host: Annotated[str, typer.Argument(metavar="HOST", help="A host name, or the address of a page.")],
    address: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="The device's address.")],
    person: Annotated[str | None, typer.Option(metavar="NAME", help="Who sits there.")] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="When; else now.")] = None,
    as_json: Json = False,
) -> None:
    """Explain what is decided about a host, for a device."""
    from proxy.why import as_of, explain

    attempt = _attempt(host, address, person)
    with opened(context) as site:
        snapshot = _snapshot(site)
        moment = times.moment(at, site.now, site.zone) if at is not None else site.now
        explanation = explain(attempt, as_of(snapshot, moment, site.now), moment)
        granted_by = _granted_by(explanation, site)
        if as_json:
            emit_json(_fields(explanation, granted_by, site))
        else:
            _tell(explanation, str(attempt.address), granted_by, site)


def _attempt(host: str, address: str, person: str | None) -> "Attempt":
    """A TLS connection through the explicit proxy; to an address, a plain request, as a browser would send it."""
    from policies.attempt import Attempt
    from policies.names import address_literal
    from policies.vocabulary import Protocol
    from proxy.cli.hosts import pasted

    client = address_literal(address)
    if client is None:
        raise WrongUse(f"--from {address!r} is no address.", hint="Write one such as --from 10.20.0.10.")
    name = pasted(host).host
    if not isinstance(name, str):
        return Attempt(
            address=client, destination=name, port=HTTP, protocol=Protocol.HTTP, explicit=True, person=person
        )
    return Attempt(
        address=client,
        destination=name,
        server_name=name,
        port=HTTPS,
        protocol=Protocol.TLS,
        explicit=True,
        person=person.strip().lower() if person else None,
    )


def _snapshot(site: Site) -> "Snapshot":
    """The published state; where there is none, what the keeper would publish."""
    from policies.snapshot import Snapshot
    from proxy.store.queries import snapshot_parts

    site.demand_state_dir()
    if site.snapshot is not None:
        return site.snapshot
    with site.store.read() as unit:
        parts = snapshot_parts(unit, site.now)
    return Snapshot(
        number=0,
        confirmed_at=site.now,
        policy=site.policy,
        catalogue=site.catalogue,
        authorisations=parts.authorisations,
        devices=parts.devices,
        members=parts.members,
    )


def _granted_by(explanation: "Explanation", site: Site) -> str | None:
    """Who granted it, told to signed-in SLT only."""
    from policies.vocabulary import Role
    from proxy.services import grants

    if explanation.authorisation is None or site.nobody_said_who:
        return None
    if site.actor.role is not Role.SLT:
        return None
    with site.reading() as (unit, actor):
        views = grants.list_grants(unit, actor, now=site.now, include_ended=True)
    return next((view.granted_by for view in views if view.id == explanation.authorisation.id), None)


def _fields(explanation: "Explanation", granted_by: str | None, site: Site) -> dict[str, object]:
    decision = explanation.decision
    return {
        "verdict": decision.verdict,
        "reason": decision.reason,
        "clause": decision.clause,
        "service": decision.service,
        "category": decision.category,
        "host": None if decision.host is None else str(decision.host),
        "rule": decision.rule,
        "network": decision.network,
        "device": decision.device,
        "person": decision.person,
        "authorisation": decision.authorisation,
        "granted_by": granted_by,
        "would_be": decision.would_be,
        "shared_hosts": list(explanation.shared_hosts),
        "needed_by": list(explanation.needed_by),
        "at": times.iso(explanation.at, site.zone),
        "steps": list(explanation.steps),
        "remedy": explanation.remedy,
    }


def _tell(explanation: "Explanation", address: str, granted_by: str | None, site: Site) -> None:
    decision = explanation.decision
    when = _when(explanation.at, site)
    say(f"{decision.verdict.upper()}  {decision.host} from {address}, {when} ({decision.reason})")
    points([*explanation.steps, *([f"Granted by {granted_by}."] if granted_by else [])])
    if explanation.remedy:
        also = f" (and, which it needs, {', '.join(explanation.shared_hosts)})" if explanation.shared_hosts else ""
        say(f"What would open it{also}:")
        command(explanation.remedy)


def _when(at: datetime, site: Site) -> str:
    return "now" if at == site.now else times.spoken(at, site.now, site.zone)
