"""The root's key: where it is, who can use it, and putting it under a passphrase.

Encrypted, with the passphrase on paper and the file on a stick in the safe, is how it should be. Where a first start
had nobody to show a passphrase to, it lies beside the key until somebody takes it away. A key of old without any goes
on working, and so does a stick's file, which is used from where it is and copied nowhere.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from proxy.ca import storage
from proxy.ca.certificates import Signer, key_pem
from proxy.ca.errors import CaError, CaMissing, KeyLocked, WrongPassphrase
from proxy.ca.passphrase import LONGEST, check_passphrase
from proxy.files import replace_file, sync_directory

ENCRYPTED = b"BEGIN ENCRYPTED PRIVATE KEY"
LOST = "If it is lost, nobody can recover it. Pages go on for as long as `schoolgate ca status` says; before then \
change to a new CA: docs/ca.md, When the passphrase is lost."


@dataclass(frozen=True, slots=True)
class RootKey:
    """``encrypted`` is None for a key that is not here. ``passphrase_left``: its passphrase lies in the directory."""

    present: bool
    encrypted: bool | None
    passphrase_left: bool

    @property
    def is_usable_by_itself(self) -> bool:
        """Whether a start can issue with it: nobody needs to be asked."""
        return self.present and (self.passphrase_left or not self.encrypted)


def look(ca_dir: Path) -> RootKey:
    path, left = ca_dir / storage.ROOT_KEY, (ca_dir / storage.ROOT_PASSPHRASE).exists()
    if not path.exists():
        return RootKey(present=False, encrypted=None, passphrase_left=left)
    return RootKey(present=True, encrypted=ENCRYPTED in storage.read(path), passphrase_left=left)


def read_signer(
    ca_dir: Path, root: x509.Certificate, key_file: Path | None = None, passphrase: str | None = None
) -> Signer:
    """The root with its key, to issue intermediates, from ``key_file`` where the key is kept elsewhere.

    Raises CaMissing where there is none, KeyLocked without its passphrase, WrongPassphrase.
    """
    path = key_file or ca_dir / storage.ROOT_KEY
    data = _read_key(path)
    if ENCRYPTED not in data:
        return storage.signer_of(path, root, storage.read(path, secret=True))
    if passphrase is None:
        passphrase = _left_passphrase(ca_dir)
    if passphrase is None:
        raise KeyLocked(
            f"{path}: the root's key is encrypted, and issuing needs its passphrase.",
            f"Give it on a terminal, or on standard input with --passphrase-stdin. {LOST}",
        )
    try:
        return storage.signer_of(path, root, data, passphrase)
    except CaError as error:
        if isinstance(error.__cause__, ValueError):  # damage and a wrong passphrase look alike
            hint = f"Nothing was changed. {LOST}"
            raise WrongPassphrase(f"{path}: that is not its passphrase, or the file is damaged.", hint) from error
        raise


def checked(ca_dir: Path, passphrase: str | None) -> str | None:
    """The passphrase, if it opens the key in the directory. Raises CaMissing, KeyLocked, WrongPassphrase."""
    if not look(ca_dir).present:
        hint = "Put it back for as long as this takes."
        raise CaMissing(f"{ca_dir / storage.ROOT_KEY}: the root's key is not here.", hint)
    read_signer(ca_dir, storage.read_root(ca_dir), passphrase=passphrase)
    return passphrase


def encrypt(ca_dir: Path, passphrase: str, present: str | None = None) -> None:
    """Put the key in the directory under a new passphrase; ``present``: the one it has. One left beside it goes."""
    check_passphrase(passphrase)
    checked(ca_dir, present)
    with storage.locked(ca_dir):
        signer = read_signer(ca_dir, storage.read_root(ca_dir), passphrase=present)
        with storage.writing(ca_dir):
            replace_file(ca_dir / storage.ROOT_KEY, key_pem(signer.key, passphrase))
        forget_passphrase(ca_dir)


def left_passphrase(ca_dir: Path) -> str | None:
    """The passphrase that a start left beside the key, once it is sure to be the right one."""
    passphrase = _left_passphrase(ca_dir)
    if passphrase is not None and look(ca_dir).present:
        read_signer(ca_dir, storage.read_root(ca_dir))
    return passphrase


def forget_passphrase(ca_dir: Path) -> None:
    with storage.writing(ca_dir):
        (ca_dir / storage.ROOT_PASSPHRASE).unlink(missing_ok=True)
        sync_directory(ca_dir)


def _read_key(path: Path) -> bytes:
    try:
        return storage.read(path)  # encrypted, it may lie on a stick, whose file system knows no owners
    except CaMissing:
        hint = (
            "Where it is on a stick: `schoolgate ca renew --root-key FILE`. "
            "Until then, names that no intermediate covers get no page."
        )
        raise CaMissing(f"{path}: the root's key is not here, and new intermediates need it.", hint) from None


def _left_passphrase(ca_dir: Path) -> str | None:
    path = ca_dir / storage.ROOT_PASSPHRASE
    if not path.exists():
        return None
    return storage.read(path, secret=True)[: LONGEST * 4].decode("utf-8", "replace").strip()
