"""ClientHellos in odd pieces and odd shapes: judged by their name however they come, refused where they have none."""

from collections.abc import Iterable

import pytest

from tests.integration.gateway.clients import Tls, is_closed, one_by_one, read_reply, request_head
from tests.integration.gateway.gate import INTERNET, Client, Gate
from tests.integration.gateway.hellos import (
    SERVER_NAME,
    Extension,
    client_hello,
    grease_ech,
    padding,
    records,
    reframed,
    server_names,
    vector,
)

PIECES = {
    "one byte first": [1],
    "two bytes first": [2],
    "one and one": [1, 1],
    "three bytes first": [3],
    "the header alone": [5],
    "one byte at a time": [1] * 2000,
}


def in_pieces(client: Client, name: str, sizes: Iterable[int]) -> Tls:
    connection = client.tunnel(name)
    return Tls(connection, name, client.roots, pieces=one_by_one(connection, sizes))


@pytest.mark.parametrize("sizes", PIECES.values(), ids=PIECES.keys())
def test_a_refused_name_in_pieces_is_refused_with_its_page(client: Client, sizes: list[int]) -> None:
    """Trap 2: mitmproxy takes a first segment of one or two bytes for raw TCP and never looks at the name."""
    with in_pieces(client, "www.facebook.com", sizes) as connection:
        connection.sendall(request_head("GET", "/", "www.facebook.com"))
        assert read_reply(connection).status == 403
    assert client.world.closed.accepts == 0


@pytest.mark.parametrize("sizes", PIECES.values(), ids=PIECES.keys())
def test_a_passed_name_in_pieces_passes_untouched(client: Client, sizes: list[int]) -> None:
    """Nor does an honest client suffer for the way its bytes were cut."""
    with in_pieces(client, "www.bbc.co.uk", sizes) as connection:
        assert connection.issuer == INTERNET
        connection.sendall(request_head("GET", "/", "www.bbc.co.uk"))
        assert read_reply(connection).status == 200


@pytest.mark.parametrize(("name", "status"), [("www.facebook.com", 403), ("www.bbc.co.uk", 200)])
@pytest.mark.parametrize("sizes", [(1,), (60,), (100, 1, 1)])
def test_a_hello_in_several_records_is_judged_all_the_same(
    client: Client, name: str, status: int, sizes: tuple[int, ...]
) -> None:
    """RFC 8446 lets a handshake message be cut into records at any byte."""
    connection = client.tunnel(name)
    with Tls(connection, name, client.roots, pieces=lambda flight: [reframed(flight, *sizes)]) as tls:
        tls.sendall(request_head("GET", "/", name))
        assert read_reply(tls).status == status
    assert client.world.closed.accepts == 0


ODD_HELLOS: dict[str, tuple[list[Extension], str]] = {
    "no server name": ([], "no_server_name"),
    "an empty list of names": ([(SERVER_NAME, vector(2, b""))], "malformed"),
    "two names": ([server_names(b"www.bbc.co.uk", b"www.facebook.com")], "malformed"),
    "the extension twice": ([server_names(b"www.bbc.co.uk"), server_names(b"www.facebook.com")], "malformed"),
    "a NUL in the name": ([server_names(b"www.facebook.com\x00.bbc.co.uk")], "malformed"),
    "a newline behind the name": ([server_names(b"www.bbc.co.uk\n")], "malformed"),
    "a space in the name": ([server_names(b"www.bbc.co.uk www.facebook.com")], "malformed"),
    "an empty label": ([server_names(b"www..bbc.co.uk")], "malformed"),
    "raw UTF-8": ([server_names("ｆacebook.com".encode())], "malformed"),
    "a name too long": ([server_names(b"a." * 200 + b"example")], "malformed"),
    "an address": ([server_names(b"127.0.1.2")], "address_literal"),
    "a length beyond the end": ([(SERVER_NAME, b"\xff\xff\x00\x00\x01a")], "malformed"),
}


@pytest.mark.parametrize(("extensions", "reason"), ODD_HELLOS.values(), ids=ODD_HELLOS.keys())
def test_a_hello_without_one_clear_name_is_refused(
    gateway: Gate, client: Client, extensions: list[Extension], reason: str
) -> None:
    """Trap 7: what mitmproxy folds, guesses or drops is a refusal with its reason, and reaches nobody."""
    with client.tunnel("192.0.2.7") as connection:
        connection.sendall(records(client_hello(*extensions)))
        assert is_closed(connection)
    assert gateway.reasons(client.source) == [reason]
    assert [server.accepts for server in client.world.servers] == [0] * 6


def test_encrypted_client_hello_greased_is_no_reason_by_itself(client: Client) -> None:
    """Chrome sends it always: the outer name is judged, and passes if it passes."""
    with client.tunnel("www.bbc.co.uk") as connection:
        connection.sendall(records(client_hello(server_names(b"www.bbc.co.uk"), grease_ech())))
        assert connection.recv(3)[:2] == b"\x16\x03"
    assert client.world.open.accepts == 1


@pytest.mark.parametrize(("name", "origin"), [("www.bbc.co.uk", 1), ("www.facebook.com", 0)])
def test_a_large_hello_is_judged_by_its_name(client: Client, name: str, origin: int) -> None:
    """Post-quantum keys and padding make hellos of several segments and records."""
    message = client_hello(server_names(name.encode()), padding(20000))
    with client.tunnel(name) as connection:
        connection.sendall(records(message, 16384))
        assert connection.recv(1) in {b"\x16", b"\x15"}
    assert (client.world.open.accepts, client.world.closed.accepts) == (origin, 0)


def test_a_hello_that_says_it_is_huge_is_refused_at_once(gateway: Gate, client: Client) -> None:
    """A length nobody needs is not waited for."""
    with client.tunnel("192.0.2.7") as connection:
        connection.sendall(b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(4000))
        assert is_closed(connection)
    assert gateway.reasons(client.source) == ["malformed"]


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\nHost: www.facebook.com\r\n\r\n", b"SSH-2.0-x\r\n", b"\x00" * 64])
def test_something_else_than_tls_in_a_tunnel_is_refused(gateway: Gate, client: Client, said: bytes) -> None:
    """CONNECT is for TLS: no other protocol rides on it to a refused name."""
    with client.tunnel("www.facebook.com", client.world.http_port) as connection:
        connection.sendall(said)
        assert is_closed(connection)
    assert set(gateway.reasons(client.source)) <= {"not_tls", "not_authorised"}
    assert gateway.decided(client.source)
    assert [server.accepts for server in client.world.servers] == [0] * 6


def test_raw_bytes_in_a_tunnel_to_a_passed_name_are_refused_as_not_tls(gateway: Gate, client: Client) -> None:
    """Even where the name passes: what cannot be judged is refused, and says so."""
    with client.tunnel("www.bbc.co.uk") as connection:
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        assert is_closed(connection)
    assert gateway.reasons(client.source) == ["not_tls"]
    assert client.world.open.accepts == 0


def test_a_server_that_speaks_first_is_not_reached_by_silence(client: Client) -> None:
    """A client that says nothing in its tunnel causes nothing."""
    with client.tunnel("www.bbc.co.uk"):
        assert client.world.open.accepts == 0
