"""How the store is reached: SQLite in WAL with foreign keys and full synchronisation, PostgreSQL through psycopg.

A write unit is alone from its first moment: ``BEGIN IMMEDIATE`` on SQLite, one advisory lock on PostgreSQL. A read
unit sees one state throughout and cannot write. The execution option ``unit`` says which; it is obeyed at the begin.
"""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from proxy.store.errors import StoreMissing, StoreUnavailable, of_system

PATIENCE = 5  # seconds to wait for another writer
LONGEST_STATEMENT = 60
POSTGRESQL_OPTIONS = f"-c timezone=UTC -c lock_timeout={PATIENCE}s -c statement_timeout={LONGEST_STATEMENT}s"
WRITERS_LOCK = 7_160_302_004  # the advisory lock's number: any, but the same for every schoolgate


@dataclass(frozen=True, slots=True)
class Place:
    """Where the store is: a SQLite file, or a database on a PostgreSQL server."""

    url: URL
    file: Path | None  # None: PostgreSQL

    @classmethod
    def parse(cls, text: str) -> "Place":
        try:
            url = make_url(text)
        except ArgumentError:
            raise _wrong_url("is no database URL") from None
        match url.get_backend_name():
            case "sqlite" if url.database and url.database != ":memory:":
                return cls(url, Path(url.database).absolute())
            case "sqlite":
                raise _wrong_url("names no file")
            case "postgresql":
                return cls(url.set(drivername="postgresql+psycopg"), None)
            case other:
                raise _wrong_url(f"names {other!r}, which is neither SQLite nor PostgreSQL")

    def __str__(self) -> str:
        return str(self.file or self.url.render_as_string(hide_password=True))


def _wrong_url(what: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"store_url {what}.", "Write sqlite:////var/lib/schoolgate/schoolgate.db or postgresql://user@host/schoolgate."
    )


def create_file(path: Path) -> bool:
    """Make the store's file, 0600, and its directory, 0700, unless they exist. Whether it was made."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        if path.exists():
            return False
        raise of_system(error, str(path)) from error
    return True


def connect_sqlite(path: Path) -> sqlite3.Connection:
    """A connection to a file that exists. Transactions are begun by us, never by the driver."""
    if not path.exists():
        raise StoreMissing(f"There is no store at {path}.")
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        timeout=PATIENCE,
        isolation_level=None,
        check_same_thread=False,  # the pool hands a connection to one thread at a time
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # a ledger row that was answered for survives a power cut
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def engine_for(place: Place) -> Engine:
    """The engine of a place; it connects when it is first used."""
    if place.file is None:
        return _postgresql(place.url)
    path = place.file
    engine = create_engine(place.url, creator=lambda: connect_sqlite(path), poolclass=QueuePool, hide_parameters=True)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def readers(engine: Engine) -> Engine:
    """The same engine for units that only read, each from one state of the store."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(unit="read", isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine.execution_options(unit="read")


def writers(engine: Engine) -> Engine:
    """The same engine for units that write, one at a time."""
    return engine.execution_options(unit="write")


def _postgresql(url: URL) -> Engine:
    arguments: dict[str, Any] = {"options": POSTGRESQL_OPTIONS, "connect_timeout": PATIENCE}
    try:
        engine = create_engine(url, connect_args=arguments, pool_pre_ping=True, hide_parameters=True)
    except ModuleNotFoundError:
        raise StoreUnavailable(
            "This installation cannot reach PostgreSQL: its driver is missing.",
            "Install it with: pip install 'schoolgate[postgresql]'",
        ) from None
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("unit") == "write"
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get("unit") == "write":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})")
