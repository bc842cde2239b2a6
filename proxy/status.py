"""The status endpoint: ``/metrics`` for Prometheus, ``/healthz`` and ``/readyz`` for whoever watches over the gateway.

It answers GET and HEAD and nothing else, within limits: a few clients at a time, a few seconds and a few kilobytes
each. It says figures, never a person, a device, an address or a host.
"""

import json
import logging
import socket
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Self

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest

from proxy.metrics import SUFFIX, Merged, read_figures
from proxy.settings import Endpoint, SettingsError

logger = logging.getLogger(__name__)

FRESH = timedelta(seconds=3)
KEEPER = "keeper"
MOST_CLIENTS = 8
LARGEST_HEAD = 8 * 1024
END_OF_HEAD = b"\r\n\r\n"
PATIENCE = 5.0  # seconds a client has for its whole request
JSON = "application/json; charset=utf-8"

type Answer = tuple[HTTPStatus, str, bytes]


class StatusError(SettingsError):
    """The endpoint cannot be served; the message names the setting."""


def not_ready(process_dir: Path, now: datetime) -> tuple[str, ...]:
    """What is missing before policy is enforced; nothing once some process enforces it. A store that is away is not."""
    files = [path for path in process_dir.glob(f"*{SUFFIX}") if path.stem != KEEPER]
    if not files:
        return ("no enforcing process has started",)
    if not (fresh := [path for path in files if _is_fresh(path, now)]):
        return (f"no enforcing process has reported for {FRESH.seconds} seconds",)
    if not any(_has_snapshot(path) for path in fresh):
        return ("the enforcing processes have no snapshot yet",)
    return ()


def _is_fresh(path: Path, now: datetime) -> bool:
    try:
        return abs(now.timestamp() - path.stat().st_mtime) <= FRESH.total_seconds()
    except FileNotFoundError:
        return False


def _has_snapshot(path: Path) -> bool:
    families = {family.name: family.samples for family in read_figures(path)}
    return bool(families.get("schoolgate_snapshot_age_seconds"))


class Status:
    """What is answered to which path."""

    def __init__(self, process_dir: Path, clock: Callable[[], datetime]) -> None:
        self._process_dir, self._clock = process_dir, clock
        self._registry = CollectorRegistry()
        self._registry.register(Merged(process_dir))

    def answer(self, path: str) -> Answer:
        match path.partition("?")[0]:
            case "/metrics":
                return HTTPStatus.OK, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry)
            case "/healthz":
                return json_answer(HTTPStatus.OK, {"status": "alive"})
            case "/readyz":
                return self._readiness()
            case _:
                return error_answer(HTTPStatus.NOT_FOUND, "there is /metrics, /healthz and /readyz")

    def _readiness(self) -> Answer:
        if missing := not_ready(self._process_dir, self._clock()):
            return json_answer(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "not ready", "missing": missing})
        return json_answer(HTTPStatus.OK, {"status": "enforcing", "missing": ()})


def json_answer(status: HTTPStatus, body: object) -> Answer:
    return status, JSON, json.dumps(body).encode() + b"\n"


def error_answer(status: HTTPStatus, message: str) -> Answer:
    code = status.name.lower()
    return json_answer(status, {"error": {"code": code, "message": message, "hint": ""}})


class StatusServer(ThreadingMixIn, TCPServer):
    """Serves until left, in threads of its own. Raises StatusError where it cannot listen."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, endpoint: Endpoint, status: Status) -> None:
        self.status = status
        self._slots = threading.BoundedSemaphore(MOST_CLIENTS)
        if ":" in endpoint.host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((endpoint.host, endpoint.port), _Handler)
        except OSError as error:
            raise StatusError(
                f"status: cannot listen on {endpoint}: {error.strerror or error}; "
                "name another address with SCHOOLGATE_STATUS or `status` in the settings file"
            ) from error
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.2}, name="status")

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 -- socketserver's signature
        """One client too many is hung up on: whoever watches tries again."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 -- likewise
        late = threading.Timer(PATIENCE, _hang_up, [request])
        late.daemon = True
        late.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            late.cancel()
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 -- likewise
        """A client that leaves in the middle is nothing to speak of."""
        logger.debug("a status client left: %s", sys.exception())


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        logger.debug("the client had gone already")


class _Handler(BaseHTTPRequestHandler):
    """One request, one answer, closed."""

    server: StatusServer
    server_version = "schoolgate"
    sys_version = ""
    default_request_version = "HTTP/1.0"  # of what names none: an answer always has a status line

    def setup(self) -> None:
        super().setup()
        self._head = _read_head(self.connection)
        self.rfile = BytesIO(self._head)

    def do_GET(self) -> None:
        if END_OF_HEAD not in self._head:
            self._send(error_answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request is too large"))
            return
        self._send(self.server.status.answer(self.path))

    do_HEAD = do_GET  # noqa: N815 -- the base class looks for this name

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 -- the base class's signature
        """The base class's own refusals (methods, versions, lengths), as JSON too."""
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self._send(error_answer(status, message or status.phrase))

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 -- the base class's signature
        logger.debug(format, *arguments)

    def _send(self, answer: Answer) -> None:
        status, content_type, body = answer
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = True


def _read_head(connection: socket.socket) -> bytes:
    """The request up to its empty line, or as much of it as is allowed."""
    head = b""
    while END_OF_HEAD not in head and len(head) < LARGEST_HEAD:
        piece = connection.recv(LARGEST_HEAD - len(head))
        if not piece:
            break
        head += piece
    return head
