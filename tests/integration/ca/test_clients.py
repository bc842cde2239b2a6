"""A refusal as curl sees it: a real TLS server with the authority's context and the real page."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from socket import create_server, socket

import pytest
from OpenSSL import SSL

from policies.names import HostName
from policies.vocabulary import Reason
from proxy.ca.authority import Authority
from proxy.pages.refusal import Refusal
from proxy.pages.showing import render
from tests.needs import require

REFUSAL = Refusal(
    reason=Reason.NOT_AUTHORISED,
    host="www.facebook.com",
    reference="K7QF-2M9X-TDWA-5B3C",
    at=datetime(2026, 9, 7, 9, 30, tzinfo=UTC),
    service="Facebook",
    clause="3 ¶1",
)


@contextmanager
def answerer(context: SSL.Context) -> Iterator[int]:
    """One connection at a time, each shown the refusal; gives the port."""
    with closing(create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=_serve, args=(listener, context), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        with suppress(OSError):  # wakes the accept
            listener.shutdown(2)
    thread.join(5)


def _serve(listener: socket, context: SSL.Context) -> None:
    status, headers, body = render(REFUSAL)
    head = b"".join(b"%s: %s\r\n" % header for header in headers)
    while True:
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        with suppress(SSL.Error, OSError), closing(SSL.Connection(context, accepted)) as connection:
            accepted.settimeout(None)
            connection.set_accept_state()
            connection.do_handshake()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 %d Refused\r\n%sconnection: close\r\n\r\n%s" % (status, head, body))
            connection.shutdown()


@pytest.fixture
def port(answering: Authority) -> Iterator[int]:
    context = answering.context_for(HostName("www.facebook.com"), datetime.now(UTC))
    assert context is not None
    with answerer(context) as port:
        yield port


def curl(ca_dir: Path, port: int, host: str, *more: str) -> subprocess.CompletedProcess[str]:
    require("curl")
    where = ("--resolve", f"{host}:{port}:127.0.0.1", f"https://{host}:{port}/")
    command = ["curl", "-sS", "--http1.1", "--cacert", str(ca_dir / "root.pem"), "-w", "%{http_code}", *more, *where]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("version", ["--tlsv1.2", "--tlsv1.3"])
def test_curl_with_the_root_is_shown_the_page(ca_dir: Path, port: int, version: str) -> None:
    """No warning, status 403, the page with its clause and reference."""
    result = curl(ca_dir, port, "www.facebook.com", version)
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("403")
    assert "section 3 ¶1" in result.stdout
    assert "K7QF-2M9X-TDWA-5B3C" in result.stdout


def test_a_certificate_is_for_its_host_alone(ca_dir: Path, port: int) -> None:
    """The one for www.facebook.com does not do for m.facebook.com."""
    result = curl(ca_dir, port, "m.facebook.com")
    assert result.returncode == 60
    assert "no alternative certificate subject name matches" in result.stderr


def test_without_the_root_nobody_believes_it(port: int) -> None:
    """A visitor's device is told of an unknown issuer."""
    require("curl")
    where = ("--resolve", f"www.facebook.com:{port}:127.0.0.1", f"https://www.facebook.com:{port}/")
    assert subprocess.run(["curl", "-sS", *where], capture_output=True, timeout=20, check=False).returncode == 60


def test_http2_is_agreed_upon(ca_dir: Path, port: int) -> None:
    """OpenSSL's client offers both and gets h2; the chain it is sent is leaf and intermediate."""
    require("openssl")
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "www.facebook.com", "-showcerts"]
    more = ["-CAfile", str(ca_dir / "root.pem"), "-alpn", "http/1.1,h2", "-verify_return_error"]
    result = subprocess.run([*command, *more], input="\n", capture_output=True, text=True, timeout=20, check=False)
    assert "ALPN protocol: h2" in result.stdout
    assert "Verify return code: 0 (ok)" in result.stdout
    assert result.stdout.count("BEGIN CERTIFICATE") == 2
