"""What the gateway's tests share: one internet, one enforcing process, one client per test."""

import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.integration.gateway.gate import Client, Gate, gate
from tests.integration.gateway.processes import SCHOOLGATE
from tests.integration.gateway.world import World, internet

FAULTY = (sys.executable, str(Path(__file__).with_name("faults.py")))
_addresses = count(1)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with internet(tmp_path_factory.mktemp("internet")) as made:
        yield made


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[Gate]:
    """The enforcing process of all tests that leave it as they found it."""
    with gate(tmp_path_factory.mktemp("school"), world, (*SCHOOLGATE, "answerer")) as running:
        yield running


@pytest.fixture
def client(gateway: Gate, source: str) -> Client:
    """A school device that no other test uses; nothing has reached the internet yet."""
    gateway.process.check()
    gateway.world.forget()
    return gateway.client(source)


@pytest.fixture
def source() -> str:
    """An address on the estate for this test alone."""
    number = next(_addresses)
    return f"127.20.{number // 250}.{number % 250 + 1}"


@pytest.fixture
def guest(gateway: Gate) -> Client:
    """A visitor's own device on the guest network."""
    gateway.world.forget()
    number = next(_addresses)
    return gateway.client(f"127.99.{number // 250}.{number % 250 + 1}")
