"""``schoolgate catalogue``: what counts as social media, service by service."""

from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli.context import opened
from proxy.cli.errors import CommandError, WrongUse
from proxy.cli.help import example, family
from proxy.cli.output import Json, emit_json, facts, say, table

if TYPE_CHECKING:
    from policies.catalogue import Service

app = family()
catalogue = family("catalogue", "What counts as social media.")
app.add_typer(catalogue)


@catalogue.command("list", epilog=example("catalogue list", "catalogue list --category forum"))
def list_(
    context: typer.Context,
    category: Annotated[str | None, typer.Option(metavar="NAME", help="Only this category.")] = None,
    as_json: Json = False,
) -> None:
    """List the services."""
    with opened(context) as site:
        whole = site.catalogue
    if category is not None and category not in whole.categories:
        known = ", ".join(sorted(whole.categories))
        raise CommandError(f"There is no category {category!r}.", code="unknown_category", hint=f"There are {known}.")
    services = [s for s in whole.services.values() if category in (None, s.category)]
    if as_json:
        emit_json([_fields(service) for service in services])
        return
    rows = ((s.key, s.name, s.category, len(s.domains)) for s in services)
    table(("Service", "Name", "Category", "Domains"), rows, empty="The catalogue is empty.")


@catalogue.command(epilog=example("catalogue find m.facebook.com"))
def find(
    context: typer.Context,
    host: Annotated[str, typer.Argument(metavar="HOST", help="A host name.")],
    as_json: Json = False,
) -> None:
    """Find the service that a host belongs to."""
    from policies.names import InvalidName, host_name

    try:
        name = host_name(host)
    except InvalidName as error:
        raise WrongUse(f"{host!r} is no host name: {error}", hint="Write one such as www.facebook.com.") from None
    with opened(context) as site:
        service, needed_by = site.catalogue.find(name), sorted(site.catalogue.sharing(name))
    if as_json:
        emit_json({"host": name, "service": _fields(service) if service else None, "needed_by": needed_by})
        return
    if service is None:
        say(f"{name} is in no catalogue.")
        return
    say(f"{name} belongs to {service.name} ({service.key}, in {service.category}).")
    facts([("Domains", ", ".join(service.domains)), ("Shared hosts", ", ".join(service.shared_hosts) or "none")])
    if needed_by:
        say(f"{', '.join(needed_by)} cannot work without it.")


def _fields(service: "Service") -> dict[str, object]:
    return {
        "key": service.key,
        "name": service.name,
        "category": service.category,
        "domains": list(service.domains),
        "shared_hosts": list(service.shared_hosts),
    }
