"""The journal: what an enforcing process has to say of its attempts, safe from its own death.

A journal is a directory. Each process appends to a segment of its own, ``NAME-PID-STARTED-N.journal`` (0600), and
begins a new one when that is full. A frame is length, CRC and payload; an append is one ``write``, whole or not at
all. Nobody else writes a segment, and its writer holds a lock on it for as long as it lives, from before the segment
has its name until it is complete: so a segment that can be locked by someone else is finished for ever.
"""

import fcntl
import logging
import os
import struct
import time
import zlib
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from proxy.files import private_directory
from proxy.record.events import Event, decode, encode

logger = logging.getLogger(__name__)

FRAME = struct.Struct("<II")  # length of the payload, CRC-32 of that length and the payload
LARGEST_PAYLOAD = 64 * 1024
SEGMENT_BYTES = 8 * 1024 * 1024
SUFFIX = ".journal"


class JournalError(Exception):
    """The event could not be recorded; nothing of it is in the journal."""


def frame(payload: bytes) -> bytes:
    return FRAME.pack(len(payload), checksum(payload)) + payload


def checksum(payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(len(payload).to_bytes(4, "little")))


# Writing


class JournalWriter:
    """One process's end of the journal. Append from one thread; ``sync`` may run in another."""

    def __init__(
        self, directory: Path, process: str, *, segment_bytes: int = SEGMENT_BYTES, started: int | None = None
    ) -> None:
        self._directory = directory
        self._instance = f"{process}-{os.getpid()}-{time.time_ns() if started is None else started}"
        self._segment_bytes = segment_bytes
        self._number = 0
        self._descriptor: int | None = None
        self._size = 0
        self._unsynced = False
        self._full: deque[int] = deque()  # complete segments, still to be synced and closed

    @property
    def size(self) -> int:
        """Bytes in the segment that is written now."""
        return self._size

    def append(self, event: Event) -> None:
        """Put one event into the journal. Raises JournalError, and then nothing of it is there."""
        data = frame(_payload(event))
        try:
            descriptor = self._segment_for(len(data))
            written = os.write(descriptor, data)
        except OSError as error:
            self._take_back()
            raise JournalError(f"{self._directory}: the journal cannot be written: {error}") from error
        if written != len(data):
            self._take_back()
            raise JournalError(f"{self._directory}: the journal cannot be written: no space for a whole event")
        self._size += len(data)
        self._unsynced = True

    def sync(self) -> None:
        """Make everything appended so far survive a power cut. Raises JournalError."""
        try:
            while self._full:
                descriptor = self._full.popleft()
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            if self._unsynced and self._descriptor is not None:
                self._unsynced = False
                _sync_copy(self._descriptor)
        except OSError as error:
            raise JournalError(f"{self._directory}: the journal cannot be synced: {error}") from error

    def close(self) -> None:
        """Finish: the keeper may drain and remove what was written. Raises JournalError."""
        self._retire()
        self.sync()

    def _segment_for(self, length: int) -> int:
        if self._descriptor is not None and self._size and self._size + length > self._segment_bytes:
            self._retire()
        if self._descriptor is None:
            self._descriptor = self._begin()
            self._size = 0
        return self._descriptor

    def _begin(self) -> int:
        """A new segment, locked before it gets its name: no reader ever sees it as finished and empty."""
        private_directory(self._directory)
        self._number += 1
        path = self._directory / f"{self._instance}-{self._number}{SUFFIX}"
        unnamed = path.with_suffix(".new")
        descriptor = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unnamed.rename(path)
        except BaseException:
            os.close(descriptor)
            unnamed.unlink(missing_ok=True)
            raise
        return descriptor

    def _take_back(self) -> None:
        """Cut off a half-written frame; where even that fails, leave the torn end behind in a finished segment."""
        if self._descriptor is None:
            return
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            self._retire()

    def _retire(self) -> None:
        if self._descriptor is not None:
            self._full.append(self._descriptor)
            self._descriptor = None


def _payload(event: Event) -> bytes:
    """What the record can hold of any event; a NUL or half a surrogate pair can be in no database's text."""
    try:
        payload = encode(event)
    except ValueError as error:
        raise JournalError(f"an event that is no text: {error}") from error
    if len(payload) > LARGEST_PAYLOAD:
        raise JournalError(f"an event of {len(payload)} bytes is larger than the journal's {LARGEST_PAYLOAD}")
    if b"\\u0000" in payload:
        raise JournalError("an event with a NUL in its text")
    return payload


def _sync_copy(descriptor: int) -> None:
    """Sync through a descriptor of one's own: the writing thread may retire and close the other meanwhile."""
    copy = os.dup(descriptor)
    try:
        os.fsync(copy)
    finally:
        os.close(copy)


# Reading


class End(StrEnum):
    """Where reading stopped, and why."""

    MORE = "more"  # the batch is full
    OPEN = "open"  # at the end of what there is; the writer lives
    COMPLETE = "complete"  # at the end, for ever
    TORN = "torn"  # the writer died over its last frame: that attempt had not gone on
    DAMAGED = "damaged"  # what follows cannot be read


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of a journal. ``instance`` is the one life of the process that wrote it."""

    path: Path
    instance: str
    number: int

    @property
    def name(self) -> str:
        return self.path.name

    def size(self) -> int:
        """Bytes in it. Raises OSError."""
        return self.path.stat().st_size

    @classmethod
    def of(cls, path: Path) -> "Segment | None":
        instance, _, number = path.stem.rpartition("-")
        return cls(path, instance, int(number)) if instance and number.isdigit() else None


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in the order they were written, and where the next batch begins."""

    events: tuple[Event, ...]
    offset: int
    end: End
    lost: int = 0


def segments(directory: Path) -> list[Segment]:
    """Every segment there, each process's in its order."""
    found = [segment for path in directory.glob(f"*{SUFFIX}") if (segment := Segment.of(path))]
    return sorted(found, key=lambda segment: (segment.instance, segment.number))


def read_batch(segment: Segment, offset: int, limit: int) -> Batch:
    """Read at most ``limit`` frames from ``offset`` on. Raises OSError.

    While the writer lives, a frame that is incomplete or wrong may be in the middle of being written or taken back:
    reading stops before it and tries again next time. Once the writer is gone, no frame behind a wrong one can be
    trusted to begin where it seems to.
    """
    events: list[Event] = []
    lost, end = 0, End.MORE
    with segment.path.open("rb") as file:
        finished = _is_finished(file)  # asked first: what is read after that is all there will ever be
        file.seek(offset)
        while len(events) + lost < limit:
            payload = _next_payload(file)
            if isinstance(payload, End):
                end = payload if finished else End.OPEN
                break
            offset += FRAME.size + len(payload)
            try:
                events.append(decode(payload))
            except ValueError:
                logger.exception("%s: an entry that this schoolgate does not know", segment.path)
                lost += 1
        if end in {End.TORN, End.DAMAGED}:
            lost += _count_frames(file, offset)
    return Batch(tuple(events), offset, end, lost)


def is_finished(segment: Segment) -> bool:
    """Whether its writer is done with it. Raises OSError."""
    with segment.path.open("rb") as file:
        return _is_finished(file)


def _is_finished(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _next_payload(file: BinaryIO) -> bytes | End:
    header = file.read(FRAME.size)
    if not header:
        return End.COMPLETE
    if len(header) < FRAME.size:
        return End.TORN
    length, expected = FRAME.unpack(header)
    if not 0 < length <= LARGEST_PAYLOAD:
        return End.DAMAGED
    payload = file.read(length)
    if len(payload) < length:
        return End.TORN
    return payload if checksum(payload) == expected else End.DAMAGED


def _count_frames(file: BinaryIO, offset: int) -> int:
    """How many events are lost from a broken frame on, as far as the lengths still tell; one at the least."""
    size = os.fstat(file.fileno()).st_size
    lost = 0
    while offset < size:
        file.seek(offset)
        header = file.read(FRAME.size).ljust(FRAME.size, b"\0")
        length, _ = FRAME.unpack(header)
        lost += 1
        if not 0 < length <= LARGEST_PAYLOAD:
            break
        offset += FRAME.size + length
    return lost
