"""The explicit listener behind TLS: the same gate, and nothing that is said to it crosses the network in clear."""

import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from policies.loading import load_catalogue
from tests.integration.gateway.clients import (
    Address,
    Reply,
    Tls,
    connect,
    eventually,
    held_sockets,
    is_closed,
    read_reply,
    request_head,
)
from tests.integration.gateway.conftest import FAULTY
from tests.integration.gateway.gate import INTERNET, Client, Gate, gate, prepare
from tests.integration.gateway.hellos import client_hello, records, server_names
from tests.integration.gateway.people import JONES, PASSWORDS, SMITH, People, basic, signed_in
from tests.integration.gateway.processes import REPOSITORY, SCHOOLGATE, Process, free_port, listens
from tests.integration.gateway.school import environment, write_policy
from tests.integration.gateway.world import World
from tests.needs import require, tool

INSTAGRAM, BBC, GATE = "www.instagram.com", "www.bbc.co.uk", "gate.school.example"
ANSWERER = (*SCHOOLGATE, "answerer")
MITMDUMP = str(Path(sys.executable).with_name("mitmdump"))


@pytest.fixture(scope="module")
def private_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, world: World, private_port: int) -> Iterator[People]:
    """One listener in clear and one behind TLS, with a certificate of the school's own CA."""
    port = free_port()
    listen = f"explicit@127.0.0.1:{port},explicit+tls@127.0.0.1:{private_port}"
    settings = {"listen": listen, "host_name": GATE, "proxy_auth": "optional"}
    folder = tmp_path_factory.mktemp("private")
    with gate(folder, world, ANSWERER, port=port, settings=settings) as made:
        people = People(made)
        with people.looked_after():
            yield people


@pytest.fixture
def people(running: People) -> People:
    running.gate.process.check()
    running.gate.keeper.reset()
    running.arrive()
    running.gate.keeper.grant(f"person:{SMITH}", "instagram")
    running.gate.world.forget()
    return running


@pytest.fixture
def private(private_port: int) -> Address:
    return ("127.0.0.1", private_port)


@pytest.fixture
def device(people: People, source: str) -> Client:
    return people.gate.client(source)


def outer(device: Client, private: Address, *, alpn: tuple[str, ...] = ("h2", "http/1.1")) -> Tls:
    """TLS with the gateway itself, as a browser that trusts the school's root."""
    return Tls(connect(private, device.source), GATE, device.school_root, alpn=alpn)


def inner(device: Client, private: Address, name: str, *headers: str) -> Tls:
    """CONNECT inside that TLS, and TLS with ``name`` inside the tunnel."""
    through = outer(device, private)
    target = f"{name}:{device.world.port}"
    through.sendall(request_head("CONNECT", target, target, *headers))
    reply = read_reply(through, connecting=True)
    assert reply.status == 200, reply
    return Tls(through, name, device.roots)  # type: ignore[arg-type]  # it sends and receives, as a socket does


def asked(connection: Tls, name: str) -> Reply:
    connection.sendall(request_head("GET", "/", name, "Connection: close"))
    return read_reply(connection)


def test_what_passes_passes_untouched_inside_two_tls(device: Client, private: Address) -> None:
    """The origin's own certificate; the outer connection is HTTP/1.1, whatever else the browser offers."""
    with outer(device, private) as connection:
        assert connection.alpn == "http/1.1"
    with inner(device, private, BBC) as connection:
        assert connection.issuer == INTERNET
        assert asked(connection, BBC).status == 200


def test_what_is_refused_shows_the_page_inside(people: People, device: Client, private: Address) -> None:
    """Under the school's certificate for that name; nothing is reached."""
    with inner(device, private, "www.facebook.com") as connection:
        assert connection.issuer != INTERNET
        assert asked(connection, "www.facebook.com").status == 403
    assert people.gate.reasons(device.source) == ["not_authorised"]
    assert people.gate.world.closed.accepts == 0


def test_people_sign_in_through_it(people: People, device: Client, private: Address) -> None:
    """As on the other listener: each is who they are."""
    eventually(lambda: signed_in(device, SMITH).opens(INSTAGRAM))
    with inner(device, private, INSTAGRAM, basic(SMITH, PASSWORDS[SMITH])) as connection:
        assert connection.issuer == INTERNET
        assert asked(connection, INSTAGRAM).status == 200
    with inner(device, private, INSTAGRAM, basic(JONES, PASSWORDS[JONES])) as connection:
        assert asked(connection, INSTAGRAM).status == 403
    with outer(device, private) as connection:
        target = f"{INSTAGRAM}:{device.world.port}"
        for password, status in (("wrong", 407), (PASSWORDS[SMITH], 200)):
            connection.sendall(request_head("CONNECT", target, target, basic(SMITH, password)))
            assert read_reply(connection, connecting=True).status == status
    people.gate.keeper.revoke(people.gate.keeper.authorisations[-1])


def test_a_grant_that_is_revoked_ends_what_is_open_in_it(people: People, device: Client, private: Address) -> None:
    """Two layers of TLS are no longer than one."""
    eventually(lambda: signed_in(device, SMITH).opens(INSTAGRAM))
    with inner(device, private, INSTAGRAM, basic(SMITH, PASSWORDS[SMITH])) as connection:
        connection.sendall(request_head("GET", "/endless", INSTAGRAM))
        assert connection.recv()
        people.gate.keeper.revoke(people.gate.keeper.authorisations[-1])
        assert is_closed(connection)


def test_plain_requests_pass_inside_it(people: People, device: Client, private: Address) -> None:
    """An http:// page through an https:// proxy."""
    with outer(device, private) as connection:
        connection.sendall(request_head("GET", f"http://{BBC}:{device.world.http_port}/", BBC, basic(SMITH, "x")))
        assert read_reply(connection).status == 200
    assert b"proxy-auth" not in people.gate.world.open_http.visits[-1].head.lower()


def test_curl_uses_it(people: People, device: Client, private: Address) -> None:
    """``curl --proxy https://…``: with a name and a password, and with a wrong one."""
    require("curl")
    eventually(lambda: signed_in(device, SMITH).opens(INSTAGRAM))
    assert curl(device, private, f"https://{INSTAGRAM}:{device.world.port}/", SMITH, PASSWORDS[SMITH]) == "200 200"
    assert curl(device, private, f"https://{INSTAGRAM}:{device.world.port}/", JONES, PASSWORDS[JONES]) == "403 200"
    assert curl(device, private, f"https://{INSTAGRAM}:{device.world.port}/", SMITH, "wrong") == "000 407"
    assert curl(device, private, f"http://{BBC}:{device.world.http_port}/", SMITH, "") == "200 000"


def curl(device: Client, private: Address, url: str, name: str, password: str) -> str:
    """The page's status and the proxy's answer to CONNECT."""
    roots = device.school_root.with_name("both.pem")
    roots.write_bytes(b"".join(root.read_bytes() for root in device.roots))
    options = [
        *("--silent", "--output", os.devnull, "--max-time", "30", "--interface", device.source),
        *("--proxy", f"https://{GATE}:{private[1]}", "--resolve", f"{GATE}:{private[1]}:127.0.0.1"),
        *("--proxy-cacert", str(device.school_root), "--cacert", str(roots)),
        *("--write-out", "%{http_code} %{http_connect}", "--config", "-"),
    ]
    credentials = f'proxy-user = "{name}:{password}"\n'
    done = subprocess.run(
        [str(tool("curl")), *options, url], input=credentials, capture_output=True, text=True, check=False
    )
    return done.stdout


# The wrong thing at the wrong listener


def test_plain_text_on_the_tls_listener_is_told(people: People, device: Client, private: Address) -> None:
    """400 in words a technician understands; nothing of the request is acted on."""
    with connect(private, device.source) as connection:
        connection.sendall(request_head("CONNECT", f"{BBC}:{device.world.port}", BBC, basic(SMITH, PASSWORDS[SMITH])))
        reply = read_reply(connection)
        assert reply.status == 400
        assert b"TLS" in reply.body
        assert is_closed(connection)
    assert people.gate.reasons(device.source) == ["malformed"]
    assert people.asked == []


def test_tls_on_the_plain_listener_is_told_by_an_alert(people: People, device: Client) -> None:
    """A browser that was told HTTPS for the wrong port."""
    with connect(device.gateway, device.source) as connection:
        connection.sendall(records(client_hello(server_names(GATE.encode()))))
        assert connection.recv(7)[:1] == b"\x15"
        assert is_closed(connection)
    assert people.gate.reasons(device.source) == ["malformed"]


def test_tls_inside_the_gateways_tls_is_not_a_way_round(people: People, device: Client, private: Address) -> None:
    """A hello, or anything else that is not HTTP, where a CONNECT belongs: an alert, and nothing is reached."""
    for said in (records(client_hello(server_names(BBC.encode()))), b"SSH-2.0-OpenSSH_9.6\r\n"):
        with outer(device, private) as connection:
            connection.sendall(said)
            assert is_closed(connection)
    assert set(people.gate.reasons(device.source)) == {"malformed"}
    assert [server.accepts for server in device.world.servers] == [0] * 6


def test_the_gateway_is_not_reached_through_itself(device: Client, private: Address) -> None:
    """Neither listener is ever dialled."""
    for port in (private[1], device.gateway[1]):
        with pytest.raises((OSError, ssl.SSLError)):
            device.tunnel("127.0.0.1", port)


def test_a_hello_that_never_ends_is_cut(people: People, device: Client, private: Address) -> None:
    """The same patience as elsewhere, and the same record."""
    with connect(private, device.source) as connection:
        connection.settimeout(60)
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        assert is_closed(connection)
    assert people.gate.reasons(device.source) == ["malformed"]
    eventually(lambda: held_sockets(private, device.source) == 0)


@pytest.mark.parametrize("point", ["accepting", "PemFile.context", "Enforcer._from_explicit_client", "is_behind_tls"])
def test_a_fault_in_it_lets_nobody_through(failing: Gate, source: str, point: str) -> None:
    """No TLS, no listener in clear instead; afterwards all is as before."""
    device, fault = failing.client(source), failing.state_dir.parent / "faults" / point
    device.world.forget()
    fault.touch()
    try:
        with pytest.raises((OSError, ssl.SSLError)):
            asked(inner(replace(device, school_root=device.world.root), failing.address, BBC), BBC)
        with connect(failing.address, source) as connection:
            connection.sendall(request_head("CONNECT", f"{BBC}:{device.world.port}", BBC))
            with suppress(ConnectionError):
                assert read_reply(connection, connecting=True).status == 400
    finally:
        fault.unlink()
    assert (fault.parent / "hit" / point).exists()
    assert device.world.open.accepts == 0
    with inner(replace(device, school_root=device.world.root), failing.address, BBC) as connection:
        assert asked(connection, BBC).status == 200


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[Gate]:
    """A TLS listener alone, in which any function can be made to fail."""
    folder, port = tmp_path_factory.mktemp("failing"), free_port()
    pem = str(world.authority.pem([GATE]))
    settings = {"listen": f"explicit+tls@127.0.0.1:{port}", "tls_certificate": pem}
    with gate(folder, world, (*FAULTY, str(folder / "faults")), port=port, settings=settings) as made:
        yield made


# Certificates


def test_a_certificate_of_ones_own_is_shown_and_read_again(tmp_path: Path, world: World) -> None:
    """``tls_certificate``: a renewed file is taken over; a broken one leaves the one before in use."""
    pem, port = tmp_path / "gate.pem", free_port()
    shutil.copy(world.authority.pem([GATE]), pem)
    settings = {"listen": f"explicit+tls@127.0.0.1:{port}", "tls_certificate": str(pem)}
    with gate(tmp_path, world, HASTY, port=port, settings=settings) as running:

        def shown() -> bytes:
            with Tls(connect(running.address), GATE, world.root) as connection:
                return connection.certificate

        first = shown()
        shutil.copy(world.authority.pem([GATE, "other.example"]), pem)
        second = eventually(lambda: now if (now := shown()) != first else None)
        pem.write_text("not a certificate")
        eventually(lambda: shown() == second and "stays in use" in running.process.output)


HASTY = (sys.executable, str(Path(__file__).with_name("hasty.py")))


@pytest.mark.parametrize("written", ["", "not a certificate", None])
def test_a_certificate_that_is_none_stops_the_start(tmp_path: Path, world: World, written: str | None) -> None:
    """In one sentence, with the file and the setting."""
    pem = tmp_path / "gate.pem"
    if written is not None:
        pem.write_text(written)
    output = refused_start(tmp_path, world, tls_certificate=str(pem))
    assert "is no PEM file" in output
    assert str(pem) in output
    assert "tls_certificate" in output


def test_without_a_certificate_for_its_name_the_gateway_says_so(tmp_path: Path, world: World) -> None:
    """Nothing else would be believed by a device."""
    output = refused_start(tmp_path, world, host_name=GATE)
    assert GATE in output
    assert "schoolgate ca renew" in output


def refused_start(folder: Path, world: World, **settings: str) -> str:
    port = free_port()
    policy = write_policy(folder / "policy.yaml", world)
    listen = f"explicit+tls@127.0.0.1:{port}"
    prepare(folder / "state", load_catalogue())
    values = environment(folder / "state", policy, world, listen=listen, **settings)
    with Process(ANSWERER, values, folder / "answerer.log") as process:
        assert eventually(process.running.poll, within=60.0) == 2
    assert not listens(("127.0.0.1", port))
    assert "Traceback" not in process.output
    return process.output


def test_under_mitmdump_it_is_refused(tmp_path: Path, world: World) -> None:
    """mitmdump would listen in clear where TLS was asked for: it says so, and ends."""
    pem = world.authority.pem([GATE])
    listen = f"explicit+tls@127.0.0.1:{free_port()}"
    policy = write_policy(tmp_path / "policy.yaml", world)
    values = environment(tmp_path / "state", policy, world, listen=listen, tls_certificate=str(pem))
    addon = str(REPOSITORY / "proxy" / "addon.py")
    command = (MITMDUMP, "-s", addon, "--set", f"confdir={tmp_path}", "--listen-port", str(free_port()))
    with Process(command, values, tmp_path / "mitmdump.log") as process:
        assert eventually(process.running.poll, within=60.0) != 0
    assert "explicit+tls" in process.output
    assert "schoolgate run" in process.output
