"""The store's schema over time: where it stands, moving it forward, copying it away first.

A schema is never changed in passing: a store that is older than the code says so, and waits for ``upgrade``.
Every command looks, few upgrade: where the schema stands is read without Alembic, whose import takes a quarter of a
second. So migrations are numbered, and a migration's file begins with its number.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from proxy.store.connection import Place, connect_sqlite, create_file, engine_for, writers
from proxy.store.errors import StoreDamaged, StoreError, StoreNewer, StoreOlder, of_driver, of_system, translated

if TYPE_CHECKING:
    from alembic.config import Config


type Progress = Callable[[int, int], None]
PAGES = 1024  # copied at a time: 4 MiB


class SchemaState(StrEnum):
    EMPTY = "empty"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaStatus:
    """Which revision the store has, which the code wants."""

    state: SchemaState
    revision: str | None
    head: str


def upgrade(url: str) -> SchemaStatus:
    """Bring the store to this code's schema, wholly or not at all. An empty one is created; a newer one refused."""
    place = Place.parse(url)
    engine = engine_for(place)
    try:
        with translated(str(place)), writers(engine).connect() as connection:
            if connection.dialect.name == "sqlite":
                _set_foreign_keys(connection, on=False)  # batch mode replaces tables that others point to
            with connection.begin():
                if of(connection).state is SchemaState.NEWER:
                    raise _newer(place)
                _run_migrations(connection)
                _check_foreign_keys(connection, place)
            return of(connection)
    finally:
        engine.dispose()


def status(url: str) -> SchemaStatus:
    """Where the store's schema stands."""
    place = Place.parse(url)
    engine = engine_for(place)
    try:
        with translated(str(place)), engine.connect() as connection:
            return of(connection)
    finally:
        engine.dispose()


def backup(url: str, to: Path, progress: Progress | None = None) -> None:
    """Copy a SQLite store to a new file, 0600, while it is in use. PostgreSQL has its own ways, and is told so.

    ``progress`` hears how many pages are copied, of how many.
    """
    place = Place.parse(url)
    if place.file is None:
        raise StoreError("A PostgreSQL store is backed up by its own tools.", f"Run: pg_dump --format=custom '{place}'")
    try:
        source = connect_sqlite(place.file)
    except sqlite3.Error as error:
        raise of_driver(error, str(place)) from error
    with closing(source):
        if not create_file(to):
            raise StoreError(f"{to} is already there, and is not overwritten.", "Name a new file.")
        try:
            _copy(source, to, progress)
        except BaseException:
            to.unlink(missing_ok=True)
            raise


def demand_current(connection: Connection, place: Place) -> None:
    """Raise StoreOlder or StoreNewer unless the store has this code's schema."""
    match of(connection):
        case SchemaStatus(state=SchemaState.CURRENT):
            return
        case SchemaStatus(state=SchemaState.NEWER):
            raise _newer(place)
        case SchemaStatus(state=SchemaState.EMPTY):
            raise StoreOlder(f"The store {place} is empty.")
        case _:
            raise StoreOlder(f"The store {place} was written by an older schoolgate.")


def of(connection: Connection) -> SchemaStatus:
    known, revision = revisions(), _revision(connection)
    if revision == known[-1]:
        state = SchemaState.CURRENT
    elif revision is None:
        state = SchemaState.EMPTY
    else:
        state = SchemaState.OLDER if revision in known else SchemaState.NEWER
    return SchemaStatus(state=state, revision=revision, head=known[-1])


def revisions() -> tuple[str, ...]:
    """The schema's revisions that this code knows, oldest first."""
    with migrations() as folder:
        return tuple(sorted(file.name.partition("_")[0] for file in (folder / "versions").glob("[0-9]*_*.py")))


def configuration(connection: Connection) -> "Config":
    """Alembic's configuration for one connection; env.py works on just that."""
    from alembic.config import Config  # noqa: PLC0415 -- see above

    config = Config()
    with migrations() as folder:
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrations() -> AbstractContextManager[Path]:
    """The folder of the migrations, wherever the package is."""
    return as_file(files("migrations"))


def _revision(connection: Connection) -> str | None:
    """What Alembic wrote down."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _run_migrations(connection: Connection) -> None:
    if of(connection).state is SchemaState.EMPTY and inspect(connection).get_table_names():
        raise StoreDamaged(
            "There are tables in that database which are not schoolgate's.", "Give schoolgate a database of its own."
        )
    from alembic import command  # noqa: PLC0415 -- see above

    command.upgrade(configuration(connection), "head")


def _set_foreign_keys(connection: Connection, *, on: bool) -> None:
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        driver.execute(f"PRAGMA foreign_keys = {'ON' if on else 'OFF'}")


def _check_foreign_keys(connection: Connection, place: Place) -> None:
    if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise StoreDamaged(f"The store {place} has rows that point to nothing; nothing was changed.")


def _newer(place: Place) -> StoreNewer:
    return StoreNewer(f"The store {place} was written by a newer schoolgate than this one.")


def _copy(source: sqlite3.Connection, to: Path, progress: Progress | None) -> None:
    """One state of the store: the read transaction holds it, or each commit of another would begin the copy anew."""

    def tell(_status: int, remaining: int, total: int) -> None:
        if progress:
            progress(total - remaining, total)

    try:
        with closing(sqlite3.connect(to, isolation_level=None)) as target:
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            source.backup(target, pages=PAGES, progress=tell)
            target.execute("PRAGMA journal_mode = DELETE")  # one file is the whole copy
        descriptor = os.open(to, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except sqlite3.Error as error:
        raise of_driver(error, str(to)) from error
    except OSError as error:
        raise of_system(error, str(to)) from error
