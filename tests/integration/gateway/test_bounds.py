"""One client, one hello, one origin takes so much and no more: of memory, of pages, of places among the connections."""

import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import h2.config
import h2.connection
import pytest

from proxy.lane.hello import MOST_RECORDS
from proxy.requests import MOST_PAGES
from tests.integration.gateway.clients import (
    Tls,
    eventually,
    held_sockets,
    is_closed,
    queued_for,
    read_reply,
    sockets_to,
    wait_until_read,
)
from tests.integration.gateway.gate import Client, Gate, gate
from tests.integration.gateway.hellos import client_hello, padding, records, server_names
from tests.integration.gateway.processes import Process
from tests.integration.gateway.rude import PUSHED, Manner, endless, garbled, silent, standing
from tests.integration.gateway.world import World

HURRIED = (sys.executable, str(Path(__file__).with_name("hurried.py")))
MOST_MEMORY = 60  # MiB: what PUSHED bytes from one side may cost at the most
BLOCK = b"a" * (1 << 18)
LIVE, PAGES = "schoolgate_connections_live", "schoolgate_refusals_total"


class Memory:
    """What the gateway's memory grew by at its highest, in MiB, since this was made."""

    def __init__(self, process: Process) -> None:
        self._status = Path(f"/proc/{process.pid}/status")
        Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")  # forget the highest so far
        self._before = self._read()

    @property
    def grown(self) -> int:
        return self._read() - self._before

    def _read(self) -> int:
        fields = dict(line.split(":", 1) for line in self._status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) >> 10


def push(connection: socket.socket, first: bytes) -> int:
    """Send ``first`` and then a great deal, until nobody takes it any more. How much went."""
    connection.settimeout(1.0)
    sent = 0
    with suppress(OSError):
        connection.sendall(first + BLOCK)
        while sent < PUSHED:
            sent += connection.send(BLOCK)
    return sent


def request(client: Client, name: str, *more: str, method: str = "GET") -> bytes:
    at = f"{name}:{client.world.http_port}"
    return "\r\n".join([f"{method} http://{at}/ HTTP/1.1", f"Host: {at}", *more, "", ""]).encode()


@pytest.mark.parametrize("mebibytes", [0, 1], ids=["alone", "with more behind it"])
def test_a_hello_in_too_many_records_is_malformed(gateway: Gate, client: Client, mebibytes: int) -> None:
    """Closed and on record before it is whole, and others are served meanwhile."""
    hello = client_hello(server_names(b"www.bbc.co.uk"), padding(2000))
    cut_up = records(hello, *[1] * (MOST_RECORDS + 1))[: 6 * (MOST_RECORDS + 1)]
    with client.tunnel("www.bbc.co.uk") as connection:
        connection.sendall(cut_up)
        with suppress(OSError):
            connection.sendall(bytes(mebibytes << 20))
        assert gateway.client("127.0.0.79").opens("www.bbc.co.uk")
        assert is_closed(connection)
    assert gateway.reasons(client.source) == ["malformed"]


BEHIND = {
    "a request that waits": ("GET", "", b""),
    "a chunk's extension": ("POST", "Transfer-Encoding: chunked", b"5;"),
    "a chunk's end": ("POST", "Transfer-Encoding: chunked", b"1\r\na"),
    "the trailers": ("POST", "Transfer-Encoding: chunked", b"0\r\nX: "),
}


@pytest.mark.parametrize(("method", "header", "begun"), BEHIND.values(), ids=BEHIND.keys())
def test_what_a_client_sends_unasked_is_not_kept(
    gateway: Gate, client: Client, method: str, header: str, begun: bytes
) -> None:
    """Whatever it stands behind, it is refused or left in the client's own kernel."""
    name = f"silent-{client.source.replace('.', '-')}.some.example"
    with standing(client.world, name, silent) as origin, client.connect() as connection:
        connection.sendall(request(client, name, *filter(None, [header]), method=method))
        eventually(lambda: origin.accepts)
        memory = Memory(gateway.process)
        assert push(connection, begun) < PUSHED
        assert memory.grown < MOST_MEMORY
    eventually(lambda: held_sockets(gateway.address, client.source) == 0)


@pytest.mark.parametrize("manner", [endless, garbled])
def test_an_answer_that_never_ends_as_it_should_is_not_kept(gateway: Gate, client: Client, manner: Manner) -> None:
    """An origin is a stranger too."""
    name = f"{manner.__name__}.some.example"
    with standing(client.world, name, manner) as origin, client.connect() as connection:
        memory = Memory(gateway.process)
        connection.sendall(request(client, name))
        assert is_closed(connection)
        eventually(lambda: origin.live == 0)
        assert origin.sent < PUSHED
        assert memory.grown < MOST_MEMORY


@pytest.mark.parametrize("pieces", [1, 2], ids=["at once", "later"])
def test_what_waits_for_a_slow_name_waits_with_the_client(gateway: Gate, client: Client, pieces: int) -> None:
    """Bytes behind a hello whose name is still looked up are not read."""
    name = f"slow-{client.source.replace('.', '-')}.some.example"
    hello = records(client_hello(server_names(name.encode())))
    client.world.names.silent = True
    try:
        with client.tunnel(name) as connection:
            memory = Memory(gateway.process)
            if pieces == 2:
                connection.sendall(hello)
                wait_until_read(connection)
            assert push(connection, hello if pieces == 1 else b"") < PUSHED
            assert memory.grown < MOST_MEMORY
    finally:
        client.world.names.silent = False
    eventually(lambda: held_sockets(gateway.address, client.source) == 0)


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[Gate]:
    """An enforcing process that waits seconds, not a minute, for a client to take what is queued for it."""
    with gate(tmp_path_factory.mktemp("hurried"), world, HURRIED) as running:
        yield running


def test_a_page_closes_its_connection_whatever_version_was_claimed(client: Client) -> None:
    """``Connection: close`` goes by what the connection is, not by what its request line says."""
    with client.connect() as connection:
        connection.sendall(request(client, "www.facebook.com").replace(b"HTTP/1.1", b"HTTP/2.0"))
        reply = read_reply(connection)
        assert (reply.status, reply.header("connection")) == (403, "close")
        assert is_closed(connection)


class Asking:
    """A browser's HTTP/2 connection on which the same refused page is asked for again and again."""

    def __init__(self, connection: Tls, name: str) -> None:
        self._connection = connection
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self._fields = [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", name)]
        self._http.initiate_connection()

    def ask(self, times: int = 1) -> bool:
        """Ask, and take each question back at once; whether the connection is over."""
        for _ in range(times):
            stream = self._http.get_next_available_stream_id()
            self._http.send_headers(stream, self._fields, end_stream=True)
            self._http.reset_stream(stream)
        try:
            self._connection.sendall(self._http.data_to_send())
        except OSError:
            return True
        return False


def test_a_refused_connection_ends_in_its_time_however_often_it_asks(client: Client) -> None:
    """A question puts the end of the time off by nothing."""
    with client.tls("www.facebook.com", alpn=("h2",)) as connection:
        asking = Asking(connection, "www.facebook.com")
        eventually(asking.ask, every=0.4)


def test_a_refused_connection_is_shown_so_many_pages(gateway: Gate, client: Client) -> None:
    """Thousands of questions in one breath are not thousands of pages; and the connection ends."""
    pages = gateway.figure(PAGES, form="page")
    with client.tls("www.facebook.com", alpn=("h2",)) as connection:
        asking = Asking(connection, "www.facebook.com")
        asking.ask(2000)
        eventually(asking.ask, every=0.05)
    eventually(lambda: held_sockets(gateway.address, client.source) == 0)
    assert client.get("www.facebook.com").is_page
    eventually(lambda: gateway.figure(PAGES, form="page") > pages + MOST_PAGES)
    assert gateway.figure(PAGES, form="page") < pages + 3 * MOST_PAGES


def unread(client: Client, path: str) -> socket.socket:
    """Ask for something, and take nothing of it."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.bind((client.source, 0))
    connection.connect(client.gateway)
    connection.sendall(request(client, "www.bbc.co.uk").replace(b"/ HTTP", path.encode() + b" HTTP"))
    return connection


def what_fits(client: Client) -> int:
    """How many bytes of an answer the two kernels hold for a client that takes nothing."""
    with unread(client, "/endless"):
        sizes = [0]

        def is_settled() -> bool:
            sizes.append(queued_for(client.gateway, client.source))
            return sizes[-1] > 0 and len(set(sizes[-20:])) == 1

        eventually(is_settled)
    return sizes[-1]


def test_a_client_that_takes_nothing_stays_on_the_books_until_it_is_ended(hurried: Gate, source: str) -> None:
    """What mitmproxy has let go of with bytes queued is a connection all the same, and not for ever."""
    client, upstream = hurried.client(source), (hurried.world.open_http.host, hurried.world.http_port)

    def held() -> int:
        return held_sockets(hurried.address, source)

    def answered() -> int:
        """Clients whose answer is complete, so that nothing stands behind them any more, and who have not got it."""
        return held() - sockets_to(upstream)

    fits = what_fits(client)
    eventually(lambda: held() == 0 and hurried.figure(LIVE) == 0)
    connections = [unread(client, f"/bytes/{fits + more}") for more in range(-100_000, 150_000, 20_000)]
    eventually(lambda: answered() > 0)
    eventually(lambda: hurried.figure(LIVE) == held() and answered() > 0)
    eventually(lambda: answered() == 0)
    for connection in connections:
        connection.close()
    eventually(lambda: hurried.figure(LIVE) == held() == 0)
