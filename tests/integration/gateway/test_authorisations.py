"""A grant opens what it names, for whom it names, until it ends: and then whatever is running is cut (law 4)."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from zoneinfo import ZoneInfo

import pytest

from policies.authorisation import Authorisation
from policies.snapshot import Device
from tests.integration.gateway.clients import Tls, eventually, is_closed, read_reply, request_head
from tests.integration.gateway.gate import INTERNET, Client, Gate
from tests.integration.gateway.h2_origin import get_h2
from tests.integration.gateway.school import timetable, write_policy

FACEBOOK = "www.facebook.com"


def granted(gateway: Gate, client: Client, target: str = "facebook") -> Authorisation:
    grant = gateway.keeper.grant(f"address:{client.source}", target)
    eventually(lambda: client.opens(FACEBOOK))
    return grant


def test_a_grant_opens_for_its_address_undecrypted(gateway: Gate, client: Client) -> None:
    """The origin's own certificate is seen, and the record says by which authorisation."""
    grant = granted(gateway, client)
    seen = client.get(FACEBOOK)
    assert seen.is_internet
    last = gateway.decided(client.source)[-1]
    assert (last.verdict, last.reason, last.authorisation) == ("allow", "authorised", grant.id)


def test_a_grant_opens_for_nobody_else(gateway: Gate, client: Client) -> None:
    """Another device stays refused while this one is open."""
    granted(gateway, client)
    assert gateway.client("127.0.0.77").get(FACEBOOK).is_page
    assert client.get("www.reddit.com").is_page


def test_a_device_is_granted_by_any_of_its_addresses(gateway: Gate, client: Client) -> None:
    """A device is known by its addresses."""
    gateway.keeper.devices = (Device("office-3", (ip_network(client.source),)),)
    gateway.keeper.grant("device:office-3", "facebook")
    eventually(lambda: client.opens(FACEBOOK))
    assert gateway.decided(client.source)[-1].device == "office-3"


def test_an_authorised_attempt_says_how_it_ended(gateway: Gate, client: Client) -> None:
    """Bytes and duration, once it is over."""
    granted(gateway, client)
    assert client.get(FACEBOOK, "/bytes/50000").is_internet
    identifier = gateway.decided(client.source)[-1].id
    eventually(lambda: gateway.outcome(identifier) == "closed")


type Running = Tls | socket.socket


def a_download(client: Client) -> Running:
    return client.download(FACEBOOK)


def a_stalled_download(client: Client) -> Running:
    """The client has stopped reading: megabytes are queued towards it (trap 8)."""
    connection = client.tls(FACEBOOK)
    connection.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(request_head("GET", "/endless", FACEBOOK))
    return connection


def an_idle_keep_alive(client: Client) -> Running:
    connection = client.tls(FACEBOOK)
    connection.sendall(request_head("GET", "/", FACEBOOK))
    assert read_reply(connection).status == 200
    return connection


def a_websocket(client: Client) -> Running:
    connection = client.tls(FACEBOOK)
    connection.sendall(request_head("GET", "/", FACEBOOK, "Connection: Upgrade", "Upgrade: websocket"))
    assert connection.recv().startswith(b"HTTP/1.1 101")
    return connection


def an_http2_download(client: Client) -> Running:
    connection = client.tls(FACEBOOK, alpn=("h2",))
    stream = get_h2(connection, FACEBOOK, "/endless")
    assert [next(stream)[0], next(stream)[0]] == ["status", "body"]
    return connection


def a_plain_download(client: Client) -> Running:
    connection = client.connect()
    connection.sendall(f"GET http://{FACEBOOK}:{client.world.http_port}/endless HTTP/1.1\r\n\r\n".encode())
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


def a_plain_websocket(client: Client) -> Running:
    connection = client.connect()
    url = f"http://{FACEBOOK}:{client.world.http_port}/"
    connection.sendall(f"GET {url} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".encode())
    assert connection.recv(12) == b"HTTP/1.1 101"
    return connection


RUNNING = (
    a_download,
    a_stalled_download,
    an_idle_keep_alive,
    a_websocket,
    an_http2_download,
    a_plain_download,
    a_plain_websocket,
)


@pytest.mark.parametrize("start", RUNNING, ids=lambda start: start.__name__)
def test_a_revocation_cuts_whatever_is_running(
    gateway: Gate, client: Client, start: Callable[[Client], Running]
) -> None:
    """Whatever protocol it speaks: client and origin are both let go, counted and on record."""
    grant = granted(gateway, client)
    eventually(lambda: client.world.closed.live == 0)
    running = start(client)
    cuts = gateway.figure("schoolgate_cut_total")
    gateway.keeper.revoke(grant)
    with running:
        assert is_closed(running)
    eventually(lambda: client.world.closed.live + client.world.closed_http.live == 0)
    cut = gateway.decided(client.source)[-1].id
    eventually(lambda: gateway.outcome(cut) == "cut")
    eventually(lambda: gateway.figure("schoolgate_cut_total") == cuts + 1)
    assert client.get(FACEBOOK).is_page
    assert gateway.reasons(client.source)[-1] == "authorisation_revoked"


def test_a_stalled_client_is_let_go_in_the_kernel_too(gateway: Gate, client: Client) -> None:
    """Trap 8: a client that does not read keeps no socket with megabytes queued behind its back."""
    grant = granted(gateway, client)
    running = a_stalled_download(client)
    sockets = gateway.process.descriptors
    gateway.keeper.revoke(grant)
    eventually(lambda: gateway.process.descriptors < sockets)
    running.close()


def test_a_grant_of_seconds_ends_by_itself(gateway: Gate, client: Client) -> None:
    """Nothing is published, nobody does anything: the running download is cut at its end."""
    ends_at = gateway.keeper.grant(f"address:{client.source}", "facebook", timedelta(seconds=3)).ends_at
    eventually(lambda: client.opens(FACEBOOK))
    with client.download(FACEBOOK) as running:
        assert is_closed(running)
    assert datetime.now(UTC) >= ends_at
    assert client.get(FACEBOOK).is_page
    assert gateway.reasons(client.source)[-1] == "authorisation_ended"


def test_a_lesson_bell_cuts_what_only_breaks_allow(gateway: Gate, guest: Client) -> None:
    """On the guest network social media passes outside lessons, and not a moment into one."""
    zone = ZoneInfo("Europe/London")
    bell = datetime.now(zone) + timedelta(seconds=4)
    policy = gateway.keeper.policy_file
    write_policy(policy, guest.world, timetable=timetable(f"{bell:%H:%M:%S}"))
    gateway.keeper.publish()
    try:
        eventually(lambda: guest.opens(FACEBOOK))
        with guest.download(FACEBOOK) as running:
            assert is_closed(running)
        assert not guest.opens(FACEBOOK)
    finally:
        write_policy(policy, guest.world)
        gateway.keeper.publish()
    assert "outside_lessons" in gateway.reasons(guest.source)
    assert gateway.reasons(guest.source)[-1] == "in_lesson"


def test_a_changed_policy_cuts_what_it_no_longer_lets_pass(gateway: Gate, client: Client) -> None:
    """Exempt yesterday, refused today: what runs under the old policy does not outlive it."""
    exempt = [{"because": "a test", "clause": "3", "domains": [FACEBOOK]}]
    policy = gateway.keeper.policy_file
    write_policy(policy, client.world, exempt=exempt)
    gateway.keeper.publish()
    try:
        eventually(lambda: client.opens(FACEBOOK))
        with client.download(FACEBOOK) as running:
            write_policy(policy, client.world)
            gateway.keeper.publish()
            assert is_closed(running)
    finally:
        write_policy(policy, client.world)
        gateway.keeper.publish()
    assert client.get(FACEBOOK).is_page


def test_what_is_not_touched_by_a_change_goes_on(gateway: Gate, client: Client) -> None:
    """A revocation for one cuts nobody else."""
    other = gateway.client("127.0.0.78")
    grant = granted(gateway, client)
    with other.download("www.bbc.co.uk") as passed, client.download(FACEBOOK) as running:
        gateway.keeper.revoke(grant)
        assert is_closed(running)
        assert passed.recv()
        assert passed.issuer == INTERNET


def test_an_extension_keeps_what_is_running(gateway: Gate, client: Client) -> None:
    """A second grant that overlaps carries the connection over the first one's end."""
    first = granted(gateway, client)
    second = gateway.keeper.grant(f"address:{client.source}", "facebook")
    with client.download(FACEBOOK) as running:
        gateway.keeper.revoke(first)
        eventually(lambda: client.opens(FACEBOOK) and gateway.decided(client.source)[-1].authorisation == second.id)
        assert running.recv()


def test_grants_lapse_with_a_snapshot_nobody_vouches_for(gateway: Gate, client: Client) -> None:
    """Older than ``grant_max_staleness``: refused, while what needs no grant goes on."""
    granted(gateway, client)
    with client.download(FACEBOOK) as running:
        gateway.keeper.publish(confirmed_at=datetime.now(UTC) - timedelta(hours=1))
        try:
            assert is_closed(running)
            assert not client.opens(FACEBOOK)
            assert client.opens("www.bbc.co.uk")
        finally:
            gateway.keeper.publish()


def test_a_damaged_snapshot_changes_nothing(gateway: Gate, client: Client) -> None:
    """The last good state goes on being enforced: grants and refusals both."""
    granted(gateway, client)
    good = gateway.keeper.snapshot_file.read_bytes()
    for damaged in (b"", b"garbage", good[:-5], good[:100] + b"\x00" + good[101:]):
        gateway.keeper.snapshot_file.write_bytes(damaged)
        assert client.opens(FACEBOOK)
        assert client.get("www.reddit.com").is_page
    gateway.keeper.publish()
