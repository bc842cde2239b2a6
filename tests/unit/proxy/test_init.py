"""First run: what is missing is made, private, once; what is there stays."""

import os
import shutil
import stat
from datetime import UTC, datetime, timedelta

import pytest

from policies.loading import default_policy_path, load_catalogue, load_policy
from proxy import init
from proxy.ca.root_key import look
from proxy.init import Prepared
from proxy.settings import load
from proxy.store.errors import StoreDamaged

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def files():
    """Policy and catalogue, as they come with schoolgate."""
    return load_policy(default_policy_path()), load_catalogue()


@pytest.fixture
def settings(tmp_path):
    """Settings whose state directory is not there."""
    return load({"SCHOOLGATE_CONFIG": os.devnull, "SCHOOLGATE_STATE_DIR": str(tmp_path / "a" / "state")}).settings


def test_everything_is_made_and_private(settings, files):
    """Directory 0700, store and keys 0600, a CA; nothing to warn of."""
    assert init.prepare(settings, *files, NOW) == Prepared(warnings=(), made_ca=True)
    for path in (settings.state_dir, settings.ca_dir, settings.journal_dir, settings.process_dir):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    secrets = (settings.reference_key_file, settings.state_dir / "schoolgate.db", settings.ca_dir / "root.key")
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}


def test_what_is_there_stays(settings, files):
    """A second time changes no key, no certificate, no row."""
    init.prepare(settings, *files, NOW)
    kept = [settings.reference_key_file, settings.ca_dir / "root.pem", settings.ca_dir / "root.key"]
    before = [path.read_bytes() for path in kept]
    assert init.prepare(settings, *files, NOW) == Prepared(warnings=(), made_ca=False)
    assert [path.read_bytes() for path in kept] == before


def test_without_the_store_a_snapshot_will_do(settings, files):
    """A damaged store stops a first run; with a published state it is a warning."""
    init.prepare(settings, *files, NOW)
    (settings.state_dir / "schoolgate.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreDamaged):
        init.prepare(settings, *files, NOW)
    settings.snapshot_file.write_bytes(b"published")
    (warning,) = init.prepare(settings, *files, NOW).warnings
    assert "is not a database" in warning


def test_a_ca_that_cannot_grow_is_a_warning(settings, files):
    """Refusals without a page are refusals all the same."""
    init.prepare(settings, *files, NOW)
    (settings.ca_dir / "root.pem").write_text("no certificate")
    (warning,) = init.prepare(settings, *files, NOW).warnings
    assert "root.pem" in warning


def test_a_passphrase_that_somebody_was_shown_is_not_kept(settings, files):
    """With one given there is none in the directory; without, it lies beside the key."""
    init.prepare(settings, *files, NOW, "correct horse battery staple")
    assert not look(settings.ca_dir).passphrase_left
    shutil.rmtree(settings.ca_dir)
    init.prepare(settings, *files, NOW)
    assert look(settings.ca_dir).passphrase_left


def test_a_clock_before_the_cas_birth_is_a_warning(settings, files):
    """The gateway starts, and refuses without pages until somebody sets the clock."""
    init.prepare(settings, *files, NOW)
    (warning,) = init.prepare(settings, *files, NOW - timedelta(days=9000)).warnings
    assert "before this CA was made" in warning
    assert "timedatectl" in warning


def test_an_expired_root_is_a_warning(settings, files):
    """So is a CA that has outlived itself: said, with what to do."""
    init.prepare(settings, *files, NOW)
    (warning,) = init.prepare(settings, *files, NOW + timedelta(days=3700)).warnings
    assert "root expired" in warning


def test_expired_intermediates_are_renewed_or_asked_for(settings, files):
    """By the start itself where the key is usable without anybody; else it says the command."""
    init.prepare(settings, *files, NOW)
    later = NOW + timedelta(days=800)
    assert init.prepare(settings, *files, later).warnings == ()
    (settings.ca_dir / "root.passphrase").unlink()
    (warning,) = init.prepare(settings, *files, later + timedelta(days=800)).warnings
    assert "schoolgate ca renew" in warning


def test_a_gateway_with_a_name_is_issued_for(settings, files):
    """``host_name`` is one of the names that the CA covers."""
    named = settings.model_copy(update={"host_name": "gate.school.example"})
    init.prepare(named, *files, NOW)
    assert (settings.ca_dir / "intermediates" / "gateway-1.pem").exists()


def test_a_directory_in_use_is_closed_to_others(settings, files):
    """A state directory that was opened by accident is closed again."""
    init.prepare(settings, *files, NOW)
    settings.state_dir.chmod(0o755)
    init.prepare(settings, *files, NOW)
    assert stat.S_IMODE(settings.state_dir.stat().st_mode) == 0o700


def test_a_directory_of_something_else_is_refused(settings):
    """Nothing is closed, nothing is made in it."""
    settings.state_dir.mkdir(parents=True)
    (settings.state_dir / "letter").write_text("Dear all")
    settings.state_dir.chmod(0o755)
    with pytest.raises(init.InitError, match="others may enter"):
        init.prepare_store(settings)
    assert [path.name for path in settings.state_dir.iterdir()] == ["letter"]


def test_a_path_that_is_no_directory(settings):
    """Says that it cannot be made, and why."""
    settings.state_dir.parent.mkdir()
    settings.state_dir.write_text("")
    with pytest.raises(init.InitError, match="cannot be made"):
        init.prepare_directory(settings)
