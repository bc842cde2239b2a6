"""The mitmproxy layers that enforcement puts on a connection: a refusal, a relay, and HTTP that is judged per request.

Each does one thing that mitmproxy's own does not: ``Refusing`` tells a TLS client by an alert and hangs up; ``Relay``
counts what passes and keeps none of it; ``JudgedHttp`` answers a refused request before its body is read, bounds the
head of a request, reports what cannot be parsed, and says in our own words what went wrong.
"""

import struct
from collections.abc import Callable
from typing import Any, Protocol

from mitmproxy import connection, http
from mitmproxy.connection import ConnectionState
from mitmproxy.net.http.http1 import assemble_response
from mitmproxy.proxy import commands, context, events, layer
from mitmproxy.proxy.layers import tcp
from mitmproxy.proxy.layers.http import GetHttpConnection, HttpLayer, HTTPMode, HttpStream, SendHttp
from mitmproxy.proxy.layers.http._events import (
    HttpEvent,
    RequestHeaders,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Server
from mitmproxy.proxy.layers.http._http2 import Http2Server

from policies.vocabulary import Outcome
from proxy.judging import Ticket
from proxy.own_words import own_answer

ACCESS_DENIED = bytes.fromhex("15 03 03 00 02 02 31")  # a fatal alert, access_denied: RFC 8446 section 6.2
LARGEST_HEAD = 64 * 1024  # bytes of one request's line and headers

PLAIN_HERE = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"This is the gateway's TLS listener: speak TLS to it (in a PAC file: HTTPS host:port).\n"
)

type Commands = layer.CommandGenerator[None]


def goaway(last_stream: int) -> bytes:
    """The HTTP/2 frame that ends a connection after ``last_stream``, without an error: RFC 9113 section 6.8."""
    return bytes.fromhex("000008 07 00 00000000") + struct.pack("!II", last_stream, 0)


class Gate(Protocol):
    """What the layers report to."""

    def fault(self, where: str, error: BaseException) -> None: ...

    def malformed(self, client: connection.Client) -> None: ...

    def ticket_of(self, client: connection.Client) -> Ticket | None: ...


class GuardedLayer(layer.Layer):
    """What a layer raises would leave the connection hanging, unsaid; here it is counted and the connection closed."""

    gate: Gate

    def handle_event(self, event: events.Event) -> Commands:
        try:
            yield from super().handle_event(event)
        except NotImplementedError:  # trailers: mitmproxy relays none, and that is nobody's fault here
            yield from self.close()
        except Exception as error:  # noqa: BLE001 -- law 1: whatever it is, nothing more passes
            self.gate.fault(type(self).__name__, error)
            yield from self.close()

    def close(self) -> Commands:
        self._handle_event = self.closed  # type: ignore[method-assign,assignment]  # as mitmproxy's layers change state
        self._paused = None
        yield commands.CloseConnection(self.context.client)

    def closed(self, _: events.Event) -> Commands:
        yield from ()


class Refusing(GuardedLayer):
    """Hangs up, after ``last_words``: a TLS client is told by an alert. Whatever else arrives is dropped unread."""

    def __init__(self, context: context.Context, gate: Gate, last_words: bytes = b"") -> None:
        super().__init__(context)
        self.gate, self._last_words = gate, last_words

    def _handle_event(self, event: events.Event) -> Commands:
        client = self.context.client
        if isinstance(event, events.Start):
            if self._last_words:
                yield commands.SendData(client, self._last_words)
            # Only our half: a full close with bytes unread would send a reset that overtakes the alert.
            yield commands.CloseTcpConnection(client, half_close=True)
        elif isinstance(event, events.ConnectionClosed) and event.connection is client:
            yield commands.CloseConnection(client)


class Relay(GuardedLayer, tcp.TCPLayer):
    """Passes bytes on, both ways, and counts them on the attempt's ticket. Makes no flow: nothing is kept."""

    def __init__(self, context: context.Context, gate: Gate, ticket: Ticket) -> None:
        super().__init__(context, ignore=True)
        self.gate, self._ticket = gate, ticket

    def relay_messages(self, event: events.Event) -> Commands:
        if isinstance(event, events.DataReceived):
            count = self._ticket.count_up if event.connection is self.context.client else self._ticket.count_down
            count(event.data)
        yield from super().relay_messages(event)


class BoundedHttp1Server(Http1Server):
    """HTTP/1 towards the client, with a limit on the head, a report of what is not HTTP, and our own words."""

    def __init__(self, context: context.Context, gate: Gate) -> None:
        super().__init__(context)
        self._gate = gate

    def _handle_event(self, event: events.Event) -> Commands:
        yield from super()._handle_event(event)
        if self.state not in (self.passthrough, self.done) and len(self.buf) > LARGEST_HEAD:
            yield from self._refuse_excess()

    def read_headers(self, event: events.ConnectionEvent) -> Commands:
        for command in super().read_headers(event):  # it waits for none of them
            is_answer = isinstance(command, commands.SendData)  # to a head that it cannot read
            yield commands.SendData(self.conn, assemble_response(own_answer(400))) if is_answer else command
        if self.state == self.done and self.request is None:
            self._gate.malformed(self.context.client)

    def send(self, event: HttpEvent) -> Commands:
        """What goes wrong before an answer has begun is told here, as far as there is anything to tell."""
        if not isinstance(event, ResponseProtocolError) or self.response is not None:
            yield from super().send(event)
            return
        status = event.code.http_status_code()
        if self.conn.state & ConnectionState.CAN_WRITE:
            if status is not None:
                has_body = self.request is None or self.request.method != "HEAD"
                answer = own_answer(status, _outcome(self._gate, self.context.client), body=has_body)
                yield commands.SendData(self.conn, assemble_response(answer))
            yield commands.CloseConnection(self.conn)

    def _refuse_excess(self) -> Commands:
        """Bodies are passed on as they come: what stays is a head, a chunk's line, or what nobody asked for yet."""
        self._gate.malformed(self.context.client)
        if self.state == self.read_headers:
            yield commands.SendData(self.conn, assemble_response(own_answer(431)))
        yield commands.CloseConnection(self.conn)
        self.state = self.done


class OwnHttp2Server(Http2Server):
    """HTTP/2 towards the client, with our own words."""

    def _handle_event(self, event: events.Event) -> Commands:
        status = event.code.http_status_code() if isinstance(event, ResponseProtocolError) else None
        if not isinstance(event, ResponseProtocolError) or status is None or not self._is_unanswered(event.stream_id):
            yield from super()._handle_event(event)
            return
        answer = own_answer(status)
        del answer.headers["connection"]
        yield from super()._handle_event(ResponseHeaders(event.stream_id, answer))
        yield from super()._handle_event(ResponseData(event.stream_id, answer.raw_content or b""))
        yield from super()._handle_event(ResponseEndOfMessage(event.stream_id))

    def _is_unanswered(self, stream_id: int) -> bool:
        return self.is_open_for_us(stream_id) and not self.h2_conn.streams[stream_id].state_machine.headers_sent


def _outcome(gate: Gate, client: connection.Client) -> Outcome | None:
    """What became of what was dialled for a client last."""
    ticket = gate.ticket_of(client)
    return ticket.outcome if ticket is not None else None


class JudgedStream(HttpStream):
    """One request. Refused (the hook set a response): answered at once, its body dropped unread."""

    def __init__(self, context: context.Context, stream_id: int, gate: Gate) -> None:
        super().__init__(context, stream_id)
        self._gate = gate

    def state_wait_for_request_headers(self, event: RequestHeaders) -> Commands:
        yield from super().state_wait_for_request_headers(event)
        if self.client_state == self.state_consume_request_body and self.flow.response is not None:
            self.client_state = self.state_done
            yield from self.answer(self.flow.response)
            self.client_state = self.state_answered

    def answer(self, response: http.Response) -> Commands:
        """Over HTTP/2 ``Connection: close`` is said by GOAWAY, before the answer: what follows needs a new one."""
        client = self.context.client
        is_last = client.alpn == b"h2" and response.headers.pop("connection", None) == "close"
        if is_last:
            yield commands.SendData(client, goaway(self.stream_id))
        yield from self.send_response()
        if is_last:
            yield commands.CloseConnection(client)

    def state_answered(self, _: events.Event) -> Commands:
        yield from ()

    def flow_done(self) -> Commands:
        """After 101 Switching Protocols the connection is a relay like any other: mitmproxy's would keep messages."""
        ticket = self._gate.ticket_of(self.context.client)
        if self.flow.response is None or self.flow.response.status_code != 101 or ticket is None:  # noqa: PLR2004
            yield from super().flow_done()
            return
        self.flow.live = False
        self.child_layer = Relay(self.context, self._gate, ticket)
        self._handle_event: Callable[[Any], Commands] = self.passthrough
        yield from self.child_layer.handle_event(events.Start())
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)


class JudgedHttp(GuardedLayer, HttpLayer):
    """HTTP in which every request is a ``JudgedStream``."""

    def __init__(self, context: context.Context, mode: HTTPMode, gate: Gate) -> None:
        super().__init__(context, mode)
        self.gate = gate
        speaks_h2, inner = context.client.alpn == b"h2", context.fork()
        self.connections[context.client] = OwnHttp2Server(inner) if speaks_h2 else BoundedHttp1Server(inner, gate)

    def _handle_event(self, event: events.Event) -> Commands:
        yield from super()._handle_event(event)
        if isinstance(event, events.DataReceived) and self._held_for(event.connection) > LARGEST_HEAD:
            yield from self.close()

    def _held_for(self, conn: connection.Connection) -> int:
        """Bytes of an origin's head that never ends."""
        http1 = getattr(self.connections.get(conn), "child_layer", None)
        return len(http1.buf) if isinstance(http1, Http1Client) else 0

    def get_connection(self, event: GetHttpConnection, *, reuse: bool = True) -> Commands:  # noqa: ARG002 -- never
        """One request per upstream connection: what was dialled for one judgement serves no other."""
        yield from super().get_connection(event, reuse=False)

    def make_stream(self, stream_id: int) -> Commands:
        stream = JudgedStream(self.context.fork(), stream_id, self.gate)
        self.streams[stream_id] = stream
        yield from self.event_to_child(stream, events.Start())
