"""The ClientHello parser: whole, in pieces, in records, and hostile."""

import itertools
import ssl
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.proxy.layers.tls import parse_client_hello

from proxy.lane import hello

GREASE = struct.pack("!HH", 0x0A0A, 0)


def vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size) + data


def extension(kind: int, data: bytes) -> bytes:
    return struct.pack("!H", kind) + vector(2, data)


def server_name(*names: bytes, kind: int = 0) -> bytes:
    return extension(0, vector(2, b"".join(bytes([kind]) + vector(2, name) for name in names)))


def handshake(extensions: bytes | None) -> bytes:
    body = b"\x03\x03" + bytes(32) + vector(1, bytes(32)) + vector(2, b"\x13\x01") + vector(1, b"\x00")
    if extensions is not None:
        body += vector(2, extensions)
    return b"\x01" + vector(3, body)


def records(message: bytes, *cuts: int) -> bytes:
    edges = [0, *sorted(cuts), len(message)]
    pieces = [message[a:b] for a, b in itertools.pairwise(edges) if b > a]
    return b"".join(b"\x16\x03\x01" + vector(2, piece) for piece in pieces)


FACEBOOK = handshake(GREASE + server_name(b"www.facebook.com") + extension(16, vector(2, vector(1, b"h2"))))


def openssl_hello(name: str) -> bytes:
    """A hello as a real client sends it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def test_a_real_hello_gives_name_and_alpn():
    """What OpenSSL sends is read as it meant it."""
    found = hello.read(openssl_hello("m.facebook.com"))
    assert found == hello.Hello(b"m.facebook.com", (b"h2", b"http/1.1"))


def test_a_hello_is_incomplete_until_its_last_byte():
    """From the first byte on, every prefix says "not yet" and nothing else."""
    data = records(FACEBOOK)
    assert [hello.read(data[:n]) for n in range(len(data))] == [None] * len(data)
    assert hello.read(data) == hello.Hello(b"www.facebook.com", (b"h2",))


@given(st.sets(st.integers(1, len(FACEBOOK) - 1), max_size=20))
def test_records_may_cut_a_hello_anywhere(cuts):
    """The name is the same however the hello is cut into records."""
    found = hello.read(records(FACEBOOK, *cuts))
    assert found is not None
    assert found.server_name == b"www.facebook.com"


def test_no_extensions_or_no_name_is_no_name():
    """A hello without a server name is whole, and names nobody."""
    assert hello.read(records(handshake(None))) == hello.Hello(None, ())
    assert hello.read(records(handshake(GREASE))) == hello.Hello(None, ())


@pytest.mark.parametrize(
    "message",
    [
        handshake(server_name(b"bbc.co.uk") + server_name(b"facebook.com")),
        handshake(server_name(b"bbc.co.uk", b"facebook.com")),
        handshake(server_name(b"")),
        handshake(server_name(b"facebook.com", kind=1)),
        handshake(extension(0, b"")),
        handshake(extension(0, vector(2, b"\x00\x00\xff" + b"facebook.com"))),
        b"\x01" + vector(3, handshake(server_name(b"facebook.com"))[4:] + b"xx"),
        b"\x02" + handshake(None)[1:],
        b"\x01" + vector(3, b"\x03\x03"),
        b"\x01\x02\x00\x00" + bytes(100),
    ],
    ids=[
        "extension-twice",
        "two-names",
        "empty-name",
        "unknown-name-type",
        "empty-extension",
        "length-beyond-the-end",
        "bytes-behind",
        "server-hello",
        "too-short",
        "too-long",
    ],
)
def test_what_could_be_read_two_ways_is_malformed(message):
    """A hello that another parser might read differently is refused, never guessed at."""
    with pytest.raises(hello.MalformedHello):
        hello.read(records(message))


@pytest.mark.parametrize(
    "data", [b"\x80\x2e\x01", b"\x15\x03\x01", b"\x16\x02", b"\x16\x03\x01\x00\x00", b"\x16\x03\x01\xff\xff"]
)
def test_a_wrong_record_header_is_malformed_at_once(data):
    """SSLv2, an alert first, an empty or an oversized record: nobody waits for the rest."""
    with pytest.raises(hello.MalformedHello):
        hello.read(data)


def test_a_hello_in_too_many_records_is_malformed():
    """Each look reads every record again: nobody may make that work without end."""
    with pytest.raises(hello.MalformedHello, match="more than 64 records"):
        hello.read(records(FACEBOOK, *range(1, 80))[: 65 * 6])


@given(st.binary(max_size=400))
def test_hostile_bytes_raise_nothing_else(data):
    """Whatever arrives, the parser answers None, a Hello or MalformedHello."""
    for attempt in (data, b"\x16\x03\x01" + data, records(b"\x01" + vector(3, data)), records(handshake(data))):
        try:
            found = hello.read(attempt)
        except hello.MalformedHello:
            continue
        assert found is None or isinstance(found, hello.Hello)


@given(st.binary(max_size=300))
def test_it_never_names_another_than_mitmproxy_does(extensions):
    """Differential: where both parsers accept a hello and see a name, it is the same name."""
    data = records(handshake(extensions + server_name(b"www.facebook.com")))
    try:
        ours = hello.read(data)
        theirs = parse_client_hello(data)
    except (hello.MalformedHello, ValueError):
        return
    assert ours is not None
    assert theirs is not None
    assert theirs.sni in (None, (ours.server_name or b"").decode("latin-1"))
