"""What every contender is made to do, by a client in a process of its own. Work that fails ends the bench.

The client trusts one authority only: the internet's where a connection must pass untouched, the proxy's where the page
must be the proxy's own. So a connection that was decrypted, refused or let through by mistake is an error.
"""

import ssl
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from multiprocessing import get_context
from pathlib import Path
from typing import Self

from tests.integration.gateway.clients import Address, request_head, tunnel

PASSED, REFUSED = "www.bbc.co.uk", "www.facebook.com"
TOGETHER = 4  # connections at a time
PATIENCE = 120.0  # seconds for one job
BUFFER = 1 << 18


class WorkFailed(Exception):
    """The work was not done as it should be: there is nothing to measure."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """``count`` connections through ``proxy`` to ``target``, each asking ``name`` for ``path``."""

    proxy: Address
    target: Address
    name: str
    root: Path
    count: int
    status: int = 200
    path: str = "/bytes/1000"
    size: int | None = 1000  # of each answer; None: any


class Client:
    """The client process."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))

    def do(self, job: Job) -> None:
        """Raises WorkFailed unless every connection was answered as the job says."""
        self._pool.submit(_do, job).result(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()


@contextmanager
def held(job: Job) -> Iterator[None]:
    """The job's connections, all open and silent, until the block is left."""
    context = _context(job)
    with ExitStack() as stack:
        for _ in range(job.count):
            stack.enter_context(_connect(job, context))
        yield


def _do(job: Job) -> None:
    context = _context(job)
    try:
        with ThreadPoolExecutor(TOGETHER) as pool:
            list(pool.map(lambda _: _get(job, context), range(job.count)))
    except (OSError, HTTPException) as error:
        raise WorkFailed(f"{job.name} through {job.proxy}: {error}") from None


def _context(job: Job) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(job.root)
    return context


def _connect(job: Job, context: ssl.SSLContext) -> ssl.SSLSocket:
    host, port = job.target
    return context.wrap_socket(tunnel(job.proxy, f"{host}:{port}"), server_hostname=job.name)


def _get(job: Job, context: ssl.SSLContext) -> None:
    with _connect(job, context) as connection:
        connection.sendall(request_head("GET", job.path, job.name, "Connection: close"))
        answer = HTTPResponse(connection)
        answer.begin()
        expected = answer.length if job.size is None else job.size
        received, buffer = 0, bytearray(BUFFER)
        while size := answer.readinto(buffer):
            received += size
    if answer.status != job.status or received != expected:
        raise WorkFailed(f"{job.name}: {answer.status} with {received} bytes, not {job.status} with {expected}")
