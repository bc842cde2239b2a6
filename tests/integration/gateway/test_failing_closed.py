"""A fault anywhere refuses what needs deciding, is counted, and reaches no origin (law 1)."""

import importlib
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.gateway.clients import eventually, is_closed
from tests.integration.gateway.conftest import FAULTY
from tests.integration.gateway.faults import INSTRUMENTED, functions_of
from tests.integration.gateway.gate import Client, Gate, gate
from tests.integration.gateway.hellos import client_hello, records, server_names
from tests.integration.gateway.processes import SCHOOLGATE
from tests.integration.gateway.world import World

GUARDS = {  # a fault in what catches faults is another story
    "GuardedLayer.handle_event",
    "Sweeper._guarded",
    "_denying",
}
POINTS = sorted({n for module in INSTRUMENTED for n, _ in functions_of(importlib.import_module(module))} - GUARDS)
DECIDING = (  # without these no TLS connection is judged: a fault in one of them passes nobody
    "Enforcer.client_connected",
    "Requests.http_connect",
    "Enforcer.next_layer",
    "Dialling.server_connect",
)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[Gate]:
    """An enforcing process in which any function can be made to fail."""
    folder = tmp_path_factory.mktemp("faulty")
    with gate(folder, world, (*FAULTY, str(folder / "faults"))) as running:
        yield running


@pytest.fixture
def victim(faulty: Gate, source: str) -> Client:
    faulty.process.check()
    faulty.world.forget()
    return faulty.client(source)


@pytest.mark.parametrize("point", POINTS)
def test_a_fault_in_any_function_opens_nothing(faulty: Gate, victim: Client, point: str) -> None:
    """Refused stays refused, passed is never decrypted, the fault is counted; afterwards all is as before."""
    fault = faulty.state_dir.parent / "faults" / point
    hit = fault.parent / "hit" / point
    errors = faulty.figure("schoolgate_internal_errors_total")
    fault.touch()
    try:
        browse(victim)
        assert victim.world.closed.accepts + victim.world.closed_http.accepts == 0
        if point in DECIDING:
            assert hit.exists()
            assert victim.world.open.accepts == 0
    finally:
        fault.unlink()
    if hit.exists():
        eventually(lambda: faulty.figure("schoolgate_internal_errors_total") > errors)
    eventually(lambda: victim.opens("www.bbc.co.uk"))
    assert victim.get("www.facebook.com").is_page


def browse(client: Client) -> None:
    """A bit of everything; whatever is seen is either the internet undecrypted or a refusal."""
    for name in ("www.facebook.com", "www.bbc.co.uk"):
        try:
            seen = client.get(name)
        except OSError:
            continue
        assert seen.is_page or seen.is_internet or seen.reply.status >= 400
        assert not (seen.reply.status == 200 and not seen.is_internet)
    for name in ("www.facebook.com", "www.bbc.co.uk"):
        try:
            client.http(f"GET http://{name}:{client.world.http_port}/ HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        except OSError:
            continue


def test_an_injected_fault_is_on_record_as_an_internal_error(faulty: Gate, victim: Client) -> None:
    """A refusal for a fault is a refusal like any other: counted and recorded."""
    fault = faulty.state_dir.parent / "faults" / "Enforcer.next_layer"
    fault.touch()
    try:
        assert not victim.opens("www.bbc.co.uk")
    finally:
        fault.unlink()
    assert set(faulty.reasons(victim.source)) == {"internal_error"}


def test_without_its_sweeper_the_process_ends(tmp_path: Path, world: World) -> None:
    """Nobody would cut what has ended: better no gateway than one that only looks like one."""
    with gate(tmp_path, world, (*FAULTY, str(tmp_path / "faults"))) as running:
        (tmp_path / "faults" / "Sweeper._guarded").touch()
        assert eventually(running.process.running.poll) != 0


@pytest.fixture
def bare(tmp_path: Path, world: World) -> Iterator[Gate]:
    """An enforcing process whose keeper has never published anything."""
    world.forget()
    with gate(tmp_path, world, (*SCHOOLGATE, "answerer"), snapshot=False) as running:
        yield running


def test_without_a_snapshot_everything_is_refused_until_there_is_one(bare: Gate, source: str) -> None:
    """``no_snapshot`` in the record and the figures; the first snapshot puts the policy in force."""
    client = bare.client(source)
    assert not client.opens("www.bbc.co.uk")
    assert not client.opens("www.facebook.com")
    assert set(bare.reasons(source)) == {"no_snapshot"}
    assert [server.accepts for server in client.world.servers] == [0] * 6
    eventually(lambda: bare.figure("schoolgate_attempts_total", verdict="deny", reason="no_snapshot") >= 2)
    bare.keeper.publish()
    eventually(lambda: client.opens("www.bbc.co.uk"))
    assert client.get("www.facebook.com").is_page


def test_what_cannot_be_recorded_is_refused_if_it_needed_a_grant(gateway: Gate, client: Client) -> None:
    """A full disk under the journal: ``not_recordable``, refused and counted; what is never recorded passes."""
    gateway.keeper.grant(f"address:{client.source}", "facebook")
    eventually(lambda: client.opens("www.facebook.com"))
    client.world.forget()
    pid, unlimited = gateway.process.pid, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    (segment,) = (gateway.state_dir / "journal").glob("*.journal")
    size = grown(gateway, client, segment)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        assert not client.opens("www.facebook.com")
        assert client.world.closed.accepts == 0
        assert client.opens("www.bbc.co.uk")
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    eventually(lambda: gateway.figure("schoolgate_attempts_total", reason="not_recordable") >= 1)
    eventually(lambda: client.opens("www.facebook.com"))


def grown(gateway: Gate, client: Client, segment: Path, least: int = 60_000) -> int:
    """Fill the journal past the size of the process's other files, so that the limit strikes the journal alone."""
    while segment.stat().st_size < least:
        with client.tunnel("192.0.2.7") as connection:
            connection.sendall(b"not TLS at all")
            is_closed(connection)
    eventually(lambda: gateway.figure("schoolgate_connections_live") == 0)
    return segment.stat().st_size


def test_a_dead_enforcer_lets_nobody_through(bare: Gate, source: str) -> None:
    """kill -9: connections are refused by the kernel, running ones are gone."""
    bare.keeper.publish()
    client = bare.client(source)
    eventually(lambda: client.opens("www.bbc.co.uk"))
    running = client.download("www.bbc.co.uk")
    bare.process.kill()
    with running:
        assert is_closed(running)
    with pytest.raises(ConnectionRefusedError):
        client.connect()


def test_nobody_is_waited_for_for_ever(gateway: Gate, client: Client) -> None:
    """Who stops in the middle of a hello, of a request's head, or of the handshake for a page, is let go."""
    with client.tunnel("www.bbc.co.uk") as hello, client.connect() as head, client.tunnel("www.facebook.com") as page:
        hello.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        head.sendall(b"GET http://www.bbc.co.uk/ HTTP/1.1\r\nHost: www.b")
        page.sendall(records(client_hello(server_names(b"www.facebook.com"))))
        for connection in (hello, head, page):
            connection.settimeout(60)
            assert is_closed(connection)
    assert [server.accepts for server in client.world.servers] == [0] * 6
    assert sorted(gateway.reasons(client.source)) == ["malformed", "not_authorised"]  # the CONNECT to the BBC passes


def test_hundreds_of_silent_clients_do_not_stop_an_honest_one(gateway: Gate, client: Client) -> None:
    """Half-open connections cost little and starve nobody."""
    silent = [gateway.client("127.30.0.1").connect() for _ in range(150)]
    silent += [gateway.client("127.30.0.2").connect() for _ in range(150)]
    for connection in silent[::2]:
        connection.sendall(b"\x16\x03\x01")
    assert client.opens("www.bbc.co.uk")
    assert client.get("www.facebook.com").is_page
    for connection in silent:
        connection.close()
    eventually(lambda: gateway.figure("schoolgate_connections_live") <= 1)
