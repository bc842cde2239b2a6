"""``schoolgate groups``: people and devices that are meant together."""

import typer

from proxy.cli.context import opened
from proxy.cli.help import example, family
from proxy.cli.output import Json, emit_json, table

app = family()
groups = family("groups", "Groups of people and devices.", examples=("groups list",))
app.add_typer(groups)

NONE_YET = "There is no group yet: one is made when somebody joins it."


@groups.command("list", epilog=example("groups list", "groups list --json"))
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the groups, and how many are in each."""
    from proxy.services import groups as service

    with opened(context) as site, site.reading() as (unit, actor):
        views = service.list_groups(unit, actor)
    if as_json:
        emit_json([{"name": view.name, "people": view.people, "devices": view.devices} for view in views])
        return
    table(("Name", "*People", "*Devices"), ((v.name, v.people, v.devices) for v in views), empty=NONE_YET)
