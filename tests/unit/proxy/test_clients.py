"""The open connections, and whose they are."""

from ipaddress import ip_address

import pytest
from mitmproxy import connection

from proxy.clients import Client, Clients


def a_client(address: str) -> Client:
    made = connection.Client(peername=(address, 40000), sockname=("127.0.0.1", 8080), timestamp_start=0)
    return Client(connection=made, address=ip_address(address), since=0.0)


def test_a_device_with_a_whole_network_is_one_device():
    """Limits count an IPv6 device by its /64, an IPv4 one by its address."""
    clients = Clients()
    for address in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "10.0.0.1", "10.0.0.2"):
        clients.add(a_client(address))
    assert clients.beside(ip_address("2001:db8::ffff")) == 2
    assert clients.beside(ip_address("10.0.0.1")) == 1


def test_who_has_gone_is_not_counted():
    """And is known no more."""
    clients, client = Clients(), a_client("10.0.0.1")
    clients.add(client)
    clients.remove(client.connection)
    assert (len(clients), clients.beside(client.address)) == (0, 0)
    with pytest.raises(LookupError):
        clients.known(client.connection)
