"""``schoolgate attempts``: the record, newest first, as far as one's role may see it."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from policies.vocabulary import Outcome, Verdict
from proxy.cli import times
from proxy.cli.context import Site, opened
from proxy.cli.errors import WrongUse
from proxy.cli.help import example, family
from proxy.cli.output import Json, counted, emit_csv, emit_json, progress, say, table

if TYPE_CHECKING:
    from proxy.services.attempts import AttemptView

app = family()

MOST = 100_000
NONE_YET = "Nothing is recorded yet: no device has asked for anything that is in the catalogue."
NO_MATCH = "Nothing that is recorded fits. Leave an option out, or look further back with --since."
FAILED = frozenset({Outcome.UNRESOLVABLE, Outcome.REFUSED_DESTINATION, Outcome.UNREACHABLE})
FIELDS = (
    "verdict",
    "reason",
    "clause",
    "service",
    "category",
    "host",
    "kind",
    "outcome",
    "address",
    "device",
    "person",
    "authorisation",
    "count",
    "first_at",
    "last_at",
    "reference",
)


@app.command(
    "attempts",
    epilog=example(
        "attempts --since 'today 08:00'",
        "attempts --person j.smith --verdict deny --json",
        "attempts --reference K7QF-2M9X-4TDA-81CW",
        "attempts --since 2026-09-01T00:00 --csv > attempts.csv",
    ),
)
def attempts_(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Not before, such as 'yesterday 08:00'.")] = None,
    person: Annotated[str | None, typer.Option(metavar="NAME", help="Only this person's.")] = None,
    device: Annotated[str | None, typer.Option(metavar="NAME", help="Only this device's.")] = None,
    verdict: Annotated[Verdict | None, typer.Option(help="Only these.")] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only what a refusal page showed this reference for.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, metavar="N", help="At most so many.")] = 100,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: Json = False,
) -> None:
    """List what was attempted, allowed or denied."""
    from proxy.services import attempts as service

    if as_csv and as_json:
        raise WrongUse("--csv and --json: one of the two.")
    with opened(context) as site:
        earliest = times.moment(since, site.now, site.zone) if since is not None else None
        with site.reading() as (unit, actor), progress("Reading the record", quiet=not as_csv):
            views = service.list_attempts(
                unit,
                actor,
                since=earliest,
                person=person,
                device=device,
                verdict=verdict,
                reference=reference,
                limit=limit,
            )
        if as_csv:
            _csv(views, site)
        elif as_json:
            emit_json([_fields(view, site) for view in views])
        else:
            narrowed = any(given is not None for given in (since, person, device, verdict, reference))
            _table(views, site, empty=NO_MATCH if narrowed else NONE_YET)
            if len(views) == limit:
                say(f"These are the latest {limit}; --limit shows more.")


def _fields(view: "AttemptView", site: Site) -> dict[str, object]:
    moments = {name: times.iso(getattr(view, name), site.zone) for name in ("first_at", "last_at")}
    return {name: moments.get(name, getattr(view, name)) for name in FIELDS}


def _csv(views: "list[AttemptView]", site: Site) -> None:
    with progress("Writing CSV", quiet=sys.stdout.isatty()) as bar:
        emit_csv(FIELDS, (_fields(view, site) for view in counted(views, bar)))


def _table(views: "list[AttemptView]", site: Site, *, empty: str) -> None:
    columns = ("*When", "Who", "What", "*Verdict, why, reference", "+*Address", "+Service", "+Kind", "+*Clause")
    table(columns, (_row(view, site) for view in views), empty=empty)
    if views and (note := times.zone_note(site.now, site.zone)):
        say(note)


def _row(v: "AttemptView", site: Site) -> tuple[object, ...]:
    when = (times.spoken(v.last_at, site.now, site.zone), f"{v.count} times" if v.count > 1 else None)
    who = tuple(name for name in (v.person, v.device, v.address) if name is not None)[:2]
    why = f"{v.verdict}: {v.reason.replace('_', ' ')}", _failed(v.outcome), v.reference
    return when, who, v.host or v.service, why, v.address, v.service, v.kind, v.clause


def _failed(outcome: str | None) -> str | None:
    """What kept an allowed attempt from its destination, which its verdict does not tell."""
    return outcome.replace("_", " ") if outcome in FAILED else None
