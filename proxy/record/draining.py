"""The keeper's end of the journal: every process's segments into the record, and away once they are in it.

A segment's file goes only after the commit that recorded its end, and the memory of how far it was recorded only after
the file has gone for good: dying between any two steps repeats a step, never an attempt.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from sqlalchemy.exc import IntegrityError

from proxy.files import sync_directory
from proxy.metrics import KeeperMetrics
from proxy.record.journal import End, Segment, is_finished, segments
from proxy.record.writer import BATCH, Drained, close_out, close_out_refusals, drain, forget_segment, positions, skip
from proxy.store.engine import Store

logger = logging.getLogger(__name__)

BATCHES_A_TURN = 20  # so that a long journal does not keep the keeper from everything else
TIDIED_EVERY = timedelta(minutes=1)
FINISHED = frozenset({End.COMPLETE, End.TORN, End.DAMAGED})
UNHOLDABLE = (ValueError, IntegrityError)  # an event's fault, not the store's


class Draining:
    """Drains a journal directory into a store, a turn at a time."""

    def __init__(self, directory: Path, key: bytes, metrics: KeeperMetrics) -> None:
        self._directory, self._key, self._metrics = directory, key, metrics
        self._offsets: dict[str, int] | None = None  # how far each segment is recorded; None: the store knows
        self._gone: list[str] = []  # segments whose file has gone, and whose position may be forgotten
        self._tidied_at: datetime | None = None
        self._batches = 0

    def turn(self, store: Store, now: datetime) -> bool:
        """Record what there is, up to a limit; whether more is left. Raises StoreError, OSError."""
        if self._offsets is None:
            with store.read() as session:
                self._offsets = positions(session)
        self._batches = 0
        for _, queue in groupby(segments(self._directory), key=lambda segment: segment.instance):
            self._drain_process(store, queue)
        self._tidy(store, now)
        return self._batches >= BATCHES_A_TURN

    def waiting(self) -> int:
        """Bytes in the journals that are not in the record yet."""
        return sum(max(0, segment.size() - self._offset(segment)) for segment in segments(self._directory))

    def _drain_process(self, store: Store, queue: Iterable[Segment]) -> None:
        """A process's segments in their order, each to its end before the next."""
        for segment in queue:
            end = End.MORE
            while end is End.MORE:
                if self._batches >= BATCHES_A_TURN or not self._has_news(segment):
                    return
                end = self._record(store, segment)
            if end not in FINISHED:
                return
            self._put_away(segment, end)

    def _has_news(self, segment: Segment) -> bool:
        return segment.size() > self._offset(segment) or is_finished(segment)

    def _record(self, store: Store, segment: Segment) -> End:
        try:
            return self._commit(store, segment, BATCH)
        except UNHOLDABLE:
            logger.exception("%s: recorded one by one, for one of them cannot be", segment.path)
        end = End.MORE
        for _ in range(BATCH):
            end = self._record_one(store, segment)
            if end is not End.MORE:
                break
        return end

    def _record_one(self, store: Store, segment: Segment) -> End:
        try:
            return self._commit(store, segment, 1)
        except UNHOLDABLE:
            with store.write() as session:
                drained = skip(session, segment)
        return self._committed(segment, drained)

    def _commit(self, store: Store, segment: Segment, limit: int) -> End:
        self._batches += 1
        with store.write() as session:
            drained = drain(session, segment, self._key, limit=limit)
        return self._committed(segment, drained)

    def _committed(self, segment: Segment, drained: Drained) -> End:
        if self._offsets is not None:
            self._offsets[segment.name] = drained.offset
        self._metrics.attempts_recorded.inc(drained.recorded)
        self._metrics.attempts_lost.inc(drained.lost)
        if drained.lost:
            logger.error("%s: %d entries could not be recorded (%s)", segment.path, drained.lost, drained.end)
        return drained.end

    def _put_away(self, segment: Segment, end: End) -> None:
        """Its end is recorded: the file goes; a damaged one is kept aside for somebody to look at."""
        if end is End.DAMAGED:
            segment.path.rename(segment.path.with_suffix(".damaged"))
        else:
            segment.path.unlink()
        sync_directory(self._directory)
        self._gone.append(segment.name)

    def _tidy(self, store: Store, now: datetime) -> None:
        """Forget what has gone: positions, and open attempts that nobody will end any more."""
        if not self._gone and self._tidied_at is not None and now - self._tidied_at < TIDIED_EVERY:
            return
        living = {segment.instance for segment in segments(self._directory)}
        with store.write() as session:
            for name in self._gone:
                forget_segment(session, name)
            close_out(session, living)
            close_out_refusals(session, now)
        for name in self._gone:
            if self._offsets is not None:
                self._offsets.pop(name, None)
        self._gone.clear()
        self._tidied_at = now

    def _offset(self, segment: Segment) -> int:
        return (self._offsets or {}).get(segment.name, 0)
