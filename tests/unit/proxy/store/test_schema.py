"""The schema over time: made, recognised, moved forward whole, copied away."""

import shutil
import sqlite3
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from proxy.store import schema
from proxy.store.connection import Place, engine_for, writers
from proxy.store.engine import Store
from proxy.store.errors import StoreDamaged, StoreError, StoreNewer, StoreOlder
from proxy.store.models import METADATA, Group
from proxy.store.schema import SchemaState

with schema.migrations() as folder:
    HEAD = ScriptDirectory(folder).get_current_head()


def execute(url: str, *statements: str) -> None:
    engine = engine_for(Place.parse(url))
    with writers(engine).begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_made_from_nothing(empty_url: str) -> None:
    """Opening with ``create`` makes the schema; a second time it is just opened."""
    Store.open(empty_url, create=True).close()
    assert schema.status(empty_url).state is SchemaState.CURRENT
    Store.open(empty_url, create=True).close()


def test_revisions_are_alembics() -> None:
    """What is read off the files' names is what Alembic reads in them."""
    with schema.migrations() as folder:
        walked = [script.revision for script in ScriptDirectory(folder).walk_revisions()]
    assert schema.revisions() == tuple(reversed(walked))


def test_models_are_the_migrations(store_url: str) -> None:
    """What the code believes and what the migrations make is the same schema."""
    engine = engine_for(Place.parse(store_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, METADATA) == []
        command.check(schema.configuration(connection))
    engine.dispose()


def test_constraints_are_the_migrations(tmp_path: Path) -> None:
    """Check constraints too, which Alembic does not compare: by name and by what they say."""
    Store.open(f"sqlite:///{tmp_path}/migrated.db", create=True).close()
    modelled = create_engine(f"sqlite:///{tmp_path}/modelled.db")
    METADATA.create_all(modelled)
    migrated = create_engine(f"sqlite:///{tmp_path}/migrated.db")
    for table in METADATA.tables:
        assert _checks(migrated, table) == _checks(modelled, table)
    modelled.dispose()
    migrated.dispose()


def _checks(engine, table: str) -> dict[str | None, str]:
    return {check["name"]: check["sqltext"] for check in inspect(engine).get_check_constraints(table)}


def test_empty(empty_url: str, backend: str) -> None:
    """A database with nothing in it says that it waits for an upgrade."""
    if backend == "sqlite":
        Path(empty_url.removeprefix("sqlite:///")).touch()
    assert schema.status(empty_url).state is SchemaState.EMPTY
    with pytest.raises(StoreOlder, match="is empty"):
        Store.open(empty_url)
    assert schema.upgrade(empty_url).state is SchemaState.CURRENT
    Store.open(empty_url).close()


def test_newer(store_url: str) -> None:
    """A store of a newer schoolgate is not touched by an older one."""
    execute(store_url, "UPDATE alembic_version SET version_num = '9999'")
    assert schema.status(store_url).state is SchemaState.NEWER
    with pytest.raises(StoreNewer, match="newer schoolgate"):
        Store.open(store_url)
    with pytest.raises(StoreNewer):
        schema.upgrade(store_url)


def test_older(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older store says that it waits for an upgrade, and is not changed in passing."""
    add_migration(tmp_path, monkeypatch, "op.add_column('groups', sa.Column('colour', sa.Text()))")
    assert schema.status(store_url).state is SchemaState.OLDER
    for create in (False, True):
        with pytest.raises(StoreOlder) as caught:
            Store.open(store_url, create=create)
    assert "schoolgate store upgrade" in caught.value.hint
    assert schema.upgrade(store_url).state is SchemaState.CURRENT
    execute(store_url, "INSERT INTO groups (name, colour) VALUES ('a', 'blue')")


def test_upgrade_keeps_the_rows(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that is rebuilt, with others pointing to it, keeps its rows and theirs."""
    execute(
        store_url,
        "INSERT INTO people (id, name, display_name, role, enabled, added_at) "
        "VALUES (1, 'head', 'Head', 'slt', true, '2026-03-02 10:00:00.000000')",
        "INSERT INTO devices (id, name, owner_id, added_at) VALUES (1, 'd', 1, '2026-03-02 10:00:00.000000')",
    )
    change = "with op.batch_alter_table('people') as table:\n        table.alter_column('display_name', nullable=True)"
    add_migration(tmp_path, monkeypatch, change)
    schema.upgrade(store_url)
    execute(store_url, "UPDATE people SET display_name = NULL")
    store = engine_for(Place.parse(store_url))
    with store.connect() as connection:
        assert connection.execute(text("SELECT name, owner_id FROM devices")).all() == [("d", 1)]
        assert connection.execute(text("SELECT name, role FROM people")).all() == [("head", "slt")]
    store.dispose()


def test_a_failed_upgrade_changes_nothing(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that fails at its end has not happened."""
    add_migration(
        tmp_path, monkeypatch, "op.add_column('groups', sa.Column('colour', sa.Text()))\n    op.drop_table('nothing')"
    )
    with pytest.raises(StoreError):
        schema.upgrade(store_url)
    assert schema.status(store_url).revision == HEAD
    engine = engine_for(Place.parse(store_url))
    assert "colour" not in [column["name"] for column in inspect(engine).get_columns("groups")]
    engine.dispose()


def test_somebody_elses_database(empty_url: str, backend: str) -> None:
    """A database that holds other tables is not made ours."""
    if backend == "sqlite":
        Path(empty_url.removeprefix("sqlite:///")).touch()
    execute(empty_url, "CREATE TABLE homework (id INTEGER)")
    with pytest.raises(StoreDamaged, match="not schoolgate's"):
        Store.open(empty_url, create=True)


def test_backup(tmp_path: Path) -> None:
    """A backup holds all that was committed, in one private file, while the store is in use."""
    url, copy = f"sqlite:///{tmp_path}/a.db", tmp_path / "copies" / "b.db"
    store = Store.open(url, create=True)
    with store.write() as session:
        session.add(Group(name="governors"))
    with store.write() as session:
        session.add(Group(name="not yet"))
        session.flush()
        schema.backup(url, copy)
    store.close()
    assert [path.name for path in copy.parent.iterdir()] == ["b.db"]
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT name FROM groups").fetchall() == [("governors",)]


def test_a_backup_goes_on_while_others_commit(tmp_path: Path) -> None:
    """Each commit of others leaves the copy as it began, and its progress goes only forward."""
    url, copy = f"sqlite:///{tmp_path}/a.db", tmp_path / "b.db"
    store, told = Store.open(url, create=True), []
    with store.write() as session:
        session.add_all(Group(name=f"{number}-{'x' * 2000}") for number in range(5 * schema.PAGES))

    def meanwhile(done: int, total: int) -> None:
        told.append((done, total))
        assert len(told) < 100, "it begins again and again"
        with store.write() as session:
            session.add(Group(name=f"late {len(told)}"))

    schema.backup(url, copy, meanwhile)
    store.close()
    assert len(told) > 2
    assert told == sorted(told)
    assert len({total for _, total in told}) == 1
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM groups WHERE name LIKE 'late %'").fetchone() == (0,)


def test_a_backup_overwrites_nothing(tmp_path: Path) -> None:
    """A file that is there is somebody's."""
    url = f"sqlite:///{tmp_path}/a.db"
    Store.open(url, create=True).close()
    (tmp_path / "b.db").write_text("precious")
    with pytest.raises(StoreError, match="already there"):
        schema.backup(url, tmp_path / "b.db")
    assert (tmp_path / "b.db").read_text() == "precious"


def test_postgresql_is_backed_up_by_its_own_tools(tmp_path: Path) -> None:
    """What we would do worse than the database, we say how to do."""
    with pytest.raises(StoreError) as caught:
        schema.backup("postgresql://gate:hush-hush@db/schoolgate", tmp_path / "b")
    assert "pg_dump" in caught.value.hint
    assert "hush-hush" not in caught.value.hint


MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "9000"
down_revision = "{head}"


def upgrade() -> None:
    {change}
"""


def add_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """From now on the code is one migration further."""
    with schema.migrations() as folder:
        shutil.copytree(folder, tmp_path / "migrations")
    (tmp_path / "migrations" / "versions" / "9000_later.py").write_text(MIGRATION.format(head=HEAD, change=change))
    monkeypatch.setattr(schema, "migrations", lambda: nullcontext(tmp_path / "migrations"))
