"""The handshake that a refused client sees, in memory, against Python's own TLS client."""

import ssl
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from OpenSSL import SSL

from policies.names import HostName
from proxy.ca.authority import Authority
from proxy.ca.contexts import choose_protocol
from proxy.ca.status import root_certificate


@pytest.fixture
def server(ca_dir: Path) -> SSL.Context:
    now = datetime.fromisoformat("2026-09-07T08:30:00Z")
    context = Authority.open(ca_dir, now).context_for(HostName("www.facebook.com"), now)
    assert context is not None
    return context


@pytest.fixture
def client(ca_dir: Path) -> ssl.SSLContext:
    """A client with the school's root; dates are for ``openssl verify`` to judge, which can be told the time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_verify_locations(cadata=root_certificate(ca_dir).decode())
    return context


def handshake(server: SSL.Context, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLObject:
    """Carry bytes between the two until both are done. Raises what either side raises."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = client.wrap_bio(to_client, to_server, server_hostname="www.facebook.com", session=session)
    ours = SSL.Connection(server, None)
    ours.set_accept_state()
    for _ in range(6):
        for side in (theirs, ours):
            with suppress(ssl.SSLWantReadError, SSL.WantReadError):
                side.do_handshake()
            to_client.write(_drain(ours))
            if data := to_server.read():
                ours.bio_write(data)
    ours.send(b"hello")
    to_client.write(_drain(ours))
    assert theirs.read(5) == b"hello"
    return theirs


def _drain(connection: SSL.Connection) -> bytes:
    try:
        return connection.bio_read(1 << 20)
    except SSL.WantReadError:
        return b""


def test_leaf_and_intermediate_are_shown_and_the_root_is_not(server: SSL.Context, client: ssl.SSLContext) -> None:
    """A client that has the root can build the chain, and nothing is sent in vain."""
    assert len(handshake(server, client).get_unverified_chain()) == 2


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_modern_tls_is_spoken(server: SSL.Context, client: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    """TLS 1.2 and 1.3."""
    client.minimum_version = client.maximum_version = version
    assert handshake(server, client).version() == version.name.replace("_", ".")


def test_old_tls_is_not(server: SSL.Context, client: ssl.SSLContext) -> None:
    """TLS 1.1 was deprecated by RFC 8996."""
    client.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        client.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        client.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, SSL.Error)):
        handshake(server, client)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_session_is_resumed(server: SSL.Context, client: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    """Nothing of one handshake is kept for the next."""
    client.minimum_version = client.maximum_version = version
    first = handshake(server, client)
    assert not handshake(server, client, first.session).session_reused


def test_http2_is_preferred(server: SSL.Context, client: ssl.SSLContext) -> None:
    """Whatever the client's order."""
    client.set_alpn_protocols(["http/1.1", "h2"])
    assert handshake(server, client).selected_alpn_protocol() == "h2"


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([b"h2", b"http/1.1"], b"h2"),
        ([b"http/1.1"], b"http/1.1"),
        ([b"spdy/3", b"http/1.1"], b"http/1.1"),
        ([b"spdy/3"], SSL.NO_OVERLAPPING_PROTOCOLS),
        ([], SSL.NO_OVERLAPPING_PROTOCOLS),
    ],
)
def test_protocols(server: SSL.Context, offered: list[bytes], chosen: object) -> None:
    """HTTP/2, else HTTP/1.1, else nothing is agreed upon."""
    assert choose_protocol(SSL.Connection(server, None), offered) == chosen


def test_no_key_log_is_written(
    server: SSL.Context, client: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSLKEYLOGFILE in the answerer's environment gives nobody the keys."""
    log = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    monkeypatch.setenv("MITMPROXY_SSLKEYLOGFILE", str(log))
    handshake(server, client)
    assert not log.exists()
