"""Enforcement as one mitmproxy addon (stock mode): alike in the lean master and under ``mitmdump -s``.

It insists on what it was built for: the modes ``regular`` and ``transparent``, nothing dialled early, nothing kept.
Unloaded while the proxy runs (a hot reload of the script), it takes the proxy down with it: none beats an open one.
"""

import asyncio
import logging
import resource
from collections.abc import Sequence
from typing import Self

from mitmproxy import ctx, exceptions
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.proxy import mode_specs
from prometheus_client import CollectorRegistry

from proxy.answering import Answers
from proxy.ca.authority import CertificateSource
from proxy.clients import Clients, cut
from proxy.desk import Desk
from proxy.dial import Dialler
from proxy.dialling import Dialling
from proxy.enforcing import Enforcer
from proxy.files import private_directory
from proxy.guarding import Addon
from proxy.identity.browsing import BrowsingDoor
from proxy.judging import Judge, utc_now
from proxy.metrics import Metrics
from proxy.own_certificate import own_certificate
from proxy.persons import Persons
from proxy.record.journal import JournalWriter
from proxy.record.reference import reference_key
from proxy.requests import Requests
from proxy.resolving import Resolver
from proxy.settings import ListenMode, ProxyAuth, Settings
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
    """The addon: hooks for what clients do, ``Sweeper`` for what time does."""

    name = "schoolgate-stock"

    def __init__(self, addons: Sequence[Addon], sweeper: Sweeper, clients: Clients, journal: JournalWriter) -> None:
        self.addons = list(addons)
        self._sweeper, self._clients, self._journal = sweeper, clients, journal
        self._sweeping: asyncio.Task[None] | None = None
        self.exit_code = 0

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Put enforcement together. Raises OwnCertificateError, OSError, ValueError for a wrong ``resolver``."""
        metrics, clients = Metrics(CollectorRegistry()), Clients()
        reader = SnapshotReader(settings.snapshot_file, metrics)
        journal = JournalWriter(settings.journal_dir, PROCESS)
        must_sign_in = settings.proxy_auth is ProxyAuth.REQUIRED
        judge = Judge(reader, journal, metrics, reference_key(settings), must_sign_in=must_sign_in)
        authority = CertificateSource(settings.ca_dir, utc_now())
        desk = Desk(judge, Answers(judge, authority, metrics), clients, metrics)
        enforcer = Enforcer(
            desk,
            own_context=own_certificate(settings, authority, utc_now()),
            most_connections=_most_connections(),
        )
        ports = [listener.endpoint.port for listener in settings.listen]
        dialling = Dialling(desk, Dialler(Resolver.from_setting(settings.resolver), ports))
        sweeper = Sweeper(
            process=PROCESS,
            reader=reader,
            judge=judge,
            desk=desk,
            clients=clients,
            journal=journal,
            metrics=metrics,
            figures=private_directory(settings.process_dir) / f"{PROCESS}.prom",
        )
        addons: list[Addon] = [enforcer, Requests(desk, _persons(settings, judge)), dialling]
        return cls(addons, sweeper, clients, journal)

    @classmethod
    def under_mitmdump(cls, settings: Settings) -> Self:
        """As ``from_settings``, where mitmdump listens by its own ``--mode``. Raises ValueError for what it lacks."""
        if private := [listener for listener in settings.listen if listener.mode is ListenMode.EXPLICIT_TLS]:
            raise ValueError(f"{private[0]} works under `schoolgate run` only: mitmdump has no listener behind TLS")
        return cls.from_settings(settings)

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


def _persons(settings: Settings, judge: Judge) -> Persons:
    off = settings.proxy_auth is ProxyAuth.OFF
    door = None if off else BrowsingDoor(settings.identity_socket, lambda: judge.snapshot)
    return Persons(judge, door, settings.proxy_auth)


def _most_connections() -> int:
    """As many as there are descriptors for; raises the soft limit as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(1, (hard - DESCRIPTORS_SPARE) // DESCRIPTORS_EACH)
