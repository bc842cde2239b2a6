"""Units of reading and writing, and the number that moves."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update

from policies.vocabulary import Role
from proxy.store.engine import Store
from proxy.store.errors import StoreReadOnly
from proxy.store.models import Device, Group, JournalPosition, Person

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


def names(store: Store) -> list[str]:
    with store.read() as session:
        return list(session.scalars(select(Group.name).order_by(Group.name)))


def fail_halfway(store: Store) -> None:
    with store.write() as session:
        session.add(Group(name="governors"))
        session.flush()
        raise KeyError("anything")


def test_a_unit_is_kept(store: Store) -> None:
    """What a unit of work did is there for the next."""
    with store.write() as session:
        session.add(Group(name="governors"))
    assert names(store) == ["governors"]


def test_a_failed_unit_leaves_nothing(store: Store) -> None:
    """A unit of work that raises is undone whole, and its error is its own."""
    with pytest.raises(KeyError, match="anything"):
        fail_halfway(store)
    assert names(store) == []


def test_a_rehearsal_leaves_nothing(store: Store) -> None:
    """It sees what it would do, and neither that nor the generation stays."""
    before = store.generation()
    with store.rehearse() as session:
        session.add(Group(name="a"))
        session.flush()
        assert session.scalars(select(Group.name)).all() == ["a"]
    assert names(store) == []
    assert store.generation() == before


def test_reading_cannot_write(store: Store) -> None:
    """A unit of reading that writes is refused by the database."""
    with pytest.raises(StoreReadOnly), store.read() as session:
        session.execute(insert(Group).values(name="governors"))
    assert names(store) == []


def test_reading_sees_one_state(store: Store) -> None:
    """What is committed meanwhile is not seen halfway through a unit of reading."""
    with store.read() as session:
        assert session.scalars(select(Group.name)).all() == []
        with store.write() as other:
            other.add(Group(name="governors"))
        assert session.scalars(select(Group.name)).all() == []
    assert names(store) == ["governors"]


def test_generation_moves_with_the_snapshot(store: Store) -> None:
    """Adding, changing and removing what a snapshot is made of moves the number, once a unit."""
    numbers = [store.generation()]
    for statement in (
        insert(Group).values(name="a"),
        update(Group).values(name="b"),
        delete(Group),
    ):
        with store.write() as session:
            session.execute(statement)
        numbers.append(store.generation())
    with store.write() as session:
        session.add_all([Group(name="c"), Device(name="d", added_at=NOW)])
    numbers.append(store.generation())
    assert numbers == [0, 1, 2, 3, 4]


def test_generation_moves_with_changed_objects(store: Store) -> None:
    """A change through an object moves the number; touching it without a change does not."""
    with store.write() as session:
        session.add(Person(name="a", display_name="A", role=Role.STAFF, added_at=NOW))
    before = store.generation()
    with store.write() as session:
        session.scalars(select(Person)).one().enabled = True
    assert store.generation() == before
    with store.write() as session:
        session.scalars(select(Person)).one().enabled = False
    assert store.generation() == before + 1


def test_generation_stays_for_the_record(store: Store) -> None:
    """Recording attempts publishes no snapshot."""
    with store.write() as session:
        session.add(JournalPosition(segment="a", offset=1))
    assert store.generation() == 0


def test_generation_stays_when_undone(store: Store) -> None:
    """What was rolled back moved nothing."""
    with pytest.raises(KeyError, match="anything"):
        fail_halfway(store)
    assert store.generation() == 0


def test_generation_is_seen_by_others(store: Store, store_url: str) -> None:
    """Another process's change is noticed."""
    assert store.generation() == 0
    other = Store.open(store_url)
    with other.write() as session:
        session.add(Group(name="a"))
    other.close()
    assert store.generation() == 1


def test_another_file_in_its_place(tmp_path: Path) -> None:
    """A backup put in the store's place is noticed, and read from then on."""
    url, backup = f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db"
    store, other = Store.open(url, create=True), Store.open(backup, create=True)
    for number in range(3):
        with other.write() as session:
            session.add(Group(name=f"g{number}"))
    other.close()
    assert store.generation() == 0
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"a.db{end}").unlink(missing_ok=True)
    (tmp_path / "b.db").rename(tmp_path / "a.db")
    assert store.generation() == 3
    assert names(store) == ["g0", "g1", "g2"]
    store.close()


def test_files_are_private(tmp_path: Path) -> None:
    """The store, all that SQLite puts beside it, and a directory made for it belong to one user."""
    directory = tmp_path / "state"
    store = Store.open(f"sqlite:///{directory}/schoolgate.db", create=True)
    with store.write() as session:
        session.add(Group(name="a"))
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o777 for file in directory.iterdir()} == dict.fromkeys(
        ("schoolgate.db", "schoolgate.db-wal", "schoolgate.db-shm"), 0o600
    )
    store.close()


def test_sqlite_is_as_safe_as_it_can_be(tmp_path: Path) -> None:
    """Write-ahead log, foreign keys, and every commit on the disk before it is answered for."""
    store = Store.open(f"sqlite:///{tmp_path}/a.db", create=True)
    with store.read() as session:
        connection = session.connection()
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 5000}
    store.close()
