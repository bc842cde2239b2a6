"""A load on the journal and its keeper alone: a process that only appends, as fast as it can.

An attempt is done once the journal has it.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from policies.loading import default_policy_path, load_catalogue, load_policy
from policies.vocabulary import Kind, Outcome, Reason, Verdict
from proxy.init import prepare
from proxy.record.events import Classified, Decided, Ended
from proxy.record.journal import JournalWriter
from tests.e2e.bench import BEGUN, DONE, KEEPER, Bench, Notes, Restarted, Trial, hosts
from tests.integration.gateway.processes import free_port

SMALL_SEGMENTS = 64 * 1024
MODULE = "tests.e2e.journal_load"


@contextmanager
def journal_load(folder: Path) -> Iterator[Trial]:
    environment = {"SCHOOLGATE_STATE_DIR": str(folder / "state"), "SCHOOLGATE_STATUS": f"127.0.0.1:{free_port()}"}
    with Notes(folder / "notes") as notes:
        bench = Bench(folder, environment, notes)
        prepare(bench.settings, load_policy(default_policy_path()), load_catalogue(), datetime.now(UTC))
        writing = (sys.executable, "-m", MODULE, str(bench.settings.journal_dir), str(folder / "notes"))
        with bench.process("keeper", KEEPER) as keeper, bench.process("writer", writing) as writer:
            yield Trial(bench, {"keeper": Restarted(keeper), "writer": Restarted(writer)})


def write(directory: Path, notes: Notes) -> None:
    """Decided, mostly classified, mostly ended."""
    writer = JournalWriter(directory, "answerer", segment_bytes=SMALL_SEGMENTS)
    for number, host in enumerate(hosts(os.getpid(), "facebook.com")):
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


if __name__ == "__main__":
    write(Path(sys.argv[1]), Notes(Path(sys.argv[2])))
