"""schoolgate's real processes, started, watched and ended by tests; only ever those that were started here."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.error import URLError

from prometheus_client.parser import text_string_to_metric_families

from tests.integration.gateway.clients import DEADLINE, Address, eventually
from tests.needs import tool

TIED = (str(setpriv), "--pdeathsig", "KILL") if (setpriv := tool("setpriv")) else ()  # a killed pytest leaves nobody
STARTING = 60.0  # seconds: a process that imports mitmproxy on a busy machine
REPOSITORY = Path(__file__).parents[3]
SCHOOLGATE = (sys.executable, "-m", "proxy.cli")


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The tests' own environment with these settings and no others, and with this tree to import from."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SCHOOLGATE_")}
    return {**kept, "SCHOOLGATE_CONFIG": os.devnull, "PYTHONPATH": str(REPOSITORY), **settings}


class Process:
    """A program, its output in a file, stopped when the block is left."""

    def __init__(self, command: Sequence[str], settings: Mapping[str, str], log: Path) -> None:
        self.command, self.environment, self.log = tuple(command), clean_environment(settings), log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                (*TIED, *self.command),
                env=self.environment,
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def pid(self) -> int:
        return self.running.pid

    @property
    def descriptors(self) -> int:
        """How many files and sockets it holds open."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def check(self) -> None:
        """Fail with the program's own words if it has ended."""
        status = self.running.poll()
        assert status is None, f"{' '.join(self.command)} ended with {status}:\n{self.output[-3000:]}"

    def stop(self) -> int:
        """Ask it to end; make it end if it does not. Its exit status."""
        process = self.running
        process.terminate()
        try:
            return process.wait(STARTING)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """kill -9, with every process it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.running.wait(DEADLINE)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.running.poll() is None:
            self.stop()


def listens(at: Address) -> bool:
    try:
        socket.create_connection(at, timeout=1).close()
    except OSError:
        return False
    return True


def wait_until_listening(process: Process, at: Address) -> None:
    def ready() -> bool:
        process.check()
        return listens(at)

    eventually(ready, within=STARTING)


def http_status(url: str) -> int:
    """The status of a GET, 0 while nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=DEADLINE) as answer:  # noqa: S310 -- the test's own loopback address
            return int(answer.status)
    except URLError as error:
        return int(getattr(error, "code", 0))
    except OSError:
        return 0


def children(pid: int) -> dict[str, int]:
    """The direct children of a process: what they were started as -> pid."""
    found: dict[str, int] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # the thread ended meanwhile
            for child in (task / "children").read_text().split():
                if command := _command(int(child)):
                    found[command[-1]] = int(child)
    return found


def _command(pid: int) -> list[str]:
    """What a process was started as; nothing of one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    except OSError:
        return []


def figure(exposition: str, name: str, **labels: str) -> float:
    """The sum of a metric's samples that carry these labels."""
    return sum(value for sample, value in _samples(exposition, name) if labels.items() <= sample.items())


def _samples(exposition: str, name: str) -> Iterator[tuple[Mapping[str, str], float]]:
    for family in text_string_to_metric_families(exposition):
        yield from ((sample.labels, sample.value) for sample in family.samples if sample.name == name)
