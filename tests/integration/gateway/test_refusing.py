"""What the policy refuses is refused with the school's page, reaches no origin, and is on record exactly once."""

import socket
import ssl
import subprocess
from html import unescape

import pytest

from tests.integration.gateway.clients import eventually, read_reply, request_head
from tests.integration.gateway.gate import Client, Gate
from tests.integration.gateway.h2_origin import get_h2
from tests.needs import require, tool


def test_facebook_is_refused_with_the_schools_page(gateway: Gate, client: Client) -> None:
    """403, signed by the school's own authority, saying what and why."""
    seen = client.get("www.facebook.com")
    assert seen.is_page
    page = unescape(seen.reply.body.decode())
    (decided,) = gateway.decided(client.source)
    assert (decided.verdict, decided.reason, decided.host) == ("deny", "not_authorised", "www.facebook.com")
    assert "Facebook" in page
    assert decided.clause is not None
    assert decided.clause in page
    assert client.world.closed.accepts == 0


def test_the_page_is_never_cached_nor_framed(client: Client) -> None:
    """A refusal does not outlive itself in a browser."""
    reply = client.get("www.facebook.com").reply
    assert "no-store" in (reply.header("cache-control") or "")
    assert int(reply.header("content-length") or 0) == len(reply.body)


@pytest.mark.parametrize("name", ["FACEBOOK.COM.", "facebook.com.", "WWW.Facebook.Com", "m.facebook.com"])
def test_other_spellings_are_the_same_name(gateway: Gate, client: Client, name: str) -> None:
    """Case, a trailing dot and names below make no difference."""
    assert not client.opens(name)
    assert set(gateway.reasons(client.source)) == {"not_authorised"}
    assert client.world.closed.accepts == 0


@pytest.mark.parametrize("name", ["ｆacebook.com", "facebook。com", "faceb\N{SOFT HYPHEN}ook.com"])
def test_forms_that_only_unicode_makes_the_same_name_do_not_get_through(client: Client, name: str) -> None:
    """A name on the wire is ASCII; what a lenient resolver would fold is refused."""
    with client.connect() as connection:
        connection.sendall(f"CONNECT {name}:{client.world.port} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        try:
            reply = read_reply(connection, connecting=True)
        except ConnectionError:
            reply = None
        assert reply is None or reply.status != 200 or not client.opens(name)
    assert [server.accepts for server in client.world.servers] == [0] * 6


def test_the_page_comes_over_http2_too(client: Client) -> None:
    """A browser that asks for HTTP/2 gets its page in HTTP/2."""
    with client.tls("www.facebook.com", alpn=("h2", "http/1.1")) as connection:
        if connection.alpn == "h2":
            assert dict(get_h2(connection, "www.facebook.com", "/"))["status"] == b"403"
        else:
            connection.sendall(request_head("GET", "/", "www.facebook.com"))
            assert read_reply(connection).status == 403
    assert client.world.closed.accepts == 0


def test_curl_shows_the_page(client: Client) -> None:
    """The issue's own words: ``curl --cacert ROOT https://www.facebook.com/`` is 403 with the page."""
    require("curl")
    url = f"https://www.facebook.com:{client.world.port}/"
    done = _curl(client, "--cacert", str(client.school_root), "-w", "\n%{http_code}", url)
    assert done.endswith("403")
    assert "Facebook" in done


def test_a_guest_gets_no_certificate_it_would_not_trust(guest: Client) -> None:
    """On a network without the school's CA a refusal is an alert, not a warning page."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with guest.tunnel("www.facebook.com") as connection, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(connection, server_hostname="www.facebook.com")
    assert guest.world.closed.accepts == 0


def test_a_refused_request_leaves_nothing_of_itself(gateway: Gate, client: Client) -> None:
    """Its path, its cookies, its body and its credentials are nowhere on disk (law 2)."""
    secrets = ("/secret-path?q=private", "cookie-of-mine", "body-of-mine", "bXk6c2VjcmV0")
    head = request_head(
        "POST",
        secrets[0],
        "www.facebook.com",
        f"Cookie: id={secrets[1]}",
        f"Authorization: Basic {secrets[3]}",
        f"Content-Length: {len(secrets[2])}",
    )
    with client.tls("www.facebook.com") as connection:
        connection.sendall(head + secrets[2].encode())
        assert read_reply(connection).status == 403
    eventually(lambda: gateway.decided(client.source))
    files = [path for path in [*gateway.state_dir.rglob("*"), gateway.process.log] if path.is_file()]
    assert not [path for path in files for secret in secrets if secret.encode() in path.read_bytes()]


def test_a_refusal_is_answered_before_its_body(client: Client) -> None:
    """A client that announces a body is refused without sending it."""
    with client.tls("www.facebook.com") as connection:
        connection.sendall(request_head("POST", "/", "www.facebook.com", "Content-Length: 1000000000"))
        assert read_reply(connection).status == 403
    assert client.world.closed.accepts == 0


def test_a_second_request_on_a_refused_connection_is_not_another_way_in(client: Client) -> None:
    """Inside a refused TLS connection no other Host leads anywhere."""
    with client.tls("www.facebook.com") as connection:
        connection.sendall(request_head("GET", "/", "www.facebook.com"))
        assert read_reply(connection).status == 403
        try:
            connection.sendall(request_head("GET", "/", "www.bbc.co.uk"))
            assert read_reply(connection).status == 403
        except OSError:
            pass  # closed: also no way in
    assert [server.accepts for server in client.world.servers] == [0] * 6


def test_refusals_are_counted_by_reason_and_category(gateway: Gate, client: Client) -> None:
    """The figures speak the words of the decision, and name nobody."""
    client.get("www.facebook.com")
    (decided,) = gateway.decided(client.source)
    labels = {"verdict": "deny", "reason": "not_authorised", "category": decided.category or ""}
    before = gateway.figure("schoolgate_attempts_total", **labels)
    client.get("www.facebook.com")
    eventually(lambda: gateway.figure("schoolgate_attempts_total", **labels) > before)
    exposition = "".join(path.read_text() for path in (gateway.state_dir / "processes").glob("*.prom"))
    assert "facebook" not in exposition
    assert client.source not in exposition


def _curl(client: Client, *arguments: str) -> str:
    proxy = f"http://{client.gateway[0]}:{client.gateway[1]}"
    command = [str(tool("curl")), "-sS", "--interface", client.source, "--proxy", proxy, "--max-time", "15", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_every_attempt_is_on_record_exactly_once(gateway: Gate, client: Client) -> None:
    """One connection, one ``decided``, under one id, before the page is out."""
    for _ in range(5):
        assert client.get("www.facebook.com").is_page
    decided = gateway.decided(client.source)
    assert len({event.id for event in decided}) == len(decided) == 5


def test_a_client_that_hangs_up_in_the_handshake_is_still_on_record(gateway: Gate, client: Client) -> None:
    """The attempt counts from the name, not from the page."""
    connection: socket.socket = client.tunnel("www.facebook.com")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = context.wrap_bio(incoming, outgoing, server_hostname="www.facebook.com")
    with pytest.raises(ssl.SSLWantReadError):
        hello.do_handshake()
    connection.sendall(outgoing.read())
    connection.close()
    eventually(lambda: gateway.reasons(client.source) == ["not_authorised"])
