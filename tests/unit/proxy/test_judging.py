"""One decision per attempt: counted, journalled, obeyed."""

import os
import resource
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from policies.attempt import Attempt
from policies.authorisation import Authorisation, Subject, Target
from policies.loading import default_policy_path, load_catalogue, load_policy
from policies.names import host_name
from policies.snapshot import Snapshot
from policies.vocabulary import Kind, Outcome, Protocol, Reason
from proxy.judging import Judge
from proxy.metrics import Metrics
from proxy.record.events import Classified, Decided, Ended, decode, reference
from proxy.record.journal import FRAME, JournalWriter
from proxy.snapshot import SnapshotReader, publish

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
HEAD = "10.20.0.10"
OTHER = "10.20.0.11"
KEY = b"k" * 32


class Bench:
    """A judge on a real snapshot and a real journal."""

    def __init__(self, folder: Path, *, published: bool = True) -> None:
        if published:
            publish(folder / "snapshot", a_snapshot())
        self.metrics = Metrics(CollectorRegistry())
        self.folder = folder / "journal"
        self.journal = JournalWriter(self.folder, "answerer")
        reader = SnapshotReader(folder / "snapshot", self.metrics)
        reader.poll(NOW, 0.0)
        self.judge = Judge(reader, self.journal, self.metrics, KEY, clock=lambda: NOW)

    def events(self) -> list[object]:
        found = []
        for path in self.folder.glob("*.journal"):
            data = path.read_bytes()
            while data:
                length, _ = FRAME.unpack_from(data)
                found.append(decode(data[FRAME.size : FRAME.size + length]))
                data = data[FRAME.size + length :]
        return found

    def attempts(self, reason: Reason) -> float:
        samples = self.metrics.attempts.collect()[0].samples
        return sum(s.value for s in samples if s.name.endswith("_total") and s.labels["reason"] == reason)


def a_snapshot() -> Snapshot:
    grant = Authorisation(
        id=7,
        subject=Subject.parse(HEAD),
        target=Target.parse("facebook"),
        starts_at=NOW,
        ends_at=NOW + timedelta(hours=1),
    )
    return Snapshot(
        number=1,
        confirmed_at=NOW,
        policy=load_policy(default_policy_path()),
        catalogue=load_catalogue(),
        authorisations=(grant,),
    )


def an_attempt(host: str, address: str = OTHER) -> Attempt:
    name = host_name(host)
    return Attempt(
        address=ip_address(address), destination=name, port=443, protocol=Protocol.TLS, explicit=True, server_name=name
    )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_refusal_is_in_the_journal_before_it_is_obeyed(bench: Bench):
    """Whole, with the clause it rests on."""
    ticket = bench.judge.judge(an_attempt("www.facebook.com"))
    assert bench.events() == [ticket.event]
    assert isinstance(ticket.event, Decided)
    assert (ticket.event.reason, ticket.event.service, ticket.event.clause) == ("not_authorised", "facebook", "3 ¶1")
    assert bench.attempts(Reason.NOT_AUTHORISED) == 1


def test_what_passes_unlisted_is_counted_and_written_nowhere(bench: Bench):
    """Law 6: nothing of it is on disk."""
    ticket = bench.judge.judge(an_attempt("www.bbc.co.uk"))
    bench.judge.end(ticket)
    assert ticket.decision.allowed
    assert bench.attempts(Reason.UNLISTED) == 1
    assert bench.events() == []


def test_an_end_is_said_once_with_what_passed(bench: Bench):
    """However often the connection is torn down."""
    ticket = bench.judge.judge(an_attempt("www.facebook.com", HEAD))
    ticket.count_up(b"x" * 3)
    ticket.count_down(b"y" * 5)
    bench.judge.end(ticket)
    bench.judge.end(ticket)
    _, ended = bench.events()
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.bytes_up, ended.bytes_down) == (Outcome.CLOSED, 3, 5)


def test_a_refusal_has_no_outcome(bench: Bench):
    """An outcome is what became of an attempt after it was allowed."""
    bench.judge.end(bench.judge.judge(an_attempt("www.facebook.com")))
    assert bench.events()[-1].outcome is None


def test_the_kind_is_said_once_and_the_reference_is_the_records(bench: Bench):
    """The page shows just what the record is found by."""
    ticket = bench.judge.judge(an_attempt("www.facebook.com"))
    shown = bench.judge.classify(ticket, Kind.NAVIGATION)
    bench.judge.classify(ticket, Kind.EMBEDDED)
    assert shown == reference(ticket.event, Kind.NAVIGATION, KEY)
    assert bench.events()[1:] == [Classified(id=ticket.id, kind=Kind.NAVIGATION)]


def test_the_reference_of_a_later_request_is_still_the_attempts(bench: Bench):
    """A page's own follow-up requests show the reference of the attempt they belong to."""
    ticket = bench.judge.judge(an_attempt("www.facebook.com"))
    first = bench.judge.classify(ticket, Kind.NAVIGATION)
    assert bench.judge.classify(ticket, Kind.EMBEDDED) == first


def test_without_a_snapshot_everything_is_refused(tmp_path: Path):
    """Law 1; and it is on record."""
    bench = Bench(tmp_path, published=False)
    ticket = bench.judge.judge(an_attempt("www.bbc.co.uk"))
    assert ticket.decision.reason is Reason.NO_SNAPSHOT
    assert len(bench.events()) == 1


def test_what_cannot_be_recorded_is_refused_if_it_needed_an_authorisation(bench: Bench):
    """On a full disk an authorised attempt is not_recordable and counted lost; an unlisted one passes."""
    bench.judge.judge(an_attempt("www.facebook.com"))
    size = bench.journal.size
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    pid = os.fork()
    if pid == 0:  # the limit is this process's for good, so a child takes it
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
        refused = bench.judge.judge(an_attempt("www.facebook.com", HEAD)).decision
        passed = bench.judge.judge(an_attempt("www.bbc.co.uk", HEAD)).decision
        lost = bench.metrics.attempts_lost.collect()[0].samples[0].value
        os._exit(0 if (refused.reason, passed.allowed, lost) == (Reason.NOT_RECORDABLE, True, 1) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
