"""The seam: what is published is read whole or not at all, and time moves one way only."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from policies.authorisation import Authorisation, Subject, Target
from policies.loading import load_catalogue, load_policy
from policies.names import host_name
from policies.snapshot import Device, Member, Snapshot
from proxy import snapshot as seam
from proxy.metrics import Metrics
from proxy.snapshot import SnapshotReader, confirm, last_number, names_file, publish

NOW = datetime(2025, 11, 24, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLICY = """\
school: {name: A school, contact: the office}
networks: {estate: {addresses: [10.0.0.0/8]}}
timetable: {periods: {lesson: [{from: "09:00", to: "10:00"}]}}
rules: [{name: Estate, clause: "3 ¶1", verdict: deny}]
"""
SERVICES = """\
category: social-network
name: Social networks
services: {facebook: {name: Facebook, domains: [facebook.com], shared_hosts: [fbcdn.net]}}
"""
GRANT = Authorisation(
    id=7,
    subject=Subject.parse("person:j.smith"),
    target=Target.parse("facebook"),
    starts_at=NOW - MINUTE,
    ends_at=NOW + MINUTE,
)


@pytest.fixture(scope="session")
def content(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A whole state, with everything in it that a state may hold."""
    folder = tmp_path_factory.mktemp("policy")
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "social-network.yaml").write_text(SERVICES)
    policy = load_policy(folder / "policy.yaml")
    (folder / "policy.yaml").unlink()
    return Snapshot(
        number=1,
        confirmed_at=NOW,
        policy=policy,
        catalogue=load_catalogue(folder),
        authorisations=(GRANT, replace(GRANT, id=8, revoked_at=NOW, lapsed_at=NOW, target=Target.parse("all"))),
        devices=(Device("office-3", (ip_network("10.20.0.10"), ip_network("2001:db8::/64")), frozenset({"office"})),),
        members={"j.smith": Member("staff", frozenset({"governors"}), browsing="first"), "head": Member("slt")},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "snapshot"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def faults(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("schoolgate_internal_errors_total", {"where": "snapshot"})


def reader_at(path: Path, now: datetime = NOW, metrics: Metrics | None = None) -> SnapshotReader:
    reader = SnapshotReader(path, metrics)
    reader.poll(now, 0.0)
    return reader


def current(reader: SnapshotReader) -> Snapshot:
    assert reader.current is not None
    return reader.current


def test_what_is_published_is_read(path: Path, content: Snapshot) -> None:
    """Policy, catalogue, grants, devices and people are the same on the other side, names and all."""
    publish(path, content)
    found = current(reader_at(path))
    assert found == content
    service = found.catalogue.find(host_name("m.facebook.com"))
    assert service is not None
    assert service.key == "facebook"


def test_absent_is_no_state(path: Path) -> None:
    """Before the keeper ever published there is nothing to decide by; once it did, there is."""
    reader = SnapshotReader(path)
    assert not reader.poll(NOW, 0.0)
    assert reader.current is None


def test_a_poll_tells_of_a_new_state_once(path: Path, content: Snapshot) -> None:
    """True when it changed, false until it changes again."""
    publish(path, content)
    reader = SnapshotReader(path)
    assert [reader.poll(NOW, 0.0) for _ in range(3)] == [True, False, False]
    publish(path, replace(content, number=2, authorisations=()), content.catalogue.version)
    assert [reader.poll(NOW, 0.0) for _ in range(3)] == [True, False, False]
    assert (current(reader).number, current(reader).authorisations) == (2, ())


def test_a_poll_without_change_reads_nothing(path: Path, content: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one stat: the file is not even opened."""
    publish(path, content)
    reader = reader_at(path)

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("the file was opened")

    monkeypatch.setattr(Path, "open", opened)
    assert not reader.poll(NOW, 0.0)


def test_a_confirmation_is_cheap(path: Path, content: Snapshot) -> None:
    """What was computed of a state is kept when the keeper vouches for it again, and nothing needs judging again."""
    publish(path, content)
    reader = reader_at(path)
    before = current(reader)
    coverage = before.coverage
    confirm(path, NOW + timedelta(seconds=2))
    assert not reader.poll(NOW + timedelta(seconds=2), 2.0)
    assert current(reader).confirmed_at == NOW + timedelta(seconds=2)
    assert current(reader).coverage is coverage
    assert before.confirmed_at == NOW


def test_the_same_catalogue_is_not_loaded_again(path: Path, content: Snapshot) -> None:
    """A grant changes the state, not the million names."""
    publish(path, content)
    reader = reader_at(path)
    catalogue = current(reader).catalogue
    publish(path, replace(content, number=2), content.catalogue.version)
    reader.poll(NOW, 0.0)
    assert current(reader).number == 2
    assert current(reader).catalogue is catalogue


# Time


def test_age_grows_though_the_clock_steps_back(path: Path, content: Snapshot) -> None:
    """With the keeper silent for an hour, a clock that is set back an hour makes the state no younger."""
    publish(path, content)
    reader = reader_at(path)
    reader.poll(NOW, 3600.0)
    assert NOW - current(reader).confirmed_at == timedelta(hours=1)


def test_age_is_never_negative_for_a_clock_that_was_ahead(path: Path, content: Snapshot) -> None:
    """A confirmation from the future counts from when it was first seen."""
    publish(path, replace(content, confirmed_at=NOW + timedelta(hours=1)))
    reader = reader_at(path)
    assert current(reader).confirmed_at == NOW
    reader.poll(NOW + MINUTE, 60.0)
    assert current(reader).confirmed_at == NOW


def test_a_new_state_that_is_not_vouched_for_is_as_old_as_the_one_before(path: Path, content: Snapshot) -> None:
    """A policy that changes while the store is away makes the grants no younger."""
    publish(path, content)
    reader = reader_at(path)
    publish(path, replace(content, number=2), content.catalogue.version)
    assert reader.poll(NOW - MINUTE, 600.0)
    assert current(reader).confirmed_at == NOW - MINUTE - timedelta(minutes=10)


def test_an_end_is_latched(path: Path, content: Snapshot) -> None:
    """A grant seen at its end stays ended though the clock steps back, through confirmations and new states."""
    publish(path, content)
    reader = reader_at(path)
    assert current(reader).latched == frozenset()
    assert reader.poll(NOW + MINUTE, 60.0)
    assert current(reader).latched == {7, 8}
    assert not reader.poll(NOW, 60.0)
    confirm(path, NOW + timedelta(seconds=1))
    publish(path, replace(content, number=2), content.catalogue.version)
    assert reader.poll(NOW, 60.0)
    assert current(reader).latched == {7, 8}


def test_an_extension_is_another_end(path: Path, content: Snapshot) -> None:
    """A grant that was extended in time is live, though this process saw its first end just before it heard."""
    publish(path, content)
    reader = reader_at(path)
    reader.poll(NOW + MINUTE, 60.0)
    longer = replace(GRANT, ends_at=NOW + 2 * MINUTE)
    publish(path, replace(content, number=2, authorisations=(longer,)), content.catalogue.version)
    reader.poll(NOW + MINUTE, 60.0)
    assert current(reader).latched == frozenset()
    assert reader.poll(NOW + 2 * MINUTE, 120.0)
    assert current(reader).latched == {7}


# Damage


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_a_damaged_file_is_never_enforced(path: Path, content: Snapshot, data: st.DataObject) -> None:
    """However the file is chopped or flipped, the state before goes on; it is logged and counted once."""
    metrics = Metrics(CollectorRegistry())
    publish(path, content)
    reader = reader_at(path, metrics=metrics)
    publish(path, replace(content, number=2, authorisations=()), content.catalogue.version)
    raw = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del raw[data.draw(st.integers(0, len(raw) - 1)) :]
    path.write_bytes(raw)
    reader.poll(NOW, 0.0)
    assert current(reader) == content
    confirm(path, NOW + MINUTE)
    reader.poll(NOW + MINUTE, 60.0)
    assert faults(metrics) == 1
    assert current(reader).confirmed_at == NOW


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "it is not a snapshot"),
        (b"{}" * 100, "it is not a snapshot"),
        (seam.HEADER.pack(seam.MAGIC, 2, 1, 0, bytes(32)), "it has format 2, this schoolgate reads 1"),
    ],
)
def test_a_foreign_file_is_said_to_be_one(
    path: Path, metrics: Metrics, raw: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Empty, foreign, or newer than this schoolgate: no state, one sentence, one count."""
    path.write_bytes(raw)
    reader = SnapshotReader(path, metrics)
    for second in range(3):
        confirm(path, NOW + timedelta(seconds=second))
        assert not reader.poll(NOW, 0.0)
    assert reader.current is None
    assert faults(metrics) == 1
    assert [why in record.getMessage() for record in caplog.records] == [True]


def test_names_of_another_catalogue_are_refused(path: Path, content: Snapshot, metrics: Metrics) -> None:
    """The trie must be the very one that was published: a wrong one would open what is listed."""
    publish(path, content)
    names = names_file(path, content.catalogue.version)
    names.write_bytes(names.read_bytes() + b"x")
    assert reader_at(path, metrics=metrics).current is None
    assert faults(metrics) == 1


def test_names_that_come_back_are_read(path: Path, content: Snapshot) -> None:
    """What could not be read is tried again when the keeper publishes again."""
    publish(path, content)
    names_file(path, content.catalogue.version).unlink()
    reader = reader_at(path)
    assert reader.current is None
    publish(path, replace(content, number=2))
    assert reader.poll(NOW, 0.0)
    assert current(reader).number == 2


# Publishing


def test_numbers_go_on_from_the_file(path: Path, content: Snapshot) -> None:
    """A keeper that starts again goes on counting; without a file it starts from nothing."""
    assert last_number(path) == 0
    publish(path, replace(content, number=41))
    assert last_number(path) == 41
    path.write_bytes(b"damaged")
    assert last_number(path) == 0


def test_the_file_of_the_version_before_is_read(path: Path, content: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows no browsing credentials: nobody has one until the keeper publishes anew, under the next number."""
    whole = seam.to_json(content)
    people = {name: {"role": m.role, "groups": sorted(m.groups)} for name, m in content.members.items()}
    with monkeypatch.context() as before:
        before.setattr(seam, "to_json", lambda _: {**whole, "members": people})
        publish(path, content)
    reader = reader_at(path)
    assert reader.current is not None
    assert reader.current.members == {name: replace(m, browsing=None) for name, m in content.members.items()}
    publish(path, replace(content, number=last_number(path) + 1))
    assert reader.poll(NOW, 1.0)
    assert reader.current.members == content.members


def test_what_is_published_is_private(path: Path, content: Snapshot) -> None:
    """Who is granted what is nobody else's to read, and nothing else is left lying about."""
    publish(path, content)
    names = names_file(path, content.catalogue.version)
    assert sorted(p.name for p in path.parent.iterdir()) == sorted([path.name, names.name])
    assert {p.stat().st_mode & 0o777 for p in path.parent.iterdir()} == {0o600}


def test_old_names_are_removed_after_a_while(path: Path, content: Snapshot) -> None:
    """The names before stay for those who are about to open them; older ones go."""
    for number, version in enumerate("abc", start=1):
        catalogue = replace(content.catalogue, version=version)
        publish(path, replace(content, number=number, catalogue=catalogue))
        os.utime(names_file(path, version), (number, number))
    assert sorted(p.name for p in path.parent.glob("*.trie")) == ["catalogue-b.trie", "catalogue-c.trie"]


def test_a_state_that_cannot_be_written_leaves_the_one_before(path: Path, content: Snapshot) -> None:
    """Publishing fails whole: the last good state stays in force, nothing half-written beside it."""
    publish(path, content)
    before = path.read_bytes()
    broken = replace(content, number=2, members={"\ud800": Member("staff", frozenset())})
    with pytest.raises(UnicodeEncodeError):
        publish(path, broken, content.catalogue.version)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 2


@pytest.mark.parametrize("length", [2**40, 2**63, 0])
def test_a_length_that_is_not_the_files_is_damage(tmp_path: Path, content: Snapshot, length: int) -> None:
    """Not a number of bytes to ask memory for; the reader goes on without, and takes the next good state."""
    path = tmp_path / "snapshot"
    publish(path, content)
    data = bytearray(path.read_bytes())
    magic, version, number, _, digest = seam.HEADER.unpack_from(data)
    seam.HEADER.pack_into(data, 0, magic, version, number, length, digest)
    path.write_bytes(data)
    reader = SnapshotReader(path)
    assert not reader.poll(NOW, 0.0)
    assert reader.current is None
    publish(path, replace(content, number=2))
    assert reader.poll(NOW, 1.0)
