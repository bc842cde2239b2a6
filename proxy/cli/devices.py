"""``schoolgate devices``: the school's devices, known by their addresses."""

from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli import changes, importing
from proxy.cli.context import opened
from proxy.cli.errors import WrongUse
from proxy.cli.help import example, family
from proxy.cli.output import Json, emit_json, table

if TYPE_CHECKING:
    from proxy.services.devices import DeviceView

app = family()

NONE_YET = "There is no device yet. Add one: schoolgate devices add NAME --address ADDRESS"
devices = family("devices", "The school's devices.", examples=("devices list", "devices add --help"))
app.add_typer(devices)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The device's name, such as office-3.")]
File = Annotated[str, importing.file("name, addresses (and groups, owner)")]


@devices.command(
    epilog=example(
        "devices add office-3 --address 10.20.0.10 --owner j.smith",
        "devices add it-suite --address 10.20.4.0/26 --group suites",
    )
)
def add(
    context: typer.Context,
    name: Name,
    address: Annotated[list[str], typer.Option(metavar="ADDRESS", help="An address, or a range; may be repeated.")],
    group: Annotated[list[str] | None, typer.Option(metavar="GROUP", help="A group it is in; may be repeated.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="NAME", help="The person it belongs to.")] = None,
    as_json: Json = False,
) -> None:
    """Add a device."""
    said = {"name": name, "addresses": address, "groups": group or [], "owner": owner}
    with opened(context) as site:
        changes.submit(site, "add_device", said, _added, as_json=as_json)


@devices.command(
    epilog=example(
        "devices change office-3 --address 10.20.0.11",
        "devices change office-3 --owner j.smith --join governors",
        "devices change office-3 --no-owner --leave governors --rename office-4",
    )
)
def change(
    context: typer.Context,
    name: Name,
    address: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="Its address from now on; may be repeated."),
    ] = None,
    owner: Annotated[str | None, typer.Option(metavar="NAME", help="The person it belongs to.")] = None,
    no_owner: Annotated[bool, typer.Option("--no-owner", help="It belongs to nobody in particular.")] = False,
    join: Annotated[list[str] | None, typer.Option(metavar="GROUP", help="A group to join; may be repeated.")] = None,
    leave: Annotated[list[str] | None, typer.Option(metavar="GROUP", help="One to leave; may be repeated.")] = None,
    rename: Annotated[str | None, typer.Option(metavar="NAME", help="Its name from now on.")] = None,
    as_json: Json = False,
) -> None:
    """Change a device's addresses, owner, groups or name."""
    if owner is not None and no_owner:
        raise WrongUse("--owner and --no-owner: one of them.")
    given = {
        "addresses": address,
        "owner": "" if no_owner else owner,
        "join": join,
        "leave": leave,
        "rename": rename,
    }
    said = {field: value for field, value in given.items() if value is not None}
    if not said:
        raise WrongUse("Say what changes.", hint="See `schoolgate devices change --help`.")
    with opened(context) as site:
        changes.submit(site, "change_device", {"name": name, **said}, _changed, as_json=as_json)


@devices.command(epilog=example("devices remove office-3"))
def remove(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Take a device out of the list; what it was granted is revoked."""
    with opened(context, patient=True) as site:
        changes.submit(site, "remove_device", {"name": name}, _removed, as_json=as_json)


@devices.command("import", epilog=example("devices import devices.csv --dry-run", "devices import - < devices.csv"))
def import_(context: typer.Context, file: File, dry_run: importing.DryRun = False, as_json: Json = False) -> None:
    """Add and change devices from a CSV file, all of it or nothing."""
    from proxy.services import imports

    importing.run(context, file, imports.plan_devices, dry_run=dry_run, as_json=as_json)


@devices.command("list", epilog=example("devices list", "devices list --json"))
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the devices."""
    from proxy.services import devices as service

    with opened(context) as site, site.reading() as (unit, actor):
        views = service.list_devices(unit, actor)
    if as_json:
        emit_json([_fields(view) for view in views])
        return
    rows = ((v.name, ", ".join(v.addresses), v.owner, ", ".join(v.groups)) for v in views)
    table(("Name", "Addresses", "Owner", "Groups"), rows, empty=NONE_YET)


def _added(view: "DeviceView") -> tuple[str, object]:
    return f"{view.name} is added: {_described(view)}.", _fields(view)


def _changed(view: "DeviceView") -> tuple[str, object]:
    return f"{view.name} is now: {_described(view)}.", _fields(view)


def _removed(view: "DeviceView") -> tuple[str, object]:
    return f"{view.name} is removed.", _fields(view)


def _described(view: "DeviceView") -> str:
    """``10.20.0.10, of j.smith, in governors``"""
    whose = [f"of {view.owner}"] if view.owner else []
    groups = [f"in {', '.join(view.groups)}"] if view.groups else []
    return ", ".join([*view.addresses, *whose, *groups])


def _fields(view: "DeviceView") -> dict[str, object]:
    return {
        "name": view.name,
        "addresses": list(view.addresses),
        "groups": list(view.groups),
        "owner": view.owner,
    }
