"""Files that others rely on are replaced whole or not at all, and are nobody else's to read (0600, in 0700 folders)."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def private_directory(path: Path) -> Path:
    """Make a directory that only its owner enters. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def replace_file(path: Path, data: bytes, *, modified_ns: int | None = None, durable: bool = True) -> None:
    """Put ``data`` at ``path`` in one step; ``durable``: it survives a power cut from here on. Raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600 by itself
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if modified_ns is not None:
                os.utime(file.fileno(), ns=(modified_ns, modified_ns))
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
    if durable:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make what was created, renamed or removed in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def nanoseconds(seconds: float) -> int:
    """A POSIX time as ``os.utime`` takes it."""
    return round(seconds * 1_000_000) * 1_000


class AlreadyRunning(Exception):
    """Somebody else holds the lock; the message says who, and of what."""


@contextmanager
def lock_file(path: Path, what: str) -> Iterator[None]:
    """Be the only one with this lock; it goes with the process. Raises AlreadyRunning, OSError."""
    private_directory(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "?"
            raise AlreadyRunning(
                f"{what} already runs on {path.parent} (process {holder}); stop it first, or set another state_dir"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
