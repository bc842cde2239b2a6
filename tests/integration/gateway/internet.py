"""A small internet on loopback: a certificate authority, origins that remember what reached them, a name server.

Real sockets, real TLS; every origin counts its accepts, so that "reached nothing" is a number and not a hope.
"""

import hashlib
import socket
import ssl
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BufferedReader
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.gateway.h2_origin import serve_h2

DEADLINE = 20.0  # for any one wait on a socket; nothing here is meant to take that long
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
PIECE = bytes(range(256)) * 256  # 64 KiB of something to download


@dataclass
class Visit:
    """One connection that reached an origin, and what it brought."""

    server_name: str | None = None
    requests: list[bytes] = field(default_factory=list)  # request heads, as received
    uploaded: str | None = None  # SHA-256 of the last body

    @property
    def head(self) -> bytes:
        return self.requests[-1] if self.requests else b""


class InternetAuthority:
    """The certificate authority that the tests' clients trust for the internet (the school's is another)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Internet CA of the tests")])
        constraint = x509.BasicConstraints(ca=True, path_length=0)
        root = _certificate(self._name, self._name, self._key).add_extension(constraint, critical=True)
        self.root = folder / "internet-root.pem"
        self.root.write_bytes(root.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def pem(self, names: Iterable[str]) -> Path:
        """A key and one certificate for all these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "origin of the tests")])
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        leaf = _certificate(subject, self._name, key).add_extension(alternatives, critical=False)
        pem = self._folder / f"origin-{id(key):x}.pem"
        pem.write_bytes(
            leaf.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return pem

    def server_context(self, names: Iterable[str]) -> ssl.SSLContext:
        """A server's TLS context with such a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem(names))
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=7))
    )


class Server:
    """A listening socket, a thread per connection, and a count of both."""

    def __init__(self, host: str, port: int = 0) -> None:
        self.visits: list[Visit] = []
        self._live: set[socket.socket] = set()
        self._lock = threading.Lock()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=512)
        self.host: str = host
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def accepts(self) -> int:
        return len(self.visits)

    @property
    def live(self) -> int:
        """Connections that are open now."""
        with self._lock:
            return len(self._live)

    def forget(self) -> None:
        self.visits = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread; close alone does not
        self._thread.join(DEADLINE)
        self._listener.close()
        with self._lock:
            for connection in self._live:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            visit = Visit()
            self.visits.append(visit)
            threading.Thread(target=self._run, args=(connection, visit), daemon=True).start()

    def _run(self, connection: socket.socket, visit: Visit) -> None:
        try:
            connection.settimeout(DEADLINE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = self.wrap(connection, visit)
            with self._lock:
                self._live.add(connection)
            self.serve(connection, visit)
        except (OSError, EOFError):
            pass  # the client or the gateway went: what was seen until then is in the visit
        finally:
            with self._lock:
                self._live.discard(connection)
            connection.close()

    def wrap(self, connection: socket.socket, visit: Visit) -> socket.socket:
        return connection

    def serve(self, connection: socket.socket, visit: Visit) -> None:
        serve_http(connection, visit)


class HttpOrigin(Server):
    """Plain HTTP/1.1 with keep-alive."""


class TlsOrigin(Server):
    """The same behind TLS, HTTP/2 as well; the server name each client sent is remembered."""

    def __init__(self, context: ssl.SSLContext, host: str, port: int = 0) -> None:
        self._context = context
        context.sni_callback = _remember_server_name
        super().__init__(host, port)

    def wrap(self, connection: socket.socket, visit: Visit) -> socket.socket:
        tls = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        tls.visit = visit  # type: ignore[attr-defined]  # read back by the callback, the only way in
        return tls

    def serve(self, connection: socket.socket, visit: Visit) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        connection.do_handshake()
        if connection.selected_alpn_protocol() == "h2":
            serve_h2(connection, visit.requests)
        else:
            serve_http(connection, visit)


def _remember_server_name(connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
    connection.visit.server_name = name  # type: ignore[attr-defined]  # set in TlsOrigin.serve


def serve_http(connection: socket.socket, visit: Visit) -> None:
    """Answer HTTP/1.1 requests until the other side goes."""
    with connection.makefile("rb") as incoming:
        while head := _read_head(incoming):
            visit.requests.append(head)
            headers = _headers(head)
            path = head.split(b" ", 2)[1]
            if headers.get(b"upgrade") == b"websocket":
                connection.sendall(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
                )
                _echo(connection, incoming)
                return
            visit.uploaded = hashlib.sha256(_read_body(incoming, headers)).hexdigest()
            _answer(connection, path, visit)
            if headers.get(b"connection", b"").lower() == b"close":
                return


def _answer(connection: socket.socket, path: bytes, visit: Visit) -> None:
    if path.endswith(b"/endless"):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        while True:
            connection.sendall(PIECE)
    size = int(path.rpartition(b"/")[2]) if b"/bytes/" in path else None
    body = body_of(size) if size is not None else f"hello from the internet {visit.uploaded}".encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def body_of(size: int) -> bytes:
    """What ``/bytes/SIZE`` answers: the same on both sides, never repeating in step with a buffer."""
    return hashlib.shake_128(b"download").digest(size)


def _echo(connection: socket.socket, incoming: BufferedReader) -> None:
    while data := incoming.read1():
        connection.sendall(data)


def _read_head(incoming: BufferedReader) -> bytes:
    head = b""
    while line := incoming.readline(65536):
        head += line
        if line in (b"\r\n", b"\n"):
            return head
    return b""


def _headers(head: bytes) -> Mapping[bytes, bytes]:
    fields = (line.partition(b":") for line in head.split(b"\r\n")[1:] if b":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in fields}


def _read_body(incoming: BufferedReader, headers: Mapping[bytes, bytes]) -> bytes:
    read = incoming.read
    if headers.get(b"transfer-encoding", b"").lower() != b"chunked":
        return bytes(read(int(headers.get(b"content-length", b"0"))))
    body = b""
    while size := int(incoming.readline().split(b";")[0], 16):
        body += read(size)
        incoming.readline()
    incoming.readline()
    return body
