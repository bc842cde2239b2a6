"""The CA's directory: ``root.pem``, ``root.key``, and one file per intermediate with its certificate and its key.

The root's key lies apart because only issuing an intermediate needs it: answering does not, and it may be kept away
from the gateway. Private keys that others can read are refused. Files appear whole or not at all.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

ROOT_CERTIFICATE = "root.pem"
ROOT_KEY = "root.key"
INTERMEDIATES = "intermediates"

LARGEST_FILE = 1 << 20
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
        data = _read(path, secret=False)
    except CaMissing:
        raise CaMissing(f"{ca_dir}: there is no CA here.", "Make one with `schoolgate ca init`.") from None
    return _certificate(path, data)


def read_root_signer(ca_dir: Path) -> Signer:
    """The root with its key, to issue intermediates. Raises CaMissing where the key is kept elsewhere."""
    certificate, path = read_root(ca_dir), ca_dir / ROOT_KEY
    try:
        data = _read(path, secret=True)
    except CaMissing:
        hint = "Put it back for as long as this takes. Until then, names that no intermediate covers get no page."
        raise CaMissing(f"{path}: the root's key is not here, and new intermediates need it.", hint) from None
    return _signer(path, certificate, data)


def read_intermediates(ca_dir: Path, root: x509.Certificate) -> tuple[Intermediate, ...]:
    """Every intermediate, in the order of their titles."""
    _check_private(ca_dir, ca_dir.stat())
    paths = sorted((ca_dir / INTERMEDIATES).glob("*.pem"))
    return tuple(_intermediate(path, root) for path in paths)


def _intermediate(path: Path, root: x509.Certificate) -> Intermediate:
    data = _read(path, secret=True)
    certificate = _certificate(path, data)
    try:
        certificate.verify_directly_issued_by(root)
    except (InvalidSignature, ValueError, TypeError) as error:
        raise CaError(f"{path}: this intermediate was not issued by the root beside it.", RESTORE) from error
    return Intermediate(path.stem, _signer(path, certificate, data), permitted_names(certificate))


def _certificate(path: Path, data: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(data)
    except ValueError as error:
        raise CaError(f"{path}: this is not a certificate in PEM form.", RESTORE) from error


def _signer(path: Path, certificate: x509.Certificate, data: bytes) -> Signer:
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CaError(f"{path}: the private key cannot be read.", RESTORE) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise CaError(f"{path}: the private key does not belong to its certificate.", RESTORE)
    return Signer(certificate, key)


def _read(path: Path, *, secret: bool) -> bytes:
    try:
        with path.open("rb") as file:
            if secret:
                _check_private(path, os.fstat(file.fileno()))
            return file.read(LARGEST_FILE)
    except FileNotFoundError:
        raise CaMissing(f"{path}: this file of the CA is missing.", RESTORE) from None
    except OSError as error:
        raise CaError(f"{path}: cannot be read: {error.strerror}.", "Look at its owner and at the disk.") from error


def _check_private(path: Path, about: os.stat_result) -> None:
    if about.st_mode & OTHERS:
        mode = "700" if stat.S_ISDIR(about.st_mode) else "600"
        raise CaError(
            f"{path}: others than its owner can read or change it, and it holds a private key.",
            f"Find out who did, then `chmod {mode} {path}`. If somebody may have copied it, make a new CA.",
        )


# Writing


def write_new(ca_dir: Path, root: Signer, intermediates: Mapping[str, Signer]) -> None:
    """Make the directory in one step. Raises CaExists rather than touch what is there."""
    if ca_dir.exists() and (not ca_dir.is_dir() or any(ca_dir.iterdir())):
        raise CaExists(f"{ca_dir}: there is something here already.", "A CA is never overwritten: move it away first.")
    with _writing(ca_dir):
        draft = Path(tempfile.mkdtemp(prefix=f".{ca_dir.name}-", dir=ca_dir.parent))
        try:
            (draft / INTERMEDIATES).mkdir(mode=0o700)
            _write(draft / ROOT_CERTIFICATE, certificate_pem(root.certificate), mode=0o644)
            _write(draft / ROOT_KEY, key_pem(root.key))
            for title, signer in intermediates.items():
                _write(_path_of(draft, title), certificate_pem(signer.certificate) + key_pem(signer.key))
            _sync(draft / INTERMEDIATES, draft)
            draft.rename(ca_dir)  # onto an empty directory at most: the system refuses any other
            _sync(ca_dir.parent)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def add_intermediate(ca_dir: Path, title: str, signer: Signer) -> None:
    path = _path_of(ca_dir, title)
    draft = path.with_suffix(".new")
    with _writing(path):
        draft.unlink(missing_ok=True)
        _write(draft, certificate_pem(signer.certificate) + key_pem(signer.key))
        draft.rename(path)
        _sync(path.parent)


@contextmanager
def locked(ca_dir: Path) -> Iterator[None]:
    """One writer at a time."""
    with _writing(ca_dir):
        descriptor = os.open(ca_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flock(descriptor, LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "Look at the directory's owner, and at the space on the disk. Nothing was changed."
        raise CaError(f"{path}: cannot be written: {error.strerror}.", hint) from error


def _path_of(ca_dir: Path, title: str) -> Path:
    return ca_dir / INTERMEDIATES / f"{title}.pem"


def _write(path: Path, data: bytes, mode: int = 0o600) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123 -- a descriptor
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(*directories: Path) -> None:
    for directory in directories:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
