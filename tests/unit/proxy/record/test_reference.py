"""The key of the references: one for the installation, whoever makes it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proxy.record.reference import KEY_BYTES, ReferenceKeyError, reference_key
from proxy.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate({"state_dir": tmp_path / "state"})


def test_the_key_is_made_once_and_private(settings: Settings) -> None:
    """Every process finds the same key, and nobody else can read it."""
    key = reference_key(settings)
    assert len(key) == KEY_BYTES
    assert reference_key(settings) == key
    assert settings.reference_key_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in settings.state_dir.iterdir()] == ["reference.key"]


def test_processes_that_start_together_share_one_key(settings: Settings) -> None:
    """Whoever loses the race uses the winner's key."""
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: reference_key(settings), range(8)))
    assert len(keys) == 1


def test_a_damaged_key_is_an_error(settings: Settings) -> None:
    """A key of another length would make references that nobody finds again."""
    settings.state_dir.mkdir()
    settings.reference_key_file.write_bytes(b"short")
    with pytest.raises(ReferenceKeyError, match=r"reference\.key: a key has 32 bytes, this has 5"):
        reference_key(settings)


def test_a_key_that_cannot_be_made_is_an_error(settings: Settings) -> None:
    """Where the state directory cannot be, the message names the file."""
    settings.state_dir.touch()
    with pytest.raises(ReferenceKeyError, match=r"reference\.key"):
        reference_key(settings)
