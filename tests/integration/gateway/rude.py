"""Origins that do not keep to HTTP's good manners, and how to give one a name of its own."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from tests.integration.gateway.internet import PIECE, Server, Visit
from tests.integration.gateway.world import World

PUSHED = 100 << 20  # bytes: what a sender without manners sends before it has made its point
NO_LINES = PIECE.translate(None, b"\r\n")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_places = count(20)


class RudeOrigin(Server):
    """Treats every connection in one manner; what it received behind the heads, and what it sent, are counted."""

    def __init__(self, manner: "Manner", host: str, port: int) -> None:
        self._manner = manner
        self.received = self.sent = 0
        super().__init__(host, port)

    def serve(self, connection: socket.socket, visit: Visit) -> None:
        self._manner(self, connection, visit)

    def read_head(self, connection: socket.socket, visit: Visit) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536) or _gone()
        head, _, rest = head.partition(b"\r\n\r\n")
        visit.requests.append(head)
        self.received += len(rest)

    def read_on(self, connection: socket.socket) -> None:
        while data := connection.recv(65536):
            self.received += len(data)

    def pour(self, connection: socket.socket) -> None:
        while self.sent < PUSHED:
            self.sent += connection.send(NO_LINES)


type Manner = Callable[[RudeOrigin, socket.socket, Visit], None]


def silent(origin: RudeOrigin, connection: socket.socket, visit: Visit) -> None:
    """Reads, and never answers."""
    origin.read_head(connection, visit)
    origin.read_on(connection)


def hasty(origin: RudeOrigin, connection: socket.socket, visit: Visit) -> None:
    """Answers before the request is over, and goes on reading."""
    origin.read_head(connection, visit)
    connection.sendall(ANSWER)
    origin.read_on(connection)


def clinging(origin: RudeOrigin, connection: socket.socket, visit: Visit) -> None:
    """Keeps its connection alive whatever it is asked, and answers every request on it."""
    while True:
        origin.read_head(connection, visit)
        connection.sendall(ANSWER)


def endless(origin: RudeOrigin, connection: socket.socket, visit: Visit) -> None:
    """Answers with a head that has no end."""
    origin.read_head(connection, visit)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    origin.pour(connection)


def garbled(origin: RudeOrigin, connection: socket.socket, visit: Visit) -> None:
    """Answers with a chunk that never ends as a chunk ends."""
    origin.read_head(connection, visit)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na")
    origin.pour(connection)


@contextmanager
def standing(world: World, name: str, manner: Manner) -> Iterator[RudeOrigin]:
    """An origin at an address of its own, where ``name``, never asked for before, leads."""
    host = f"127.0.1.{next(_places)}"
    world.names.names[name] = (host,)
    with RudeOrigin(manner, host, world.http_port) as origin:
        yield origin


def _gone() -> bytes:
    raise EOFError
