"""Stores for tests: each test that asks for one runs on SQLite and on PostgreSQL, with a database of its own.

PostgreSQL is the machine's own, started once per run in a directory of its own, reached through a socket there alone.
As root it runs as the user ``postgres``, for it refuses to run as root.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from proxy.store import schema
from proxy.store.engine import Store
from proxy.store.models import METADATA
from tests.needs import postgresql_programs, require

SERVER_SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "max_connections=60",
    "shared_buffers=32MB",
)
BACKENDS = ("sqlite", "postgresql")
HANG_UP_ON_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
)


@dataclass
class PostgreSQL:
    """A running server, and databases on it by number."""

    directory: Path
    numbers: Iterator[int] = field(default_factory=count)
    clean: list[str] = field(default_factory=list)  # databases with the schema and nothing in them

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.directory}"

    def create(self, template: str = "template0") -> str:
        """A new database; its name."""
        name = f"t{next(self.numbers)}"
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def borrow(self, template: str) -> str:
        """A database with the schema and nothing in it: one that was used before, or a copy of ``template``."""
        return self.clean.pop() if self.clean else self.create(template)

    def give_back(self, name: str) -> None:
        """Empty it for the next test, whoever is still connected: making and dropping one costs many times as much.

        One that is not of this schema any more is dropped.
        """
        with closing(psycopg.connect(self.url(name), autocommit=True)) as connection:
            connection.execute(HANG_UP_ON_OTHERS, [name])
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            is_usual = revision == (schema.revisions()[-1],)
            if is_usual:
                with connection.transaction():
                    for table in reversed(METADATA.sorted_tables):
                        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))
                    connection.execute("SELECT setval(seqrelid, seqstart, false) FROM pg_sequence")
                    connection.execute("INSERT INTO generation (id, number) VALUES (1, 0)")
                self.clean.append(name)
        if not is_usual:
            self.drop(name)

    def drop(self, name: str) -> None:
        self._run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _run(self, statement: sql.Composed) -> None:
        with closing(psycopg.connect(self.url("postgres"), autocommit=True)) as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    require("postgresql")
    programs = postgresql_programs()
    assert programs is not None
    directory = Path(tempfile.mkdtemp(prefix="sg-pg-"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(directory, user)

    def run(program: str, *arguments: str) -> None:
        groups = [] if user else None
        log = directory / "server.log"
        command = [programs / program, "-D", directory / "data", *arguments]
        with log.open("ab") as output:
            subprocess.run(
                command,
                cwd=directory,
                user=user,
                group=user,
                extra_groups=groups,
                check=True,
                stdout=output,
                stderr=output,
            )

    settings = " ".join(f"-c {setting}" for setting in (*SERVER_SETTINGS, f"unix_socket_directories={directory}"))
    try:
        run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        run("pg_ctl", "--wait", "--options", settings, "start")
        try:
            yield PostgreSQL(directory)
        finally:
            run("pg_ctl", "--wait", "--mode=immediate", "stop")
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def postgresql_template(postgresql: PostgreSQL) -> str:
    """A database with the schema and nothing in it, to copy."""
    name = postgresql.create()
    schema.upgrade(postgresql.url(name))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the schema and nothing in it, to copy."""
    path = tmp_path_factory.mktemp("template") / "schoolgate.db"
    Store.open(f"sqlite:///{path}", create=True).close()
    return path


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of store that a test runs on: it runs on each."""
    return str(request.param)


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a store can be, and nothing is yet."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path}/schoolgate.db"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def store_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store with the schema and nothing in it."""
    if backend == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "schoolgate.db")
        yield f"sqlite:///{tmp_path}/schoolgate.db"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    name = server.borrow(request.getfixturevalue("postgresql_template"))
    yield server.url(name)
    server.give_back(name)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An open store with nothing in it."""
    opened = Store.open(store_url)
    yield opened
    opened.close()
