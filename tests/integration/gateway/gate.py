"""The enforcing process alone, as the supervisor starts it, on a snapshot made by hand: no keeper, no store.

Every test is a client with an address of its own, so that what one is granted, another never sees.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from policies.model import Catalogue
from policies.names import HostName, host_name
from proxy.ca import issuing, status
from proxy.ca.names import GATEWAY
from proxy.record.events import Decided, Ended, Event, decode
from proxy.record.journal import FRAME
from tests.integration.gateway.clients import (
    Address,
    Reply,
    Tls,
    connect,
    eventually,
    read_reply,
    request_head,
    tunnel,
)
from tests.integration.gateway.processes import Process, figure, free_port, wait_until_listening
from tests.integration.gateway.school import HandMadeKeeper, environment, write_policy
from tests.integration.gateway.world import World


@dataclass(frozen=True)
class Gate:
    """A running gateway, and everything a test may look at or turn."""

    process: Process
    address: Address
    state_dir: Path
    keeper: HandMadeKeeper
    school_root: Path
    world: World

    def client(self, source: str) -> "Client":
        return Client(self.address, source, self.world, self.school_root)

    def figure(self, name: str, **labels: str) -> float:
        """A metric's value, summed over what the labels leave open, as last written out."""
        files = sorted((self.state_dir / "processes").glob("*.prom"))
        return sum(figure(file.read_text(), name, **labels) for file in files)

    def events(self) -> list[Event]:
        return list(read_journal(self.state_dir / "journal"))

    def decided(self, source: str) -> list[Decided]:
        """What is on record of one client, in order."""
        return [event for event in self.events() if isinstance(event, Decided) and event.address == source]

    def outcome(self, identifier: str) -> str | None:
        """What became of an attempt, None while that is not known."""
        ended = (event for event in self.events() if isinstance(event, Ended) and event.id == identifier)
        return next((event.outcome for event in ended), None)

    def reasons(self, source: str) -> list[str]:
        return [event.reason for event in self.decided(source)]


@dataclass(frozen=True)
class Seen:
    """What a client was shown, and by whom."""

    reply: Reply
    issuer: str

    @property
    def is_page(self) -> bool:
        """The school's refusal page, signed by the school."""
        return self.reply.status == 403 and self.issuer != INTERNET

    @property
    def is_internet(self) -> bool:
        """The origin itself, undecrypted: only the internet's own authority signs such a certificate."""
        return self.reply.status == 200 and self.issuer == INTERNET


INTERNET = "Internet CA of the tests"


@dataclass(frozen=True)
class Client:
    """A device of the school: an address, and trust in both the school's and the internet's authority.

    ``headers`` go with every CONNECT: what its browser tells the proxy.
    """

    gateway: Address
    source: str
    world: World
    school_root: Path
    headers: tuple[str, ...] = ()

    def connect(self) -> socket.socket:
        return connect(self.gateway, self.source)

    def tunnel(self, host: str, port: int | None = None) -> socket.socket:
        return tunnel(self.gateway, f"{host}:{port or self.world.port}", self.source, self.headers)

    def tls(self, name: str | None, *, through: str | None = None, alpn: Sequence[str] = ("http/1.1",)) -> Tls:
        """A browser's connection to ``name``. Raises OSError (ssl.SSLError too) where it is refused without a page."""
        return Tls(self.tunnel(through or name or ""), name, self.roots, alpn=alpn)

    @property
    def roots(self) -> tuple[Path, Path]:
        return (self.school_root, self.world.root)

    def get(self, name: str, path: str = "/", *headers: str, through: str | None = None) -> Seen:
        with self.tls(name, through=through) as connection:
            connection.sendall(request_head("GET", path, name, "Connection: close", *headers))
            return Seen(read_reply(connection), connection.issuer)

    def opens(self, name: str) -> bool:
        """Whether this client gets through to ``name``, undecrypted."""
        try:
            return self.get(name).is_internet
        except (OSError, ssl.SSLError):
            return False

    def http(self, request: bytes) -> Reply:
        """One plain request to the proxy, as it is."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_reply(connection)

    def download(self, name: str) -> Tls:
        """A running download that never ends by itself."""
        connection = self.tls(name)
        connection.sendall(request_head("GET", "/endless", name))
        eventually(connection.recv)
        return connection


def read_journal(directory: Path) -> Iterator[Event]:
    """Every whole event on disk. A frame that is still being written is left for the next look."""
    for segment in sorted(directory.glob("*.journal")):
        data, at = segment.read_bytes(), 0
        while at + FRAME.size <= len(data):
            length, _ = FRAME.unpack_from(data, at)
            payload = data[at + FRAME.size : at + FRAME.size + length]
            if len(payload) < length:
                break
            yield decode(payload)
            at += FRAME.size + length


def prepare(state_dir: Path, catalogue: Catalogue, host: str | None = None) -> Path:
    """What ``run`` makes at first: the CA and the key of references. The root certificate's file."""
    state_dir.mkdir(mode=0o700)
    names: dict[str, list[HostName]] = {}
    for service in catalogue.services.values():
        names.setdefault(service.category, []).extend(service.domains)
    if host is not None:
        names[GATEWAY] = [host_name(host)]
    issuing.create(state_dir / "ca", names, datetime.now(UTC))
    key = state_dir / "reference.key"
    key.touch(mode=0o600)
    key.write_bytes(bytes(range(32)))
    root = state_dir.with_name("school-root.pem")
    root.write_bytes(status.root_certificate(state_dir / "ca"))
    return root


@contextmanager
def gate(
    folder: Path,
    world: World,
    command: Sequence[str],
    *,
    snapshot: bool = True,
    port: int = 0,
    settings: Mapping[str, str] | None = None,
    **policy: object,
) -> Iterator[Gate]:
    """Start the enforcing process by ``command`` in a school of its own."""
    state_dir, port = folder / "state", port or free_port()
    keeper = HandMadeKeeper(state_dir / "snapshot", write_policy(folder / "policy.yaml", world, **policy))
    values = {"listen": f"explicit@127.0.0.1:{port}", **(settings or {})}
    root = prepare(state_dir, keeper.catalogue, values.get("host_name"))
    if snapshot:
        keeper.publish()
    with Process(
        command, environment(state_dir, keeper.policy_file, world, **values), folder / "answerer.log"
    ) as process:
        wait_until_listening(process, ("127.0.0.1", port))
        yield Gate(process, ("127.0.0.1", port), state_dir, keeper, root, world)
