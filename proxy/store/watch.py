"""Noticing that a SQLite store has changed, for the price of one system call and one pragma.

``PRAGMA data_version`` moves on a connection when *another* one commits: so this connection does nothing else.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from proxy.store.connection import connect_sqlite
from proxy.store.errors import StoreMissing, of_driver, of_system


@dataclass(frozen=True, slots=True)
class Seen:
    """Which file it was, and how far its changes had come."""

    file: tuple[int, int]
    version: int


class Watch:
    """A dedicated connection to the store's file. Not for two threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: tuple[int, int] | None = None
        self._connection: sqlite3.Connection | None = None

    def look(self) -> Seen:
        """Equal to the last one unless something was committed since, or another file took its place."""
        file = self._identity()
        try:
            if self._connection is None or file != self._file:
                self.close()
                self._connection, self._file = connect_sqlite(self._path), file
            return Seen(file, self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error as error:
            raise of_driver(error, str(self._path)) from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _identity(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            raise StoreMissing(f"There is no store at {self._path}.") from None
        except OSError as error:
            raise of_system(error, str(self._path)) from error
        return found.st_dev, found.st_ino
