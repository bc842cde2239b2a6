"""The root's key under its passphrase, with or without one beside it, here or away."""

import errno
import os
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from policies.names import HostName
from proxy.ca import issuing, root_key, storage
from proxy.ca.certificates import key_pem, new_key
from proxy.ca.errors import CaError, CaMissing, KeyLocked, WrongPassphrase
from proxy.ca.passphrase import new_passphrase
from proxy.ca.root_key import RootKey

Names = dict[str, tuple[HostName, ...]]
NEW = "another horse, another battery"


def opens(ca_dir: Path, passphrase: str) -> bool:
    try:
        root_key.read_signer(ca_dir, storage.read_root(ca_dir), passphrase=passphrase)
    except WrongPassphrase:
        return False
    return True


def test_a_passphrase_that_somebody_keeps_is_in_no_file(locked_dir: Path, passphrase: str) -> None:
    """Neither as it is nor the key without it."""
    data = b"".join(path.read_bytes() for path in locked_dir.rglob("*") if path.is_file())
    assert passphrase.encode() not in data
    assert root_key.look(locked_dir) == RootKey(present=True, encrypted=True, passphrase_left=False)
    with pytest.raises(TypeError, match="encrypted"):
        load_pem_private_key((locked_dir / "root.key").read_bytes(), None)
    assert opens(locked_dir, passphrase)


def test_nobody_to_show_it_to_leaves_it_beside_the_key(ca_dir: Path) -> None:
    """For its owner alone, and good for a start that has to issue something."""
    assert root_key.look(ca_dir) == RootKey(present=True, encrypted=True, passphrase_left=True)
    assert (ca_dir / "root.passphrase").stat().st_mode & 0o777 == 0o600
    assert opens(ca_dir, root_key.left_passphrase(ca_dir) or "")
    assert root_key.look(ca_dir).is_usable_by_itself


def test_taking_it_away(ca_dir: Path) -> None:
    """Afterwards the key is as it was, and nobody but people know the passphrase."""
    passphrase, key = root_key.left_passphrase(ca_dir), (ca_dir / "root.key").read_bytes()
    root_key.forget_passphrase(ca_dir)
    assert not (ca_dir / "root.passphrase").exists()
    assert (ca_dir / "root.key").read_bytes() == key
    assert root_key.left_passphrase(ca_dir) is None
    assert passphrase is not None
    assert opens(ca_dir, passphrase)


def test_a_key_of_old_goes_on_working(old_dir: Path, names: Names, now: datetime) -> None:
    """One that the first release left unencrypted issues as before."""
    assert root_key.look(old_dir) == RootKey(present=True, encrypted=False, passphrase_left=False)
    issuing.ensure(old_dir, {**names, "blog": (HostName("tumblr.com"),)}, now)


def test_a_key_of_old_is_encrypted(old_dir: Path) -> None:
    """The same key, for its owner alone."""
    before = load_pem_private_key((old_dir / "root.key").read_bytes(), None)
    root_key.encrypt(old_dir, NEW)
    after = load_pem_private_key((old_dir / "root.key").read_bytes(), NEW.encode())
    assert after.public_key() == before.public_key()
    assert (old_dir / "root.key").stat().st_mode & 0o777 == 0o600


def test_a_passphrase_is_changed(locked_dir: Path, passphrase: str) -> None:
    """The new one opens it, the one before no more."""
    root_key.encrypt(locked_dir, NEW, passphrase)
    assert opens(locked_dir, NEW)
    assert not opens(locked_dir, passphrase)


def test_setting_one_takes_away_what_was_left(ca_dir: Path) -> None:
    """Somebody chose another: the one in the file opens nothing, and is gone."""
    left = root_key.left_passphrase(ca_dir)
    root_key.encrypt(ca_dir, NEW, left)
    assert not (ca_dir / "root.passphrase").exists()
    assert opens(ca_dir, NEW)


@pytest.mark.parametrize("present", [None, "not the passphrase of it"])
def test_nobody_changes_it_without_knowing_it(locked_dir: Path, present: str | None) -> None:
    """Said, and nothing is changed."""
    before = (locked_dir / "root.key").read_bytes()
    with pytest.raises((KeyLocked, WrongPassphrase)):
        root_key.encrypt(locked_dir, NEW, present)
    assert (locked_dir / "root.key").read_bytes() == before


def test_a_weak_passphrase_is_refused_before_anything_is_done(old_dir: Path) -> None:
    """The key stays as it was."""
    before = (old_dir / "root.key").read_bytes()
    with pytest.raises(CaError, match="20 to 1024"):
        root_key.encrypt(old_dir, "hunter2")
    assert (old_dir / "root.key").read_bytes() == before


def test_a_key_that_is_away_is_not_encrypted(ca_dir: Path) -> None:
    """Says to put it back."""
    (ca_dir / "root.key").unlink()
    assert root_key.look(ca_dir) == RootKey(present=False, encrypted=None, passphrase_left=True)
    with pytest.raises(CaMissing, match="the root's key is not here") as caught:
        root_key.encrypt(ca_dir, NEW)
    assert "Put it back" in caught.value.hint


def test_a_full_disk_loses_no_key(old_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one stays until the new one is on the disk."""
    before = (old_dir / "root.key").read_bytes()

    def full(_path: Path, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(root_key, "replace_file", full)
    with pytest.raises(CaError, match="No space left"):
        root_key.encrypt(old_dir, NEW)
    assert (old_dir / "root.key").read_bytes() == before


def test_a_left_passphrase_that_others_can_read_is_not_used(ca_dir: Path) -> None:
    """Somebody may have it by now."""
    (ca_dir / "root.passphrase").chmod(0o644)
    with pytest.raises(CaError, match=r"root\.passphrase: others than its owner"):
        root_key.left_passphrase(ca_dir)


def test_a_left_passphrase_of_another_key_is_not_shown(ca_dir: Path) -> None:
    """Whoever writes it down would have nothing."""
    (ca_dir / "root.passphrase").write_text(new_passphrase())
    with pytest.raises(WrongPassphrase, match="not its passphrase"):
        root_key.left_passphrase(ca_dir)


def test_the_key_of_another_ca_is_refused(locked_dir: Path, tmp_path: Path, passphrase: str) -> None:
    """The wrong stick: named, and nothing is signed with it."""
    (tmp_path / "stick.key").write_bytes(key_pem(new_key(), passphrase))
    with pytest.raises(CaError, match=r"stick\.key: the private key does not belong to its certificate"):
        root_key.read_signer(locked_dir, storage.read_root(locked_dir), tmp_path / "stick.key", passphrase)


def test_an_open_key_elsewhere_must_be_private(old_dir: Path, tmp_path: Path) -> None:
    """Encrypted it may lie anywhere; open it may not be readable for others."""
    (old_dir / "root.key").rename(tmp_path / "stick.key")
    (tmp_path / "stick.key").chmod(0o644)
    with pytest.raises(CaError, match="others than its owner"):
        root_key.read_signer(old_dir, storage.read_root(old_dir), tmp_path / "stick.key")


@pytest.mark.parametrize("damage", [slice(0, 200), slice(40, None)])
def test_a_damaged_key_is_said_to_be_that_or_a_wrong_passphrase(
    locked_dir: Path, passphrase: str, damage: slice
) -> None:
    """The two cannot be told apart."""
    path = locked_dir / "root.key"
    path.write_bytes(path.read_bytes()[damage])
    with pytest.raises(CaError, match=r"damaged|cannot be read"):
        root_key.read_signer(locked_dir, storage.read_root(locked_dir), passphrase=passphrase)
