"""Many threads and processes on one store: nothing is lost, the ledger's chain is whole, numbers are never shared."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from proxy.record import ledger
from proxy.store.engine import Store
from proxy.store.models import Generation, Group, LedgerRow

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
THREADS, PROCESSES, ACTS = 8, 4, 15

ACT = """
import sys
from datetime import UTC, datetime
from proxy.record import ledger
from proxy.store.engine import Store
from proxy.store.models import Group

url, name, acts = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = Store.open(url)
for number in range(acts):
    with store.write() as session:
        session.add(Group(name=f"{name}-{number}"))
        ledger.append(session, at=datetime.now(UTC), act="add_group", actor=name, body={"number": number})
store.close()
"""


def assert_whole(url: str, acts: int) -> None:
    store = Store.open(url)
    with store.read() as session:
        report = ledger.verify(session)
        assert report.intact, report.problem
        assert report.rows == acts
        assert session.scalar(select(func.count()).select_from(Group)) == acts
        assert session.scalar(select(Generation.number)) == acts
    store.close()


def test_threads(store_url: str) -> None:
    """Threads that share one open store append to one chain."""
    store = Store.open(store_url)

    def act(thread: int) -> None:
        for number in range(ACTS):
            with store.write() as session:
                session.add(Group(name=f"{thread}-{number}"))
                ledger.append(session, at=NOW, act="add_group", actor=str(thread), body={"number": number})

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(act, range(THREADS)))
    store.close()
    assert_whole(store_url, THREADS * ACTS)


def test_processes(store_url: str) -> None:
    """Processes that know nothing of each other append to one chain."""
    root = Path(__file__).parents[3]
    children = [
        subprocess.Popen([sys.executable, "-c", ACT, store_url, f"p{number}", str(ACTS)], cwd=root)
        for number in range(PROCESSES)
    ]
    assert [child.wait() for child in children] == [0] * PROCESSES
    assert_whole(store_url, PROCESSES * ACTS)


def test_killed_in_the_middle(store_url: str) -> None:
    """A process killed while it writes leaves whole acts, and holds nobody up."""
    root = Path(__file__).parents[3]
    child = subprocess.Popen([sys.executable, "-c", ACT, store_url, "victim", "100000"], cwd=root)
    store = Store.open(store_url)
    while store.generation() < ACTS:
        assert child.poll() is None
    child.kill()
    child.wait()
    with store.write() as session:
        session.add(Group(name="after"))
        ledger.append(session, at=NOW, act="add_group", actor="after", body={})
        acts = session.scalar(select(func.count()).select_from(LedgerRow))
    store.close()
    assert acts is not None
    assert acts > ACTS
    assert_whole(store_url, acts)
