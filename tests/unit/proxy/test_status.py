"""The status endpoint: three paths, two methods, limits on what a stranger can send."""

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from proxy import status as module
from proxy.metrics import KeeperMetrics, Metrics, write_figures
from proxy.settings import Endpoint, SettingsError
from proxy.status import LARGEST_HEAD, MOST_CLIENTS, Status, StatusServer, not_ready

NOW = datetime(2025, 11, 24, 10, 0, tzinfo=UTC)
ANYWHERE = Endpoint("127.0.0.1", 0)


def report(directory: Path, process: str = "answerer", *, at: datetime = NOW, snapshot: bool = True) -> None:
    """What an enforcing process writes of itself."""
    metrics = Metrics(CollectorRegistry())
    if snapshot:
        metrics.snapshot_age_seconds.labels(process).set(1)
    write_figures(directory / f"{process}.prom", metrics.registry, at)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StatusServer]:
    with StatusServer(ANYWHERE, Status(tmp_path, lambda: NOW)) as server:
        yield server


def ask(server: StatusServer, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read()


def send(server: StatusServer, raw: bytes) -> bytes:
    """What comes back for these bytes, until the server hangs up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(raw)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_metrics_are_prometheus_text(server: StatusServer, tmp_path: Path) -> None:
    """Every process's figures in one exposition."""
    report(tmp_path)
    write_figures(tmp_path / "keeper.prom", KeeperMetrics(CollectorRegistry()).registry, NOW)
    status, content_type, body = ask(server, "/metrics")
    assert (status, content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b'schoolgate_snapshot_age_seconds{process="answerer"} 1.0' in body
    assert b"schoolgate_store_up" in body


def test_alive(server: StatusServer) -> None:
    """Whoever answers is alive."""
    assert ask(server, "/healthz")[0] == 200


def test_ready_when_something_enforces(server: StatusServer, tmp_path: Path) -> None:
    """503 with what is missing, until an enforcing process reports that it has a snapshot."""
    status, content_type, body = ask(server, "/readyz")
    assert (status, content_type) == (503, "application/json; charset=utf-8")
    assert json.loads(body)["missing"] == ["no enforcing process has started"]
    report(tmp_path)
    status, _, body = ask(server, "/readyz")
    assert (status, json.loads(body)) == (200, {"status": "enforcing", "missing": []})


@pytest.mark.parametrize(
    ("process", "at", "snapshot", "missing"),
    [
        ("answerer", NOW, True, None),
        ("lane-1", NOW - timedelta(seconds=3), True, None),
        ("keeper", NOW, True, "has started"),
        ("answerer", NOW - timedelta(seconds=4), True, "has reported"),
        ("answerer", NOW + timedelta(hours=1), True, "has reported"),
        ("answerer", NOW, False, "have no snapshot"),
    ],
)
def test_what_readiness_takes(
    tmp_path: Path, process: str, at: datetime, missing: str | None, *, snapshot: bool
) -> None:
    """A listening process other than the keeper, a sign of life of the last seconds, and a snapshot."""
    report(tmp_path, process, at=at, snapshot=snapshot)
    assert [missing in text for text in not_ready(tmp_path, NOW) if missing] == ([True] if missing else [])
    assert bool(not_ready(tmp_path, NOW)) == bool(missing)


def test_a_store_outage_alone_does_not_unready(tmp_path: Path) -> None:
    """Enforcement goes on by the last snapshot, and that is what readiness is about."""
    keeper = KeeperMetrics(CollectorRegistry())
    keeper.store_up.set(0)
    write_figures(tmp_path / "keeper.prom", keeper.registry, NOW)
    report(tmp_path)
    assert not_ready(tmp_path, NOW) == ()


def test_head_has_no_body(server: StatusServer) -> None:
    """The same headers, nothing more."""
    answer = send(server, b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 200 ")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../etc/passwd", "/metrics%00"])
def test_other_paths_are_not_found(server: StatusServer, path: str) -> None:
    """There is nothing else, and the answer says what there is."""
    status, _, body = ask(server, path)
    assert status == 404
    assert json.loads(body)["error"]["code"] == "not_found"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "x"])
def test_other_methods_are_not_allowed(server: StatusServer, method: str) -> None:
    """It is read only."""
    answer = send(server, f"{method} /metrics HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.0 405 ")
    assert b"Allow: GET, HEAD\r\n" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /" + b"a" * LARGEST_HEAD, b"431"),
        (b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * LARGEST_HEAD, b"431"),
        (b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"431"),
        (b"GET\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/9.9\r\n\r\n", b"505"),
    ],
)
def test_what_is_too_large_or_no_request_is_refused(server: StatusServer, raw: bytes, status: bytes) -> None:
    """With a status and JSON, and the connection closed."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(raw[:LARGEST_HEAD])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert status in answer.partition(b"\r\n")[0]
    assert b'{"error": ' in answer


def test_a_slow_client_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client has so long for its whole request, however it spreads it."""
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    with StatusServer(ANYWHERE, Status(tmp_path, lambda: NOW)) as server:
        assert b"200" not in send(server, b"GET /healthz HTTP/1.1\r\n").partition(b"\r\n")[0]


def test_one_client_too_many_is_hung_up_on(server: StatusServer) -> None:
    """Silent clients take up so many places and no more; once they leave, others are served."""
    silent = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(MOST_CLIENTS)]
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as late:
        assert late.recv(1) == b""
    for connection in silent:
        connection.close()

    def served() -> bool:
        try:
            return ask(server, "/healthz")[0] == 200
        except OSError:
            return False

    assert any(served() for _ in range(1000))


def test_a_taken_port_names_its_setting(server: StatusServer, tmp_path: Path) -> None:
    """So that a technician knows which of three ports it is."""
    endpoint = Endpoint("127.0.0.1", server.port)
    with pytest.raises(SettingsError, match=rf"status: cannot listen on {endpoint}: .* SCHOOLGATE_STATUS"):
        StatusServer(endpoint, Status(tmp_path, lambda: NOW))


def test_figures_that_vanish_are_no_error(server: StatusServer, tmp_path: Path) -> None:
    """Before any process wrote, or when their directory is gone, there is just nothing to show."""
    shutil.rmtree(tmp_path)
    assert ask(server, "/metrics")[0] == 200
    assert ask(server, "/readyz")[0] == 503
