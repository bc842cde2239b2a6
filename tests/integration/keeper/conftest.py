"""A school with the real keeper on a real store, seen as an enforcing process sees it."""

import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from policies.authorisation import SubjectKind, TargetKind
from policies.loading import load_catalogue, load_policy
from policies.snapshot import Snapshot
from policies.vocabulary import Role
from proxy.init import prepare
from proxy.settings import Settings
from proxy.settings import load as load_settings
from proxy.snapshot import SnapshotReader
from proxy.store.engine import Store
from proxy.store.models import AuthorisationRow, Person
from tests.integration.gateway.clients import eventually
from tests.integration.gateway.processes import SCHOOLGATE, Process, clean_environment, figure, free_port

POLICY = """\
school: {name: A school, contact: the office}
networks: {estate: {addresses: [10.0.0.0/8]}}
timetable: {}
rules: [{name: Estate, clause: "3 ¶1", verdict: deny}]
"""


@dataclass
class School:
    """A state directory, its keeper, and an enforcing process's view of it."""

    settings: Settings
    policy_file: Path
    process: Process
    reader: SnapshotReader = field(init=False)

    def __post_init__(self) -> None:
        self.reader = SnapshotReader(self.settings.snapshot_file)

    @property
    def snapshot(self) -> Snapshot:
        """What an enforcing process would decide by now."""
        self.reader.poll(datetime.now(UTC), time.monotonic())
        assert self.reader.current is not None
        return self.reader.current

    def published(self, condition: Callable[[Snapshot], object]) -> Snapshot:
        """The first state for which this holds."""

        def look() -> Snapshot | None:
            self.process.check()
            self.reader.poll(datetime.now(UTC), time.monotonic())
            return self.reader.current if self.reader.current and condition(self.reader.current) else None

        found = eventually(look)
        assert found is not None
        return found

    def confirmed(self) -> datetime:
        """Wait for the next time the keeper vouches."""
        before = self.snapshot.confirmed_at
        return self.published(lambda snapshot: snapshot.confirmed_at > before).confirmed_at

    def write_policy(self, text: str) -> None:
        new = self.policy_file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.policy_file)

    def grant(self, lasting: timedelta = timedelta(hours=1)) -> int:
        """As another process would: a committed row."""
        now = datetime.now(UTC)
        with closing(Store.open(self.settings.store_url)) as store, store.write() as session:
            head = Person(name=f"head-{now}", display_name="Head", role=Role.SLT, added_at=now)
            row = AuthorisationRow(
                subject_kind=SubjectKind.ADDRESS,
                subject_name="10.20.0.10",
                target_kind=TargetKind.SERVICE,
                target_name="facebook",
                starts_at=now - timedelta(seconds=1),
                ends_at=now + lasting,
                reason="Open day",
                granted_by=head,
                granted_at=now,
            )
            session.add(row)
            session.flush()
            return row.id

    def figure(self, name: str, **labels: str) -> float:
        url = f"http://{self.settings.status}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return figure(answer.read().decode(), name, **labels)


@contextmanager
def school_at(folder: Path, **settings: str) -> Iterator[School]:
    """A school that is set up, and its keeper not started yet."""
    policy_file = folder / "policy.yaml"
    policy_file.write_text(POLICY)
    environment = {
        "SCHOOLGATE_STATE_DIR": str(folder / "state"),
        "SCHOOLGATE_POLICY": str(policy_file),
        "SCHOOLGATE_STATUS": f"127.0.0.1:{free_port()}",
        **{f"SCHOOLGATE_{name.upper()}": value for name, value in settings.items()},
    }
    loaded = load_settings(clean_environment(environment)).settings
    prepare(loaded, load_policy(policy_file), load_catalogue(), datetime.now(UTC))
    process = Process((*SCHOOLGATE, "keeper"), environment, folder / "keeper.log")
    try:
        yield School(loaded, policy_file, process)
    finally:
        if process._process is not None and process.running.poll() is None:
            process.kill()


@pytest.fixture
def still(tmp_path: Path) -> Iterator[School]:
    with school_at(tmp_path) as school:
        yield school


@pytest.fixture
def school(still: School) -> School:
    still.process.start()
    still.published(lambda _: True)
    return still
