"""A school on one machine, of network namespaces: devices, the gateway between, and the internet behind it.

    client 10.20.0.10-12, fd20::10-12  --lan0--  gate 10.20.0.1, fd20::1 / 203.0.113.1, 2001:db8:113::1  --wan0--  net

Each run has namespaces of its own, and they go with it. A thread steps into one (``inside``) and what it opens there
stays there, so that the origins are this very process's: no sub-process, no port on the machine itself.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.gateway.internet import HttpOrigin, InternetAuthority, TlsOrigin
from tests.integration.gateway.name_server import NameServer
from tests.needs import tool

DEVICES = ("10.20.0.10", "10.20.0.11", "10.20.0.12")
DEVICES_6 = ("fd20::10", "fd20::11", "fd20::12")
GATE, GATE_6 = "10.20.0.1", "fd20::1"
OPEN, CLOSED, NAME_SERVER = "203.0.113.10", "203.0.113.11", "203.0.113.53"
OPEN_6, CLOSED_6 = "2001:db8:113::10", "2001:db8:113::11"
NAMES = {
    **dict.fromkeys(("bbc.co.uk", "www.bbc.co.uk"), (OPEN, OPEN_6)),
    **dict.fromkeys(("facebook.com", "www.facebook.com", "www.instagram.com"), (CLOSED, CLOSED_6)),
}


@dataclass(frozen=True)
class Namespace:
    name: str

    @property
    def path(self) -> Path:
        return Path("/run/netns") / self.name

    def command(self, *words: str) -> tuple[str, ...]:
        """A command line that runs in here."""
        return (str(tool("ip")), "netns", "exec", self.name, *words)

    def run(self, *words: str, text: str = "") -> str:
        done = subprocess.run(self.command(*words), input=text, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Sockets that this thread opens meanwhile are in here, and stay in here."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            with self.path.open() as there:
                os.setns(there.fileno(), os.CLONE_NEWNET)
            yield
        finally:
            os.setns(home, os.CLONE_NEWNET)
            os.close(home)


@dataclass(frozen=True)
class Lab:
    client: Namespace
    gate: Namespace
    net: Namespace
    authority: InternetAuthority
    open: tuple[TlsOrigin, ...]
    closed: tuple[TlsOrigin, ...]
    closed_http: HttpOrigin

    @property
    def closed_accepts(self) -> int:
        """How often anything refused was reached."""
        return sum(server.accepts for server in (*self.closed, self.closed_http))

    def forget(self) -> None:
        for server in (*self.open, *self.closed, self.closed_http):
            server.forget()


@contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    client, gate, net = (Namespace(f"sg{os.getpid()}-{name}") for name in ("client", "gate", "net"))
    with ExitStack() as stack:
        for namespace in (client, gate, net):
            stack.enter_context(_made(namespace))
        _wire(client, gate, net)
        authority = InternetAuthority(folder)
        context = authority.server_context(NAMES)
        with net.inside():
            stack.enter_context(NameServer(NAMES, NAME_SERVER, 53))
            opened = tuple(stack.enter_context(TlsOrigin(context, host, 443)) for host in (OPEN, OPEN_6))
            closed = tuple(stack.enter_context(TlsOrigin(context, host, 443)) for host in (CLOSED, CLOSED_6))
            closed_http = stack.enter_context(HttpOrigin(CLOSED, 80))
            stack.enter_context(HttpOrigin(OPEN, 80))
        yield Lab(client, gate, net, authority, opened, closed, closed_http)


@contextmanager
def _made(namespace: Namespace) -> Iterator[None]:
    _ip("netns", "add", namespace.name)
    try:
        _ip("-n", namespace.name, "link", "set", "lo", "up")
        yield
    finally:
        _ip("netns", "del", namespace.name)


def _wire(client: Namespace, gate: Namespace, net: Namespace) -> None:
    _ip("link", "add", "lan0", "netns", gate.name, "type", "veth", "peer", "name", "eth0", "netns", client.name)
    _ip("link", "add", "wan0", "netns", gate.name, "type", "veth", "peer", "name", "eth0", "netns", net.name)
    _address(client, "eth0", [f"{device}/16" for device in DEVICES], [f"{device}/64" for device in DEVICES_6])
    _address(gate, "lan0", [f"{GATE}/16"], [f"{GATE_6}/64"])
    _address(gate, "wan0", ["203.0.113.1/24"], ["2001:db8:113::1/64"])
    _address(net, "eth0", [f"{host}/24" for host in (OPEN, CLOSED, NAME_SERVER)], [f"{OPEN_6}/64", f"{CLOSED_6}/64"])
    for namespace, gateway, gateway_6 in ((client, GATE, GATE_6), (net, "203.0.113.1", "2001:db8:113::1")):
        _ip("-n", namespace.name, "route", "add", "default", "via", gateway)
        _ip("-6", "-n", namespace.name, "route", "add", "default", "via", gateway_6)
    gate.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")


def _address(namespace: Namespace, device: str, addresses: Sequence[str], addresses_6: Sequence[str]) -> None:
    for address in addresses:
        _ip("-n", namespace.name, "address", "add", address, "dev", device)
    for address in addresses_6:
        _ip("-6", "-n", namespace.name, "address", "add", address, "dev", device, "nodad")
    _ip("-n", namespace.name, "link", "set", device, "up")


def _ip(*words: str) -> None:
    done = subprocess.run((str(tool("ip")), *words), capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
