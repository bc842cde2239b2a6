"""``schoolgate catalogue``: what counts as social media, service by service, and what passes in bundles."""

from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli.completion import categories
from proxy.cli.context import opened
from proxy.cli.errors import CommandError
from proxy.cli.help import example, family
from proxy.cli.output import Json, emit_json, facts, say, table

if TYPE_CHECKING:
    from policies.bundles import Bundle

app = family()
catalogue = family("catalogue", "What counts as social media.", examples=("catalogue find m.facebook.com",))
app.add_typer(catalogue)


@catalogue.command("list", epilog=example("catalogue list", "catalogue list --category forum"))
def list_(
    context: typer.Context,
    category: Annotated[
        str | None, typer.Option(metavar="NAME", autocompletion=categories, help="Only this category.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the services."""
    from proxy.cli.finding import service_fields

    with opened(context) as site:
        whole = site.catalogue
    if category is not None and category not in whole.categories:
        known = ", ".join(sorted(whole.categories))
        raise CommandError(f"There is no category {category!r}.", code="unknown_category", hint=f"There are {known}.")
    services = [s for s in whole.services.values() if category in (None, s.category)]
    if as_json:
        emit_json([service_fields(service) for service in services])
        return
    rows = ((s.key, s.name, s.category, len(s.domains)) for s in services)
    table(("*Service", "Name", "*Category", "*Domains"), rows, empty="The catalogue is empty.")


@catalogue.command(epilog=example("catalogue find m.facebook.com", "catalogue find https://www.tiktok.com/@somebody"))
def find(
    context: typer.Context,
    host: Annotated[str, typer.Argument(metavar="HOST", help="A host name, or the address of a page.")],
    as_json: Json = False,
) -> None:
    """Explain whether a host is listed, and what the policy says."""
    from policies.finding import find as found
    from proxy.cli.finding import fields, tell, tell_address
    from proxy.cli.hosts import pasted

    name, trimmed = pasted(host)
    with opened(context) as site:
        policy, whole = site.policy, site.catalogue
    if not isinstance(name, str):
        tell_address(name, policy, as_json=as_json)
        return
    finding = found(name, policy, whole)
    if as_json:
        emit_json(fields(finding))
        return
    if trimmed:
        say(f"Of that, the host is {name}.")
    tell(finding, whole)


@catalogue.command(epilog=example("catalogue bundles", "catalogue bundles apple"))
def bundles(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this bundle, with every host.")] = None,
    as_json: Json = False,
) -> None:
    """List the exempt bundles, or show one."""
    from policies.loading import load_bundles

    every = load_bundles()
    if name is not None and name not in every:
        raise CommandError(
            f"There is no bundle {name!r}.", code="unknown_bundle", hint=f"There are {', '.join(every)}."
        )
    with opened(context) as site:
        exempt = {exemption.bundle for exemption in site.policy.exempt}
    shown = [bundle for bundle in every.values() if name in (None, bundle.key)]
    if as_json:
        emit_json([_bundle_fields(bundle, exempt=bundle.key in exempt) for bundle in shown])
        return
    if name is not None:
        _tell_bundle(shown[0], exempt=name in exempt)
        return
    rows = ((b.key, b.purpose, len(b.domains), "passes" if b.key in exempt else "not used") for b in shown)
    table(("*Bundle", "For", "*Hosts", "*In the policy"), rows, empty="There are no bundles.")


def _tell_bundle(bundle: "Bundle", *, exempt: bool) -> None:
    say(f"{bundle.name}: {bundle.purpose}.")
    facts(
        [
            (
                "In the policy",
                "passes" if exempt else f"not used; to use it, write `- bundle: {bundle.key}` in exempt:",
            ),
            ("Because", f"{bundle.because} (§ {bundle.clause})"),
            ("Source", bundle.source),
            ("Version", bundle.version),
        ]
    )
    say("")
    rows = ((group.purpose, tuple(group.domains)) for group in bundle.hosts)
    table(("For", "Hosts, and all below them"), rows, empty="No hosts.")
    if bundle.exceptions:
        say("")
        table(("*Exception", "Why"), bundle.exceptions.items(), empty="None.")


def _bundle_fields(bundle: "Bundle", *, exempt: bool) -> dict[str, object]:
    return {**bundle.model_dump(mode="json", by_alias=True, exclude={"digest"}), "exempt": exempt}
