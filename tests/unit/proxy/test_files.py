"""Files are replaced whole or not at all, and locks name their holder."""

import os
from pathlib import Path

import pytest

from proxy.files import AlreadyRunning, lock_file, private_directory, replace_file


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """The new content, private, dated as asked, nothing left beside it."""
    path = tmp_path / "file"
    path.write_bytes(b"before")
    path.chmod(0o644)
    replace_file(path, b"after", modified_ns=1_000_000_000)
    assert path.read_bytes() == b"after"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_mtime == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "utime"])
def test_a_failed_replacement_leaves_the_file_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Whatever fails on the way, the old content stays and the temporary file goes."""
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def broken(*_: object, **__: object) -> None:
        raise OSError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(os, step, broken)
        with pytest.raises(OSError, match="broken"):
            replace_file(path, b"after", modified_ns=1)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_directory_is_its_owners(tmp_path: Path) -> None:
    """Made with 0700, parents included."""
    made = private_directory(tmp_path / "a" / "b")
    assert made.stat().st_mode & 0o777 == 0o700


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    """The second is told who holds it, and where; when the first is done it may."""
    path = tmp_path / "state" / "run.lock"
    with lock_file(path, "schoolgate"), pytest.raises(AlreadyRunning) as refused, lock_file(path, "schoolgate"):
        pass
    assert str(refused.value).startswith(f"schoolgate already runs on {path.parent} (process {os.getpid()})")
    with lock_file(path, "schoolgate"):
        assert path.stat().st_mode & 0o777 == 0o600
