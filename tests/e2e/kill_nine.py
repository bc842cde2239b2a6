"""kill -9, again and again, at random: no attempt that went on is lost, none is recorded twice.

Each attempt has a host of its own, or one of a few that repeat. Before it, its host is noted as begun; once the
journal has it, or the refusal has come back, as done. In the end the record must have, for every host, at least what
was done and at most what was begun: what was under way at a kill may be either.

    python -m tests.e2e.kill_nine [journal|answerer] [KILLS] [SEED]
"""

import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path

from sqlalchemy import func, select

from policies.loading import default_policy_path, load_catalogue, load_policy
from policies.vocabulary import Kind, Outcome, Reason, Verdict
from proxy.init import prepare
from proxy.record.events import Classified, Decided, Ended
from proxy.record.journal import JournalWriter, segments
from proxy.settings import Settings
from proxy.settings import load as load_settings
from proxy.store.engine import Store
from proxy.store.models import AttemptRow
from tests.integration.gateway.clients import eventually
from tests.integration.gateway.processes import SCHOOLGATE, Process, clean_environment, free_port

BEGUN, DONE = "?", "!"
LONGEST_PAUSE = 1.5  # seconds between two kills: a process may die at its start, and in the middle of its work
DRAINED_WITHIN = 60.0
REPEATING = 5  # every so many attempts repeat a host


class Notes:
    """What was begun and what was done, kept where no kill reaches it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, mark: str, host: str) -> None:
        os.write(self._descriptor, f"{mark} {host}\n".encode())

    def counts(self, mark: str) -> Counter[str]:
        lines = self._path.read_text().split("\n")[:-1]
        return Counter(line[2:] for line in lines if line.startswith(mark + " "))


def hosts(who: int) -> Iterator[str]:
    for number in count():
        yield "again.facebook.com" if number % REPEATING == 0 else f"a-{who}-{number}.facebook.com"


# Loads


def write_journal(directory: Path, notes: Notes) -> None:
    """A process that only appends, as fast as it can: decided, mostly classified, mostly ended."""
    writer = JournalWriter(directory, "answerer", segment_bytes=64 * 1024)
    for number, host in enumerate(hosts(os.getpid())):
        identifier, now = f"{os.getpid()}-{time.time_ns()}-{number}", datetime.now(UTC)
        notes.note(BEGUN, host)
        writer.append(_decided(identifier, now, host))
        notes.note(DONE, host)
        if number % 3:
            writer.append(Classified(id=identifier, kind=Kind.NAVIGATION if number % 2 else Kind.EMBEDDED))
        if number % 4:
            writer.append(Ended(id=identifier, at=now, outcome=Outcome.CLOSED, bytes_up=1, bytes_down=1, seconds=0.1))
        if number % 50 == 0:
            writer.sync()
        time.sleep(0.001)


def _decided(identifier: str, now: datetime, host: str) -> Decided:
    return Decided(
        id=identifier,
        at=now,
        address="10.20.0.10",
        device=None,
        person=None,
        network="estate",
        host=host,
        port=443,
        protocol="tls",
        verdict=Verdict.DENY,
        reason=Reason.NOT_AUTHORISED,
        would_be=None,
        rule="Estate",
        clause="3 ¶1",
        service="facebook",
        category="social-network",
        authorisation=None,
        policy="3f2a",
    )


def browse(port: int, notes: Notes, stop: threading.Event) -> None:
    """A client of the real proxy: an attempt is done when its refusal has come back."""
    for host in hosts(0):
        if stop.is_set():
            return
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        notes.note(BEGUN, host)
        try:
            connection.request("GET", f"http://{host}/", headers={"Host": host})
            if connection.getresponse().status == 403:  # refused, so decided upon and recorded
                notes.note(DONE, host)
        except (OSError, HTTPException):
            time.sleep(0.02)  # it was just killed
        finally:
            connection.close()


@dataclass(frozen=True)
class Bench:
    """A school's gateway in a folder of its own."""

    folder: Path
    settings: Settings
    environment: dict[str, str]
    notes: Notes

    @classmethod
    def prepare(cls, folder: Path) -> "Bench":
        environment = {
            "SCHOOLGATE_STATE_DIR": str(folder / "state"),
            "SCHOOLGATE_STATUS": f"127.0.0.1:{free_port()}",
            "SCHOOLGATE_LISTEN": f"explicit@127.0.0.1:{free_port()}",
            "SCHOOLGATE_RESOLVER": "127.0.0.1:1",
        }
        settings = load_settings(clean_environment(environment)).settings
        prepare(settings, load_policy(default_policy_path()), load_catalogue(), datetime.now(UTC))
        return cls(folder, settings, environment, Notes(folder / "notes"))

    def process(self, name: str, command: Sequence[str]) -> Process:
        return Process(command, self.environment, self.folder / f"{name}.log")

    def recorded(self) -> Counter[str]:
        store = Store.open(self.settings.store_url)
        try:
            with store.read() as session:
                query = select(AttemptRow.host, func.sum(AttemptRow.count)).group_by(AttemptRow.host)
                return Counter({str(host): int(number) for host, number in session.execute(query)})
        finally:
            store.close()


@contextmanager
def journal_load(bench: Bench) -> Iterator[Process]:
    module = ("-m", "tests.e2e.kill_nine", "write")
    arguments = (str(bench.settings.journal_dir), str(bench.folder / "notes"))
    with bench.process("writer", (sys.executable, *module, *arguments)) as process:
        yield process


@contextmanager
def answerer_load(bench: Bench) -> Iterator[Process]:
    stop = threading.Event()
    port = bench.settings.listen[0].endpoint.port
    browsing = threading.Thread(target=browse, args=(port, bench.notes, stop))
    with bench.process("answerer", (*SCHOOLGATE, "answerer")) as process:
        browsing.start()
        try:
            yield process
        finally:
            stop.set()
            browsing.join()


LOADS = {"journal": journal_load, "answerer": answerer_load}


# The kills, and what must be true after them


@dataclass(frozen=True)
class Result:
    begun: int
    done: int
    recorded: int
    lost: Counter[str]
    twice: Counter[str]

    def __str__(self) -> str:
        told = f"{self.begun} begun, {self.done} done, {self.recorded} recorded"
        return f"{told}: {self.lost.total()} lost, {self.twice.total()} twice"


def run(folder: Path, load: str, kills: int, seed: int, say: Callable[[str], None] = lambda _: None) -> Result:
    """Kill keeper and load ``kills`` times at random, let the keeper finish, and compare."""
    bench, chance = Bench.prepare(folder), random.Random(seed)  # noqa: S311 -- repeatable chance is the point
    with ExitStack() as stack:
        keeper = stack.enter_context(bench.process("keeper", (*SCHOOLGATE, "keeper")))
        eventually(bench.settings.snapshot_file.exists, within=DRAINED_WITHIN)
        with LOADS[load](bench) as loader:
            eventually(lambda: bench.notes.counts(DONE).total(), within=DRAINED_WITHIN)
            for number in range(kills):
                time.sleep(chance.uniform(0, LONGEST_PAUSE))
                victim = chance.choice((keeper, loader))
                victim.check()
                victim.kill()
                victim.start()
                say(f"kill {number + 1}: {victim.command[-1] if victim is keeper else load}")
        eventually(lambda: not segments(bench.settings.journal_dir), within=DRAINED_WITHIN)
    begun, done, recorded = bench.notes.counts(BEGUN), bench.notes.counts(DONE), bench.recorded()
    return Result(begun.total(), done.total(), recorded.total(), lost=done - recorded, twice=recorded - begun)


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["write"]:
        write_journal(Path(arguments[1]), Notes(Path(arguments[2])))
    load, kills, seed = (*arguments, *("journal", "50", "1")[len(arguments) :])
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), load, int(kills), int(seed), say=lambda text: print(text, flush=True))  # noqa: T201 -- a script
    print(result)  # noqa: T201 -- a script
    return 1 if result.lost or result.twice else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
