"""Plain HTTP: every request is judged by itself, whatever connection it comes on, and framed by the gateway alone."""

import contextlib
import hashlib
import socket

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded

from tests.integration.gateway.clients import Reply, is_closed, read_reply
from tests.integration.gateway.gate import Client, Gate
from tests.integration.gateway.internet import body_of
from tests.integration.gateway.world import CLOSED

NOBODY = [0] * 6


def absolute(
    client: Client, name: str, *more: str, path: str = "/", method: str = "GET", host: str | None = None
) -> bytes:
    """A request as a browser sends it to a proxy."""
    at = f"{name}:{client.world.http_port}"
    lines = [f"{method} http://{at}{path} HTTP/1.1", *([f"Host: {host or at}"] if host != "" else []), *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def outcome(client: Client, request: bytes) -> Reply | None:
    """The answer, or None where the gateway hung up."""
    try:
        return client.http(request)
    except ConnectionError:
        return None


def test_a_passed_request_reaches_its_origin(gateway: Gate, client: Client) -> None:
    """In origin-form, with its own Host."""
    assert client.http(absolute(client, "www.bbc.co.uk", path="/news?x=1")).status == 200
    head = client.world.open_http.visits[0].head
    assert head.startswith(b"GET /news?x=1 HTTP/1.1\r\n")
    assert b"host: www.bbc.co.uk" in head.lower()
    assert gateway.decided(client.source) == []


def test_a_refused_request_gets_the_page(gateway: Gate, client: Client) -> None:
    """403 with the page, and the origin hears nothing."""
    reply = client.http(absolute(client, "www.facebook.com"))
    assert reply.status == 403
    assert b"Facebook" in reply.body
    assert gateway.reasons(client.source) == ["not_authorised"]
    assert client.world.closed_http.accepts == 0


def test_a_second_host_on_one_connection_is_judged_by_itself(client: Client) -> None:
    """Keep-alive carries no permission from one request to the next."""
    with client.connect() as connection:
        connection.sendall(absolute(client, "www.bbc.co.uk"))
        assert read_reply(connection).status == 200
        try:
            connection.sendall(absolute(client, "www.facebook.com"))
            assert read_reply(connection).status == 403
        except ConnectionError:
            pass  # closed after the first: no way in either
    assert client.world.closed_http.accepts == 0
    assert not any(b"facebook" in request for visit in client.world.open_http.visits for request in visit.requests)


def test_pipelined_requests_are_each_judged(client: Client) -> None:
    """Requests sent in one piece are still two requests."""
    with client.connect() as connection:
        connection.sendall(absolute(client, "www.bbc.co.uk") + absolute(client, "www.facebook.com"))
        assert read_reply(connection).status == 200
        connection.shutdown(socket.SHUT_WR)
        assert is_closed(connection)
    assert client.world.closed_http.accepts == 0
    assert not any(b"facebook" in request for visit in client.world.open_http.visits for request in visit.requests)


@pytest.mark.parametrize(
    ("asked", "host"), [("www.bbc.co.uk", "www.facebook.com"), ("www.facebook.com", "www.bbc.co.uk")]
)
def test_request_line_and_host_are_both_judged(gateway: Gate, client: Client, asked: str, host: str) -> None:
    """A refused name in either is a refusal."""
    reply = outcome(client, absolute(client, asked, host=host))
    assert reply is None or reply.status in {400, 403}
    assert set(gateway.reasons(client.source)) <= {"not_authorised", "malformed"}
    assert gateway.decided(client.source)
    assert [server.accepts for server in client.world.servers] == NOBODY


def test_a_target_in_absolute_form_names_no_other_host_inside_a_tunnel(gateway: Gate, client: Client) -> None:
    """A server that holds both names would follow the request line, not the Host that was judged."""
    with client.tunnel("www.bbc.co.uk", client.world.http_port) as connection:
        connection.sendall(absolute(client, "www.facebook.com", host="www.bbc.co.uk"))
        assert read_reply(connection).status == 403
    assert gateway.reasons(client.source) == ["malformed"]
    assert [server.accepts for server in client.world.servers] == NOBODY


def test_two_passed_names_in_one_request_are_a_mismatch(gateway: Gate, client: Client) -> None:
    """As with CONNECT and server name."""
    reply = outcome(client, absolute(client, "www.bbc.co.uk", host="wikipedia.org"))
    assert reply is None or reply.status in {400, 403}
    assert gateway.reasons(client.source) == ["name_mismatch"]
    assert client.world.open_http.accepts == 0


AMBIGUOUS = {
    "two Hosts": ["Host: www.facebook.com"],
    "length and chunked": ["Content-Length: 5", "Transfer-Encoding: chunked"],
    "two lengths": ["Content-Length: 5", "Content-Length: 50"],
    "a length with a sign": ["Content-Length: +5"],
    "a length in hexadecimal": ["Content-Length: 0x5"],
    "an odd coding": ["Transfer-Encoding: xchunked"],
    "a space before the colon": ["Content-Length : 5"],
    "HTTP/2 by upgrade": ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
}


@pytest.mark.parametrize("more", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_ambiguous_framing_smuggles_no_request(client: Client, more: list[str]) -> None:
    """Whatever another parser would make of it, a second request never reaches an origin unjudged."""
    smuggled = b"0\r\n\r\n" + b"GET /smuggled HTTP/1.1\r\nHost: www.facebook.com\r\n\r\n"
    reply = outcome(client, absolute(client, "www.bbc.co.uk", *more, method="POST") + smuggled)
    assert reply is None or reply.status >= 400
    assert [server.accepts for server in client.world.servers] == NOBODY


def test_a_folded_header_is_refused_or_unfolded(client: Client) -> None:
    """RFC 9112, 5.2: the origin never has to guess what a fold meant."""
    reply = outcome(client, absolute(client, "www.bbc.co.uk", "X-Folded: a", " Host: www.facebook.com"))
    assert reply is None or reply.status in {200, 400, 403}
    heads = [visit.head for visit in client.world.open_http.visits]
    assert not [head for head in heads if b"\n " in head or b"\n\t" in head]
    assert client.world.closed_http.accepts == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: www.facebook.com\r\n\r\n",
        b"GET http:/// HTTP/1.1\r\nHost: www.bbc.co.uk\r\n\r\n",
        b"GET ftp://www.bbc.co.uk/ HTTP/1.1\r\nHost: www.bbc.co.uk\r\n\r\n",
        b"GET https://www.facebook.com/ HTTP/1.1\r\nHost: www.facebook.com\r\n\r\n",
        b"GET http://user:pass@www.facebook.com/ HTTP/1.1\r\nHost: www.facebook.com\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x00\x05hello",
        b"\x05\x01\x00",
        b"NONSENSE\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        b"GET http://\xff\xfe/ HTTP/1.1\r\nHost: \xff\r\n\r\n",
    ],
)
def test_what_is_no_proxy_request_reaches_nobody(client: Client, raw: bytes) -> None:
    """Answered with an error or hung up on, within the deadline."""
    with client.connect() as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        assert is_closed(connection)
    assert [server.accepts for server in client.world.servers] == NOBODY


@pytest.mark.parametrize("literal", ["192.0.2.7", "[2001:db8::7]", "0x7f000102", "2130706690", "127.1.2"])
def test_browsing_by_address_is_refused(gateway: Gate, client: Client, literal: str) -> None:
    """In every spelling that some resolver would take for an address."""
    reply = outcome(client, absolute(client, literal))
    assert reply is None or reply.status in {400, 403}
    assert set(gateway.reasons(client.source)) <= {"address_literal", "malformed"}
    assert gateway.decided(client.source)
    assert [server.accepts for server in client.world.servers] == NOBODY


def test_a_spoofed_host_does_not_lead_to_the_address_asked_for(client: Client) -> None:
    """The request goes to where its Host lives, or nowhere."""
    reply = outcome(client, absolute(client, CLOSED, host="www.bbc.co.uk"))
    assert reply is None or reply.status in {200, 400, 403}
    assert client.world.closed_http.accepts == 0


def test_headers_meant_for_the_proxy_go_no_further(client: Client) -> None:
    """Hop-by-hop and ``Proxy-*`` headers are the gateway's."""
    more = ["Proxy-Authorization: Basic c2VjcmV0", "Proxy-Connection: keep-alive", "Connection: X-Mine", "X-Mine: 1"]
    assert client.http(absolute(client, "www.bbc.co.uk", *more)).status == 200
    head = client.world.open_http.visits[0].head.lower()
    assert not [name for name in (b"proxy-", b"c2vjcmv0", b"x-mine") if name in head]


def test_bodies_arrive_whole_in_both_directions(client: Client) -> None:
    """Not a byte is lost or changed."""
    body = body_of(2_000_000)
    up = client.http(absolute(client, "www.bbc.co.uk", f"Content-Length: {len(body)}", method="POST") + body)
    assert hashlib.sha256(body).hexdigest().encode() in up.body
    down = client.http(absolute(client, "www.bbc.co.uk", path=f"/bytes/{len(body)}"))
    assert hashlib.sha256(down.body).digest() == hashlib.sha256(body).digest()


def test_a_chunked_upload_arrives_whole(client: Client) -> None:
    """Whatever the framing between client and gateway."""
    chunked = (
        b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (b"hello ", b"chunked ", b"world")) + b"0\r\n\r\n"
    )
    reply = client.http(absolute(client, "www.bbc.co.uk", "Transfer-Encoding: chunked", method="POST") + chunked)
    assert hashlib.sha256(b"hello chunked world").hexdigest().encode() in reply.body


def test_websocket_passes_over_plain_http(client: Client) -> None:
    """After 101 both sides talk freely."""
    with client.connect() as connection:
        connection.sendall(absolute(client, "www.bbc.co.uk", "Connection: Upgrade", "Upgrade: websocket"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 101")
        connection.sendall(b"ping")
        assert connection.recv(100) == b"ping"


def test_a_refused_websocket_is_refused(client: Client) -> None:
    """An upgrade is a request like any other."""
    request = absolute(client, "www.facebook.com", "Connection: Upgrade", "Upgrade: websocket")
    assert client.http(request).status == 403
    assert client.world.closed_http.accepts == 0


@pytest.mark.parametrize("size", [100_000, 3_000_000])
def test_a_huge_head_is_cut_short(gateway: Gate, client: Client, size: int) -> None:
    """Trap 10: nobody fills the gateway's memory with headers."""
    with client.connect() as connection:
        request = absolute(client, "www.bbc.co.uk").removesuffix(b"\r\n")
        with contextlib.suppress(ConnectionError):
            connection.sendall(request + b"X-Large: " + b"x" * size)
        assert is_closed(connection)
    assert gateway.reasons(client.source) == ["malformed"]
    assert client.world.open_http.accepts == 0


def test_a_refusal_to_head_has_no_body(client: Client) -> None:
    """As HTTP wants it."""
    with client.connect() as connection:
        connection.sendall(absolute(client, "www.facebook.com", method="HEAD"))
        received = b""
        while data := connection.recv(65536):
            received += data
    assert received.startswith(b"HTTP/1.1 403")
    assert received.endswith(b"\r\n\r\n")


# What the gateway says by itself


def is_own(reply: Reply) -> bool:
    """Short, plain, and without a word about the software or what was sent."""
    lines = (reply.head + reply.body).lower()
    plain = reply.header("content-type") == "text/plain; charset=utf-8" and reply.body.count(b"\n") == 1
    return plain and not any(word in lines for word in (b"server:", b"mitmproxy", b"<html", b"secret-word"))


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET secret-word nonsense\r\n\r\n", 400),
        (b"GET http://www.bbc.co.uk/ HTTP/1.1\r\nHost: www.bbc.co.uk\r\nContent-Length: secret-word\r\n\r\n", 400),
        (b"CONNECT www.bbc.co.uk HTTP/1.1\r\nsecret-word\r\n\r\n", 400),
        (b"CONNECT www.bbc.co.uk:443 HTTP/1.1\r\nProxy-Authorization: Basic " + b"A" * 70_000, 431),
    ],
)
def test_what_cannot_be_read_is_answered_in_plain_words(client: Client, raw: bytes, status: int) -> None:
    """Nothing of it is repeated."""
    reply = client.http(raw)
    assert reply.status == status
    assert is_own(reply)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("addresses", "words"),
    [((), b"no address"), (("127.0.1.99",), b"cannot be reached"), (("10.1.2.3",), b"never connects")],
    ids=["no address", "nobody there", "inside"],
)
def test_a_site_that_is_not_there_is_said_so(
    client: Client, source: str, addresses: tuple[str, ...], words: bytes, method: str
) -> None:
    """By what became of it; the connection is closed."""
    name = f"gone-{source.replace('.', '-')}.example"
    client.world.names.names[name] = addresses
    with client.connect() as connection:
        connection.sendall(absolute(client, name, method=method))
        received = b""
        while data := connection.recv(65536):
            received += data
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 502")
    if method == "HEAD":
        assert body == b""
    else:
        assert words in body
        assert is_own(Reply(502, head, body))


def test_over_http2_too(client: Client) -> None:
    """Inside a refused connection, where a header is none."""
    with client.tls("www.facebook.com", alpn=("h2",)) as browser:
        http = H2Connection(H2Configuration(validate_outbound_headers=False))
        http.initiate_connection()
        fields = [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "www.facebook.com")]
        http.send_headers(1, [*fields, ("x(secret-word)", "1")], end_stream=True)
        browser.sendall(http.data_to_send())
        seen = list[Event]()
        while not any(isinstance(event, StreamEnded) for event in seen):
            data = browser.recv()
            assert data
            seen += http.receive_data(data)
    (head,) = (event for event in seen if isinstance(event, ResponseReceived))
    headers = dict(head.headers)
    assert headers[b":status"] == b"400"
    assert headers[b"content-type"] == b"text/plain; charset=utf-8"
    assert not headers.keys() & {b"server", b"connection"}
    body = b"".join(event.data for event in seen if isinstance(event, DataReceived))
    assert body.startswith(b"The gateway cannot read this request")
    assert b"secret-word" not in body
