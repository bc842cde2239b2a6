"""A TLS server on loopback that shows whatever certificates it is told to, for clients to believe or not."""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from proxy.ca.certificates import certificate_pem, key_pem

BODY = b"believed"
REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"


@contextmanager
def served(folder: Path, chain: Sequence[x509.Certificate], key: ec.EllipticCurvePrivateKey) -> Iterator[int]:
    """Show ``chain``, the leaf first, to whoever connects; gives the port."""
    pem = folder / "served.pem"
    pem.write_bytes(key_pem(key) + b"".join(map(certificate_pem, chain)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with _Server(("127.0.0.1", 0), context) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(5)


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False  # browsers keep connections that they never use

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext) -> None:
        super().__init__(address, _Handler)
        self.context = context


class _Handler(BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        """A client that does not believe us ends the handshake: that is its right."""
        self.request.settimeout(10)
        try:
            with self.server.context.wrap_socket(self.request, server_side=True) as connection:
                connection.recv(65536)
                connection.sendall(REPLY % (len(BODY), BODY))
        except OSError:
            return
