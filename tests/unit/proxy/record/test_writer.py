"""From journal to record: exactly once, repeats in one row, and each attempt in the row of its kind."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from policies.vocabulary import Kind, Outcome, Reason, Verdict
from proxy.record.events import Classified, Decided, Ended, Event, reference
from proxy.record.journal import End, JournalWriter, segments
from proxy.record.writer import Drained, close_out, close_out_refusals, drain, forget_segment, positions, skip
from proxy.store.engine import Store
from proxy.store.models import AttemptRow, OpenAttempt

AT = datetime(2025, 11, 24, 10, 0, 7, tzinfo=UTC)
KEY = bytes(32)


def decided(number: int, **changes: object) -> Decided:
    event = Decided(
        id=f"a-{number}",
        at=AT + timedelta(seconds=number),
        address="10.20.0.10",
        device="office-3",
        person=None,
        network="estate",
        host="www.facebook.com",
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
    return replace(event, **changes)  # type: ignore[arg-type]  # named at each call


def ended(number: int, outcome: Outcome | None = Outcome.CLOSED) -> Ended:
    at = AT + timedelta(minutes=1)
    return Ended(id=f"a-{number}", at=at, outcome=outcome, bytes_up=10, bytes_down=100, seconds=1.5)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[JournalWriter]:
    writer = JournalWriter(tmp_path / "journal", "answerer", started=1)
    yield writer
    writer.close()


class Record:
    """A journal and a store, and what the second holds of the first."""

    def __init__(self, store: Store, writer: JournalWriter, directory: Path) -> None:
        self.store, self.writer, self.directory = store, writer, directory

    def write(self, *events: Event) -> None:
        for event in events:
            self.writer.append(event)

    def drain(self, limit: int = 500) -> Drained:
        with self.store.write() as session:
            return drain(session, segments(self.directory)[0], KEY, limit=limit)

    def rows(self) -> list[AttemptRow]:
        with self.store.read() as session:
            return list(session.scalars(select(AttemptRow).order_by(AttemptRow.first_at, AttemptRow.kind)))

    def open(self) -> list[str]:
        with self.store.read() as session:
            return list(session.scalars(select(OpenAttempt.attempt).order_by(OpenAttempt.attempt)))

    def counts(self) -> dict[str, int]:
        return {row.kind: row.count for row in self.rows()}


@pytest.fixture
def record(store: Store, writer: JournalWriter, tmp_path: Path) -> Record:
    return Record(store, writer, tmp_path / "journal")


def test_an_attempt_becomes_a_row(record: Record) -> None:
    """Everything that was decided upon is in the row, under the reference that the page showed."""
    event = decided(1, would_be=Reason.IN_LESSON, authorisation=7, person="j.smith")
    record.write(event)
    assert record.drain().recorded == 1
    (row,) = record.rows()
    for name in ("address", "device", "person", "network", "host", "port", "protocol", "verdict", "reason", "would_be"):
        assert getattr(row, name) == getattr(event, name)
    for name in ("rule", "clause", "service", "category", "authorisation", "policy", "kind"):
        assert getattr(row, name) == getattr(event, name)
    assert (row.first_at, row.last_at, row.count) == (event.at, event.at, 1)
    assert row.reference == reference(event, Kind.UNKNOWN, KEY)


def test_nothing_is_recorded_twice(record: Record) -> None:
    """The journal's position moves with the rows: draining again finds nothing, whatever was read before."""
    record.write(decided(1), decided(2))
    assert record.drain().recorded == 2
    assert record.drain() == Drained(0, 0, record.writer.size, End.OPEN)
    assert record.counts() == {"unknown": 2}


def test_a_transaction_that_fails_leaves_nothing(record: Record) -> None:
    """A keeper that dies before the commit begins again at the same place."""
    record.write(decided(1), decided(2))
    with suppress(InterruptedError), record.store.write() as session:
        drain(session, segments(record.directory)[0], KEY)
        session.flush()
        raise InterruptedError
    assert record.rows() == []
    assert record.drain().recorded == 2


def test_repeats_within_a_minute_are_one_row(record: Record) -> None:
    """Collapsed with a true count, first and last; the next minute is another row, another host too."""
    record.write(*(decided(number) for number in range(50)), decided(60), decided(3, id="b", host="facebook.com"))
    record.drain(limit=20)
    record.drain(limit=20)
    record.drain(limit=20)
    found = [(row.host, row.count, row.first_at, row.last_at) for row in record.rows()]
    assert found == [
        ("www.facebook.com", 50, AT, AT + timedelta(seconds=49)),
        ("facebook.com", 1, AT + timedelta(seconds=3), AT + timedelta(seconds=3)),
        ("www.facebook.com", 1, AT + timedelta(seconds=60), AT + timedelta(seconds=60)),
    ]


@pytest.mark.parametrize("limit", [1, 2, 500])
def test_a_classified_attempt_moves_to_the_row_of_its_kind(record: Record, limit: int) -> None:
    """Each kind's count is true, whether the classification comes in the same batch or later."""
    record.write(decided(1), decided(2), decided(3))
    record.write(Classified(id="a-1", kind=Kind.NAVIGATION), Classified(id="a-3", kind=Kind.NAVIGATION))
    while record.drain(limit).end is End.MORE:
        pass
    assert record.counts() == {"navigation": 2, "unknown": 1}
    assert {row.reference for row in record.rows() if row.kind == "navigation"} == {
        reference(decided(1), Kind.NAVIGATION, KEY)
    }


@pytest.mark.parametrize("limit", [1, 500])
def test_a_row_that_counts_nothing_any_more_goes(record: Record, limit: int) -> None:
    """When its last attempt is classified, the row of the unknown kind is gone; it may come back."""
    record.write(decided(1), Classified(id="a-1", kind=Kind.NAVIGATION))
    while record.drain(limit).end is End.MORE:
        pass
    assert record.counts() == {"navigation": 1}
    record.write(decided(2))
    record.drain()
    record.write(Classified(id="a-2", kind=Kind.EMBEDDED), decided(3))
    record.drain()
    assert record.counts() == {"embedded": 1, "navigation": 1, "unknown": 1}


@pytest.mark.parametrize("limit", [1, 500])
def test_an_end_adds_what_was_relayed(record: Record, limit: int) -> None:
    """Bytes, time and outcome of all the attempts in a row; one that ended is not open any more."""
    allowed = {"verdict": Verdict.ALLOW, "reason": Reason.AUTHORISED, "authorisation": 7}
    record.write(decided(1, **allowed), decided(2, **allowed), decided(3, **allowed), ended(1), ended(2, Outcome.CUT))
    while record.drain(limit).end is End.MORE:
        pass
    (row,) = record.rows()
    assert (row.count, row.bytes_up, row.bytes_down, row.seconds, row.outcome) == (3, 20, 200, 3.0, "cut")
    assert record.open() == ["a-3"]


def test_an_end_finds_the_row_its_attempt_was_moved_to(record: Record) -> None:
    """Classified and ended in one later batch: the bytes are in the classified row."""
    record.write(decided(1), decided(2))
    record.drain()
    record.write(Classified(id="a-1", kind=Kind.NAVIGATION), ended(1, None))
    record.drain()
    assert {row.kind: (row.count, row.bytes_down, row.outcome) for row in record.rows()} == {
        "navigation": (1, 100, None),
        "unknown": (1, 0, None),
    }


def test_what_has_no_beginning_is_passed_over(record: Record) -> None:
    """An end or a kind of an attempt that is not open changes nothing; a decision said twice counts once."""
    record.write(ended(1), Classified(id="a-2", kind=Kind.NAVIGATION), decided(3))
    record.drain()
    record.write(decided(3))
    assert record.drain().recorded == 0
    assert record.counts() == {"unknown": 1}


def test_a_process_that_is_gone_leaves_nothing_open(record: Record) -> None:
    """What became of its attempts stays unknown; those of others stay open."""
    record.write(decided(1))
    record.drain()
    with record.store.write() as session:
        session.add(OpenAttempt(attempt="b", reference="x", journal="lane-1-7-1", at=AT))
    with record.store.write() as session:
        close_out(session, {"lane-1-7-1"})
    assert record.open() == ["b"]
    assert record.rows()[0].outcome is None


def test_refusals_are_not_waited_for_for_ever(record: Record) -> None:
    """A refusal whose request never came is closed after a while; a passed connection may last all day."""
    record.write(decided(1), decided(2, verdict=Verdict.ALLOW, reason=Reason.AUTHORISED))
    record.drain()
    with record.store.write() as session:
        close_out_refusals(session, AT + timedelta(minutes=5))
    assert record.open() == ["a-1", "a-2"]
    with record.store.write() as session:
        close_out_refusals(session, AT + timedelta(minutes=15))
    assert record.open() == ["a-2"]


def test_an_event_that_the_store_cannot_hold_is_skipped_alone(record: Record) -> None:
    """It is counted as lost, and those after it are recorded."""
    record.write(decided(1, verdict="perhaps"), decided(2))
    with pytest.raises(ValueError, match="perhaps"):
        record.drain(1)
    with record.store.write() as session:
        assert skip(session, segments(record.directory)[0]).lost == 1
    assert record.drain().recorded == 1


def test_positions_are_known_until_forgotten(record: Record) -> None:
    """How far each segment is recorded, for as long as its file may come back."""
    record.write(decided(1))
    record.drain()
    name = segments(record.directory)[0].name
    with record.store.read() as session:
        assert positions(session) == {name: record.writer.size}
    with record.store.write() as session:
        forget_segment(session, name)
    with record.store.read() as session:
        assert positions(session) == {}
