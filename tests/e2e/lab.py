"""A school on one machine, of network namespaces: devices, the gateway between, and the internet behind it.

    client 10.20.0.10-12, fd20::10-12, guest 10.99.0.10  --lan0--  gate 10.20.0.1, fd20::1 / 203.0.113.1  --wan0--  net

Each lab has namespaces of its own, and they go with it. What a thread opens inside one stays there, so that the origins
are this very process's. Names resolve through the namespaces' own hosts files: on the devices, and on the gateway.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.gateway.internet import HttpOrigin, InternetAuthority, Server, TlsOrigin
from tests.needs import tool

DEVICES = ("10.20.0.10", "10.20.0.11", "10.20.0.12")
DEVICES_6 = ("fd20::10", "fd20::11", "fd20::12")
GUEST = "10.99.0.10"
GATE, GATE_6, GATE_OF_GUESTS = "10.20.0.1", "fd20::1", "10.99.0.1"
OPEN, CLOSED = ("203.0.113.10", "2001:db8:113::10"), ("203.0.113.11", "2001:db8:113::11")
SMALL_BUFFERS = (
    "net.ipv4.tcp_rmem=4096 65536 65536"  # a slow reader would go on for long on what the kernel holds for it
)

OPEN_NAMES = ("bbc.co.uk", "www.bbc.co.uk", "wikipedia.org", "facebook.com.evil.example", "notfacebook.com")
CLOSED_NAMES = (
    "facebook.com",
    "www.facebook.com",
    "m.facebook.com",
    "www.instagram.com",
    "x.com",
    "www.tiktok.com",
    "www.reddit.com",
)
HOSTS = {**dict.fromkeys(OPEN_NAMES, OPEN), **dict.fromkeys(CLOSED_NAMES, CLOSED)}


@dataclass(frozen=True)
class Namespace:
    name: str

    def command(self, *words: str) -> tuple[str, ...]:
        """A command line that runs in here."""
        return (str(tool("ip")), "netns", "exec", self.name, *words)

    def run(self, *words: str) -> str:
        done = subprocess.run(self.command(*words), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Sockets that this thread opens meanwhile are in here, and stay in here."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            with (Path("/run/netns") / self.name).open() as there:
                os.setns(there.fileno(), os.CLONE_NEWNET)
            yield
        finally:
            os.setns(home, os.CLONE_NEWNET)
            os.close(home)


@dataclass(frozen=True)
class Lab:
    """``open`` stands where unlisted names live, ``closed`` where social media does; each counts what reached it."""

    client: Namespace
    gate: Namespace
    authority: InternetAuthority
    open: tuple[Server, ...]
    closed: tuple[Server, ...]

    @property
    def open_accepts(self) -> int:
        return sum(server.accepts for server in self.open)

    @property
    def closed_accepts(self) -> int:
        return sum(server.accepts for server in self.closed)

    def forget(self) -> None:
        for server in (*self.open, *self.closed):
            server.forget()


@contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    client, gate, net = (Namespace(f"sg{os.getpid()}-{name}") for name in ("client", "gate", "net"))
    with ExitStack() as stack:
        for namespace in (client, gate, net):
            stack.enter_context(_made(namespace))
        _wire(client, gate, net)
        authority = InternetAuthority(folder)
        with net.inside():
            opened, closed = (tuple(_origins(stack, authority, addresses)) for addresses in (OPEN, CLOSED))
        yield Lab(client, gate, authority, opened, closed)


def _origins(stack: ExitStack, authority: InternetAuthority, addresses: Sequence[str]) -> Iterator[Server]:
    context = authority.server_context(HOSTS)
    for address in addresses:
        yield stack.enter_context(TlsOrigin(context, address, 443))
        yield stack.enter_context(HttpOrigin(address, 80))


@contextmanager
def _made(namespace: Namespace) -> Iterator[None]:
    own_files = Path("/etc/netns") / namespace.name  # `ip netns exec` puts them over those in /etc
    _ip("netns", "add", namespace.name)
    try:
        own_files.mkdir(parents=True)
        lines = (f"{address} {name}\n" for name, addresses in HOSTS.items() for address in addresses)
        own_files.joinpath("hosts").write_text("127.0.0.1 localhost\n" + "".join(lines))
        own_files.joinpath("resolv.conf").write_text("nameserver 127.0.0.1\n")  # nobody: refused at once
        _ip("-n", namespace.name, "link", "set", "lo", "up")
        yield
    finally:
        _ip("netns", "del", namespace.name)
        shutil.rmtree(own_files, ignore_errors=True)


def _wire(client: Namespace, gate: Namespace, net: Namespace) -> None:
    _ip("link", "add", "lan0", "netns", gate.name, "type", "veth", "peer", "name", "eth0", "netns", client.name)
    _ip("link", "add", "wan0", "netns", gate.name, "type", "veth", "peer", "name", "eth0", "netns", net.name)
    _address(client, "eth0", [*(f"{d}/16" for d in (*DEVICES, GUEST)), *(f"{d}/64" for d in DEVICES_6)])
    _address(gate, "lan0", [f"{GATE}/16", f"{GATE_OF_GUESTS}/16", f"{GATE_6}/64"])
    _address(gate, "wan0", ["203.0.113.1/24", "2001:db8:113::1/64"])
    _address(net, "eth0", [f"{address}/{64 if ':' in address else 24}" for address in (*OPEN, *CLOSED)])
    for namespace, gateway, gateway_6 in ((client, GATE, GATE_6), (net, "203.0.113.1", "2001:db8:113::1")):
        _ip("-n", namespace.name, "route", "add", "default", "via", gateway)
        _ip("-n", namespace.name, "route", "add", "default", "via", gateway_6)
    gate.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    client.run("sysctl", "-qw", SMALL_BUFFERS)


def _address(namespace: Namespace, device: str, addresses: Sequence[str]) -> None:
    for address in addresses:
        undoubted = ["nodad"] if ":" in address else []
        _ip("-n", namespace.name, "address", "add", address, "dev", device, *undoubted)
    _ip("-n", namespace.name, "link", "set", device, "up")


def _ip(*words: str) -> None:
    done = subprocess.run((str(tool("ip")), *words), capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
