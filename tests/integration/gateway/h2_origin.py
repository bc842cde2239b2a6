"""HTTP/2 behind TLS: an origin that answers, or never stops answering, and a client that reads it."""

import socket
import time
from collections.abc import Iterator
from typing import Protocol

import h2.config
import h2.connection
import h2.events

PIECE = bytes(16384)
TRICKLES_EVERY = 0.02  # seconds: a connection that is never idle, and never in anybody's way


class Stream(Protocol):
    """What a client reads and writes: TLS, mostly."""

    def sendall(self, data: bytes, /) -> None: ...

    def recv(self, size: int, /) -> bytes: ...


def serve_h2(connection: socket.socket, requests: list[bytes]) -> None:
    """Answer every request; one for ``…/endless`` or ``…/trickling`` is answered until the other side goes."""
    http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    http.initiate_connection()
    connection.sendall(http.data_to_send())
    while data := connection.recv(65536):
        for event in http.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                headers = dict(event.headers or ())
                requests.append(b"%s %s HTTP/2\r\n" % (headers[b":method"], headers[b":path"]))
                _answer(http, connection, event.stream_id, headers[b":path"])
        connection.sendall(http.data_to_send())


def _answer(http: h2.connection.H2Connection, connection: socket.socket, stream: int, path: bytes) -> None:
    http.send_headers(stream, [(":status", "200")])
    if path.endswith(b"/trickling"):
        while True:
            http.send_data(stream, b".")
            connection.sendall(http.data_to_send())
            time.sleep(TRICKLES_EVERY)
    if not path.endswith(b"/endless"):
        http.send_data(stream, b"hello from the internet", end_stream=True)
        return
    while True:
        room = min(http.local_flow_control_window(stream), http.max_outbound_frame_size)
        if room:
            http.send_data(stream, PIECE[:room])
        connection.sendall(http.data_to_send())
        if not room:
            http.receive_data(connection.recv(65536) or _gone())


def _gone() -> bytes:
    raise EOFError


def get_h2(connection: Stream, host: str, path: str) -> Iterator[tuple[str, bytes]]:
    """Send one GET; yield ``("status", …)`` once and ``("body", …)`` as the body comes. Ends with the stream."""
    http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    http.initiate_connection()
    fields = [(":method", "GET"), (":path", path), (":scheme", "https"), (":authority", host)]
    http.send_headers(http.get_next_available_stream_id(), fields, end_stream=True)
    connection.sendall(http.data_to_send())
    while data := connection.recv(65536):
        for event in http.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                yield "status", dict(event.headers or ())[b":status"]
            elif isinstance(event, h2.events.DataReceived):
                http.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
                yield "body", event.data or b""
            elif isinstance(event, h2.events.StreamEnded):
                return
        connection.sendall(http.data_to_send())
