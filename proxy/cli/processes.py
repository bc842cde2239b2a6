"""``schoolgate run`` and the processes it consists of. Who runs them is the system's matter: they take no actor."""

import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import typer

from proxy.cli import passphrases
from proxy.cli.context import Site, opened
from proxy.cli.help import example, family
from proxy.cli.output import warn
from proxy.cli.welcome import first_account, welcome

if TYPE_CHECKING:
    from proxy.settings import Settings

app = family()


@app.command(epilog=example("run"))
def run(context: typer.Context) -> int:
    """Enforce the policy on this machine, everything in one."""
    from proxy import init, supervisor
    from proxy.ca.passphrase import new_passphrase
    from proxy.policy_files import PolicyFiles

    with opened(context) as site:
        settings = site.settings
        files = PolicyFiles(settings.policy)  # a wrong policy starts nothing, whatever was in force before
        passphrase = new_passphrase() if sys.stdout.isatty() else None
        prepared = init.prepare(settings, files.policy, files.catalogue, site.now, passphrase)
        if prepared.made_ca and passphrase is not None:
            passphrases.show(passphrase)
        for warning in prepared.warnings:
            warn(warning)
        _log_to_stderr()
        return supervisor.run(settings, ready=lambda: _greet(site))


def _greet(site: Site) -> None:
    """Once policy is enforced; from then on this process holds no store."""
    welcome(site, first_account(site))
    site.close()


@app.command(epilog=example("keeper"))
def keeper(context: typer.Context) -> int:
    """Run the keeper alone: store, snapshot, record, metrics."""
    from proxy.keeper import Keeper

    settings = _settings(context)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Keeper(settings).run(stop)
    return 0


@app.command(epilog=example("answerer"))
def answerer(context: typer.Context) -> None:
    """Run the proxy alone: it decides, relays, and answers refusals."""
    from proxy.answerer import main

    code = main(_settings(context))
    logging.shutdown()
    os._exit(code)  # threads that ask a name server which does not answer would hold the process for as long


def _settings(context: typer.Context) -> "Settings":
    """For a process of its own: its log goes to standard error."""
    _log_to_stderr()
    with opened(context) as site:
        site.demand_state_dir()
        return site.settings


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every look at the schema
