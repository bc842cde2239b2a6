"""``schoolgate ca``: the school's CA, which signs refusal pages and nothing else."""

import sys
from typing import TYPE_CHECKING

import typer

from proxy.cli import times
from proxy.cli.context import Site, opened
from proxy.cli.help import example, family
from proxy.cli.output import Json, emit_json, facts, say, tell
from proxy.cli.welcome import ROOT_FILE

if TYPE_CHECKING:
    from proxy.ca.authority import CaStatus

app = family()
ca = family("ca", "The CA that signs refusal pages.")
app.add_typer(ca)


@ca.command(epilog=example("ca init"))
def init(context: typer.Context, as_json: Json = False) -> None:
    """Make the CA; `run` does it too."""
    from proxy.ca import authority
    from proxy.ca.names import refusable_names
    from proxy.init import prepare_directory

    with opened(context) as site:
        names = refusable_names(site.policy, site.catalogue)
        prepare_directory(site.settings)
        authority.create(site.settings.ca_dir, names, site.now)
        status = authority.status(site.settings.ca_dir, names, site.now)
        told = f"The CA is made. Give every device its root: schoolgate ca export > {ROOT_FILE}"
        tell(told, _fields(status, site), as_json=as_json)


@ca.command(epilog=example("ca status"))
def status(context: typer.Context, as_json: Json = False) -> None:
    """Show the CA: fingerprint, expiry, what it covers."""
    from proxy.ca import authority
    from proxy.ca.names import refusable_names

    with opened(context) as site:
        site.demand_state_dir()
        found = authority.status(site.settings.ca_dir, refusable_names(site.policy, site.catalogue), site.now)
        if as_json:
            emit_json(_fields(found, site))
            return
        _show(found, site)


@ca.command(epilog=example("ca export > schoolgate-root.pem"))
def export(context: typer.Context) -> None:
    """Print the root certificate, PEM, for the devices to trust."""
    from proxy.ca import authority

    with opened(context) as site:
        site.demand_state_dir()
        pem = authority.root_certificate(site.settings.ca_dir)
    sys.stdout.write(pem.decode("ascii"))


def _show(found: "CaStatus", site: Site) -> None:
    key = "in the CA's directory" if found.root_key_present else "not here (kept elsewhere)"
    covered = sum(len(intermediate.names) for intermediate in found.intermediates)
    say(f"The CA in {site.settings.ca_dir}")
    facts(
        [
            ("Root", found.root.subject),
            ("SHA-256", found.root.fingerprint),
            ("Root expires", times.iso(found.root.expires_at, site.zone)),
            ("Pages until", times.iso(found.expires_at, site.zone)),
            ("Root's key", key),
            ("Intermediates", f"{len(found.intermediates)}, for {covered} domains"),
            ("Without a page", ", ".join(found.lacking) or "none"),
        ]
    )


def _fields(found: "CaStatus", site: Site) -> dict[str, object]:
    return {
        "root": {
            "subject": found.root.subject,
            "fingerprint": found.root.fingerprint,
            "valid_from": times.iso(found.root.valid_from, site.zone),
            "expires_at": times.iso(found.root.expires_at, site.zone),
        },
        "root_key_present": found.root_key_present,
        "expires_at": times.iso(found.expires_at, site.zone),
        "intermediates": [
            {
                "subject": i.subject,
                "fingerprint": i.fingerprint,
                "expires_at": times.iso(i.expires_at, site.zone),
                "names": list(i.names),
            }
            for i in found.intermediates
        ],
        "lacking": list(found.lacking),
    }
