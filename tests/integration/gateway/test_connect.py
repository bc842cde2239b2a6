"""CONNECT: what is asked for and what is shown inside are both judged; what neither says is not guessed."""

import contextlib
import socket

import pytest

from tests.integration.gateway.clients import (
    ConnectRefused,
    connect,
    eventually,
    is_closed,
    read_reply,
    request_head,
    tunnel,
)
from tests.integration.gateway.gate import Client, Gate
from tests.integration.gateway.hellos import client_hello, records, server_names
from tests.integration.gateway.world import CLOSED, OPEN

NOBODY = [0] * 6


def refused_inside(client: Client, target: str, name: str) -> None:
    """CONNECT to ``target``, show ``name``: no origin answers."""
    with client.tunnel(target) as connection:
        connection.sendall(records(client_hello(server_names(name.encode()))))
        connection.recv(1)
    assert [server.accepts for server in client.world.servers] == NOBODY


def test_a_refused_name_behind_a_passed_connect_is_refused(gateway: Gate, client: Client) -> None:
    """The server name is judged, whatever was asked for."""
    assert client.get("www.facebook.com", through="www.bbc.co.uk").is_page
    assert gateway.reasons(client.source) == ["not_authorised"]
    assert [server.accepts for server in client.world.servers] == NOBODY


def test_a_passed_name_behind_a_refused_connect_is_refused(gateway: Gate, client: Client) -> None:
    """So is what was asked for, whatever is shown."""
    refused_inside(client, "www.facebook.com", "www.bbc.co.uk")
    assert gateway.reasons(client.source) == ["not_authorised"]


def test_two_passed_names_that_differ_are_a_mismatch(gateway: Gate, client: Client) -> None:
    """One connection has one name."""
    refused_inside(client, "www.bbc.co.uk", "wikipedia.org")
    assert gateway.reasons(client.source) == ["name_mismatch"]


def test_connect_to_an_address_is_judged_by_the_server_name(gateway: Gate, client: Client) -> None:
    """A refused name is refused at any address."""
    assert client.get("www.facebook.com", through=OPEN).is_page
    assert gateway.reasons(client.source) == ["not_authorised"]
    assert [server.accepts for server in client.world.servers] == NOBODY


def test_a_passed_name_is_dialled_where_it_lives_not_where_the_client_says(client: Client) -> None:
    """A spoofed name cannot lead to another's address: the name's own is dialled."""
    assert client.get("www.bbc.co.uk", through=CLOSED).is_internet
    assert (client.world.open.accepts, client.world.closed.accepts) == (1, 0)


@pytest.mark.parametrize("literal", ["192.0.2.7", "[2001:db8::7]", "192.0.2.7."])
def test_tls_without_a_name_to_an_address_is_refused(gateway: Gate, client: Client, literal: str) -> None:
    """Browsing by address has no name to judge."""
    try:
        with client.tunnel(literal) as connection:
            connection.sendall(records(client_hello()))
            assert is_closed(connection)
    except ConnectRefused:
        pass
    assert set(gateway.reasons(client.source)) <= {"no_server_name", "address_literal", "malformed"}
    assert gateway.reasons(client.source)
    assert [server.accepts for server in client.world.servers] == NOBODY


@pytest.mark.parametrize("port", [22, 25, 8443, 0, 65535])
def test_ports_that_are_not_the_webs_are_refused(gateway: Gate, client: Client, port: int) -> None:
    """CONNECT is answered with a refusal, never with a tunnel (trap 6)."""
    with pytest.raises(ConnectRefused) as refused:
        tunnel(client.gateway, f"www.bbc.co.uk:{port}", client.source)
    assert refused.value.reply.status in {400, 403}
    assert set(gateway.reasons(client.source)) <= {"port_not_allowed", "malformed"}
    assert [server.accepts for server in client.world.servers] == NOBODY


MALFORMED = (
    "www.bbc.co.uk",
    "www.bbc.co.uk:x",
    ":443",
    "www.bbc.co.uk:99999",
    "a b:443",
    "http://www.bbc.co.uk/",
    "..:443",
)


@pytest.mark.parametrize("target", MALFORMED)
def test_a_connect_to_nonsense_opens_nothing(client: Client, target: str) -> None:
    """Refused or hung up on; nothing is dialled."""
    with connect(client.gateway, client.source) as connection:
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            assert read_reply(connection, connecting=True).status != 200 or is_refused_inside(connection)
    assert [server.accepts for server in client.world.servers] == NOBODY


def is_refused_inside(connection: socket.socket) -> bool:
    connection.sendall(records(client_hello()))
    return is_closed(connection)


def test_a_connect_that_nothing_follows_is_on_record_if_it_named_a_refused_host(gateway: Gate, client: Client) -> None:
    """Asking is an attempt, even if the client leaves at once."""
    client.tunnel("www.facebook.com").close()
    eventually(lambda: gateway.decided(client.source))
    assert client.world.closed.accepts == 0


def test_nothing_follows_a_refused_connect(client: Client) -> None:
    """Bytes pipelined behind a refused CONNECT are not relayed (trap 6)."""
    with connect(client.gateway, client.source) as connection:
        hello = records(client_hello(server_names(b"www.bbc.co.uk")))
        connection.sendall(b"CONNECT www.bbc.co.uk:22 HTTP/1.1\r\nHost: www.bbc.co.uk:22\r\n\r\n" + hello)
        assert read_reply(connection).status in {400, 403}
        assert is_closed(connection)
    assert [server.accepts for server in client.world.servers] == NOBODY


def test_a_hello_sent_together_with_its_connect_is_judged(client: Client) -> None:
    """An eager client gains nothing and loses nothing."""
    for name, accepts in (("www.facebook.com", 0), ("www.bbc.co.uk", 1)):
        client.world.forget()
        with connect(client.gateway, client.source) as connection:
            head = request_head("CONNECT", f"{name}:{client.world.port}", name)
            connection.sendall(head + records(client_hello(server_names(name.encode()))))
            reply = read_reply(connection, connecting=True)
            assert reply.status == 200
            assert reply.body or connection.recv(1)
        assert client.world.open.accepts + client.world.closed.accepts == accepts
