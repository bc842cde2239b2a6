"""The mitmproxy addon: gathers what a decision needs, asks once, obeys.

mitmproxy swallows what a hook raises and goes on as if nothing were amiss, so every hook here is ``guarded``: a fault
denies, is counted, and is logged (law 1). Behind all of them stands ``dialling``, which lets nothing be dialled but
the one ticket that was just allowed.

A connection's life: ``client_connected``; for explicit clients HTTP with ``http_connect``; ``next_layer`` reads the
first bytes and decides a TLS connection; ``requestheaders`` decides a plain HTTP request, or answers one inside TLS
that was refused; what was allowed is dialled (``dialling``); ``client_disconnected`` ends what is still open.
"""

import logging
from time import monotonic

from mitmproxy import connection, http, tls
from mitmproxy.exceptions import AddonHalt
from mitmproxy.proxy import layer
from mitmproxy.proxy.layers import ClientTLSLayer
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.layers.modes import HttpProxy
from OpenSSL import SSL

from policies.decision import Attempt
from policies.vocabulary import Protocol, Reason
from proxy.answering import Answers
from proxy.clients import Client, Clients, writer_of
from proxy.flows import (
    attempt_of_connect,
    attempt_of_first_bytes,
    attempt_of_nothing,
    attempt_of_request,
    attempt_of_silent_connect,
    client_address,
    strip_hop_by_hop,
)
from proxy.guarding import (
    REFUSED,
    guarded,
    hang_up,
    nothing,
    refuse_flow,
    refuse_hello,
    refuse_layer,
    refuse_tls,
    stop_flow,
    unavailable,
)
from proxy.judging import Judge, Ticket
from proxy.lane import first_bytes
from proxy.layers import JudgedHttp, Refusing, Relay
from proxy.metrics import Metrics

logger = logging.getLogger(__name__)

MOST_PER_DEVICE = 512  # connections at one time
MOST_PAGES = 32  # on one refused connection
DELIVERED_WITHIN = 60.0  # seconds a client has to take what is queued when its connection is over
SWITCHING_PROTOCOLS = 101
MOST_PIECES = 4096  # of a hello or a method; each is read from the first byte on again
TOLD_EVERY = 60.0  # seconds between two reports of one fault
HANDSHAKE_WITHIN = 10.0  # seconds a refused client has to finish its handshake and ask
AFTER_A_PAGE = 5.0  # seconds a refused connection may stay open


class Enforcer:
    """The addon. One per process; everything it needs is handed in."""

    name = "schoolgate"

    def __init__(
        self,
        *,
        judge: Judge,
        answers: Answers,
        metrics: Metrics,
        clients: Clients,
        most_connections: int,
    ) -> None:
        self._judge, self._answers, self._metrics = judge, answers, metrics
        self._clients, self._most_connections = clients, most_connections
        self._told: dict[tuple[str, type[BaseException]], float] = {}

    # Connections

    @guarded(hang_up)
    def client_connected(self, client: connection.Client) -> None:
        address = client_address(client)
        if len(self._clients) >= self._most_connections or self._clients.beside(address) >= MOST_PER_DEVICE:
            client.error = REFUSED
            self._refuse_unheard(client, Reason.TOO_BUSY)
            return
        self._clients.add(Client(connection=client, address=address, since=monotonic(), writer=writer_of(client)))

    @guarded(nothing)
    def client_disconnected(self, client: connection.Client) -> None:
        gone = self._clients.get(client)
        if gone is None:
            return
        if gone.asked is not None:  # a CONNECT that nothing followed is an attempt all the same
            self._issue(gone, attempt_of_silent_connect(client, gone.asked))
        if gone.is_sending and not gone.cut:
            gone.gone, gone.close_by = True, monotonic() + DELIVERED_WITHIN
        else:
            self.finish(gone)

    def finish(self, client: Client) -> None:
        """Nothing of a connection is left: its attempts are over."""
        self._clients.remove(client.connection)
        for ticket in client.live:
            self._judge.end(ticket)

    # Explicit clients

    @guarded(refuse_flow)
    def http_connect(self, flow: http.HTTPFlow) -> None:
        """Let a CONNECT succeed, so that a refusal can be shown inside it; refuse what can never lead anywhere."""
        client = self._clients.known(flow.client_conn)
        target = (flow.request.data.host, flow.request.data.port)
        attempt = attempt_of_connect(flow.client_conn, target)
        if attempt.fault is not None or not self._is_port_open(attempt):
            self._answer(flow, client, self._issue(client, attempt))
            return
        client.asked, client.since, client.heard = target, monotonic(), False

    def _is_port_open(self, attempt: Attempt) -> bool:
        """Whether anything that may follow a CONNECT could pass; without a snapshot what follows is refused anyway."""
        snapshot = self._judge.snapshot
        if snapshot is None or attempt.destination is None:
            return True
        return snapshot.policy.opens_port(attempt.destination, attempt.port)

    # The first bytes

    @guarded(refuse_layer)
    def next_layer(self, data: layer.NextLayer) -> None:
        client = self._clients.known(data.context.client)
        first = first_bytes.read(data.data_client())
        if first is None and len(data.events) <= MOST_PIECES:
            client.heard = True
            raise AddonHalt  # nobody else may guess from less
        first = first or first_bytes.FirstBytes(Protocol.OTHER, fault=Reason.MALFORMED)
        client.heard = True
        if client.shown is not None:
            data.layer = JudgedHttp(data.context, HTTPMode.transparent, self)
        elif isinstance(data.context.layers[-1], HttpProxy):
            self._from_explicit_client(data, first)
        elif first.protocol is Protocol.HTTP and first.fault is None:
            client.asked = None
            data.layer = JudgedHttp(data.context, HTTPMode.transparent, self)
        else:
            self._decide_connection(data, client, first)

    def _from_explicit_client(self, data: layer.NextLayer, first: first_bytes.FirstBytes) -> None:
        if first.protocol is Protocol.HTTP and first.fault is None:
            data.layer = JudgedHttp(data.context, HTTPMode.regular, self)
        else:
            self.malformed(data.context.client)
            data.layer = Refusing(data.context, self, alert=first.protocol is Protocol.TLS)

    def _decide_connection(self, data: layer.NextLayer, client: Client, first: first_bytes.FirstBytes) -> None:
        target = data.context.server.address
        if target is None:
            raise LookupError("a connection without a destination")
        client.asked = None
        ticket = self._issue(client, attempt_of_first_bytes(client.connection, (target[0], target[1]), first))
        if ticket.decision.allowed:
            data.layer = Relay(data.context, self, ticket)
        elif first.page_possible and self._answers.context_for(ticket) is not None:
            client.shown = ticket
            client.close_by = monotonic() + HANDSHAKE_WITHIN
            data.layer = ClientTLSLayer(data.context)
        else:
            self._answers.told("alert" if first.protocol is Protocol.TLS else "close")
            client.close_by = monotonic() + AFTER_A_PAGE
            data.layer = Refusing(data.context, self, alert=first.protocol is Protocol.TLS)

    @guarded(refuse_hello)
    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        data.ignore_connection = False
        data.establish_server_tls_first = False

    @guarded(refuse_tls)
    def tls_start_client(self, data: tls.TlsData) -> None:
        ticket = self._clients.known(data.context.client).shown
        context = self._answers.context_for(ticket) if ticket is not None else None
        if context is not None:
            data.ssl_conn = SSL.Connection(context)
            data.ssl_conn.set_accept_state()

    # Requests

    @guarded(refuse_flow)
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        flow.response = unavailable()  # denied until allowed
        client = self._clients.known(flow.client_conn)
        ticket = client.shown or self._issue(client, attempt_of_request(flow))
        if not ticket.decision.allowed:
            self._answer(flow, client, ticket)
            return
        strip_hop_by_hop(flow.request)
        flow.request.stream = ticket.count_up
        flow.metadata[self.name] = ticket
        flow.response = None

    @guarded(stop_flow)
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        ticket = flow.metadata.get(self.name)
        if ticket is None or flow.response is None:
            return
        flow.response.stream = ticket.count_down
        if flow.response.status_code != SWITCHING_PROTOCOLS:
            flow.request.headers["connection"] = "close"  # an upgrade that was not taken: one request all the same

    @guarded(nothing)
    def response(self, flow: http.HTTPFlow) -> None:
        if flow.response is None or flow.response.status_code == SWITCHING_PROTOCOLS:
            return
        if flow.request.timestamp_end is not None:
            self._end(flow)
        elif (client := self._clients.get(flow.client_conn)) is not None:
            client.close_by = monotonic() + AFTER_A_PAGE  # answered before its end: what it still sends is on the books

    @guarded(nothing)
    def error(self, flow: http.HTTPFlow) -> None:
        self._end(flow)

    # What the layers and the sweeper report

    def ticket_of(self, client: connection.Client) -> Ticket | None:
        return self._clients.known(client).current

    def malformed(self, client: connection.Client) -> None:
        """What a client sent is not HTTP, or more of it than anyone needs."""
        self._answers.told("close")
        known = self._clients.get(client)
        if known is not None:
            known.close_by = monotonic() + AFTER_A_PAGE
        self._refuse_unheard(client, Reason.MALFORMED)

    def fault(self, where: str, error: BaseException) -> None:
        """Count it, always; tell of it in full, once a minute for each place and kind."""
        self._metrics.internal_errors.labels(where).inc()
        place, now = (where, type(error)), monotonic()
        if now - self._told.get(place, -TOLD_EVERY) >= TOLD_EVERY:
            self._told[place] = now
            logger.error("Refused: an internal error in %s", where, exc_info=error)

    def refuse_for_fault(self, client: connection.Client) -> None:
        """Put a refusal for an internal error on record; itself never raises."""
        try:
            known = self._clients.get(client)
            ticket = self._judge.refuse(attempt_of_nothing(client, None), Reason.INTERNAL_ERROR)
            self._answers.told("close")
            if known is not None:
                known.current, known.shown, known.asked = None, None, None
                known.live.append(ticket)
        except Exception:
            logger.exception("An internal error could not be recorded")

    # Tools

    def _issue(self, client: Client, attempt: Attempt) -> Ticket:
        client.current = None
        ticket = self._judge.judge(attempt)
        client.current = ticket
        client.live.append(ticket)
        return ticket

    def _refuse_unheard(self, client: connection.Client, reason: Reason) -> None:
        self._judge.end(self._judge.judge(attempt_of_nothing(client, reason)))

    def _answer(self, flow: http.HTTPFlow, client: Client, ticket: Ticket) -> None:
        self._answers.page(flow, ticket)
        client.pages += 1
        if client.pages == 1:
            client.close_by = monotonic() + AFTER_A_PAGE  # however much is asked for after it
        elif client.pages > MOST_PAGES:
            client.close_by = monotonic()

    def _end(self, flow: http.HTTPFlow) -> None:
        ticket = flow.metadata.get(self.name)
        client = self._clients.get(flow.client_conn)
        if ticket is None or client is None:
            return
        self._judge.end(ticket)
        if ticket in client.live:
            client.live.remove(ticket)
