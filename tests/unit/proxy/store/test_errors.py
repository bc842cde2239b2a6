"""Whatever is wrong with the store is one kind of error, with a sentence and what to do."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from proxy.store import connection, errors
from proxy.store.engine import Store
from proxy.store.models import Group


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for a lock is over at once, on connections made from now on."""
    monkeypatch.setattr(connection, "PATIENCE", 0)
    monkeypatch.setattr(connection, "POSTGRESQL_OPTIONS", "-c timezone=UTC -c lock_timeout=1ms")


def test_missing(tmp_path: Path) -> None:
    """A store that is not there is not made in passing."""
    with pytest.raises(errors.StoreMissing, match=f"no store at {tmp_path}/a.db") as caught:
        Store.open(f"sqlite:///{tmp_path}/a.db")
    assert "schoolgate run" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("impatient")
def test_locked(store_url: str) -> None:
    """Another's unit of work that does not end is said to be in the way."""
    one, other = Store.open(store_url), Store.open(store_url)
    with one.write(), pytest.raises(errors.StoreLocked, match="is locked"), other.write():
        pass
    one.close()
    other.close()


def test_read_only(tmp_path: Path) -> None:
    """A file that may not be written is said to be read-only."""
    url = f"sqlite:///{tmp_path}/a.db"
    Store.open(url, create=True).close()
    read_only = sqlite3.connect(f"file:{tmp_path}/a.db?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError) as caught:
        read_only.execute("UPDATE generation SET number = 7")
    read_only.close()
    assert isinstance(errors.of_driver(caught.value, "a.db"), errors.StoreReadOnly)


def test_not_a_database(tmp_path: Path) -> None:
    """Another file in the store's place is not touched."""
    (tmp_path / "a.db").write_text("Dear diary, " * 1000)
    for create in (False, True):
        with pytest.raises(errors.StoreDamaged, match="is not a database"):
            Store.open(f"sqlite:///{tmp_path}/a.db", create=create)
    assert (tmp_path / "a.db").read_text().startswith("Dear diary")


def test_a_damaged_file(tmp_path: Path) -> None:
    """A file with a part overwritten is said to be damaged when that part is read."""
    url = f"sqlite:///{tmp_path}/a.db"
    Store.open(url, create=True).close()
    whole = (tmp_path / "a.db").read_bytes()
    (tmp_path / "a.db").write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
    with pytest.raises(errors.StoreDamaged, match="is damaged"):
        Store.open(url)


def test_full(tmp_path: Path) -> None:
    """A disk without room is said to be full, and the unit leaves nothing."""
    store = Store.open(f"sqlite:///{tmp_path}/a.db", create=True)
    with pytest.raises(errors.StoreFull, match="disk is full"):
        _fill(store)
    with store.read() as session:
        assert session.execute(text("SELECT count(*) FROM groups")).scalar_one() == 0
    store.close()


def _fill(store: Store) -> None:
    with store.write() as session:
        pages = session.execute(text("PRAGMA page_count")).scalar_one()
        session.execute(text(f"PRAGMA max_page_count = {pages}"))
        session.execute(insert(Group), [{"name": "x" * 1000 + str(number)} for number in range(100)])


def test_no_such_server(tmp_path: Path) -> None:
    """A server that does not answer is said to be unavailable; a password in the URL is not said."""
    with pytest.raises(errors.StoreUnavailable) as caught:
        Store.open(f"postgresql://gate:hush-hush@/schoolgate?host={tmp_path}")
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("", "is no database URL"),
        ("nonsense", "is no database URL"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("mysql://localhost/schoolgate", "neither SQLite nor PostgreSQL"),
    ],
)
def test_wrong_urls(url: str, what: str) -> None:
    """What cannot be a store is refused, with what could be."""
    with pytest.raises(errors.StoreUnavailable, match=what) as caught:
        Store.open(url)
    assert "sqlite:////" in caught.value.hint


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EACCES, errors.StoreReadOnly),
        (errno.EROFS, errors.StoreReadOnly),
        (errno.ENOSPC, errors.StoreFull),
        (errno.ENOTDIR, errors.StoreUnavailable),
    ],
)
def test_of_the_system(number: int, kind: type[errors.StoreError]) -> None:
    """What the system refuses is translated like what the database refuses."""
    error = errors.of_system(OSError(number, os.strerror(number)), "a.db")
    assert type(error) is kind
    assert os.strerror(number) in str(error)


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    """A state directory that cannot be made is said to be in the way, and nothing is left."""
    (tmp_path / "file").touch()
    with pytest.raises(errors.StoreError, match=r"cannot be opened: (Not a directory|File exists)"):
        Store.open(f"sqlite:///{tmp_path}/file/a.db", create=True)


def test_gone_while_open(tmp_path: Path) -> None:
    """A store whose file was taken away is said to be missing."""
    store = Store.open(f"sqlite:///{tmp_path}/a.db", create=True)
    store.generation()
    (tmp_path / "a.db").unlink()
    with pytest.raises(errors.StoreMissing):
        store.generation()
    store.close()
