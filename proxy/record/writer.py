"""From the journal into the record: each batch of events, and how far they were read, in one transaction.

So a keeper that dies anywhere begins again where the store says it was: nothing twice, nothing left out. Within a
batch events are folded by attempt. Repeats within a minute are one row, found by its reference; an attempt that may
still be classified or end stays open (``OpenAttempt``), so that a later event finds the row which counts it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from policies.vocabulary import Verdict
from proxy.record.events import Classified, Decided, Ended, Event, reference
from proxy.record.journal import End, Segment, read_batch
from proxy.store.models import AttemptRow, JournalPosition, OpenAttempt

BATCH = 500
PAGE_WAIT = timedelta(minutes=10)  # what a refusal's request is, is known by then or never will be
_COPIED = tuple(field.name for field in fields(Decided) if field.name not in {"id", "at", "kind"})


@dataclass(frozen=True, slots=True)
class Drained:
    """What one batch brought."""

    recorded: int
    lost: int
    offset: int
    end: End


def drain(session: Session, segment: Segment, key: bytes, *, limit: int = BATCH) -> Drained:
    """Record the next batch of a segment, and how far that is.

    Raises OSError for the segment, ValueError or IntegrityError for an event that no row can hold (see ``skip``).
    """
    position = session.get(JournalPosition, segment.name, with_for_update=True)
    batch = read_batch(segment, position.offset if position else 0, limit)
    recorded = _Batch(session, segment.instance, key).record(batch.events)
    _move(session, position, segment, batch.offset)
    return Drained(recorded, batch.lost, batch.offset, batch.end)


def skip(session: Session, segment: Segment) -> Drained:
    """Pass over the one event that comes next: the store cannot hold it, and the others must not wait for it."""
    position = session.get(JournalPosition, segment.name, with_for_update=True)
    batch = read_batch(segment, position.offset if position else 0, 1)
    _move(session, position, segment, batch.offset)
    return Drained(0, len(batch.events) + batch.lost, batch.offset, batch.end)


def positions(session: Session) -> dict[str, int]:
    """How far each segment was recorded."""
    return {position.segment: position.offset for position in session.scalars(select(JournalPosition))}


def forget_segment(session: Session, name: str) -> None:
    """Forget how far a segment was recorded; only once its file has gone for good, or it would be recorded again."""
    session.execute(delete(JournalPosition).where(JournalPosition.segment == name))


def close_out(session: Session, living: Collection[str]) -> None:
    """What became of the open attempts of processes that are gone, all they said being recorded, is never known."""
    session.execute(delete(OpenAttempt).where(OpenAttempt.journal.not_in(living)))


def close_out_refusals(session: Session, now: datetime) -> None:
    """Refused attempts whose request was never seen need no more waiting for."""
    refused = select(AttemptRow.reference).where(AttemptRow.verdict == Verdict.DENY)
    old = OpenAttempt.at < now - PAGE_WAIT
    session.execute(delete(OpenAttempt).where(old, OpenAttempt.reference.in_(refused)))


def _move(session: Session, position: JournalPosition | None, segment: Segment, offset: int) -> None:
    if position is None:
        session.add(JournalPosition(segment=segment.name, offset=offset))
    else:
        position.offset = offset


@dataclass(slots=True)
class _Folded:
    """All that one batch says of one attempt."""

    decided: Decided | None = None
    classified: Classified | None = None
    ended: Ended | None = None


def _fold(events: Iterable[Event]) -> dict[str, _Folded]:
    folded: dict[str, _Folded] = {}
    for event in events:
        attempt = folded.setdefault(event.id, _Folded())
        match event:
            case Decided():
                attempt.decided = attempt.decided or event
            case Classified():
                attempt.classified = event
            case Ended():
                attempt.ended = event
    return folded


class _Batch:
    """The rows that one batch touches. A row whose count falls to nothing goes; the schema knows no such row."""

    def __init__(self, session: Session, instance: str, key: bytes) -> None:
        self._session, self._instance, self._key = session, instance, key
        self._rows: dict[str, AttemptRow] = {}
        self._open: dict[str, OpenAttempt] = {}

    def record(self, events: Iterable[Event]) -> int:
        """Fold and record; the number of attempts that are new."""
        folded = _fold(events)
        self._fetch_open(folded)
        with self._session.no_autoflush:
            new = sum(self._record_one(number, attempt) for number, attempt in folded.items())
            self._settle()
        return new

    def _record_one(self, number: str, attempt: _Folded) -> bool:
        open_attempt = self._open.get(number)
        if open_attempt is None and attempt.decided is not None:
            self._record_new(attempt.decided, attempt)
            return True
        if open_attempt is not None:
            self._record_more(open_attempt, attempt)
        return False

    def _record_new(self, decided: Decided, attempt: _Folded) -> None:
        row = self._count(decided, attempt.classified.kind if attempt.classified else decided.kind)
        if attempt.ended:
            _end(row, attempt.ended)
        else:
            self._session.add(
                OpenAttempt(attempt=decided.id, reference=row.reference, journal=self._instance, at=decided.at)
            )

    def _record_more(self, open_attempt: OpenAttempt, attempt: _Folded) -> None:
        row = self._row(open_attempt.reference)
        if row is not None and attempt.classified and attempt.classified.kind != row.kind:
            row.count -= 1
            row = self._count(_decided(open_attempt, row), attempt.classified.kind)
            open_attempt.reference = row.reference
        if attempt.ended:
            if row is not None:
                _end(row, attempt.ended)
            self._session.delete(open_attempt)

    def _count(self, decided: Decided, kind: str) -> AttemptRow:
        """Count an attempt in its row, in a new one if it is the first of its kind in that minute."""
        number = reference(decided, kind, self._key)
        row = self._row(number)
        if row is None:
            row = _new_row(decided, kind, number)
            self._rows[number] = row
        row.count += 1
        row.first_at, row.last_at = min(row.first_at, decided.at), max(row.last_at, decided.at)
        return row

    def _row(self, number: str) -> AttemptRow | None:
        if number not in self._rows:
            row = self._session.scalars(select(AttemptRow).where(AttemptRow.reference == number)).one_or_none()
            if row is None:
                return None
            self._rows[number] = row
        return self._rows[number]

    def _fetch_open(self, folded: Iterable[str]) -> None:
        """All open attempts of the batch, and their rows, in two queries."""
        found = self._session.scalars(select(OpenAttempt).where(OpenAttempt.attempt.in_(list(folded)))).all()
        self._open = {open_attempt.attempt: open_attempt for open_attempt in found}
        references = {open_attempt.reference for open_attempt in found}
        rows = self._session.scalars(select(AttemptRow).where(AttemptRow.reference.in_(references)))
        self._rows = {row.reference: row for row in rows}

    def _settle(self) -> None:
        for row in self._rows.values():
            if row.count > 0:
                self._session.add(row)
            elif row in self._session:
                self._session.refresh(row)  # as it is in the store: a count of nothing is not written, not even briefly
                self._session.delete(row)


def _new_row(decided: Decided, kind: str, number: str) -> AttemptRow:
    row = AttemptRow(reference=number, kind=kind, count=0, first_at=decided.at, last_at=decided.at)
    row.bytes_up = row.bytes_down = 0
    row.seconds = 0.0
    for name in _COPIED:
        setattr(row, name, getattr(decided, name))
    row.verdict = Verdict(
        decided.verdict
    )  # ValueError for a word that is none: it is this event's fault, not the store's
    return row


def _decided(open_attempt: OpenAttempt, row: AttemptRow) -> Decided:
    """The decision again, as far as the record needs it."""
    return Decided(id=open_attempt.attempt, at=open_attempt.at, **{name: getattr(row, name) for name in _COPIED})


def _end(row: AttemptRow, ended: Ended) -> None:
    row.outcome = ended.outcome or row.outcome
    row.bytes_up += ended.bytes_up
    row.bytes_down += ended.bytes_down
    row.seconds += ended.seconds
