"""Where an allowed name may lead: where it lives on the internet, never into this machine or the school itself."""

import pytest

from tests.integration.gateway.clients import eventually
from tests.integration.gateway.gate import Client, Gate
from tests.integration.gateway.world import OPEN

INSIDE = {
    "loopback": "127.0.2.1",
    "loopback, mapped": "::ffff:127.0.2.1",
    "loopback, IPv6": "::1",
    "this network": "0.0.0.0",
    "private": "10.1.2.3",
    "private 172": "172.16.5.4",
    "private 192": "192.168.1.1",
    "link-local": "169.254.169.254",
    "link-local, IPv6": "fe80::1",
    "unique local": "fd00::1",
    "shared": "100.64.0.1",
    "multicast": "224.0.0.1",
    "broadcast": "255.255.255.255",
    "NAT64 of loopback": "64:ff9b::7f00:201",
    "6to4 of private": "2002:a01:203::1",
}


@pytest.mark.parametrize("address", INSIDE.values(), ids=INSIDE.keys())
def test_a_name_that_leads_inside_is_not_followed(client: Client, address: str, source: str) -> None:
    """DNS rebinding and its like: the name is judged, and so is where it leads."""
    name = f"inside-{source.replace('.', '-')}.example"
    client.world.names.names[name] = (address,)
    assert not client.opens(name)
    assert name in client.world.names.asked
    assert [server.accepts for server in client.world.servers] == [0] * 6


def test_only_the_answers_that_may_be_dialled_are(client: Client) -> None:
    """One bad answer among good ones does no harm and opens nothing."""
    client.world.names.names["mixed.some.example"] = ("127.0.2.1", OPEN)
    assert client.opens("mixed.some.example")
    assert (client.world.hidden.accepts, client.world.open.accepts) == (0, 1)


def test_an_authorised_name_that_leads_inside_says_so_on_record(gateway: Gate, client: Client) -> None:
    """The attempt was allowed; its outcome tells why nothing came of it."""
    client.world.names.names["www.snapchat.com"] = ("10.1.2.3",)
    gateway.keeper.grant(f"address:{client.source}", "snapchat")
    eventually(lambda: not client.opens("www.snapchat.com") and "authorised" in gateway.reasons(client.source))
    allowed = [event.id for event in gateway.decided(client.source) if event.reason == "authorised"]
    eventually(lambda: {gateway.outcome(identifier) for identifier in allowed} == {"refused_destination"})


def test_an_authorised_name_nobody_serves_says_unreachable(gateway: Gate, client: Client) -> None:
    """A refused connection upstream is an outcome, not a refusal."""
    client.world.names.names["www.pinterest.com"] = ("127.0.1.99",)
    gateway.keeper.grant(f"address:{client.source}", "pinterest")
    eventually(lambda: not client.opens("www.pinterest.com") and "authorised" in gateway.reasons(client.source))
    allowed = [event.id for event in gateway.decided(client.source) if event.reason == "authorised"]
    eventually(lambda: {gateway.outcome(identifier) for identifier in allowed} == {"unreachable"})


def test_a_name_is_resolved_from_what_is_known_while_the_name_server_is_away(client: Client) -> None:
    """RFC 8767: stale answers serve when fresh ones cannot be had."""
    names, name = client.world.names, "steady.some.example"
    names.names[name], names.ttl = (OPEN,), 1
    assert client.opens(name)
    names.broken = True
    try:
        asked = len(names.asked)
        eventually(lambda: client.opens(name) and len(names.asked) > asked)
        assert client.opens(name)
    finally:
        names.broken, names.ttl = False, 60
