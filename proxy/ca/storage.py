"""The CA's directory: ``root.pem``, ``root.key``, and one file per intermediate with its certificate and its key.

The root's key lies apart because only issuing an intermediate needs it: answering does not, and it may be kept away
from the gateway (``root_key``). Private keys that others can read are refused. Files appear whole or not at all.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from policies.names import HostName
from proxy.ca.certificates import Signer, certificate_pem, key_pem, permitted_names
from proxy.ca.errors import CaError, CaExists, CaMissing
from proxy.files import sync_directory

ROOT_CERTIFICATE = "root.pem"
ROOT_KEY = "root.key"
ROOT_PASSPHRASE = "root.passphrase"  # noqa: S105 -- a file's name; the file is there only until somebody took it away
INTERMEDIATES = "intermediates"

LARGEST_FILE = 1 << 20
DAMAGE = (ValueError, TypeError, UnsupportedAlgorithm)
OTHERS = stat.S_IRWXG | stat.S_IRWXO
RESTORE = "Restore it from a backup. Where there is none, move the directory away and run `schoolgate ca init`: \
every device must then be given the new root."


@dataclass(frozen=True, slots=True)
class Intermediate:
    """An intermediate as it lies in the directory; ``title`` is its file's name."""

    title: str
    signer: Signer
    names: tuple[HostName, ...]

    @property
    def certificate(self) -> x509.Certificate:
        return self.signer.certificate


# Reading


def exists(ca_dir: Path) -> bool:
    return (ca_dir / ROOT_CERTIFICATE).exists()


def read_root(ca_dir: Path) -> x509.Certificate:
    """The root's certificate, without its key."""
    path = ca_dir / ROOT_CERTIFICATE
    try:
        return _certificate(path, read(path))
    except CaMissing:
        raise CaMissing(f"{ca_dir}: there is no CA here.", "Make one with `schoolgate ca init`.") from None


def read_intermediates(ca_dir: Path, root: x509.Certificate) -> tuple[Intermediate, ...]:
    """Every intermediate, in the order of their titles."""
    with reading(ca_dir):
        check_private(ca_dir, ca_dir.stat())
    return tuple(_intermediates(ca_dir / INTERMEDIATES, root))


def _intermediates(folder: Path, root: x509.Certificate) -> Iterator[Intermediate]:
    for path in sorted(folder.glob("*.pem")):
        with suppress(CaMissing):  # a renewal took it away since we looked
            yield _intermediate(path, root)


def _intermediate(path: Path, root: x509.Certificate) -> Intermediate:
    data = read(path, secret=True)
    certificate = _certificate(path, data)
    try:
        certificate.verify_directly_issued_by(root)
    except (InvalidSignature, *DAMAGE) as error:
        raise CaError(f"{path}: this intermediate was not issued by the root beside it.", RESTORE) from error
    return Intermediate(path.stem, signer_of(path, certificate, data), permitted_names(certificate))


def _certificate(path: Path, data: bytes) -> x509.Certificate:
    """Read to its last extension: the library would find damage only when somebody looks there."""
    try:
        certificate = x509.load_pem_x509_certificate(data)
        certificate.public_key()
        for lazy in (certificate.subject, certificate.extensions, certificate.not_valid_before_utc):
            repr(lazy)
    except Exception as error:  # what the library throws at damage is not promised: KeyError was one
        raise CaError(f"{path}: this is not a certificate in PEM form, or a damaged one.", RESTORE) from error
    return certificate


def signer_of(path: Path, certificate: x509.Certificate, data: bytes, passphrase: str | None = None) -> Signer:
    """The key in ``data``, if it is the certificate's. A wrong passphrase looks like a damaged file."""
    try:
        key = load_pem_private_key(data, passphrase.encode() if passphrase is not None else None)
    except DAMAGE as error:
        raise CaError(f"{path}: the private key cannot be read.", RESTORE) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise CaError(f"{path}: the private key does not belong to its certificate.", RESTORE)
    return Signer(certificate, key)


def read(path: Path, *, secret: bool = False) -> bytes:
    with reading(path), path.open("rb") as file:
        if secret:
            check_private(path, os.fstat(file.fileno()))
        return file.read(LARGEST_FILE)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise CaMissing(f"{path}: this part of the CA is missing.", RESTORE) from None
    except OSError as error:
        raise CaError(f"{path}: cannot be read: {error.strerror}.", "Look at its owner and at the disk.") from error


def check_private(path: Path, about: os.stat_result) -> None:
    if about.st_mode & OTHERS:
        mode = "700" if stat.S_ISDIR(about.st_mode) else "600"
        raise CaError(
            f"{path}: others than its owner can read or change it, and it holds a private key.",
            f"Find out who did, then `chmod {mode} {path}`. If somebody may have copied it, make a new CA.",
        )


# Writing


def write_new(ca_dir: Path, root: Mapping[str, bytes], intermediates: Mapping[str, Signer]) -> None:
    """Make the directory in one step. Raises CaExists rather than touch what is there.

    ``root``: the files beside the intermediates, by their names.
    """
    if ca_dir.exists() and (not ca_dir.is_dir() or any(ca_dir.iterdir())):
        raise CaExists(f"{ca_dir}: there is something here already.", "A CA is never overwritten: move it away first.")
    with writing(ca_dir):
        draft = Path(tempfile.mkdtemp(prefix=f".{ca_dir.name}-", dir=ca_dir.parent))
        try:
            (draft / INTERMEDIATES).mkdir(mode=0o700)
            for name, data in root.items():
                _write(draft / name, data, mode=0o644 if name == ROOT_CERTIFICATE else 0o600)
            for title, signer in intermediates.items():
                _write(_path_of(draft, title), _together(signer))
            sync_directory(draft / INTERMEDIATES)
            sync_directory(draft)
            draft.rename(ca_dir)  # onto an empty directory at most: the system refuses any other
            sync_directory(ca_dir.parent)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def change_intermediates(ca_dir: Path, added: Mapping[str, Signer], removed: Iterable[str]) -> None:
    """All new ones are on the disk before the first is in use, and in use before an old one goes."""
    folder = ca_dir / INTERMEDIATES
    with writing(folder):
        _clear(folder)
        try:
            for title, signer in added.items():
                _write(folder / f"{title}.new", _together(signer))
            for title in added:
                (folder / f"{title}.new").rename(_path_of(ca_dir, title))
            sync_directory(folder)
        finally:
            _clear(folder)
        for title in removed:
            _path_of(ca_dir, title).unlink(missing_ok=True)
        sync_directory(folder)


def _clear(folder: Path) -> None:
    """What a start or a renewal left that did not come to its end."""
    for draft in folder.glob("*.new"):
        draft.unlink()


@contextmanager
def locked(ca_dir: Path) -> Iterator[None]:
    """One writer at a time."""
    with writing(ca_dir):
        descriptor = os.open(ca_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flock(descriptor, LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "Look at the directory's owner, and at the space on the disk. Nothing was changed."
        raise CaError(f"{path}: cannot be written: {error.strerror}.", hint) from error


def _path_of(ca_dir: Path, title: str) -> Path:
    return ca_dir / INTERMEDIATES / f"{title}.pem"


def _together(signer: Signer) -> bytes:
    return certificate_pem(signer.certificate) + key_pem(signer.key)


def _write(path: Path, data: bytes, mode: int = 0o600) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123 -- a descriptor
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
