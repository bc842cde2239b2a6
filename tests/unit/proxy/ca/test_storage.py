"""The CA's directory: whole or absent, private, and clear about what is wrong with it."""

import errno
import os
import re
import shutil
from base64 import b64decode, encodebytes
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from policies.names import HostName
from proxy.ca import authority, issuing, storage
from proxy.ca.certificates import certificate_pem, issue_root, key_pem, new_key
from proxy.ca.errors import CaError, CaExists, CaMissing
from proxy.ca.status import status

Names = dict[str, tuple[HostName, ...]]


def contents(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_keys_are_for_their_owner_alone(ca_dir: Path) -> None:
    """Directories 0700, everything with a key in it 0600."""
    assert ca_dir.stat().st_mode & 0o777 == 0o700
    assert (ca_dir / "intermediates").stat().st_mode & 0o777 == 0o700
    for path in (ca_dir / "root.key", ca_dir / "root.passphrase", *(ca_dir / "intermediates").iterdir()):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_ca_is_never_overwritten(ca_dir: Path, names: Names, now: datetime) -> None:
    """A second creation refuses, and nothing has changed."""
    before = contents(ca_dir)
    with pytest.raises(CaExists, match="something here already"):
        issuing.create(ca_dir, names, now)
    assert contents(ca_dir) == before


def test_whatever_lies_there_is_left_alone(tmp_path: Path, names: Names, now: datetime) -> None:
    """Neither a file in the CA's place nor a directory with other things in it is replaced."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    for place in ("file", "full"):
        with pytest.raises(CaExists):
            issuing.create(tmp_path / place, names, now)
    assert (tmp_path / "file").read_text() == (tmp_path / "full" / "mine").read_text() == "mine"


def test_an_empty_directory_is_filled(tmp_path: Path, names: Names, now: datetime) -> None:
    """One that was made beforehand, with whatever mode, becomes the CA's."""
    (tmp_path / "ca").mkdir(mode=0o755)
    issuing.create(tmp_path / "ca", names, now)
    assert (tmp_path / "ca").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("written", range(5))
def test_a_full_disk_leaves_nothing_half_made(
    tmp_path: Path, names: Names, now: datetime, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """Whichever file does not fit any more, there is no CA, no remainder, and a sentence."""
    monkeypatch.setattr(storage, "_write", full_after(written))
    with pytest.raises(CaError, match="No space left") as caught:
        issuing.create(tmp_path / "ca", names, now)
    assert "disk" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("written", range(3))
def test_a_full_disk_leaves_the_ca_as_it_was(
    ca_dir: Path, names: Names, now: datetime, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """A renewal fails whole, whichever file does not fit any more: what worked before still does."""
    before = contents(ca_dir)
    monkeypatch.setattr(storage, "_write", full_after(written))
    with pytest.raises(CaError, match="No space left"):
        issuing.renew(ca_dir, {**names, "blog": (HostName("tumblr.com"),)}, now + timedelta(days=700))
    assert contents(ca_dir) == before


def full_after(files: int) -> Callable[..., None]:
    write, written = storage._write, 0

    def write_or_fail(path: Path, data: bytes, mode: int = 0o600) -> None:
        nonlocal written
        if written == files:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written += 1
        write(path, data, mode)

    return write_or_fail


def test_no_directory_to_make_it_in(tmp_path: Path, names: Names, now: datetime) -> None:
    """A missing state directory is an error with the path in it."""
    with pytest.raises(CaError, match=r"nowhere/ca: cannot be written: No such file"):
        issuing.create(tmp_path / "nowhere" / "ca", names, now)


def test_no_ca(tmp_path: Path, now: datetime) -> None:
    """Where there is none, the error says how to make one."""
    for use in (authority.Authority.open, lambda ca_dir, now: status(ca_dir, {}, now)):
        with pytest.raises(CaMissing, match="no CA here") as caught:
            use(tmp_path / "ca", now)
        assert "schoolgate ca init" in caught.value.hint


@pytest.mark.parametrize("place", ["intermediates/forum-1.pem", "."])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_keys_that_others_can_reach_are_refused(ca_dir: Path, now: datetime, place: str, mode: int) -> None:
    """Readable or writable for group or world: not used, and the hint says what to type."""
    (ca_dir / place).chmod(mode | 0o100)
    with pytest.raises(CaError, match="others than its owner") as caught:
        authority.Authority.open(ca_dir, now)
    assert "chmod" in caught.value.hint


def test_an_open_root_key_that_others_can_read_is_refused(old_dir: Path, names: Names, now: datetime) -> None:
    """Nothing new is signed with it."""
    (old_dir / "root.key").chmod(0o644)
    with pytest.raises(CaError, match=r"root\.key: others than its owner"):
        issuing.renew(old_dir, {**names, "blog": (HostName("tumblr.com"),)}, now)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_damaged_key(ca_dir: Path, now: datetime, content: bytes) -> None:
    """A certificate with garbage for a key: says which file."""
    path = ca_dir / "intermediates" / "forum-1.pem"
    certificate = path.read_bytes().partition(b"-----BEGIN PRIVATE")[0]
    path.write_bytes(certificate + content)
    with pytest.raises(CaError, match=r"forum-1\.pem: the private key cannot be read") as caught:
        authority.Authority.open(ca_dir, now)
    assert "backup" in caught.value.hint


def test_somebody_elses_key(ca_dir: Path, now: datetime) -> None:
    """A key that does not belong to its certificate is found before anybody is answered with it."""
    path = ca_dir / "intermediates" / "forum-1.pem"
    certificate = path.read_bytes().partition(b"-----BEGIN PRIVATE")[0]
    path.write_bytes(certificate + key_pem(new_key()))
    with pytest.raises(CaError, match="does not belong to its certificate"):
        authority.Authority.open(ca_dir, now)


def test_a_damaged_certificate(ca_dir: Path, now: datetime) -> None:
    """Neither root nor intermediate may be anything but a certificate."""
    (ca_dir / "root.pem").write_bytes(b"garbage")
    with pytest.raises(CaError, match=r"root\.pem: this is not a certificate"):
        authority.Authority.open(ca_dir, now)


def overwritten(pem: bytes, changes: dict[int, int]) -> bytes:
    """A PEM file with bytes changed inside its first armour, where its parser will meet them."""
    kind, armoured, rest = re.fullmatch(
        rb"-----BEGIN (.+?)-----\n(.+?)-----END .+?-----\n(.*)", pem, re.DOTALL
    ).groups()
    der = bytearray(b64decode(armoured))
    for at, value in changes.items():
        der[at % len(der)] = value
    return b"-----BEGIN %s-----\n%s-----END %s-----\n%s" % (kind, encodebytes(der), kind, rest)


@given(
    place=st.sampled_from(["root.pem", "root.key", "intermediates/forum-1.pem"]),
    changes=st.dictionaries(st.integers(0, 2000), st.integers(0, 255), min_size=1, max_size=3),
)
@example(place="intermediates/forum-1.pem", changes={148: 0})  # no kind of string: KeyError in the library
@example(place="intermediates/forum-1.pem", changes={204: 56})  # no kind of key: UnsupportedAlgorithm
@example(place="root.pem", changes={12: 1})  # no version
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_damaged_is_said(
    ca_dir: Path,
    names: Names,
    now: datetime,
    tmp_path_factory: pytest.TempPathFactory,
    place: str,
    changes: dict[int, int],
) -> None:
    """Bytes changed anywhere: used all the same where they do not matter, else an error with a hint."""
    damaged = tmp_path_factory.mktemp("damaged") / "ca"
    shutil.copytree(ca_dir, damaged)
    (damaged / place).write_bytes(overwritten((damaged / place).read_bytes(), changes))
    grown = {**names, "blog": (HostName("tumblr.com"),)}
    for use in (
        lambda: status(damaged, grown, now),
        lambda: authority.Authority.open(damaged, now).context_for(HostName("reddit.com"), now),
        lambda: issuing.renew(damaged, grown, now),
    ):
        try:
            use()
        except CaError as error:
            assert error.hint  # noqa: PT017 -- either outcome is good, no other is


def test_an_intermediate_of_another_root(ca_dir: Path, now: datetime) -> None:
    """A page that no device would trust is not shown: the mix-up is named."""
    (ca_dir / "root.pem").write_bytes(certificate_pem(issue_root(now).certificate))
    with pytest.raises(CaError, match="not issued by the root beside it"):
        authority.Authority.open(ca_dir, now)


def test_a_clock_before_the_ca_was_made(ca_dir: Path, now: datetime) -> None:
    """The clock is suspected, not the CA."""
    with pytest.raises(CaError, match="before this CA was made") as caught:
        authority.Authority.open(ca_dir, now - timedelta(days=400))
    assert "timedatectl" in caught.value.hint


def test_an_expired_root(ca_dir: Path, names: Names, now: datetime) -> None:
    """Neither answers nor grows any more, and says what to do."""
    later = now + timedelta(days=3653)
    for use in (lambda: authority.Authority.open(ca_dir, later), lambda: issuing.renew(ca_dir, names, later)):
        with pytest.raises(CaError, match="root expired on 2036-09-06") as caught:
            use()
        assert "ca init" in caught.value.hint


def test_no_intermediate_left(ca_dir: Path, now: datetime) -> None:
    """Two years without a start that could renew: says so."""
    with pytest.raises(CaError, match="no intermediate of this CA is valid") as caught:
        authority.Authority.open(ca_dir, now + timedelta(days=731))
    assert "schoolgate ca renew" in caught.value.hint


def test_an_intermediate_that_goes_while_it_is_read_is_no_fault(
    ca_dir: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A renewal takes old ones away whenever it likes; what is left is read."""
    read = storage.read

    def too_late(path: Path, *, secret: bool = False) -> bytes:
        if path.name == "forum-1.pem":
            path.unlink()
        return read(path, secret=secret)

    monkeypatch.setattr(storage, "read", too_late)
    assert [i.title for i in storage.read_intermediates(ca_dir, storage.read_root(ca_dir))] == ["social-network-1"]
