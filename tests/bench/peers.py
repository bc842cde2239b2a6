"""Bare mitmproxy, to stand beside: it passes TLS undecrypted, but for one name, which it answers with a page.

    python -m tests.bench.peers default|lean PORT FOLDER

``default`` is what ``mitmdump --quiet`` runs, with an addon of five lines; ``lean`` the fewest addons that do the same.
Neither looks a name up, keeps a policy or a record: what mitmproxy itself costs, which no addon can go below.
"""

import asyncio
import signal
import sys

from mitmproxy import http, options, tls
from mitmproxy.addons.core import Core
from mitmproxy.addons.next_layer import NextLayer
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.master import Master
from mitmproxy.tools.dump import DumpMaster

from tests.bench.work import REFUSED

SENTENCE = b"<p>This site is closed on the school's network.</p>"
PAGE = b"<!doctype html><title>Closed</title>" + SENTENCE * 76  # as long as schoolgate's own


class Bare:
    """As short as an addon for this can be."""

    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        data.ignore_connection = data.client_hello.sni != REFUSED

    def request(self, flow: http.HTTPFlow) -> None:
        flow.response = http.Response.make(403, PAGE, {"Content-Type": "text/html", "Connection": "close"})


def default() -> Master:
    master = DumpMaster(options.Options())
    master.options.update(flow_detail=0, termlog_verbosity="error")  # --quiet
    master.addons.add(Bare())
    return master


def lean() -> Master:
    master = Master(options.Options())
    master._legacy_log_events.uninstall()
    master.addons.add(Core(), Proxyserver(), Bare(), NextLayer(), TlsConfig())
    return master


async def serve(kind: str, port: str, folder: str) -> None:
    master = {"default": default, "lean": lean}[kind]()
    master.options.update(mode=[f"regular@127.0.0.1:{port}"], confdir=folder, connection_strategy="lazy")
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, master.shutdown)
    await master.run()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
