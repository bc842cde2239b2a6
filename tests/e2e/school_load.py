"""A load on the whole of ``schoolgate run``: clients that are refused, clients that are let through, without a pause.

An attempt is done once its client has been answered: by the refusal's page, or by the origin.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from tests.e2e.bench import BEGUN, DONE, Bench, Notes, Supervised, Trial, hosts
from tests.e2e.school import ADD_HEAD, schoolgate
from tests.integration.gateway.clients import OK, Address, Tls, connect, eventually, read_reply, request_head, tunnel
from tests.integration.gateway.processes import SCHOOLGATE, STARTING, Process, free_port, http_status
from tests.integration.gateway.school import environment, write_policy
from tests.integration.gateway.world import CLOSED, World, internet

CLIENTS = 4
ADDRESS = "127.0.0.10"  # of all of them
PAGE = 403
A_PERSON = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
A_PAGE = ("Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image")


@contextmanager
def school_load(folder: Path) -> Iterator[Trial]:
    port, status = free_port(), f"127.0.0.1:{free_port()}"
    with internet(folder) as world, Notes(folder / "notes") as notes:
        policy = write_policy(folder / "policy.yaml", world)
        settings = environment(folder / "state", policy, world, listen=f"explicit@127.0.0.1:{port}", status=status)
        bench = Bench(folder, settings, notes)
        with bench.process("run", (*SCHOOLGATE, "run")) as process:
            eventually(lambda: http_status(f"http://{status}/readyz") == OK, within=STARTING)
            browser = Browser(("127.0.0.1", port), world, set_up(process, folder), notes)
            with browsing(browser):
                yield Trial(bench, {name: Supervised(process, name) for name in ("keeper", "answerer")})


def set_up(process: Process, folder: Path) -> Path:
    """Grant Reddit to the clients' address. The school's root certificate."""
    schoolgate(process.environment, *ADD_HEAD)
    grant = ("grant", f"address:{ADDRESS}", "reddit", "--for", "2h", "--reason", "A lesson about forums")
    schoolgate(process.environment, "--as", "head", "--password-stdin", *grant)
    root = folder / "school-root.pem"
    root.write_text(schoolgate(process.environment, "ca", "export"))
    return root


@contextmanager
def browsing(browser: "Browser") -> Iterator[None]:
    stop = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as clients:
        running = [clients.submit(browser.run, who, stop) for who in range(CLIENTS)]
        try:
            yield
        finally:
            stop.set()
            for client in running:
                client.result()


@dataclass(frozen=True)
class Browser:
    """Explicit clients of one address: what it asks of Facebook is refused, of Reddit it is granted."""

    gateway: Address
    world: World
    school_root: Path
    notes: Notes

    def run(self, who: int, stop: threading.Event) -> None:
        refused, granted = hosts(who, "facebook.com"), hosts(who, "reddit.com")
        for secure, headers in cycle(((True, A_PERSON), (False, ()), (True, A_PAGE), (True, ()))):
            if stop.is_set():
                return
            self._attempt(next(refused), PAGE, headers, secure=secure)
            host = next(granted)
            self.world.names.names[host] = (CLOSED,)
            self._attempt(host, OK, headers, secure=secure)

    def _attempt(self, host: str, expected: int, headers: Sequence[str], *, secure: bool) -> None:
        self.notes.note(BEGUN, host)
        try:
            status = self._over_tls(host, headers) if secure else self._plainly(host, headers)
        except OSError:
            time.sleep(0.02)  # it was just killed
            return
        assert status == expected or status >= 500, f"{host} was answered {status}"
        if status == expected:
            self.notes.note(DONE, host)

    def _over_tls(self, host: str, headers: Sequence[str]) -> int:
        connection = tunnel(self.gateway, f"{host}:{self.world.port}", ADDRESS)
        with connection, Tls(connection, host, (self.school_root, self.world.root), check_name=False) as tls:
            tls.sendall(request_head("GET", "/", host, "Connection: close", *headers))
            return read_reply(tls).status

    def _plainly(self, host: str, headers: Sequence[str]) -> int:
        authority = f"{host}:{self.world.http_port}"
        with connect(self.gateway, ADDRESS) as connection:
            connection.sendall(request_head("GET", f"http://{authority}/", authority, "Connection: close", *headers))
            return read_reply(connection).status
