"""The journal: whole or not at all, and nothing that was not written, whatever becomes of its bytes."""

import errno
import os
import resource
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.vocabulary import Reason, Verdict
from proxy.record.events import Classified, Decided, Ended, Event
from proxy.record.journal import (
    LARGEST_PAYLOAD,
    Batch,
    End,
    JournalError,
    JournalWriter,
    frame,
    read_batch,
    segments,
)

AT = datetime(2025, 11, 24, 10, 0, 7, tzinfo=UTC)


def decided(number: int = 1, host: str = "www.facebook.com") -> Decided:
    return Decided(
        id=f"a-{number}",
        at=AT,
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


def events(count: int) -> list[Event]:
    return [decided(number) for number in range(count)]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def writer(directory: Path) -> Iterator[JournalWriter]:
    writer = JournalWriter(directory, "answerer", started=1)
    yield writer
    writer.close()


def read_all(directory: Path, limit: int = 3) -> tuple[list[Event], list[Batch]]:
    """Everything in a journal, batch by batch."""
    batches = []
    for segment in segments(directory):
        offset = 0
        while True:
            batch = read_batch(segment, offset, limit)
            batches.append(batch)
            offset = batch.offset
            if batch.end is not End.MORE:
                break
    return [event for batch in batches for event in batch.events], batches


def test_every_event_comes_back_in_order(directory: Path, writer: JournalWriter) -> None:
    """What was appended is read once, in order, and all three kinds are themselves again."""
    written = [*events(7), Classified(id="a-1", kind="navigation")]
    written.append(Ended(id="a-1", at=AT, outcome="cut", bytes_up=1, bytes_down=2, seconds=0.5))
    for event in written:
        writer.append(event)
    found, batches = read_all(directory)
    assert found == written
    assert batches[-1].end is End.OPEN


def test_a_closed_segment_is_complete(directory: Path, writer: JournalWriter) -> None:
    """Once its writer is gone, and only then, a segment is known to be all there will be."""
    writer.append(decided())
    assert read_all(directory)[1][-1].end is End.OPEN
    writer.close()
    assert read_all(directory)[1][-1].end is End.COMPLETE


def test_a_new_segment_is_never_seen_unlocked(directory: Path, writer: JournalWriter) -> None:
    """From the moment it has a name a segment is locked, so an empty one is not taken for a finished one."""
    writer.append(decided())
    (segment,) = segments(directory)
    assert read_batch(segment, writer.size, 1).end is End.OPEN


def test_a_full_segment_is_followed_by_another(directory: Path) -> None:
    """Rotation keeps the order and loses nothing; the full one is finished once it is synced."""
    writer = JournalWriter(directory, "answerer", segment_bytes=1000)
    written = events(12)
    for event in written:
        writer.append(event)
    writer.sync()
    ends = [batch.end for batch in read_all(directory, limit=100)[1]]
    assert len(ends) > 2
    assert ends == [End.COMPLETE] * (len(ends) - 1) + [End.OPEN]
    assert read_all(directory)[0] == written
    writer.close()


def test_segments_are_private(directory: Path, writer: JournalWriter) -> None:
    """Host names of people's attempts are nobody else's to read."""
    writer.append(decided())
    (segment,) = segments(directory)
    assert segment.path.stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700


def test_segments_are_in_numeric_order(directory: Path) -> None:
    """The tenth segment comes after the ninth."""
    directory.mkdir()
    for number in (10, 9, 1):
        (directory / f"answerer-7-1-{number}.journal").touch()
    (directory / "answerer-7-1-2.new").touch()
    (directory / "nonsense.journal").touch()
    assert [segment.number for segment in segments(directory)] == [1, 9, 10]


@pytest.mark.parametrize("host", ["x" * LARGEST_PAYLOAD, "a\0b", "\ud800"])
def test_what_no_record_can_hold_is_refused(directory: Path, writer: JournalWriter, host: str) -> None:
    """An event that is too large or no text raises, and nothing of it is written."""
    with pytest.raises(JournalError):
        writer.append(decided(host=host))
    writer.append(decided(2))
    assert read_all(directory)[0] == [decided(2)]


def test_a_short_write_is_taken_back(directory: Path, writer: JournalWriter) -> None:
    """On a full disk nothing half-written stays, and the journal goes on when there is room again."""
    writer.append(decided(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (writer.size + 10, hard))
    try:
        with pytest.raises(JournalError, match="cannot be written"):
            writer.append(decided(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert segments(directory)[0].path.stat().st_size == writer.size
    writer.append(decided(3))
    assert read_all(directory)[0] == [decided(1), decided(3)]


def test_a_write_that_cannot_be_taken_back_ends_the_segment(
    directory: Path, writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails both ways leaves a torn end behind; the next event goes to a new segment."""
    writer.append(decided(1))

    def half(descriptor: int, data: bytes) -> int:
        return os.pwrite(descriptor, data[: len(data) // 2], 0)  # appends, like every write to it

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        patch.setattr(os, "ftruncate", broken)
        with pytest.raises(JournalError):
            writer.append(decided(2))
    writer.append(decided(3))
    writer.sync()
    found, batches = read_all(directory)
    assert found == [decided(1), decided(3)]
    assert [batch.end for batch in batches] == [End.TORN, End.OPEN]
    assert sum(batch.lost for batch in batches) == 1


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """Where there can be no journal, append says so."""
    (tmp_path / "journal").touch()
    with pytest.raises(JournalError, match="journal"):
        JournalWriter(tmp_path / "journal", "answerer").append(decided())


def test_an_unfinished_frame_of_a_living_writer_is_waited_for(directory: Path, writer: JournalWriter) -> None:
    """A reader that comes in the middle of a write reads up to it, and the rest later."""
    writer.append(decided(1))
    (segment,) = segments(directory)
    whole = segment.path.read_bytes()
    segment.path.write_bytes(whole + whole[:20])
    batch = read_batch(segment, 0, 10)
    assert (batch.events, batch.end, batch.lost) == ((decided(1),), End.OPEN, 0)


def test_an_unknown_entry_is_counted_and_passed_over(directory: Path) -> None:
    """An entry of another version costs itself only."""
    directory.mkdir()
    path = directory / "answerer-7-1-1.journal"
    path.write_bytes(frame(b'{"event":"new"}') + frame(b"[]") + b"")
    batch = read_batch(segments(directory)[0], 0, 10)
    assert (batch.events, batch.end, batch.lost) == ((), End.COMPLETE, 2)
    assert batch.offset == path.stat().st_size


def test_a_block_of_zeros_is_damage(directory: Path, writer: JournalWriter) -> None:
    """After a power cut a file may end in zeros; they are no events."""
    writer.append(decided(1))
    writer.close()
    (segment,) = segments(directory)
    segment.path.write_bytes(segment.path.read_bytes() + bytes(4096))
    batch = read_batch(segment, 0, 10)
    assert (batch.events, batch.end, batch.lost) == ((decided(1),), End.DAMAGED, 1)


def test_an_offset_beyond_the_end_is_the_end(directory: Path, writer: JournalWriter) -> None:
    """A power cut may take back what was recorded already; nothing is read twice."""
    writer.append(decided(1))
    writer.close()
    batch = read_batch(segments(directory)[0], 10_000, 10)
    assert (batch.events, batch.end, batch.offset) == ((), End.COMPLETE, 10_000)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[list[Event], bytes]:
    """Some events, and their segment after it was chopped, flipped, or had bytes added."""
    hosts = draw(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=8))
    written: list[Event] = [replace(decided(n), host=host.replace("\0", "")) for n, host in enumerate(hosts)]
    with TemporaryDirectory() as folder:
        writer = JournalWriter(Path(folder), "answerer")
        for event in written:
            writer.append(event)
        writer.close()
        raw = bytearray(segments(Path(folder))[0].path.read_bytes())
    for _ in range(draw(st.integers(0, 3))):
        position = draw(st.integers(0, len(raw) - 1))
        raw[position] ^= draw(st.integers(1, 255))
    return written, bytes(raw[: draw(st.integers(0, len(raw)))]) + draw(st.binary(max_size=12))


@settings(deadline=None)
@given(damaged(), st.integers(1, 4))
def test_no_damage_makes_an_event(example: tuple[list[Event], bytes], limit: int) -> None:
    """However a segment is chopped or flipped: what is read is what was written, in order, from the first on, once."""
    written, raw = example
    with TemporaryDirectory() as folder:
        (Path(folder) / "answerer-1-1-1.journal").write_bytes(raw)
        found, batches = read_all(Path(folder), limit)
    assert found == written[: len(found)]
    assert len(found) == len(written) or batches[-1].lost or batches[-1].end is End.COMPLETE
