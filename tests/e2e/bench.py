"""What a test of the record over kill -9 works with: notes that no kill reaches, and a gateway's folder.

Each attempt has a host of its own, or one of a few that repeat. Before it, its host is noted as begun; once it is known
to be on record, as done.
"""

import os
import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol, Self

from sqlalchemy import func, select

from proxy.settings import Settings
from proxy.settings import load as load_settings
from proxy.store.engine import Store
from proxy.store.models import AttemptRow
from tests.integration.gateway.clients import eventually
from tests.integration.gateway.processes import SCHOOLGATE, Process, children, clean_environment

BEGUN, DONE = "?", "!"
REPEATING = 5  # every so many attempts repeat a host
KEEPER = (*SCHOOLGATE, "keeper")


class Notes:
    """What was begun and what was done. Many may write at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, mark: str, host: str) -> None:
        os.write(self._descriptor, f"{mark} {host}\n".encode())

    def counts(self, mark: str) -> Counter[str]:
        lines = self._path.read_text().split("\n")[:-1]
        return Counter(line[2:] for line in lines if line.startswith(mark + " "))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def hosts(who: int, domain: str) -> Iterator[str]:
    for number in count():
        yield f"again.{domain}" if number % REPEATING == 0 else f"a-{who}-{number}.{domain}"


@dataclass(frozen=True)
class Bench:
    """A gateway's folder, and the settings of all that runs in it."""

    folder: Path
    environment: Mapping[str, str]
    notes: Notes

    @property
    def settings(self) -> Settings:
        return load_settings(clean_environment(self.environment)).settings

    def process(self, name: str, command: Sequence[str]) -> Process:
        return Process(command, self.environment, self.folder / f"{name}.log")

    def recorded(self) -> Counter[str]:
        """How often each host was attempted, by the record."""
        store = Store.open(self.settings.store_url)
        try:
            with store.read() as session:
                query = select(AttemptRow.host, func.sum(AttemptRow.count)).group_by(AttemptRow.host)
                return Counter({str(host): int(number) for host, number in session.execute(query)})
        finally:
            store.close()


class Victim(Protocol):
    """What dies by kill -9, and is started again without further ado."""

    def is_alive(self) -> bool: ...

    def kill(self) -> None: ...


@dataclass(frozen=True)
class Restarted:
    """A process that is started again by whoever killed it."""

    process: Process

    def is_alive(self) -> bool:
        self.process.check()
        return True

    def kill(self) -> None:
        self.process.kill()
        self.process.start()


@dataclass(frozen=True)
class Supervised:
    """A process of ``schoolgate run``, which starts it again."""

    supervisor: Process
    name: str

    @property
    def process_id(self) -> int | None:
        try:
            return children(self.supervisor.pid).get(self.name)
        except (FileNotFoundError, ProcessLookupError):
            return None  # one of them went while it was looked at

    def is_alive(self) -> bool:
        self.supervisor.check()
        return self.process_id is not None

    def kill(self) -> None:
        killed = self.process_id
        assert killed is not None, f"the {self.name} died by itself: {self.supervisor.output[-3000:]}"
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: self.process_id != killed)  # a signal takes its time


@dataclass(frozen=True)
class Trial:
    """A load under way, and what may be killed under it."""

    bench: Bench
    victims: Mapping[str, Victim]
