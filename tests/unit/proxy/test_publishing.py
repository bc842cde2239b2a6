"""What the keeper wants in force, and what the file says: numbers, confirmations, and putting it back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from policies.loading import load_catalogue, load_policy
from policies.names import host_name
from policies.snapshot import Member, Snapshot
from proxy.publishing import Publisher, Wanted
from proxy.snapshot import SnapshotReader, names_file
from proxy.store.queries import SnapshotParts

NOW = datetime(2025, 11, 24, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
POLICY = """\
school: {name: A school, contact: the office}
networks: {estate: {addresses: [10.0.0.0/8]}}
timetable: {}
rules: [{name: Estate, clause: "3 ¶1", verdict: deny}]
"""
SERVICES = """\
category: social-network
name: Social networks
services: {facebook: {name: Facebook, domains: [facebook.com]}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "snapshot"


@pytest.fixture
def wanted(tmp_path: Path) -> Callable[[str], Wanted]:
    """A state that has this person in it."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "policy.yml").write_text(POLICY)
    (folder / "social-network.yaml").write_text(SERVICES)
    policy, catalogue = load_policy(folder / "policy.yml"), load_catalogue(folder)

    def with_person(name: str) -> Wanted:
        parts = SnapshotParts(authorisations=(), devices=(), members={name: Member("staff")})
        return Wanted(policy, catalogue, parts)

    return with_person


def read(path: Path, now: datetime = LATER) -> Snapshot:
    reader = SnapshotReader(path)
    reader.poll(now, 0.0)
    assert reader.current is not None
    return reader.current


def test_numbers_go_up_through_every_life(path: Path, wanted: Callable[[str], Wanted]) -> None:
    """The next keeper goes on where the last one was, and knows what is in force."""
    first = Publisher(path, NOW, 0.0)
    assert (first.current, first.parts) == (None, None)
    first.publish(wanted("a"), NOW)
    first.publish(wanted("b"), NOW)
    second = Publisher(path, NOW, 0.0)
    assert second.parts == wanted("b").parts
    second.publish(wanted("c"), NOW)
    assert (read(path).number, list(read(path).members)) == (3, ["c"])


def test_only_a_store_that_answers_makes_it_younger(path: Path, wanted: Callable[[str], Wanted]) -> None:
    """A change of policy while the store is away is published with the age that the parts have."""
    publisher = Publisher(path, NOW, 0.0)
    publisher.publish(wanted("a"), NOW)
    publisher.publish(wanted("b"), None)
    assert (read(path).number, read(path).confirmed_at) == (2, NOW)
    assert publisher.confirm(LATER)
    assert read(path).confirmed_at == publisher.confirmed_at == LATER


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"nonsense")])
def test_a_file_that_is_not_ours_is_not_vouched_for(
    path: Path, wanted: Callable[[str], Wanted], damage: Callable[[Path], object]
) -> None:
    """Removed or overwritten: the keeper is told, and publishes again under a new number."""
    publisher = Publisher(path, NOW, 0.0)
    publisher.publish(wanted("a"), NOW)
    damage(path)
    assert not publisher.confirm(LATER)
    publisher.publish(wanted("a"), LATER)
    assert read(path).number == 2


def test_names_that_went_missing_are_written_again(path: Path, wanted: Callable[[str], Wanted]) -> None:
    """The first try says what is wrong, the next puts it right."""
    publisher = Publisher(path, NOW, 0.0)
    publisher.publish(wanted("a"), NOW)
    names_file(path, wanted("a").catalogue.version).unlink()
    with pytest.raises(FileNotFoundError):
        publisher.publish(wanted("b"), NOW)
    publisher.publish(wanted("b"), NOW)
    assert read(path).catalogue.find(host_name("www.facebook.com")) is not None
