"""Enforcement as one mitmproxy addon (stock mode): alike in the lean master and under ``mitmdump -s``.

It insists on what it was built for: the modes ``regular`` and ``transparent``, nothing dialled early, nothing kept.
Unloaded while the proxy runs (a hot reload of the script), it takes the proxy down with it: none beats an open one.
"""

import asyncio
import logging
import resource
from typing import Self

from mitmproxy import ctx, exceptions
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.proxy import mode_specs
from prometheus_client import CollectorRegistry

from proxy.answering import Answers
from proxy.ca.authority import Authority
from proxy.ca.errors import CaError
from proxy.clients import Clients, cut
from proxy.dial import Dialler
from proxy.dialling import Dialling
from proxy.enforcing import Enforcer
from proxy.files import private_directory
from proxy.judging import Judge, utc_now
from proxy.metrics import Metrics
from proxy.record.journal import JournalWriter
from proxy.record.reference import reference_key
from proxy.resolving import Resolver
from proxy.settings import Settings
from proxy.snapshot import SnapshotReader
from proxy.sweeping import Sweeper

logger = logging.getLogger(__name__)

PROCESS = "answerer"
FAILED = 1
DESCRIPTORS_EACH = 2  # of a relayed connection
DESCRIPTORS_SPARE = 128
OPTIONS = {
    "connection_strategy": "lazy",  # eager dials the client's own choice before a byte is read
    "stream_large_bodies": None,  # would send a refused request's body upstream
    "store_streamed_bodies": False,
    "websocket": False,  # mitmproxy keeps every message; after 101 our own relay takes over
    "validate_inbound_headers": True,
}
QUIET = {"flow_detail": 0, "termlog_verbosity": "error"}  # mitmdump's own: it would print what people visit


class Stock:
    """The addon: ``Enforcer`` for what clients do, ``Sweeper`` for what time does."""

    name = "schoolgate-stock"

    def __init__(
        self, enforcer: Enforcer, dialling: Dialling, sweeper: Sweeper, clients: Clients, journal: JournalWriter
    ) -> None:
        self.addons = [enforcer, dialling]
        self._sweeper, self._clients, self._journal = sweeper, clients, journal
        self._sweeping: asyncio.Task[None] | None = None
        self.exit_code = 0

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Put enforcement together. Raises CaError, OSError, ValueError for a wrong ``resolver``."""
        metrics, clients = Metrics(CollectorRegistry()), Clients()
        reader = SnapshotReader(settings.snapshot_file, metrics)
        journal = JournalWriter(settings.journal_dir, PROCESS)
        judge = Judge(reader, journal, metrics, reference_key(settings))
        enforcer = Enforcer(
            judge=judge,
            answers=Answers(judge, _authority(settings), metrics),
            metrics=metrics,
            clients=clients,
            most_connections=_most_connections(),
        )
        ports = [listener.endpoint.port for listener in settings.listen]
        dialler = Dialler(Resolver.from_setting(settings.resolver), ports)
        dialling = Dialling(judge, clients, dialler, enforcer.fault)
        sweeper = Sweeper(
            process=PROCESS,
            reader=reader,
            judge=judge,
            enforcer=enforcer,
            clients=clients,
            journal=journal,
            metrics=metrics,
            figures=private_directory(settings.process_dir) / f"{PROCESS}.prom",
        )
        return cls(enforcer, dialling, sweeper, clients, journal)

    def configure(self, updated: set[str]) -> None:
        if "mode" in updated:
            for spec in ctx.options.mode:
                mode = mode_specs.ProxyMode.parse(spec)
                if not isinstance(mode, mode_specs.RegularMode | mode_specs.TransparentMode):
                    raise exceptions.OptionsError(
                        f"schoolgate enforces in the modes regular and transparent; {spec!r} would be a way round it."
                    )
        wanted = {**OPTIONS, **{name: value for name, value in QUIET.items() if name in ctx.options}}
        wrong = {name: value for name, value in wanted.items() if getattr(ctx.options, name) != value}
        if wrong:
            ctx.options.update(**wrong)

    def running(self) -> None:
        self._sweeping = asyncio.create_task(self._sweeper.run(_proxyserver()), name="sweeper")
        self._sweeping.add_done_callback(self._end_with_the_sweeper)
        self._sweeper.look()  # at once, lest the first request meets no snapshot; the sweeper looks again if this fails

    def _end_with_the_sweeper(self, sweeping: asyncio.Task[None]) -> None:
        """Without it nothing is cut and no snapshot taken over: law 4 would fail open."""
        if not sweeping.cancelled():
            self.exit_code = FAILED
            logger.critical("The sweeper ended, so the proxy stops.", exc_info=sweeping.exception())
            ctx.master.shutdown()

    def done(self) -> None:
        """The proxy stops; or this addon was unloaded, and then the proxy stops."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._journal.close()
        if not ctx.master.should_exit.is_set():
            logger.critical("schoolgate was unloaded while the proxy ran: the proxy stops.")
            ctx.master.shutdown()

    def cut_all(self) -> None:
        for client in self._clients:
            cut(client, _proxyserver())


def _proxyserver() -> Proxyserver:
    proxyserver = ctx.master.addons.get("proxyserver")
    if not isinstance(proxyserver, Proxyserver):
        raise TypeError("mitmproxy runs without its proxyserver")
    return proxyserver


def _authority(settings: Settings) -> Authority | None:
    """The CA, for pages; without one a refusal is an alert, and enforcement goes on."""
    try:
        return Authority.open(settings.ca_dir, utc_now())
    except CaError as error:
        logger.error("Refusals are shown as alerts, not pages: %s", error)  # noqa: TRY400 -- told, not a fault in code
        return None


def _most_connections() -> int:
    """As many as there are descriptors for; raises the soft limit as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(1, (hard - DESCRIPTORS_SPARE) // DESCRIPTORS_EACH)
