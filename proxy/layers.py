"""The mitmproxy layers that enforcement puts on a connection: a refusal, a relay, and HTTP that is judged per request.

Each does one thing that mitmproxy's own does not: ``Refusing`` tells a TLS client by an alert and hangs up; ``Relay``
counts what passes and keeps none of it; ``JudgedHttp`` answers a refused request before its body is read, bounds the
head of a request, and reports what cannot be parsed.
"""

import struct
from collections.abc import Callable
from typing import Any, Protocol

from mitmproxy import connection, http
from mitmproxy.proxy import commands, context, events, layer
from mitmproxy.proxy.layers import tcp
from mitmproxy.proxy.layers.http import GetHttpConnection, HttpLayer, HTTPMode, HttpStream, SendHttp
from mitmproxy.proxy.layers.http._events import RequestHeaders, ResponseEndOfMessage
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Server, make_error_response

from proxy.judging import Ticket

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
    """HTTP/1 towards the client, with a limit on the head and a report of what is not HTTP."""

    def __init__(self, context: context.Context, gate: Gate) -> None:
        super().__init__(context)
        self._gate = gate

    def _handle_event(self, event: events.Event) -> Commands:
        yield from super()._handle_event(event)
        if self.state not in (self.passthrough, self.done) and len(self.buf) > LARGEST_HEAD:
            yield from self._refuse_excess()

    def read_headers(self, event: events.ConnectionEvent) -> Commands:
        yield from super().read_headers(event)
        if self.state == self.done and self.request is None:
            self._gate.malformed(self.context.client)

    def _refuse_excess(self) -> Commands:
        """Bodies are passed on as they come: what stays is a head, a chunk's line, or what nobody asked for yet."""
        self._gate.malformed(self.context.client)
        if self.state == self.read_headers:
            yield commands.SendData(self.conn, make_error_response(431, f"A head of at most {LARGEST_HEAD} bytes."))
        yield commands.CloseConnection(self.conn)
        self.state = self.done


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
        if context.client.alpn != b"h2":
            self.connections[context.client] = BoundedHttp1Server(context.fork(), gate)

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
