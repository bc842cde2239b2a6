"""The keeper's end of the journal: segments go once they are recorded, and dying in between doubles nothing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import func, select

from policies.vocabulary import Reason, Verdict
from proxy.metrics import KeeperMetrics
from proxy.record import draining as module
from proxy.record.draining import Draining
from proxy.record.events import Decided
from proxy.record.journal import JournalWriter, segments
from proxy.record.writer import positions
from proxy.store.engine import Store
from proxy.store.models import AttemptRow, OpenAttempt

AT = datetime(2025, 11, 24, 10, 0, 7, tzinfo=UTC)


def decided(number: int, verdict: str = Verdict.DENY) -> Decided:
    return Decided(
        id=f"a-{number}",
        at=AT,
        address="10.20.0.10",
        device=None,
        person=None,
        network="estate",
        host="www.facebook.com",
        port=443,
        protocol="tls",
        verdict=verdict,
        reason=Reason.NOT_AUTHORISED,
        would_be=None,
        rule="Estate",
        clause="3 ¶1",
        service="facebook",
        category="social-network",
        authorisation=None,
        policy="3f2a",
    )


class Bench:
    """A journal directory, a store, and keepers that may die and come back."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.directory, self.store = folder / "journal", store
        self.directory.mkdir(mode=0o700)
        self.metrics = KeeperMetrics(CollectorRegistry())
        self.restart()

    def restart(self) -> None:
        self.draining = Draining(self.directory, bytes(32), self.metrics)

    def writer(self, started: int = 1, segment_bytes: int = 2000) -> JournalWriter:
        return JournalWriter(self.directory, "answerer", started=started, segment_bytes=segment_bytes)

    def turn(self, now: datetime = AT) -> bool:
        return self.draining.turn(self.store, now)

    def recorded(self) -> int:
        with self.store.read() as session:
            return session.scalar(select(func.sum(AttemptRow.count))) or 0

    def remembered(self) -> list[str]:
        with self.store.read() as session:
            return sorted(positions(session))

    def files(self) -> list[str]:
        return sorted(path.name.partition("-")[2].partition("-")[2] for path in self.directory.iterdir())

    def figure(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"schoolgate_attempts_{name}_total")


@pytest.fixture
def bench(tmp_path: Path, store: Store) -> Bench:
    return Bench(tmp_path, store)


def test_a_living_writer_keeps_its_segment(bench: Bench) -> None:
    """It is recorded as it grows, and stays until its writer is done with it."""
    writer = bench.writer()
    for number in range(3):
        writer.append(decided(number))
        bench.turn()
        assert bench.recorded() == number + 1
    assert bench.files() == ["1-1.journal"]
    writer.close()
    bench.turn()
    assert (bench.files(), bench.remembered(), bench.recorded()) == ([], [], 3)


def test_full_segments_go_one_after_the_other(bench: Bench) -> None:
    """In their order, with everything in them recorded once."""
    writer = bench.writer()
    for number in range(30):
        writer.append(decided(number))
    writer.sync()
    bench.turn()
    assert bench.recorded() == bench.figure("recorded") == 30
    assert len(bench.files()) == 1
    writer.close()


def test_what_is_waiting_is_known(bench: Bench) -> None:
    """The bytes that are not in the record yet, for the dashboard and its alert."""
    writer = bench.writer()
    writer.append(decided(1))
    assert bench.draining.waiting() == writer.size
    bench.turn()
    assert bench.draining.waiting() == 0
    writer.close()


@pytest.mark.parametrize("step", ["unlink", "sync_directory", "forget_segment"])
def test_dying_between_two_steps_doubles_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Wherever the keeper ends while it puts a segment away, the next one finishes that, once."""
    writer = bench.writer()
    for number in range(3):
        writer.append(decided(number))
    writer.close()

    def die(*_: object, **__: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(Path if step == "unlink" else module, step, die)
        with pytest.raises(InterruptedError):
            bench.turn()
    bench.restart()
    bench.turn()
    assert (bench.recorded(), bench.files()) == (3, [])


def test_a_torn_end_is_counted_and_goes(bench: Bench) -> None:
    """The writer died over its last frame: that one is lost, the others are recorded."""
    writer = bench.writer()
    writer.append(decided(1))
    writer.close()
    (segment,) = segments(bench.directory)
    segment.path.write_bytes(segment.path.read_bytes() * 2 + b"torn")
    bench.turn()
    assert (bench.recorded(), bench.figure("lost"), bench.files()) == (1, 1, [])


def test_a_damaged_segment_is_kept_aside(bench: Bench) -> None:
    """What can be read before the damage is recorded, the rest counted; the file stays for somebody to look at."""
    writer = bench.writer()
    for number in range(3):
        writer.append(decided(number))
    writer.close()
    (segment,) = segments(bench.directory)
    raw = bytearray(segment.path.read_bytes())
    raw[len(raw) // 2] ^= 1
    segment.path.write_bytes(raw)
    later = bench.writer(started=2)
    later.append(decided(4))
    bench.turn()
    bench.turn()
    assert (bench.recorded(), bench.figure("lost")) == (2, 2)
    assert bench.files() == ["1-1.damaged", "2-1.journal"]
    later.close()


def test_an_event_that_no_row_can_hold_does_not_stop_the_others(bench: Bench) -> None:
    """It alone is lost, and counted; the record does not stand still for it."""
    writer = bench.writer(segment_bytes=100_000)
    for number in range(10):
        writer.append(decided(number, verdict="perhaps" if number == 4 else Verdict.DENY))
    bench.turn()
    writer.append(decided(10))
    bench.turn()
    assert (bench.recorded(), bench.figure("recorded"), bench.figure("lost")) == (10, 10, 1)
    writer.close()


def test_a_long_journal_is_drained_in_turns(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """One turn does not keep the keeper from everything else; it says that more is left."""
    monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr(module, "BATCHES_A_TURN", 3)
    writer = bench.writer(segment_bytes=100_000)
    for number in range(10):
        writer.append(decided(number))
    assert [bench.turn(), bench.recorded()] == [True, 6]
    assert [bench.turn(), bench.recorded()] == [False, 10]
    writer.close()


def test_a_dead_process_leaves_nothing_open(bench: Bench) -> None:
    """Once its last segment is in, what became of its attempts is not waited for; a living one's is."""
    dead, living = bench.writer(started=1), bench.writer(started=2)
    dead.append(decided(1))
    living.append(decided(2))
    dead.close()
    bench.turn()
    with bench.store.read() as session:
        assert session.scalars(select(OpenAttempt.attempt)).all() == ["a-2"]
    living.close()


def test_tidying_does_not_wait_for_traffic(bench: Bench) -> None:
    """Refusals whose request never came are closed out within minutes, on a quiet gateway too."""
    writer = bench.writer()
    writer.append(decided(1))
    bench.turn()
    bench.turn(AT + timedelta(minutes=12))
    with bench.store.read() as session:
        assert session.scalars(select(OpenAttempt.attempt)).all() == []
    writer.close()
