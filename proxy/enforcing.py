"""The mitmproxy addon: gathers what a decision needs, asks once, obeys.

mitmproxy swallows what a hook raises and goes on as if nothing were amiss, so every hook is ``guarded``: a fault
denies, is counted, and is logged (law 1). Behind all of them stands ``dialling``, which lets nothing be dialled but
the one ticket that was just allowed.

A connection's life: ``client_connected``; on a TLS listener the TLS with the gateway itself; for explicit clients HTTP
with a CONNECT (``requests``); ``next_layer`` reads the first bytes and decides a TLS connection; a plain HTTP request
is decided by itself, and one inside TLS that was refused is answered (``requests``); what was allowed is dialled
(``dialling``); ``client_disconnected`` ends what is still open.
"""

from time import monotonic

from mitmproxy import connection, tls
from mitmproxy.exceptions import AddonHalt
from mitmproxy.proxy import layer
from mitmproxy.proxy.layers import ClientTLSLayer
from mitmproxy.proxy.layers.http import HTTPMode

from policies.vocabulary import Protocol, Reason
from proxy.clients import Client, writer_of
from proxy.desk import AFTER_A_PAGE, Desk
from proxy.flows import attempt_of_first_bytes, attempt_of_silent_connect, client_address, is_behind_tls, is_explicit
from proxy.guarding import REFUSED, guarded, hang_up, nothing, refuse_hello, refuse_layer, refuse_tls
from proxy.judging import utc_now
from proxy.lane import first_bytes
from proxy.layers import ACCESS_DENIED, PLAIN_HERE, JudgedHttp, Refusing, Relay
from proxy.own_certificate import OwnContext
from proxy.tls_listener import SPOKEN, accepting

MOST_PER_DEVICE = 512  # connections at one time
DELIVERED_WITHIN = 60.0  # seconds a client has to take what is queued when its connection is over
MOST_PIECES = 4096  # of a hello or a method; each is read from the first byte on again
HANDSHAKE_WITHIN = 10.0  # seconds a refused client has to finish its handshake and ask


class Enforcer:
    """The addon. One per process; everything it needs is handed in."""

    name = "schoolgate"

    def __init__(self, desk: Desk, *, own_context: OwnContext, most_connections: int) -> None:
        """``own_context``: what the gateway shows as itself, on its TLS listeners."""
        self.desk, self._clients = desk, desk.clients
        self._own_context, self._most_connections = own_context, most_connections

    # Connections

    @guarded(hang_up)
    def client_connected(self, client: connection.Client) -> None:
        address = client_address(client)
        if len(self._clients) >= self._most_connections or self._clients.beside(address) >= MOST_PER_DEVICE:
            client.error = REFUSED
            self.desk.refuse_unheard(client, Reason.TOO_BUSY)
            return
        self._clients.add(Client(connection=client, address=address, since=monotonic(), writer=writer_of(client)))

    @guarded(nothing)
    def client_disconnected(self, client: connection.Client) -> None:
        gone = self._clients.get(client)
        if gone is None:
            return
        gone.close()
        if gone.asked is not None:  # a CONNECT that nothing followed is an attempt all the same
            self.desk.issue(gone, attempt_of_silent_connect(client, gone.asked))
        if gone.is_sending and not gone.cut:
            gone.gone, gone.close_by = True, monotonic() + DELIVERED_WITHIN
        else:
            self.desk.finish(gone)

    # The first bytes

    @guarded(refuse_layer)
    def next_layer(self, data: layer.NextLayer) -> None:
        client = self._clients.known(data.context.client)
        first = first_bytes.read(data.data_client())
        if first is None and len(data.events) <= MOST_PIECES:
            client.hear()
            raise AddonHalt  # nobody else may guess from less
        first = first or first_bytes.FirstBytes(Protocol.OTHER, fault=Reason.MALFORMED)
        client.hear()
        if client.shown is not None:
            data.layer = JudgedHttp(data.context, HTTPMode.transparent, self.desk)
        elif is_explicit(client.connection) and not client.is_tunnel:
            self._from_explicit_client(data, client, first)
        elif first.protocol is Protocol.HTTP and first.fault is None:
            client.asked = None
            data.layer = JudgedHttp(data.context, HTTPMode.transparent, self.desk)
        else:
            self._decide_connection(data, client, first)

    def _from_explicit_client(self, data: layer.NextLayer, client: Client, first: first_bytes.FirstBytes) -> None:
        """What is said to the gateway itself: HTTP; on a TLS listener HTTP inside TLS, and nothing in clear."""
        speaks_tls = first.protocol is Protocol.TLS and first.page_possible
        if is_behind_tls(client.connection) and not client.is_behind_tls:
            if speaks_tls:
                client.is_behind_tls = True
                data.layer = ClientTLSLayer(data.context)
                return
        elif first.protocol is Protocol.HTTP and first.fault is None:
            data.layer = JudgedHttp(data.context, HTTPMode.regular, self.desk)
            return
        self.desk.malformed(client.connection)
        data.layer = Refusing(data.context, self.desk, self._last_words(client, first))

    def _last_words(self, client: Client, first: first_bytes.FirstBytes) -> bytes:
        if first.protocol is Protocol.TLS:
            return ACCESS_DENIED
        return PLAIN_HERE if first.protocol is Protocol.HTTP and is_behind_tls(client.connection) else b""

    def _decide_connection(self, data: layer.NextLayer, client: Client, first: first_bytes.FirstBytes) -> None:
        target = data.context.server.address
        if target is None:
            raise LookupError("a connection without a destination")
        client.asked = None
        ticket = self.desk.issue(client, attempt_of_first_bytes(client.connection, (target[0], target[1]), first))
        if ticket.decision.allowed:
            data.layer = Relay(data.context, self.desk, ticket)
        elif first.page_possible and self.desk.answers.context_for(ticket) is not None:
            client.shown = ticket
            client.close_by = monotonic() + HANDSHAKE_WITHIN
            data.layer = ClientTLSLayer(data.context)
        else:
            self.desk.answers.told("alert" if first.protocol is Protocol.TLS else "close")
            client.close_by = monotonic() + AFTER_A_PAGE
            data.layer = Refusing(data.context, self.desk, self._last_words(client, first))

    @guarded(refuse_hello)
    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        data.ignore_connection = False
        data.establish_server_tls_first = False

    @guarded(refuse_tls)
    def tls_start_client(self, data: tls.TlsData) -> None:
        client = self._clients.known(data.context.client)
        if client.shown is not None:
            context = self.desk.answers.context_for(client.shown)
            data.ssl_conn = accepting(context) if context is not None else None
        elif client.is_behind_tls and not client.is_tunnel:
            context = self._own_context(utc_now())
            data.ssl_conn = accepting(context, SPOKEN) if context is not None else None

    @guarded(nothing)
    def tls_established_client(self, data: tls.TlsData) -> None:
        client = self._clients.known(data.context.client)
        if client.shown is None:
            client.attend()  # it has the gateway's certificate; what it asks for is its own to begin
