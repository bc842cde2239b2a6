"""The transparent mode's ruleset, loaded into a gateway made of namespaces and met by a device."""

import socket
from collections.abc import Iterator
from functools import partial
from importlib.resources import as_file, files

import pytest

from tests.integration.deploy.prometheus_server import wait_for
from tests.integration.deploy.school_net import GATE, INTERNET, LISTENER, SchoolNet, school_net
from tests.needs import require

RULESET = files("deploy").joinpath("nftables/transparent.nft")
FAMILIES = pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])


@pytest.fixture(scope="module")
def bare_net() -> Iterator[SchoolNet]:
    require("namespaces", "nftables")
    with school_net() as net:
        for family in INTERNET:
            wait_for(partial(net.reaches_internet, family), "a way out")
        yield net


@pytest.fixture
def net(bare_net: SchoolNet) -> Iterator[SchoolNet]:
    """The school's net with the ruleset as it is shipped."""
    with as_file(RULESET) as path:
        bare_net.nft("-f", str(path))
    yield bare_net
    bare_net.nft("delete", "table", "inet", "schoolgate")


def test_the_ruleset_is_valid_and_replaces_itself(net: SchoolNet) -> None:
    """It passes nft's own check, and loading it again leaves the same table, not twice the rules."""
    before = net.nft("-s", "list", "ruleset")
    with as_file(RULESET) as path:
        net.nft("-c", "-f", str(path))
        net.nft("-f", str(path))
    assert net.nft("-s", "list", "ruleset") == before


@FAMILIES
def test_without_the_ruleset_the_internet_answers(bare_net: SchoolNet, family: socket.AddressFamily) -> None:
    """The net itself forwards: what the other tests refuse is refused by the ruleset."""
    assert bare_net.who_answers(family, INTERNET[family], 443) == "internet"
    assert bare_net.who_answers(family, INTERNET[family], 853) == "internet"


@FAMILIES
@pytest.mark.parametrize("port", [80, 443])
def test_the_web_is_steered_to_the_listener(net: SchoolNet, family: socket.AddressFamily, port: int) -> None:
    """A device's connection to the web is accepted by the gateway's listener."""
    assert net.who_answers(family, INTERNET[family], port) == "listener"


@FAMILIES
@pytest.mark.parametrize("port", [80, 443])
def test_without_steering_the_web_is_shut(net: SchoolNet, family: socket.AddressFamily, port: int) -> None:
    """With the steering rules gone, the web is not forwarded: a fault shuts the gate."""
    net.nft("flush", "chain", "inet", "schoolgate", "steer")
    assert net.who_answers(family, INTERNET[family], port) == "nobody"


@FAMILIES
def test_nobody_meets_the_listener_unsteered(net: SchoolNet, family: socket.AddressFamily) -> None:
    """A direct connection to the listener's port has no original destination and is dropped."""
    assert net.who_answers(family, GATE[family], LISTENER) == "nobody"


@FAMILIES
@pytest.mark.parametrize("port", [443, 853])
def test_quic_and_encrypted_dns_are_refused_at_once(net: SchoolNet, family: socket.AddressFamily, port: int) -> None:
    """The device hears that QUIC and DNS over QUIC are refused, and falls back without a wait."""
    assert net.sends_datagram(family, INTERNET[family], port) == "refused"


@FAMILIES
def test_dns_over_tls_is_refused_at_once(net: SchoolNet, family: socket.AddressFamily) -> None:
    """Port 853 is answered with a reset."""
    assert net.who_answers(family, INTERNET[family], 853) == "refused"


@FAMILIES
def test_other_ports_are_left_alone(net: SchoolNet, family: socket.AddressFamily) -> None:
    """The ruleset says nothing about what is not the web."""
    assert net.who_answers(family, INTERNET[family], 8000) == "internet"
