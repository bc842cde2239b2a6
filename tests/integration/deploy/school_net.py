"""A device, a gateway and an internet as three network namespaces, for one test of the shipped ruleset."""

import os
import select
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.needs import tool

DEVICE = {socket.AF_INET: "10.20.0.10", socket.AF_INET6: "fd20::10"}
GATE = {socket.AF_INET: "10.20.0.1", socket.AF_INET6: "fd20::1"}
INTERNET = {socket.AF_INET: "203.0.113.10", socket.AF_INET6: "2001:db8:113::10"}
LISTENER = 8081
WAIT = 1.0  # what is dropped is silent: so long a connection is waited for


@dataclass(frozen=True)
class SchoolNet:
    """``answering`` maps what a listening socket is to the socket."""

    device: str
    gate: str
    internet: str
    answering: dict[str, socket.socket]

    def nft(self, *arguments: str) -> str:
        command = [str(tool("ip")), "netns", "exec", self.gate, str(tool("nft")), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def who_answers(self, family: socket.AddressFamily, address: str, port: int) -> str:
        """Who accepts the device's TCP connection: ``listener``, ``internet``, ``refused`` or ``nobody``."""
        with inside(self.device, lambda: socket.socket(family)) as client:
            client.settimeout(WAIT)
            try:
                client.connect((address, port))
            except ConnectionRefusedError:
                return "refused"
            except TimeoutError:
                return "nobody"
            return self._accepted_by()

    def reaches_internet(self, family: socket.AddressFamily) -> bool:
        return self.who_answers(family, INTERNET[family], 8000) == "internet"

    def _accepted_by(self) -> str:
        ready, _, _ = select.select(list(self.answering.values()), [], [], 10)
        [(name, server)] = [(name, server) for name, server in self.answering.items() if server in ready]
        server.accept()[0].close()
        return name.partition(" ")[0]

    def sends_datagram(self, family: socket.AddressFamily, address: str, port: int) -> str:
        """What the device hears after a datagram: ``refused`` or ``nothing``."""
        with inside(self.device, lambda: socket.socket(family, socket.SOCK_DGRAM)) as client:
            client.settimeout(WAIT)
            client.connect((address, port))
            client.send(b"\xc0 initial")
            try:
                client.recv(1)
            except ConnectionRefusedError:
                return "refused"
            except TimeoutError:
                return "nothing"
            return "answered"


def inside[T](namespace: str, make: Callable[[], T]) -> T:
    """What ``make`` gives in a namespace. Only a thread of its own moves there; a socket stays where it was made."""

    def enter() -> T:
        with open(f"/run/netns/{namespace}", "rb") as handle:  # noqa: PTH123 -- setns wants the descriptor
            os.setns(handle.fileno(), os.CLONE_NEWNET)
        return make()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(enter).result()


@contextmanager
def school_net() -> Iterator[SchoolNet]:
    device, gate, internet = (f"sg-{name}-{os.getpid()}" for name in ("device", "gate", "net"))
    with ExitStack() as stack:
        for namespace in (device, gate, internet):
            ip("netns", "add", namespace)
            stack.callback(ip, "netns", "del", namespace)
            ip("-n", namespace, "link", "set", "lo", "up")
        link((device, "eth0", ["10.20.0.10/16", "fd20::10/64"]), (gate, "lan0", ["10.20.0.1/16", "fd20::1/64"]))
        link(
            (internet, "eth0", ["203.0.113.10/24", "2001:db8:113::10/64"]),
            (gate, "wan0", ["203.0.113.1/24", "2001:db8:113::1/64"]),
        )
        for namespace, via4, via6 in ((device, "10.20.0.1", "fd20::1"), (internet, "203.0.113.1", "2001:db8:113::1")):
            ip("-n", namespace, "route", "add", "default", "via", via4)
            ip("-n", namespace, "route", "add", "default", "via", via6)
        for setting in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"):
            ip("netns", "exec", gate, "sysctl", "-qw", setting)
        answering = {"listener": stack.enter_context(listen(gate, LISTENER))}
        for port in (80, 443, 853, 8000):
            answering[f"internet {port}"] = stack.enter_context(listen(internet, port))
        yield SchoolNet(device, gate, internet, answering)


def ip(*arguments: str) -> None:
    subprocess.run([str(tool("ip")), *arguments], check=True, capture_output=True)


type End = tuple[str, str, Sequence[str]]


def link(one: End, other: End) -> None:
    (namespace, name, _), (peer_namespace, peer, _) = one, other
    ip("link", "add", name, "netns", namespace, "type", "veth", "peer", "name", peer, "netns", peer_namespace)
    for space, device, addresses in (one, other):
        for address in addresses:
            ip("-n", space, "addr", "add", address, "dev", device, *(["nodad"] if ":" in address else []))
        ip("-n", space, "link", "set", device, "up")


def listen(namespace: str, port: int) -> socket.socket:
    return inside(namespace, lambda: socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True))
