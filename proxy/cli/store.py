"""``schoolgate store``: the database, its schema, a copy of it."""

from pathlib import Path
from typing import Annotated

import typer

from proxy.cli.context import Site, opened
from proxy.cli.errors import CommandError
from proxy.cli.help import example, family
from proxy.cli.output import Json, emit_json, facts, progress, tell

app = family()
store = family("store", "The database.", examples=("store status", "store backup before.db"))
app.add_typer(store)


@store.command(epilog=example("store backup before.db", "store upgrade"))
def upgrade(context: typer.Context, as_json: Json = False) -> None:
    """Bring the store to this version's schema."""
    from proxy.store import schema

    with opened(context) as site:
        _demand_place(site)
        with progress("Bringing the store up to date", quiet=as_json):
            status = schema.upgrade(site.settings.store_url)
    result = {"state": status.state, "revision": status.revision, "head": status.head}
    tell(f"The store's schema is {status.state} (revision {status.revision}).", result, as_json=as_json)


@store.command(epilog=example("store status", "store status --json"))
def status(context: typer.Context, as_json: Json = False) -> None:
    """Show the store's schema, and whether the ledger is whole."""
    from proxy.record import ledger
    from proxy.store import schema

    with opened(context) as site:
        _demand_place(site)
        found = schema.status(site.settings.store_url)
        with site.store.read() as unit:
            report = ledger.verify(unit)
    result = {
        "state": found.state,
        "revision": found.revision,
        "head": found.head,
        "ledger": {"intact": report.intact, "rows": report.rows, "head": report.head, "problem": report.problem},
    }
    if as_json:
        emit_json(result)
    else:
        whole = f"whole, {report.rows} acts" if report.intact else f"broken: {report.problem}"
        facts([("Schema", f"{found.state} ({found.revision})"), ("Ledger", whole), ("Its head", report.head)])
    if not report.intact:
        raise CommandError(
            f"The ledger is broken: {report.problem}.",
            code="ledger_broken",
            hint="Keep a copy of the store as it is, and compare it with the last backup.",
        )


@store.command(epilog=example("store backup /srv/backup/schoolgate-2026-09-01.db"))
def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")],
    as_json: Json = False,
) -> None:
    """Copy the store to a file, while it is in use."""
    from proxy.store import schema

    with opened(context) as site:
        _demand_place(site)
        _demand_new(file)
        with progress("Copying the store", quiet=as_json) as bar:
            schema.backup(site.settings.store_url, file, bar)
    tell(f"The store is copied to {file}.", {"file": str(file), "bytes": file.stat().st_size}, as_json=as_json)


def _demand_new(file: Path) -> None:
    """A copy overwrites nothing, and makes no directories where somebody mistyped one."""
    if file.exists():
        raise CommandError(f"{file} is already there, and is not overwritten.", code="exists", hint="Name a new file.")
    if not file.absolute().parent.is_dir():
        raise CommandError(f"{file.parent}: there is no such directory.", code="no_directory", hint="Make it first.")


def _demand_place(site: Site) -> None:
    if site.settings.store_url.startswith("sqlite"):
        site.demand_state_dir()
