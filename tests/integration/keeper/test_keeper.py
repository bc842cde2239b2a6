"""The real keeper on a real store: what it publishes, when it vouches for it, and what becomes of it without either."""

import signal
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from policies.authorisation import State, SubjectKind, TargetKind
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
from tests.integration.gateway.processes import SCHOOLGATE, Process, clean_environment, figure, free_port, http_status

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


def test_a_grant_is_published_at_once(school: School) -> None:
    """Another process commits; the enforcing ones have it without anybody being told."""
    number = school.snapshot.number
    granted = school.grant()
    found = school.published(lambda snapshot: snapshot.authorisations)
    assert [(a.id, a.state(datetime.now(UTC))) for a in found.authorisations] == [(granted, State.LIVE)]
    assert found.number > number
    eventually(lambda: school.figure("schoolgate_authorisations_total", event="granted") == 1)
    assert school.figure("schoolgate_authorisations_live") == 1


def test_an_end_is_latched_in_the_store(school: School) -> None:
    """When a grant's time is up that is noted for good, and counted."""
    school.grant(timedelta(seconds=1))
    found = school.published(lambda snapshot: any(a.lapsed_at for a in snapshot.authorisations))
    assert found.authorisations[0].state(datetime.now(UTC) - timedelta(hours=1)) is State.ENDED
    eventually(lambda: school.figure("schoolgate_authorisations_total", event="ended") == 1)


def test_it_vouches_while_the_store_answers(school: School) -> None:
    """Again and again, without publishing anything new."""
    number = school.snapshot.number
    assert school.confirmed() < school.confirmed()
    assert school.snapshot.number == number


def test_a_changed_policy_takes_effect(school: School) -> None:
    """Edited while running."""
    school.write_policy(POLICY.replace("the office", "the head"))
    school.published(lambda snapshot: snapshot.policy.school.contact == "the head")


def test_an_invalid_policy_changes_nothing(school: School) -> None:
    """The one before stays in force; it is logged with its line, counted, and mended by the next edit."""
    school.write_policy(POLICY.replace("verdict: deny", "verdict: perhaps"))
    eventually(lambda: school.figure("schoolgate_policy_reload_failures_total") == 1)
    assert "policy.yaml:4" in school.process.output
    assert school.snapshot.policy.school.contact == "the office"
    school.write_policy(POLICY.replace("the office", "the head"))
    school.published(lambda snapshot: snapshot.policy.school.contact == "the head")


def test_a_snapshot_that_is_removed_or_damaged_is_put_back(school: School) -> None:
    """Under a new number, so that every reader takes it."""
    number = school.snapshot.number
    school.settings.snapshot_file.write_bytes(b"nonsense")
    school.published(lambda snapshot: snapshot.number > number)
    school.settings.snapshot_file.unlink()
    school.published(lambda snapshot: snapshot.number > number + 1)


def test_with_the_keeper_hung_or_dead_enforcement_goes_on(school: School) -> None:
    """A reader keeps the last state, which grows older; a keeper that goes on, or the next one, vouches again."""
    granted = school.grant()
    before = school.published(lambda snapshot: snapshot.authorisations)
    school.process.running.send_signal(signal.SIGSTOP)
    assert [a.id for a in school.snapshot.authorisations] == [granted]
    assert school.snapshot.number == before.number
    school.process.running.send_signal(signal.SIGCONT)
    school.confirmed()
    school.process.kill()
    assert school.snapshot.number == before.number
    school.process.start()
    again = school.published(lambda snapshot: snapshot.number > before.number)
    assert again.authorisations == before.authorisations
    assert again.confirmed_at > before.confirmed_at


def test_with_the_store_away_nobody_vouches(school: School) -> None:
    """The snapshot stays and grows old, the policy can still change; when the store is back, so are its figures."""
    school.grant()
    school.published(lambda snapshot: snapshot.authorisations)
    store = Path(school.settings.store_url.removeprefix("sqlite:///"))
    store.rename(store.with_suffix(".away"))
    eventually(lambda: school.figure("schoolgate_store_up") == 0)
    confirmed_at = school.snapshot.confirmed_at
    school.write_policy(POLICY.replace("the office", "the head"))
    found = school.published(lambda snapshot: snapshot.policy.school.contact == "the head")
    assert found.confirmed_at == confirmed_at
    assert len(found.authorisations) == 1
    store.with_suffix(".away").rename(store)
    school.confirmed()
    eventually(lambda: school.figure("schoolgate_store_up") == 1)


def test_a_locked_store_is_waited_for(school: School) -> None:
    """Somebody else's long write keeps nobody from enforcing, nor the keeper from vouching."""
    store = school.settings.store_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        school.confirmed()
        eventually(lambda: school.figure("schoolgate_store_up") == 1)  # the figures are written in their own time
        other.execute("ROLLBACK")
    school.grant()
    school.published(lambda snapshot: snapshot.authorisations)


def test_it_starts_without_its_store_on_the_last_snapshot(school: School) -> None:
    """The store may come later; until then the last good state is enforced, under the policy of today."""
    school.process.stop()
    confirmed_at = school.snapshot.confirmed_at
    store = Path(school.settings.store_url.removeprefix("sqlite:///"))
    store.rename(store.with_suffix(".away"))
    school.write_policy(POLICY.replace("the office", "the head"))
    school.process.start()
    found = school.published(lambda snapshot: snapshot.policy.school.contact == "the head")
    assert found.confirmed_at == confirmed_at
    store.with_suffix(".away").rename(store)
    school.published(lambda snapshot: snapshot.confirmed_at > confirmed_at)


def test_without_store_and_snapshot_there_is_no_start(still: School) -> None:
    """There is nothing to enforce by: exit code 4, and a sentence."""
    store = Path(still.settings.store_url.removeprefix("sqlite:///"))
    store.unlink()
    assert still.process.start().running.wait(30) == 4
    assert str(store) in still.process.output
    assert not still.settings.snapshot_file.exists()


@pytest.mark.parametrize("text", ["", "rules: ["])
def test_without_a_policy_there_is_no_start(still: School, text: str) -> None:
    """Missing, empty or broken: it ends with a sentence that names the file."""
    still.policy_file.write_text(text)
    assert still.process.start().running.wait(30) != 0
    assert "policy.yaml" in still.process.output
    assert "Traceback" not in still.process.output
    assert not still.settings.snapshot_file.exists()


def test_a_second_keeper_refuses(school: School, tmp_path: Path) -> None:
    """Two would record and publish against each other."""
    environment = {**school.process.environment, "SCHOOLGATE_STATUS": f"127.0.0.1:{free_port()}"}
    second = Process(school.process.command, environment, tmp_path / "second.log").start()
    assert second.running.wait(30) == 1
    assert f"process {school.process.pid}" in second.output
    assert "Traceback" not in second.output


def test_a_taken_port_is_told_by_its_setting(school: School, tmp_path: Path) -> None:
    """Exit code 2, and which setting to change."""
    environment = {**school.process.environment, "SCHOOLGATE_STATE_DIR": str(tmp_path / "other")}
    loaded = load_settings(clean_environment(environment)).settings
    prepare(loaded, load_policy(school.policy_file), load_catalogue(), datetime.now(UTC))
    second = Process(school.process.command, environment, tmp_path / "second.log").start()
    assert second.running.wait(30) == 2
    assert "SCHOOLGATE_STATUS" in second.output


def test_the_keeper_alone_is_alive_but_nothing_is_ready(school: School) -> None:
    """Readiness is about enforcing, which the keeper does not do."""
    base = f"http://{school.settings.status}"
    assert http_status(f"{base}/healthz") == 200
    assert http_status(f"{base}/readyz") == 503


def test_it_ends_when_told_to(school: School) -> None:
    """SIGTERM: exit code 0, and nothing to say about it."""
    assert school.process.stop() == 0
    assert "Traceback" not in school.process.output
