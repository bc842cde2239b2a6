"""The key of the references that page and record share: made once, by whichever process comes first."""

import os
import secrets
from pathlib import Path

from proxy.files import private_directory, sync_directory
from proxy.settings import Settings

KEY_BYTES = 32


class ReferenceKeyError(Exception):
    """The key cannot be had; the message says where and why."""


def reference_key(settings: Settings) -> bytes:
    """The installation's key, made where there is none. Raises ReferenceKeyError."""
    path = settings.reference_key_file
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise ReferenceKeyError(f"{path}: the key of the references cannot be had: {error.strerror}") from error
    if len(key) != KEY_BYTES:
        raise ReferenceKeyError(f"{path}: a key has {KEY_BYTES} bytes, this has {len(key)}: restore it or move it away")
    return key


def _make(path: Path) -> None:
    """Linked into place whole, so that of two processes that make one, both use the first."""
    temporary = private_directory(path.parent) / f".{path.name}.{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(KEY_BYTES))
        os.fsync(descriptor)
        path.hardlink_to(temporary)
        sync_directory(path.parent)
    except FileExistsError:
        return
    finally:
        os.close(descriptor)
        temporary.unlink()
