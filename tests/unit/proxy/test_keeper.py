"""The keeper step by step, with its clock in the test's hand: what it may vouch for, and what it goes on doing."""

import errno
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from policies.authorisation import SubjectKind, TargetKind
from policies.snapshot import Snapshot
from policies.vocabulary import Role
from proxy import publishing
from proxy.keeper import CONFIRM_EVERY, Keeper
from proxy.settings import Settings
from proxy.snapshot import SnapshotReader
from proxy.store.engine import Store
from proxy.store.models import AuthorisationRow, Person

START = datetime(2025, 11, 24, 10, 0, tzinfo=UTC)


class Bench:
    """A keeper that ticks when told to."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.elapsed = settings, 0.0
        self.reader = SnapshotReader(settings.snapshot_file)
        self.start()

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed)

    def start(self) -> None:
        self.keeper = Keeper(self.settings, clock=lambda: self.now, monotonic=lambda: self.elapsed)
        self.steps = self.keeper._begin()

    def tick(self, after: float = 0.05) -> Snapshot:
        self.elapsed += after
        self.keeper._tick(self.steps)
        self.reader.poll(self.now, self.elapsed)
        assert self.reader.current is not None
        return self.reader.current

    def figure(self, name: str, **labels: str) -> float | None:
        return self.keeper._metrics.registry.get_sample_value(name, labels)

    def grant(self, lasting: timedelta = timedelta(hours=1)) -> AuthorisationRow:
        store = Store.open(self.settings.store_url)
        with store.write() as session:
            head = Person(name=f"head-{self.now}", display_name="Head", role=Role.SLT, added_at=self.now)
            row = AuthorisationRow(
                subject_kind=SubjectKind.ADDRESS,
                subject_name="10.20.0.10",
                target_kind=TargetKind.SERVICE,
                target_name="facebook",
                starts_at=self.now,
                ends_at=self.now + lasting,
                reason="Open day",
                granted_by=head,
                granted_at=self.now,
            )
            session.add(row)
        store.close()
        return row


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    settings = Settings.model_validate({"state_dir": tmp_path / "state"})
    Store.open(settings.store_url, create=True).close()
    bench = Bench(settings)
    yield bench
    bench.keeper._finish()


def test_one_tick_publishes(bench: Bench) -> None:
    """From the first tick on there is something to enforce, and from the next after a grant it is in it."""
    assert bench.tick().number == 1
    bench.grant()
    found = bench.tick()
    assert (found.number, len(found.authorisations), found.confirmed_at) == (2, 1, bench.now)


def test_it_vouches_every_so_often(bench: Bench) -> None:
    """Without a change, only the confirmation moves."""
    first = bench.tick()
    assert bench.tick(CONFIRM_EVERY / 2).confirmed_at == first.confirmed_at
    last = bench.tick(CONFIRM_EVERY / 2)
    assert (last.number, last.confirmed_at) == (first.number, bench.now)


def test_what_cannot_be_published_is_not_vouched_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a change that could not be written, the state in the file is no longer what the store says."""
    before = bench.tick()
    bench.grant()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "publish", full)
        for _ in range(5):
            assert bench.tick(CONFIRM_EVERY).confirmed_at == before.confirmed_at
    assert bench.figure("schoolgate_internal_errors_total", where="publish") == 5
    found = bench.tick(CONFIRM_EVERY)
    assert (found.number, len(found.authorisations), found.confirmed_at) == (before.number + 1, 1, bench.now)


def test_a_clock_that_steps_back_reopens_nothing(bench: Bench) -> None:
    """An end that was reached is in the store; the next keeper, an hour earlier, still has it."""
    bench.grant(timedelta(seconds=30))
    bench.tick()
    bench.tick(31)
    bench.tick()
    bench.keeper._finish()
    bench.elapsed = 0.0
    bench.start()
    assert [a.lapsed_at is not None for a in bench.tick().authorisations] == [True]


def test_a_lost_store_is_tried_again_with_growing_pauses(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once that it is away and once that it is back; enforcement goes on by the last state."""
    first = bench.tick()
    file = Path(bench.settings.store_url.removeprefix("sqlite:///"))
    file.rename(file.with_suffix(".away"))
    for _ in range(400):
        assert bench.tick().confirmed_at == first.confirmed_at
    assert bench.figure("schoolgate_store_up") == 0
    file.with_suffix(".away").rename(file)
    for _ in range(120):
        found = bench.tick()
    assert bench.figure("schoolgate_store_up") == 1
    assert found.confirmed_at > first.confirmed_at
    messages = [record.getMessage() for record in caplog.records if record.name == "proxy.keeper"]
    assert len(messages) == 2
    assert messages[1] == "The store is back."


def test_a_step_that_fails_does_not_stop_the_others(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the journal unreadable, grants are still published and vouched for."""
    bench.tick()

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(bench.keeper._draining, "turn", broken)
    bench.tick()
    bench.grant()
    assert len(bench.tick().authorisations) == 1
    assert bench.tick(CONFIRM_EVERY).confirmed_at == bench.now


def test_a_store_that_answers_nonsense_is_not_vouched_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong while it is asked, and not only what was foreseen."""
    before = bench.tick()

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "generation", broken)
        assert bench.tick(CONFIRM_EVERY).confirmed_at == before.confirmed_at
    assert bench.tick(CONFIRM_EVERY).confirmed_at == bench.now
