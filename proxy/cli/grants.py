"""``schoolgate grant``, ``grants``, ``revoke``, ``extend``: who may reach what, from when until when, and why."""

from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli import times
from proxy.cli.completion import subjects, targets
from proxy.cli.context import Site, opened
from proxy.cli.help import example, family
from proxy.cli.output import Json, emit_json, say, table, tell

if TYPE_CHECKING:
    from proxy.services.grants import GrantView

app = family()

NOTHING = "Nothing is granted. SLT open something with: schoolgate grant WHO TARGET --for 2h --reason TEXT"

Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept in the record.")]
Id = Annotated[int, typer.Argument(metavar="ID", help="The grant's number, as `grants` lists it.")]


@app.command(
    epilog=example(
        "grant address:10.20.0.10 facebook --for 2h --reason 'Open day posts'",
        "grant j.smith category:forum --from 'tomorrow 09:00' --until 'tomorrow 12:00' --reason 'CPD'",
    )
)
def grant(
    context: typer.Context,
    who: Annotated[
        str,
        typer.Argument(
            metavar="WHO",
            autocompletion=subjects,
            help="person:, device:, address:, network: or group:NAME; or just a name.",
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(metavar="TARGET", autocompletion=targets, help="A service, category:NAME, domain:NAME, or all."),
    ],
    reason: Reason,
    length: Annotated[str | None, typer.Option("--for", metavar="TIME", help="How long, such as 30m or 2h.")] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="When it begins; else now.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="When it ends, such as 15:30.")] = None,
    as_json: Json = False,
) -> None:
    """Open something for somebody, for a time."""
    from proxy.services import grants as service

    with opened(context) as site:
        times.window(start, until, length, now=site.now, zone=site.zone)  # a slip is told before a password is asked
        with site.writing() as (unit, actor):
            starts_at, ends_at = times.window(start, until, length, now=site.now, zone=site.zone)
            view = service.grant(
                unit,
                actor,
                who=who,
                target=target,
                starts_at=starts_at,
                ends_at=ends_at,
                reason=reason,
                now=site.now,
                policy=site.policy,
                catalogue=site.catalogue,
            )
        tell(_granted(view, site), _fields(view, site), as_json=as_json)


@app.command("grants", epilog=example("grants", "grants --all --json"))
def grants_(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also those that ended or were revoked.")] = False,
    as_json: Json = False,
) -> None:
    """List what is open, and what will be."""
    from proxy.services import grants as service

    with opened(context) as site, site.reading() as (unit, actor):
        views = service.list_grants(unit, actor, now=site.now, include_ended=every, catalogue=site.catalogue)
        if as_json:
            emit_json([_fields(view, site) for view in views])
            return
        _table(views, site)


@app.command(epilog=example("revoke 7 --reason 'Finished early'"))
def revoke(context: typer.Context, number: Id, reason: Reason, as_json: Json = False) -> None:
    """End a grant now; connections that rest on it are cut."""
    from proxy.services import grants as service

    with opened(context, patient=True) as site, site.writing() as (unit, actor):
        view = service.revoke(unit, actor, number, reason, site.now)
        tell(f"Grant {view.id} ({view.who}, {view.target}) is revoked.", _fields(view, site), as_json=as_json)


@app.command(epilog=example("extend 7 --for 30m --reason 'Overran'"))
def extend(
    context: typer.Context,
    number: Id,
    length: Annotated[str, typer.Option("--for", metavar="TIME", help="How much longer, such as 30m.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Let a grant that has not ended last longer."""
    from proxy.services import grants as service

    with opened(context) as site:
        by = times.span(length)
        with site.writing() as (unit, actor):
            view = service.extend(unit, actor, number, by, reason, site.now, site.policy)
        ends = times.spoken(view.ends_at, site.now, site.zone)
        sentence = f"Grant {view.id} ({view.who}, {view.target}) lasts until {ends}."
        tell(" ".join([sentence, *view.notes]), _fields(view, site), as_json=as_json)


def _granted(view: "GrantView", site: Site) -> str:
    start = f" from {times.spoken(view.starts_at, site.now, site.zone)}" if view.starts_at > site.now else ""
    ends = times.spoken(view.ends_at, site.now, site.zone)
    also = f" This also opens {', '.join(view.opens)}, which it cannot work without." if view.opens else ""
    end_it = f"End it sooner with: schoolgate revoke {view.id} --reason …"
    notes = "".join(f" {note}" for note in view.notes)
    what = "all social media" if view.target == "all" else view.target
    return f"Grant {view.id}: {what} is open for {view.who}{start} until {ends}.{also}{notes} {end_it}"


def _table(views: "list[GrantView]", site: Site) -> None:
    rows = ((v.id, v.who, v.target, _when(v, site), (v.reason, v.granted_by and f"by {v.granted_by}")) for v in views)
    table(("*Id", "*Who", "What", "*When", "Why"), rows, empty=NOTHING)
    if views and (note := times.zone_note(site.now, site.zone)):
        say(note)


def _when(view: "GrantView", site: Site) -> tuple[str, str]:
    """From when, or until when; and how that stands."""
    from policies.authorisation import State

    start, end = (times.spoken(at, site.now, site.zone) for at in (view.starts_at, view.ends_at))
    if view.revoked_at is not None:
        return f"until {times.spoken(view.revoked_at, site.now, site.zone)}", "revoked"
    match view.state:
        case State.FUTURE:
            return f"from {start}", f"until {end}"
        case State.LIVE:
            return f"until {end}", f"{times.left(view.ends_at - site.now)} left"
        case _:
            return f"until {end}", view.state


def _fields(view: "GrantView", site: Site) -> dict[str, object]:
    return {
        "id": view.id,
        "who": view.who,
        "target": view.target,
        "starts_at": times.iso(view.starts_at, site.zone),
        "ends_at": times.iso(view.ends_at, site.zone),
        "state": view.state,
        "reason": view.reason,
        "granted_by": view.granted_by,
        "granted_at": times.iso(view.granted_at, site.zone),
        "revoked_at": times.iso(view.revoked_at, site.zone),
        "revoked_by": view.revoked_by,
        "opens": list(view.opens),
        "notes": list(view.notes),
    }
