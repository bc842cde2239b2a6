"""``schoolgate devices``: the school's devices, known by their addresses."""

from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli.context import opened
from proxy.cli.help import example, family
from proxy.cli.output import Json, emit_json, table, tell

if TYPE_CHECKING:
    from proxy.services.devices import DeviceView

app = family()
devices = family("devices", "The school's devices.")
app.add_typer(devices)


@devices.command(
    epilog=example(
        "devices add office-3 --address 10.20.0.10 --owner j.smith",
        "devices add it-suite --address 10.20.4.0/26 --group suites",
    )
)
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The device's name, such as office-3.")],
    address: Annotated[list[str], typer.Option(metavar="ADDRESS", help="An address, or a range; may be repeated.")],
    group: Annotated[list[str] | None, typer.Option(metavar="GROUP", help="A group it is in; may be repeated.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="NAME", help="The person it belongs to.")] = None,
    as_json: Json = False,
) -> None:
    """Add a device."""
    from proxy.services import devices as service

    with opened(context) as site, site.writing() as (unit, actor):
        view = service.add_device(
            unit,
            actor,
            name=name,
            addresses=address,
            groups=group or [],
            owner=owner,
            now=site.now,
            policy=site.policy,
        )
    tell(f"{view.name} is added: {', '.join(view.addresses)}.", _fields(view), as_json=as_json)


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
    table(("Name", "Addresses", "Owner", "Groups"), rows, empty="There is no device yet.")


def _fields(view: "DeviceView") -> dict[str, object]:
    return {
        "name": view.name,
        "addresses": list(view.addresses),
        "groups": list(view.groups),
        "owner": view.owner,
    }
