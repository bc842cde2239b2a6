"""The traps of mitmproxy 12.2.3: each is shown to catch a naive addon, and not to catch ours.

Those that have their own place are tested there too: odd hellos (2, 7), CONNECT (6), cutting (8), huge heads (10).
"""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.integration.gateway.clients import (
    ConnectRefused,
    Tls,
    eventually,
    is_closed,
    one_by_one,
    read_reply,
    request_head,
    tunnel,
)
from tests.integration.gateway.gate import INTERNET, Client, Gate, gate
from tests.integration.gateway.processes import (
    REPOSITORY,
    SCHOOLGATE,
    Process,
    clean_environment,
    free_port,
    wait_until_listening,
)
from tests.integration.gateway.world import CLOSED, CLOSED_NAMES, OPEN, OPEN_NAMES, World

MITMDUMP = str(Path(sys.executable).with_name("mitmdump"))
FACEBOOK = "www.facebook.com"
type Naively = Callable[..., AbstractContextManager[Client]]


@pytest.fixture
def naively(tmp_path: Path, world: World) -> Naively:
    """A client of plain mitmdump with the naive addon."""

    @contextmanager
    def start(*options: str, raises: str = "") -> Iterator[Client]:
        world.forget()
        port = free_port()
        hosts = {**dict.fromkeys(OPEN_NAMES, OPEN), **dict.fromkeys(CLOSED_NAMES, CLOSED)}
        settings = {
            "NAIVE_REFUSED": ",".join(CLOSED_NAMES),
            "NAIVE_HOSTS": json.dumps(hosts),
            "NAIVE_RAISES": raises,
        }
        confdir = tmp_path / "mitmproxy"
        quiet = ("--set", f"confdir={confdir}", "--set", f"ssl_verify_upstream_trusted_ca={world.root}")
        listen = ("--listen-host", "127.0.0.1", "--listen-port", str(port))
        command = (MITMDUMP, "-q", "-s", str(Path(__file__).with_name("naive.py")), *listen, *quiet, *options)
        with Process(command, settings, tmp_path / "naive.log") as process:
            wait_until_listening(process, ("127.0.0.1", port))
            yield Client(("127.0.0.1", port), "127.0.0.9", world, confdir / "mitmproxy-ca-cert.pem")

    return start


def test_trap_2_one_byte_first_is_taken_for_raw_tcp(naively: Naively) -> None:
    """The naive addon does what it is meant to, but never hears of this hello. Ours: test_hellos."""
    with naively("--set", "connection_strategy=lazy") as client:
        assert client.get(FACEBOOK).is_page
        assert client.get("www.bbc.co.uk").is_internet
        assert client.world.closed.accepts == 0
        connection = client.tunnel(FACEBOOK)
        with Tls(connection, FACEBOOK, client.roots, pieces=one_by_one(connection, [1])) as passed:
            assert passed.issuer == INTERNET
        assert client.world.closed.accepts == 1


@pytest.mark.parametrize("hook", ["request", "tls_clienthello"])
def test_trap_1_a_raise_in_a_hook_fails_open(naively: Naively, hook: str) -> None:
    """The naive addon's bug reaches the origin, or decrypts what should have passed."""
    with naively("--set", "connection_strategy=lazy", raises=hook) as client:
        if hook == "request":
            assert client.get(FACEBOOK).reply.status == 200
            assert client.world.closed.accepts == 1
        else:
            assert not client.get("www.bbc.co.uk").is_internet
    # ours: test_failing_closed, for every function there is


def test_trap_3_streaming_sends_a_refused_body_upstream(naively: Naively, client: Client) -> None:
    """With ``stream_large_bodies`` a refusal in ``request`` comes after the fact; ours never dials."""
    body = b"x" * 100_000
    request = request_head(
        "POST", f"http://{FACEBOOK}:{client.world.http_port}/", FACEBOOK, f"Content-Length: {len(body)}"
    )
    with naively("--set", "stream_large_bodies=1k") as naive:
        with naive.connect() as connection:
            connection.sendall(request + body)
            read_reply(connection)
        assert naive.world.closed_http.accepts == 1
    client.world.forget()
    assert client.http(request).status == 403
    assert client.world.closed_http.accepts == 0


def test_trap_4_an_addon_broken_by_an_edit_stops_the_proxy(tmp_path: Path, world: World) -> None:
    """mitmproxy reloads an edited script and, if that fails, serves unfiltered; ours takes the proxy down with it."""
    script = tmp_path / "addon.py"
    shutil.copy(REPOSITORY / "proxy" / "addon.py", script)
    port = free_port()
    command = (MITMDUMP, "-q", "-s", str(script), "--listen-host", "127.0.0.1", "--listen-port", str(port))
    with mitmdump_gate(tmp_path, world, command, port) as running:
        client = running.client("127.0.0.9")
        assert client.get(FACEBOOK).is_page
        script.write_text("addons = [  # an edit in progress\n")
        eventually(lambda: running.process.running.poll() is not None)
    assert world.closed.accepts == 0


def test_trap_9_leaves_name_no_address_and_have_a_key_of_their_own(client: Client) -> None:
    """Names only; and whoever steals a leaf's key has not stolen the CA's."""
    with client.tls(FACEBOOK, through=OPEN) as connection:
        leaf = x509.load_der_x509_certificate(connection.certificate)
    alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.DNSName)
    assert not alternatives.get_values_for_type(x509.IPAddress)
    root = x509.load_pem_x509_certificate(client.school_root.read_bytes())
    assert _key(leaf) != _key(root)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def _key(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_trap_10_what_passes_is_not_kept(gateway: Gate, client: Client) -> None:
    """mitmproxy keeps every message of a WebSocket and of raw TCP; a relay keeps none."""
    message = b"x" * 65536
    with client.connect() as connection:
        url = f"http://www.bbc.co.uk:{client.world.http_port}/"
        connection.sendall(f"GET {url} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 101")
        echo(connection, message, times=100)
        before = resident(gateway)
        echo(connection, message, times=500)
        assert resident(gateway) - before < 16_000_000


def echo(connection: socket.socket, message: bytes, times: int) -> None:
    for _ in range(times):
        connection.sendall(message)
        left = len(message)
        while left:
            left -= len(connection.recv(left))


def resident(gateway: Gate) -> int:
    pages = int(Path(f"/proc/{gateway.process.pid}/statm").read_text().split()[1])
    return pages * 4096


def test_trap_11_stopping_closes_listeners_and_connections(tmp_path: Path, world: World) -> None:
    """SIGTERM: nobody new, nobody left, and an end in good time with status 0."""
    world.forget()
    with gate(tmp_path, world, (*SCHOOLGATE, "answerer")) as running:
        client = running.client("127.0.0.9")
        with client.download("www.bbc.co.uk") as download, client.connect():
            assert running.process.stop() == 0
            assert is_closed(download)
        with pytest.raises(ConnectionRefusedError):
            client.connect()


def test_trap_12_a_port_that_is_taken_is_an_error_that_names_the_setting(tmp_path: Path, world: World) -> None:
    """mitmproxy logs a failed bind and goes on, listening to nothing."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = {"SCHOOLGATE_STATE_DIR": str(tmp_path), "SCHOOLGATE_LISTEN": f"explicit@127.0.0.1:{port}"}
        done = subprocess.run(
            (*SCHOOLGATE, "answerer"),
            env=clean_environment(settings),
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode != 0
    assert f"127.0.0.1:{port}" in done.stderr + done.stdout
    assert "listen" in done.stderr + done.stdout


# mitmdump -s proxy/addon.py


def mitmdump(*options: str) -> tuple[str, ...]:
    return (MITMDUMP, "-q", "-s", str(REPOSITORY / "proxy" / "addon.py"), *options)


@contextmanager
def mitmdump_gate(folder: Path, world: World, command: tuple[str, ...], port: int) -> Iterator[Gate]:
    world.forget()
    confdir = ("--set", f"confdir={folder / 'mitmproxy'}")
    with gate(folder, world, (*command, *confdir), port=port) as running:
        yield running


def test_under_mitmdump_the_same_is_enforced(tmp_path: Path, world: World) -> None:
    """``mitmdump -s proxy/addon.py`` refuses, passes, grants and cuts like the embedded master."""
    port = free_port()
    listen = ("--listen-host", "127.0.0.1", "--listen-port", str(port))
    with mitmdump_gate(tmp_path, world, mitmdump(*listen), port) as running:
        client = running.client("127.0.0.9")
        assert client.get(FACEBOOK).is_page
        assert client.get("www.bbc.co.uk").is_internet
        assert world.closed.accepts == 0
        grant = running.keeper.grant("address:127.0.0.9", "facebook")
        eventually(lambda: client.opens(FACEBOOK))
        with client.download(FACEBOOK) as download:
            running.keeper.revoke(grant)
            assert is_closed(download)
        with pytest.raises(ConnectRefused):
            tunnel(client.gateway, "www.bbc.co.uk:22", client.source)


def test_under_mitmdump_a_passed_name_is_in_no_log(tmp_path: Path, world: World) -> None:
    """mitmdump's own flow and connection logs would name every host."""
    port = free_port()
    listen = ("--listen-host", "127.0.0.1", "--listen-port", str(port))
    command = tuple(part for part in mitmdump(*listen) if part != "-q")
    with mitmdump_gate(tmp_path, world, command, port) as running:
        assert running.client("127.0.0.9").get("wikipedia.org", "/secret-path").is_internet
        running.process.stop()
        output = running.process.output
    assert "wikipedia" not in output
    assert "secret-path" not in output


MODES = ("reverse:https://www.bbc.co.uk", "socks5", "upstream:http://127.0.0.1:3128")


@pytest.mark.parametrize("mode", MODES)
def test_under_mitmdump_other_modes_refuse_to_start(tmp_path: Path, mode: str) -> None:
    """Every other mode would be a way round."""
    settings = {"SCHOOLGATE_STATE_DIR": str(tmp_path)}
    done = subprocess.run(
        (*mitmdump("--set", f"confdir={tmp_path}"), "--mode", mode, "--listen-port", str(free_port())),
        env=clean_environment(settings),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    assert mode in done.stderr + done.stdout
