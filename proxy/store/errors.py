"""What can be wrong with the store, each as one class with a sentence and a hint.

Drivers' errors are translated once, at the boundary that ``translated`` marks; nobody above sees a driver's error.
An IntegrityError is none of these: it is a rule of the schema that the code above should have kept, and stays itself.
"""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

# SQLite's primary result codes (https://www.sqlite.org/rescode.html)
SQLITE_PRIMARY = 0xFF


class StoreError(Exception):
    """Something is wrong with the store; ``hint`` says what to do about it."""

    hint = "Look at the message above, and at the store's own log."

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint if hint is not None else type(self).hint


class StoreMissing(StoreError):
    hint = "`schoolgate run` creates it, and so does adding the first person; `store_url` says where it is looked for."


class StoreLocked(StoreError):
    hint = "Something else has been writing to it for seconds: try again, and end a long copy or an open editor."


class StoreReadOnly(StoreError):
    hint = "The file, its -wal and -shm, and their directory must belong to the user that runs schoolgate."


class StoreFull(StoreError):
    hint = "Make room on its disk; enforcement goes on, and what waits in the journal is recorded once there is room."


class StoreNewer(StoreError):
    hint = "It was written by a newer schoolgate: install that version again."


class StoreOlder(StoreError):
    hint = "Run `schoolgate store upgrade` (and `schoolgate store backup` before it)."


class StoreUnavailable(StoreError):
    hint = "Check `store_url`, that its server runs, and that this user may connect to it."


class StoreDamaged(StoreError):
    hint = "Put the latest backup in its place (`schoolgate store backup` makes them)."


type Kind = tuple[type[StoreError], str]

_OF_SQLITE: Mapping[int, Kind] = MappingProxyType(
    {
        3: (StoreReadOnly, "may not be opened"),  # PERM
        5: (StoreLocked, "is locked"),  # BUSY
        6: (StoreLocked, "is locked"),  # LOCKED
        8: (StoreReadOnly, "is read-only"),  # READONLY
        10: (StoreDamaged, "cannot be read or written"),  # IOERR
        11: (StoreDamaged, "is damaged"),  # CORRUPT
        13: (StoreFull, "cannot grow: its disk is full"),  # FULL
        14: (StoreUnavailable, "cannot be opened"),  # CANTOPEN
        26: (StoreDamaged, "is not a database"),  # NOTADB
    }
)
_OF_POSTGRESQL: Mapping[str, Kind] = MappingProxyType(
    {
        "25006": (StoreReadOnly, "is read-only"),
        "28000": (StoreUnavailable, "lets nobody in with these credentials"),
        "28P01": (StoreUnavailable, "lets nobody in with these credentials"),
        "3D000": (StoreMissing, "does not exist"),
        "40001": (StoreLocked, "is busy"),
        "40P01": (StoreLocked, "is busy"),
        "53100": (StoreFull, "cannot grow: its disk is full"),
        "55P03": (StoreLocked, "is locked"),
        "57014": (StoreLocked, "took too long"),
    }
)
_OF_SYSTEM: Mapping[int, Kind] = MappingProxyType(
    {
        errno.EACCES: (StoreReadOnly, "may not be opened"),
        errno.EPERM: (StoreReadOnly, "may not be opened"),
        errno.EROFS: (StoreReadOnly, "is on a read-only disk"),
        errno.ENOSPC: (StoreFull, "cannot grow: its disk is full"),
        errno.EDQUOT: (StoreFull, "cannot grow: the quota is used up"),
        errno.ENOENT: (StoreMissing, "does not exist"),
    }
)


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn what goes wrong in the body into the StoreError it means; ``where`` names the store without secrets."""
    try:
        yield
    except IntegrityError:
        raise
    except SQLAlchemyError as error:
        raise _translate(error.orig if isinstance(error, DBAPIError) else error, where) from error


def of_system(error: OSError, where: str) -> StoreError:
    """The StoreError that a failed system call on the store's files means."""
    kind, what = _OF_SYSTEM.get(error.errno or 0, (StoreUnavailable, "cannot be opened"))
    return kind(f"The store {where} {what}: {error.strerror}.")


def of_driver(error: BaseException, where: str) -> StoreError:
    """The StoreError that an error of sqlite3 or psycopg means."""
    return _translate(error, where)


def _translate(error: BaseException | None, where: str) -> StoreError:
    code = getattr(error, "sqlite_errorcode", None)
    state = getattr(error, "sqlstate", None)
    unknown: Kind = (StoreUnavailable, "cannot be used")
    if code is not None:
        kind, what = _OF_SQLITE.get(code & SQLITE_PRIMARY, unknown)
    else:
        kind, what = _OF_POSTGRESQL.get(state or "", unknown)
    detail = str(error).strip().rstrip(".").replace("\n", " ")
    return kind(f"The store {where} {what} ({detail}).")
