"""Clients of the gateway: a browser's way through it, and every rude way a socket allows. Every wait has a deadline."""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.x509.oid import NameOID

DEADLINE = 15.0  # for any one wait; nothing here is meant to take that long
OK = 200
type Address = tuple[str, int]
type Pieces = Callable[[bytes], Iterable[bytes]]
TCP_TABLE = Path("/proc/net/tcp")


class ConnectRefused(OSError):
    """The proxy answered CONNECT with something else than 200."""

    def __init__(self, reply: "Reply") -> None:
        super().__init__(f"CONNECT was answered {reply.status}")
        self.reply = reply


@dataclass(frozen=True)
class Reply:
    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            field, _, value = line.partition(":")
            if field.strip().lower() == name.lower():
                return value.strip()
        return None


def eventually[T](condition: Callable[[], T], within: float = DEADLINE, every: float = 0.01) -> T:
    """The condition's first true value. Fails if there is none in time."""
    until = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < until, f"not so within {within} s: {condition}"
        time.sleep(every)
    return value


def connect(gateway: Address, source: str | None = None) -> socket.socket:
    """A connection to the gateway from one of loopback's many addresses."""
    origin = (source, 0) if source else None
    connection = socket.create_connection(gateway, timeout=DEADLINE, source_address=origin)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def tunnel(gateway: Address, target: str, source: str | None = None, headers: Iterable[str] = ()) -> socket.socket:
    """CONNECT to ``host:port``. Raises ConnectRefused."""
    connection = connect(gateway, source)
    try:
        connection.sendall(request_head("CONNECT", target, target, *headers))
        reply = read_reply(connection, connecting=True)
    except BaseException:
        connection.close()
        raise
    if reply.status != OK:
        connection.close()
        raise ConnectRefused(reply)
    return connection


class Tls:
    """TLS over a socket, with the client's first flight sent in whatever pieces one likes."""

    def __init__(
        self,
        connection: socket.socket,
        name: str | None,
        trusted: Path | Iterable[Path],
        *,
        pieces: Pieces | None = None,
        alpn: Iterable[str] = ("http/1.1",),
        check_name: bool = True,
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for root in [trusted] if isinstance(trusted, Path) else trusted:
            context.load_verify_locations(root)
        context.check_hostname = check_name and name is not None
        context.set_alpn_protocols(list(alpn))
        self.connection = connection
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=name)
        try:
            self._handshake(pieces or _whole)
        except BaseException:
            self.close()
            raise

    def _handshake(self, pieces: Pieces) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                for piece in pieces(self._out.read()):
                    self.connection.sendall(piece)
                pieces = _whole
                self._feed()
            else:
                self._flush()
                return

    def _feed(self) -> None:
        data = self.connection.recv(65536)
        if not data:
            raise ConnectionResetError("the other side closed")
        self._in.write(data)

    def _flush(self) -> None:
        if data := self._out.read():
            self.connection.sendall(data)

    @property
    def certificate(self) -> bytes:
        """The other side's certificate, DER."""
        return self._tls.getpeercert(binary_form=True) or b""

    @property
    def issuer(self) -> str:
        """The common name of who signed it."""
        (name,) = x509.load_der_x509_certificate(self.certificate).issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(name.value)

    @property
    def alpn(self) -> str | None:
        return self._tls.selected_alpn_protocol()

    def sendall(self, data: bytes) -> None:
        self._tls.write(data)
        self._flush()

    def recv(self, size: int = 65536) -> bytes:
        while True:
            try:
                return self._tls.read(size)
            except ssl.SSLWantReadError:
                self._flush()
                data = self.connection.recv(65536)
                if not data:
                    return b""
                self._in.write(data)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _whole(flight: bytes) -> Iterable[bytes]:
    return [flight]


def one_by_one(connection: socket.socket, sizes: Iterable[int], awaited: int = 64) -> Pieces:
    """Send pieces of these sizes, then the rest; the first few each only when the one before has been read."""

    def pieces(flight: bytes) -> Iterator[bytes]:
        at = 0
        for number, size in enumerate(sizes):
            if at >= len(flight):
                return
            yield flight[at : at + size]
            at += size
            if number < awaited:  # reading is watched through /proc, too slow for hundreds
                wait_until_read(connection)
        yield flight[at:]

    return pieces


def wait_until_read(connection: socket.socket) -> None:
    """Wait until whoever holds the other end (on this machine, IPv4) has taken everything that was sent."""
    mine, theirs = _as_listed(connection.getsockname()), _as_listed(connection.getpeername())

    def is_read() -> bool:
        for fields in _tcp_rows():
            if fields[1] == theirs and fields[2] == mine:
                return fields[4].endswith(":00000000")
        return True  # closed: nothing is waiting any more

    eventually(is_read, every=0.0005)


def held_sockets(listener: Address, source: str) -> int:
    """How many sockets whoever listens there holds towards a client (what it closed, the kernel may deliver yet)."""
    return sum(row[9] != "0" for row in _rows_towards(listener, source))


def queued_for(listener: Address, source: str) -> int:
    """How many bytes the kernel has of that listener for a client: sent, and not acknowledged."""
    return sum(int(row[4].partition(":")[0], 16) for row in _rows_towards(listener, source))


def sockets_to(server: Address) -> int:
    """How many sockets are held towards a server."""
    return sum(row[2] == _as_listed(server) and row[9] != "0" for row in _tcp_rows())


def _rows_towards(listener: Address, source: str) -> Iterator[list[str]]:
    mine, theirs = _as_listed(listener), _as_listed((source, 0)).removesuffix("0000")
    return (row for row in _tcp_rows() if row[1] == mine and row[2].startswith(theirs))


def _tcp_rows() -> list[list[str]]:
    return [line.split() for line in TCP_TABLE.read_text().splitlines()[1:]]


def _as_listed(address: Address) -> str:
    packed = socket.inet_aton(address[0])
    return f"{int.from_bytes(packed, 'little'):08X}:{address[1]:04X}"


def read_reply(connection: "socket.socket | Tls", *, connecting: bool = False) -> Reply:
    """One HTTP/1 answer. Raises ConnectionResetError if there is none."""
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        data = connection.recv(65536)
        if not data:
            raise ConnectionResetError(f"closed without an answer, after {buffer[:200]!r}")
        buffer += data
    head, _, body = buffer.partition(b"\r\n\r\n")
    reply = Reply(int(head.split(b" ", 2)[1]), head, body)
    if connecting and reply.status == OK:
        return reply
    length = reply.header("content-length")
    while length is None or len(body) < int(length):
        data = connection.recv(65536)
        if not data:
            break
        body += data
    return Reply(reply.status, head, body)


def is_closed(connection: "socket.socket | Tls") -> bool:
    """Read to the end: true once the other side has closed or reset. Raises TimeoutError if it never does."""
    with suppress(ConnectionError, BrokenPipeError, ssl.SSLError):
        while connection.recv(65536):
            pass
    return True


def request_head(method: str, target: str, host: str, *more: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
