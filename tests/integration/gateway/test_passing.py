"""What the policy lets pass is relayed untouched: the origin's own certificate, every byte, and nothing on record."""

import hashlib

import pytest

from tests.integration.gateway.clients import eventually, is_closed, read_reply, request_head
from tests.integration.gateway.gate import INTERNET, Client, Gate
from tests.integration.gateway.h2_origin import get_h2
from tests.integration.gateway.internet import body_of

LARGE = 3_000_000


def test_bbc_is_seen_with_its_own_certificate(client: Client) -> None:
    """A name in no catalogue passes undecrypted."""
    seen = client.get("www.bbc.co.uk")
    assert seen.is_internet
    assert b"hello from the internet" in seen.reply.body
    assert client.world.open.visits[0].server_name == "www.bbc.co.uk"


@pytest.mark.parametrize("name", ["facebook.com.evil.example", "notfacebook.com"])
def test_names_that_only_look_like_a_service_pass(client: Client, name: str) -> None:
    """Names are matched by whole labels."""
    assert client.get(name).is_internet


def test_a_download_arrives_whole(client: Client) -> None:
    """Not a byte of a passed body is lost or changed."""
    body = client.get("www.bbc.co.uk", f"/bytes/{LARGE}").reply.body
    assert hashlib.sha256(body).digest() == hashlib.sha256(body_of(LARGE)).digest()


def test_an_upload_arrives_whole(client: Client) -> None:
    """Likewise upwards."""
    body = body_of(LARGE)
    with client.tls("www.bbc.co.uk") as connection:
        connection.sendall(request_head("POST", "/sink", "www.bbc.co.uk", f"Content-Length: {len(body)}") + body)
        assert hashlib.sha256(body).hexdigest().encode() in read_reply(connection).body


def test_http2_passes_inside_a_tunnel(client: Client) -> None:
    """What client and origin agree on inside TLS is theirs."""
    with client.tls("www.bbc.co.uk", alpn=("h2",)) as connection:
        assert (connection.alpn, connection.issuer) == ("h2", INTERNET)
        assert dict(get_h2(connection, "www.bbc.co.uk", "/"))["status"] == b"200"


def test_websocket_passes_inside_a_tunnel(client: Client) -> None:
    """An upgraded connection goes on in both directions."""
    with client.tls("www.bbc.co.uk") as connection:
        connection.sendall(request_head("GET", "/", "www.bbc.co.uk", "Connection: Upgrade", "Upgrade: websocket"))
        assert connection.recv().startswith(b"HTTP/1.1 101")
        connection.sendall(b"ping")
        assert connection.recv() == b"ping"


def test_the_origin_closing_closes_the_client(client: Client) -> None:
    """An end is passed on."""
    with client.tls("www.bbc.co.uk") as connection:
        connection.sendall(request_head("GET", "/", "www.bbc.co.uk", "Connection: close"))
        assert is_closed(connection)


def test_the_client_closing_closes_the_origin(client: Client) -> None:
    """A client that goes leaves nothing open behind it."""
    connection = client.download("www.bbc.co.uk")
    eventually(lambda: client.world.open.live == 1)
    connection.close()
    eventually(lambda: client.world.open.live == 0)


def test_a_passed_name_is_nowhere_on_disk(gateway: Gate, client: Client) -> None:
    """What passes as ``unlisted`` is counted and never recorded: not in the journal, not in a log."""
    name = "private-matter.some.example"
    client.world.names.names[name] = client.world.names.names["www.bbc.co.uk"]
    before = gateway.figure("schoolgate_attempts_total", verdict="allow", reason="unlisted")
    assert client.get(name, "/secret-path").is_internet
    eventually(lambda: gateway.figure("schoolgate_attempts_total", verdict="allow", reason="unlisted") > before)
    files = [path for path in [*gateway.state_dir.rglob("*"), gateway.process.log] if path.is_file()]
    traces = (name.encode(), b"private-matter", b"secret-path")
    assert not [path for path in files for trace in traces if trace in path.read_bytes()]
    assert gateway.decided(client.source) == []


def test_a_name_that_does_not_exist_is_said_to_be_unresolvable(gateway: Gate, client: Client) -> None:
    """An allowed name with no address ends as such; nothing is dialled and nothing hangs."""
    assert not client.opens("no-such-name.example")
    assert gateway.process.running.poll() is None
    assert [server.accepts for server in client.world.servers] == [0] * 6
