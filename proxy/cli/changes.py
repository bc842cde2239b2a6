"""``schoolgate changes``: what technicians asked for, and what waits for SLT because it would widen access."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from policies.vocabulary import Role
from proxy.cli import times
from proxy.cli.context import Site, opened
from proxy.cli.help import example, family
from proxy.cli.output import Json, emit_json, table, tell

if TYPE_CHECKING:
    from proxy.services.changes import ChangeView

app = family()
changes = family("changes", "Changes that wait for SLT.", examples=("changes list", "changes approve 3"))
app.add_typer(changes)

Id = Annotated[int, typer.Argument(metavar="ID", help="The change's number, as `changes list` shows it.")]
NOTHING: Mapping[str, object] = MappingProxyType({})


def submit(
    site: Site,
    act: str,
    said: Mapping[str, object],
    done: Callable[[Any], tuple[str, object]],
    *,
    as_json: bool,
    secret: Mapping[str, object] = NOTHING,
) -> None:
    """Do an act of whoever is signed in, or let it wait for SLT, and tell which; ``done`` says what of it to show."""
    from proxy.services import changes as service

    with site.writing() as (unit, actor):
        result = service.submit(unit, actor, act, said, site.now, site.policy, secret)
    fields: object
    if isinstance(result, service.ChangeView):
        waits = f"This waits for SLT as change {result.id}, for it would bring {result.opens}."
        tell(
            f"{waits} They decide with: schoolgate changes approve {result.id}", _fields(result, site), as_json=as_json
        )
    else:
        sentence, fields = done(result)
        tell(sentence, fields, as_json=as_json)


@changes.command("list", epilog=example("changes list", "changes list --all --json"))
def list_(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also those that were decided.")] = False,
    as_json: Json = False,
) -> None:
    """List the changes that wait, and what they would open."""
    from proxy.services import changes as service

    with opened(context) as site, site.reading() as (unit, actor):
        views = service.list_changes(unit, actor, include_decided=every)
        if as_json:
            emit_json([_fields(view, site) for view in views])
            return
        rows = ((v.id, (v.what, _was(v)), v.opens, _asked(v, site), _decided(v, site)) for v in views)
        table(("*Id", "Change", "Would bring", "Asked", "State"), rows, empty="Nothing waits.")


@changes.command(epilog=example("changes approve 3"))
def approve(context: typer.Context, number: Id, as_json: Json = False) -> None:
    """Let a change happen, just as it was asked for."""
    from proxy.services import changes as service
    from proxy.services.access import named

    with opened(context) as site, site.writing() as (unit, actor):
        view, gains = service.approve(unit, actor, number, site.now, site.policy)
        brought = f"This brought {named(gains, Role.SLT)}." if gains else ""
        done = (f"Change {view.id} is done: {view.what}.", _was(view), brought, *view.notes)
        tell(" ".join(filter(None, done)), _fields(view, site), as_json=as_json)


@changes.command(epilog=example("changes refuse 3 --reason 'Not for visitors'"))
def refuse(
    context: typer.Context,
    number: Id,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept in the record.")],
    as_json: Json = False,
) -> None:
    """Refuse a change, for good."""
    from proxy.services import changes as service

    with opened(context) as site, site.writing() as (unit, actor):
        view = service.refuse(unit, actor, number, reason, site.now)
        tell(f"Change {view.id} is refused: {view.what}.", _fields(view, site), as_json=as_json)


@changes.command(epilog=example("changes withdraw 3"))
def withdraw(context: typer.Context, number: Id, as_json: Json = False) -> None:
    """Take back a change that you asked for."""
    from proxy.services import changes as service

    with opened(context) as site, site.writing() as (unit, actor):
        view = service.withdraw(unit, actor, number, site.now)
        tell(f"Change {view.id} is withdrawn: {view.what}.", _fields(view, site), as_json=as_json)


def _waits(view: "ChangeView") -> str:
    waits = f"This waits for SLT as change {view.id}, for it would bring {view.opens}."
    return f"{waits} They decide with: schoolgate changes approve {view.id}"


def _was(view: "ChangeView") -> str | None:
    """What it was asked about, as that was then."""
    from proxy.services.asked_about import in_words

    return f"It was then: {in_words(view.about)}." if view.about else None


def _asked(view: "ChangeView", site: Site) -> tuple[str, str]:
    return view.asked_by, times.spoken(view.asked_at, site.now, site.zone)


def _decided(view: "ChangeView", site: Site) -> tuple[str | None, ...]:
    at = times.spoken(view.decided_at, site.now, site.zone) if view.decided_at else None
    return view.state, view.decided_by, at, view.reason


def _fields(view: "ChangeView", site: Site) -> dict[str, object]:
    return {
        "id": view.id,
        "state": view.state,
        "act": view.act,
        "what": view.what,
        "arguments": dict(view.arguments),
        "about": dict(view.about) if view.about else None,
        "opens": view.opens,
        "asked_by": view.asked_by,
        "asked_at": times.iso(view.asked_at, site.zone),
        "decided_by": view.decided_by,
        "decided_at": times.iso(view.decided_at, site.zone),
        "reason": view.reason,
        "notes": list(view.notes),
    }
