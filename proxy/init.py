"""First run: what is missing in the state directory is made, what is there is left as it is.

Only ``run``, ``ca init`` and the first ``people add`` come here. The directory holds secrets and the record, so it
belongs to whoever runs schoolgate, and nobody else enters it (0700).
"""

import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from policies.model import Catalogue, Policy
from proxy.ca import issuing
from proxy.ca.errors import CaError
from proxy.ca.names import refusable_names
from proxy.files import private_directory
from proxy.record.reference import reference_key
from proxy.settings import Settings
from proxy.store.engine import Store
from proxy.store.errors import StoreError


class InitError(Exception):
    """The state directory cannot be prepared; ``hint`` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Prepared:
    """``warnings``: what the gateway can do without for now. ``made_ca``: whether there was none before."""

    warnings: tuple[str, ...]
    made_ca: bool


def prepare(
    settings: Settings, policy: Policy, catalogue: Catalogue, now: datetime, passphrase: str | None = None
) -> Prepared:
    """Make everything that a gateway needs.

    With a snapshot to enforce, a gateway starts without its store; with a CA of old, without new intermediates.
    ``passphrase``: for the root's key of a new CA; without one, one is made and left beside the key.
    Raises InitError, StoreError, CaError, ReferenceKeyError, OSError.
    """
    prepare_directory(settings)
    for directory in (settings.journal_dir, settings.process_dir):
        private_directory(directory)
    reference_key(settings)
    warnings = [*_prepare_store(settings)]
    made_ca = False
    try:
        names = refusable_names(policy, catalogue, settings.host_name)
        made_ca = issuing.ensure(settings.ca_dir, names, now, passphrase)
    except CaError as error:
        if not settings.ca_dir.exists():
            raise
        warnings.append(f"{error} {error.hint}")
    return Prepared(tuple(warnings), made_ca)


def prepare_directory(settings: Settings) -> None:
    """Make the state directory, or check that it is ours alone. Raises InitError."""
    path = settings.state_dir
    try:
        private_directory(path)
        about = path.stat()
    except OSError as error:
        hint = "Make it for this user (0700), or name another with SCHOOLGATE_STATE_DIR."
        raise InitError(f"{path}: the state directory cannot be made: {error.strerror}.", hint) from error
    if about.st_uid != os.geteuid():
        owner = _user(about.st_uid)
        raise InitError(f"{path} belongs to {owner}, not to you.", f"Try `sudo -u {owner} schoolgate …`.")
    if about.st_mode & 0o077:
        _close(path, settings)


def prepare_store(settings: Settings) -> None:
    """Make the store where there is none. Raises InitError, StoreError."""
    prepare_directory(settings)
    Store.open(settings.store_url, create=True).close()


def _prepare_store(settings: Settings) -> Iterator[str]:
    try:
        prepare_store(settings)
    except StoreError as error:
        if not settings.snapshot_file.exists():
            raise
        yield f"{error} {error.hint} Until then what was last published is enforced."


def _close(path: Path, settings: Settings) -> None:
    """A directory that others may enter is closed to them if it is plainly ours: empty, or in use already."""
    if any(path.iterdir()) and not settings.reference_key_file.exists():
        raise InitError(
            f"{path}: others may enter this directory, and it holds something else already.",
            f"Name a directory for schoolgate alone, or `chmod 700 {path}` if it is that.",
        )
    path.chmod(0o700)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
