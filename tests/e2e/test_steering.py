"""What only the transparent way has: the ruleset between the devices and the web, and a gateway that may be gone."""

import socket
from pathlib import Path

import pytest

from tests.e2e.lab import DEVICES, GATE, OPEN
from tests.e2e.school import TRANSPARENT, School
from tests.integration.gateway.clients import DEADLINE, eventually, request_head
from tests.integration.gateway.processes import STARTING, children


def is_answered(school: School, address: str, port: int) -> bool:
    """Whether a bare connection from a device comes about, and a request on it is answered."""
    with school.lab.client.inside():
        try:
            with socket.create_connection((address, port), 2, (DEVICES[2], 0)) as connection:
                connection.sendall(request_head("GET", "/", "wikipedia.org"))
                return bool(connection.recv(1))
        except OSError:
            return False


def descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def test_the_listener_met_directly_does_not_dial_itself(at_school: School) -> None:
    """The ruleset drops what was not steered; and without that rule, no connection nests in itself."""
    answerer = children(at_school.process.pid)["answerer"]
    before = descriptors(answerer)
    assert not is_answered(at_school, GATE, TRANSPARENT)
    at_school.nft("flush", "chain", "inet", "schoolgate", "unsteered")
    try:
        is_answered(at_school, GATE, TRANSPARENT)
        eventually(lambda: descriptors(answerer) <= before + 4)
    finally:
        at_school.steer()
    assert at_school.is_ready()


def test_with_the_steering_gone_the_web_is_shut_not_open(at_school: School) -> None:
    """Refusing to forward does not depend on steering."""
    at_school.nft("flush", "chain", "inet", "schoolgate", "steer")
    try:
        assert not is_answered(at_school, OPEN[0], 80)
        assert at_school.lab.open_accepts == 0
    finally:
        at_school.steer()


def test_quic_is_refused_so_that_browsers_fall_back(at_school: School) -> None:
    """UDP 443 is answered with port unreachable, at once."""
    with at_school.lab.client.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as quic:
        quic.settimeout(DEADLINE)
        quic.connect((OPEN[0], 443))
        quic.send(b"\xc0" + bytes(1199))
        with pytest.raises(ConnectionRefusedError):
            quic.recv(1)


def test_with_the_gateway_gone_the_web_is_shut_and_it_comes_back(at_school: School) -> None:
    """Steered connections are refused, not forwarded; started again, it enforces as before."""
    assert at_school.process.stop() == 0
    try:
        assert not is_answered(at_school, OPEN[0], 80)
        assert at_school.lab.open_accepts == 0
    finally:
        at_school.process.start()
        eventually(at_school.is_ready, within=STARTING)
    assert is_answered(at_school, OPEN[0], 80)
