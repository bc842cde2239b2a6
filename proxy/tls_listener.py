"""The listener for explicit clients that speak TLS to the gateway itself (``explicit+tls``).

Inside that TLS it is the explicit proxy, no more and no less: CONNECT in TLS, and the client's own TLS in that. It
exists so that a name and a password need not cross the network in clear.
"""

from collections.abc import Sequence

from mitmproxy.proxy import layer, mode_specs
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.modes import HttpProxy
from mitmproxy.proxy.mode_servers import AsyncioServerInstance
from OpenSSL import SSL

SPOKEN = (b"http/1.1",)  # inside HTTP/2 every CONNECT would be a stream: another proxy than the one that is judged here


class ExplicitTlsMode(mode_specs.RegularMode):
    """As mitmproxy's ``regular``, on a listener of its own. mitmproxy knows it as ``explicittls``."""

    description = "HTTP(S) proxy behind TLS"


class ExplicitTlsInstance(AsyncioServerInstance[ExplicitTlsMode]):
    """What mitmproxy makes of such a mode; the TLS is put in place by ``enforcing``."""

    def make_top_layer(self, context: Context) -> layer.Layer:
        return HttpProxy(context)


def accepting(context: SSL.Context, spoken: Sequence[bytes] | None = None) -> SSL.Connection:
    """The server's side of a TLS connection; ``spoken``: the protocols it may carry, if fewer than usual."""
    connection = SSL.Connection(context)
    connection.set_app_data(spoken)
    connection.set_accept_state()
    return connection
