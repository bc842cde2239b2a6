"""The keeper's end of the exchange: a few threads that check passwords, off its own work.

Argon2 takes 64 MiB and a processor's whole attention, so ``WORKERS`` are all that check at a time; a few more wait,
and whoever comes beyond that is told at once that nobody can look. Only root and the keeper's own user are answered.
"""

import logging
import os
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from prometheus_client import Counter

from proxy.identity.door import Identity, Unproven
from proxy.identity.exchange import LARGEST, LENGTH, Question, answer_message, reachable
from proxy.identity.patience import Patience
from proxy.services import browsing
from proxy.store.engine import Store
from proxy.store.errors import StoreError

logger = logging.getLogger(__name__)

WORKERS = 2
WAITING = 62  # more than that would wait longer than anybody waits for the answer
DEADLINE = 4.0  # seconds from a question's arrival; whoever asked does not wait much longer
PEER = struct.Struct("iII")  # process, user, group: SO_PEERCRED

type Answer = Identity | Unproven


class Verifier:
    """Answers questions from the store, with what is remembered of each device."""

    def __init__(
        self,
        store: Callable[[], Store | None],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._clock, self._monotonic = store, clock, monotonic
        self._patience = Patience()

    def answer(self, question: Question) -> Answer:
        """Whose password it is. AWAY while the store is."""
        if (store := self._store()) is None:
            return Unproven.AWAY
        if self._patience.waits(question.address, question.name, self._monotonic()):
            return Unproven.WAIT
        try:
            return self._looked_up(store, question)
        except StoreError as error:
            logger.warning("A browsing password could not be looked up: %s", error)
            return Unproven.AWAY

    def _looked_up(self, store: Store, question: Question) -> Answer:
        known = self._patience.knows(question.address, question.name, self._monotonic())
        answer = browsing.verify(store, question.name, question.password, self._clock(), known=known)
        if isinstance(answer, Identity):
            self._patience.succeeded(question.address, question.name, self._monotonic())
        elif answer is Unproven.WRONG and self._patience.failed(question.address, question.name, self._monotonic()):
            browsing.count_wrong(store, question.name, self._clock())
        return answer


class VerifyingServer(socketserver.UnixStreamServer):
    """Serves until left, in threads of its own. Raises OSError where it cannot listen.

    The caller has the keeper's lock: whatever socket lies there belongs to a keeper that died.
    """

    request_queue_size = 128  # whoever comes is accepted, and told what becomes of it

    def __init__(self, path: Path, answer: Callable[[Question], Answer], failures: Counter) -> None:
        self._path, self._answer, self._failures = path, answer, failures
        self._room = threading.BoundedSemaphore(WORKERS + WAITING)
        self._workers = ThreadPoolExecutor(WORKERS, "verifying")
        super().__init__(str(path), socketserver.BaseRequestHandler)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.2}, name="identity")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)
        self.shutdown()
        self._thread.join()
        self.server_close()
        self._workers.shutdown(cancel_futures=True)

    def server_bind(self) -> None:
        self._path.unlink(missing_ok=True)
        with reachable(self._path) as name:
            self.socket.bind(name)
        self._path.chmod(0o600)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401, ARG002 -- socketserver's signature
        """Whether who is there may ask."""
        _, user, _ = PEER.unpack(request.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
        return user in {0, os.geteuid()}

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 -- likewise
        if not self._room.acquire(blocking=False):
            _send(request, Unproven.AWAY)
            self.shutdown_request(request)
            return

        def done(_: Future[None]) -> None:
            self.shutdown_request(request)
            self._room.release()

        self._workers.submit(self._serve, request, time.monotonic() + DEADLINE).add_done_callback(done)

    def _serve(self, connection: socket.socket, deadline: float) -> None:
        """One question, one answer; too late is no answer."""
        try:
            question = Question.read(_receive(connection, deadline))
            if time.monotonic() < deadline:
                _send(connection, self._answer(question))
        except (OSError, EOFError, ValueError) as error:
            logger.debug("a question that could not be read or answered: %s", type(error).__name__)
        except Exception:
            self._failures.labels("identity").inc()
            logger.exception("a browsing password could not be checked")
            _send(connection, Unproven.AWAY)


def _receive(connection: socket.socket, deadline: float) -> bytes:
    """One message. Raises OSError, EOFError, ValueError."""
    (length,) = LENGTH.unpack(_exactly(connection, LENGTH.size, deadline))
    if length > LARGEST:
        raise ValueError("the message is too long")
    return _exactly(connection, length, deadline)


def _exactly(connection: socket.socket, size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        if not (piece := connection.recv(size - len(data))):
            raise EOFError
        data += piece
    return data


def _send(connection: socket.socket, answer: Answer) -> None:
    """The answer fits a socket's buffer: who does not read it holds nobody up."""
    connection.settimeout(0)
    with suppress(OSError):
        connection.sendall(answer_message(answer))
