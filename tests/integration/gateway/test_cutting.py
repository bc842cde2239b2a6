"""Cut means cut, whenever it comes: while a name resolves, after an early answer, with nobody reading (law 4)."""

import socket
from contextlib import suppress

import pytest

from proxy.record.events import Ended
from tests.integration.gateway.clients import eventually, held_sockets, is_closed, read_reply
from tests.integration.gateway.gate import Client, Gate
from tests.integration.gateway.hellos import client_hello, records, server_names
from tests.integration.gateway.rude import clinging, hasty, standing

ERRORS, CUTS, LIVE = "schoolgate_internal_errors_total", "schoolgate_cut_total", "schoolgate_connections_live"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def the_end_of(gateway: Gate, identifier: str) -> Ended:
    """What the record says of an attempt that is over."""
    eventually(lambda: gateway.outcome(identifier))
    return next(event for event in gateway.events() if isinstance(event, Ended) and event.id == identifier)


def granted(gateway: Gate, client: Client) -> int:
    """Open ``facebook`` to a client, and wait until the gateway knows; no name of the test itself is asked for yet."""
    grant = gateway.keeper.grant(f"address:{client.source}", "facebook")
    eventually(lambda: client.opens("www.facebook.com"))
    eventually(lambda: held_sockets(gateway.address, client.source) == 0)
    return grant.id


def revoke(gateway: Gate, identifier: int) -> None:
    gateway.keeper.revoke(next(a for a in gateway.keeper.authorisations if a.id == identifier))


def figures_are_written(gateway: Gate) -> None:
    """Wait until the figures tell of everything up to now."""
    (file,) = (gateway.state_dir / "processes").glob("*.prom")
    seen = {file.stat().st_mtime_ns}

    def is_written_twice() -> bool:  # once may be from just before
        seen.add(file.stat().st_mtime_ns)
        return len(seen) > 2

    eventually(is_written_twice)


def test_an_upload_that_was_answered_early_is_cut_with_its_grant(gateway: Gate, client: Client) -> None:
    """The answer does not take it off the books: the origin gets no more of it, the record has what it got."""
    name = "early.facebook.com"
    grant = granted(gateway, client)
    with standing(client.world, name, hasty) as origin, client.connect() as connection:
        at = f"{name}:{client.world.http_port}"
        head = f"POST http://{at}/ HTTP/1.1\r\nHost: {at}\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode() + chunk(b"hello"))
        assert read_reply(connection).status == 200
        connection.sendall(chunk(b"x" * 4096))
        eventually(lambda: origin.received > 4096)
        revoke(gateway, grant)
        assert is_closed(connection)
        received = eventually(lambda: origin.live == 0 and origin.received)
        with suppress(OSError):
            connection.sendall(chunk(b"y" * 4096))
        assert origin.received == received
    ended = the_end_of(gateway, gateway.decided(client.source)[-1].id)
    assert (ended.outcome, ended.bytes_up) == ("cut", 5 + 4096)


@pytest.mark.parametrize("more", ["", "Connection: Upgrade\r\nUpgrade: websocket\r\n"], ids=["plain", "no upgrade"])
def test_no_upstream_connection_serves_a_second_request(gateway: Gate, client: Client, more: str) -> None:
    """What was dialled for one judgement is no way for another, though the origin would keep it open."""
    name = f"clinging-{len(more)}.facebook.com"
    grant = granted(gateway, client)
    with standing(client.world, name, clinging) as origin, client.connect() as connection:
        at = f"{origin.host}:{client.world.http_port}"

        def ask(host: str) -> int | None:
            """By address, as in transparent mode: only Host names anything."""
            try:
                connection.sendall(f"GET http://{at}/ HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode())
                return read_reply(connection).status
            except ConnectionError:
                return None

        assert ask(name) == 200
        revoke(gateway, grant)
        eventually(lambda: not client.opens("www.facebook.com"))
        ask("other.example")
        ask(name)
        assert [len(visit.requests) for visit in origin.visits] == [1]


def test_a_connection_is_cut_while_its_name_resolves(gateway: Gate, client: Client) -> None:
    """It ends, is counted once, and is nobody's mistake."""
    name = "slow-to-cut.facebook.com"
    grant = granted(gateway, client)
    figures_are_written(gateway)
    live, cuts, errors = gateway.figure(LIVE), gateway.figure(CUTS), gateway.figure(ERRORS)
    client.world.names.silent = True
    try:
        with client.tunnel(name) as connection:
            connection.sendall(records(client_hello(server_names(name.encode()))))
            eventually(lambda: gateway.decided(client.source)[-1].host == name)
            revoke(gateway, grant)
            assert is_closed(connection)
        eventually(lambda: gateway.figure(CUTS) > cuts)
        eventually(lambda: gateway.figure(LIVE) <= live)
        eventually(lambda: held_sockets(gateway.address, client.source) == 0)
    finally:
        client.world.names.silent = False
    assert the_end_of(gateway, gateway.decided(client.source)[-1].id).outcome == "cut"
    gateway.keeper.publish()
    assert client.get("www.facebook.com").is_page
    figures_are_written(gateway)
    assert (gateway.figure(CUTS), gateway.figure(ERRORS)) == (cuts + 1, errors)


def test_a_client_that_reads_nothing_is_cut(gateway: Gate, client: Client) -> None:
    """With megabytes queued for it, over plain HTTP: a reset, not a wait for its reader."""
    grant = granted(gateway, client)
    with client.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        at = f"www.facebook.com:{client.world.http_port}"
        connection.sendall(f"GET http://{at}/endless HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
        eventually(lambda: client.world.closed_http.live == 1)
        revoke(gateway, grant)
        eventually(lambda: held_sockets(gateway.address, client.source) == 0)
        eventually(lambda: client.world.closed_http.live == 0)
    assert the_end_of(gateway, gateway.decided(client.source)[-1].id).outcome == "cut"
