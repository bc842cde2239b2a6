"""``schoolgate attempts``: the record, newest first, as far as one's role may see it."""

from typing import TYPE_CHECKING, Annotated

import typer

from policies.vocabulary import Verdict
from proxy.cli import times
from proxy.cli.context import Site, opened
from proxy.cli.errors import WrongUse
from proxy.cli.help import example, family
from proxy.cli.output import Json, emit_csv, emit_json, table

if TYPE_CHECKING:
    from proxy.services.attempts import AttemptView

app = family()

MOST = 100_000
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
        "attempts --since 2026-09-01T00:00 --csv > attempts.csv",
    ),
)
def attempts_(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Not before, such as 'yesterday 08:00'.")] = None,
    person: Annotated[str | None, typer.Option(metavar="NAME", help="Only this person's.")] = None,
    device: Annotated[str | None, typer.Option(metavar="NAME", help="Only this device's.")] = None,
    verdict: Annotated[Verdict | None, typer.Option(help="Only these.")] = None,
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
        with site.reading() as (unit, actor):
            views = service.list_attempts(
                unit, actor, since=earliest, person=person, device=device, verdict=verdict, limit=limit
            )
        rows = [_fields(view, site) for view in views]
        if as_csv:
            emit_csv(FIELDS, rows)
        elif as_json:
            emit_json(rows)
        else:
            _table(views, site)


def _fields(view: "AttemptView", site: Site) -> dict[str, object]:
    moments = {name: times.iso(getattr(view, name), site.zone) for name in ("first_at", "last_at")}
    return {name: moments.get(name, getattr(view, name)) for name in FIELDS}


def _table(views: "list[AttemptView]", site: Site) -> None:
    rows = (
        (
            times.spoken(v.last_at, site.now, site.zone),
            v.verdict,
            (v.host or v.service, v.reason.replace("_", " ")),
            v.person or v.device or v.address,
            v.count,
            v.reference,
        )
        for v in views
    )
    table(("*Last", "", "What, and why", "From", "*×", "*Reference"), rows, empty="Nothing is recorded.")
