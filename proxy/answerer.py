"""The process that enforces in stock mode: a lean mitmproxy master with three addons instead of thirty-one."""

import asyncio
import logging
import signal

from mitmproxy import ctx, options
from mitmproxy.addons.core import Core
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.master import Master
from mitmproxy.proxy.mode_specs import RegularMode, TransparentMode

from proxy.ca.errors import CaError
from proxy.own_certificate import OwnCertificateError
from proxy.settings import Listener, ListenMode, Settings
from proxy.stock import Stock
from proxy.tls_listener import ExplicitTlsMode

logger = logging.getLogger(__name__)

WRONG_USE = 2
MODES = {
    ListenMode.EXPLICIT: RegularMode.type_name,
    ListenMode.EXPLICIT_TLS: ExplicitTlsMode.type_name,
    ListenMode.TRANSPARENT: TransparentMode.type_name,
}


def main(settings: Settings) -> int:
    """Enforce until told to stop (SIGTERM, SIGINT). Gives the exit code; the process is to end right after.

    The loop is left as it is: by then every connection is cut and the journal closed, and whatever of mitmproxy's
    still waits for something is not waited for.
    """
    logging.getLogger("mitmproxy").setLevel(logging.CRITICAL)  # it names hosts; what matters we log ourselves
    try:
        return asyncio.new_event_loop().run_until_complete(_serve(settings))
    except (CaError, OwnCertificateError, OSError, ValueError) as error:
        logger.critical("%s", error)
        return WRONG_USE


async def _serve(settings: Settings) -> int:
    stock = Stock.from_settings(settings)
    master, proxyserver = Master(options.Options()), Proxyserver()
    master._legacy_log_events.uninstall()  # noqa: SLF001 -- it would turn every log line into an event for nobody
    started = _Started(proxyserver, settings.listen)
    master.addons.add(Core(), proxyserver, stock, started)
    master.options.update(mode=[_mode(listener) for listener in settings.listen])
    loop, stopping = asyncio.get_running_loop(), set[asyncio.Task[None]]()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: stopping.add(loop.create_task(_stop(master, proxyserver, stock))))
    await master.run()
    return started.exit_code or stock.exit_code


async def _stop(master: Master, proxyserver: Proxyserver, stock: Stock) -> None:
    """Listeners first, then what is open, then the rest: mitmproxy's own shutdown closes neither."""
    await proxyserver.servers.update([])
    stock.cut_all()
    master.shutdown()


def _mode(listener: Listener) -> str:
    return f"{MODES[listener.mode]}@{listener.endpoint.host}:{listener.endpoint.port}"


class _Started:
    """mitmproxy only logs a failed bind and goes on, listening to nothing; here that is the end."""

    name = "schoolgate-started"

    def __init__(self, proxyserver: Proxyserver, listeners: tuple[Listener, ...]) -> None:
        self._proxyserver = proxyserver
        self._listeners = {_mode(listener): listener for listener in listeners}
        self.exit_code = 0

    def running(self) -> None:
        for server in self._proxyserver.servers:
            if server.is_running:
                continue
            self.exit_code = WRONG_USE
            listener = self._listeners[server.mode.full_spec]
            logger.critical(
                "Cannot listen on %s: %s. Free the port, or change the setting `listen` (SCHOOLGATE_LISTEN).",
                listener,
                server.last_exception,
            )
        if self.exit_code:
            ctx.master.shutdown()
