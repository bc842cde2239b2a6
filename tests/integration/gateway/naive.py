"""The addon that anybody would write first, for ``mitmdump -s``: each trap is shown to catch it.

It refuses the names in NAIVE_REFUSED, passes the rest undecrypted, and dials what NAIVE_HOSTS (JSON) says.
"""

import json
import os

from mitmproxy import http, tls
from mitmproxy.proxy import server_hooks

REFUSED = os.environ["NAIVE_REFUSED"].split(",")
HOSTS = json.loads(os.environ["NAIVE_HOSTS"])
RAISES = os.environ.get("NAIVE_RAISES")


class Naive:
    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        if RAISES == "tls_clienthello":
            raise RuntimeError("a bug")
        if data.client_hello.sni not in REFUSED:
            data.ignore_connection = True

    def request(self, flow: http.HTTPFlow) -> None:
        if RAISES == "request":
            raise RuntimeError("a bug")
        if flow.request.pretty_host in REFUSED:
            flow.response = http.Response.make(403, b"refused")

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        if data.server.address is not None:
            data.server.address = (HOSTS.get(data.server.address[0], data.server.address[0]), data.server.address[1])


addons = [Naive()]
