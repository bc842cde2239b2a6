"""What a technician is told of the CA."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from policies.names import HostName
from proxy.ca import root_key
from proxy.ca.findings import Level
from proxy.ca.status import CaStatus, expires_at, status

Names = dict[str, tuple[HostName, ...]]
TUMBLR = HostName("tumblr.com")


def found(told: CaStatus) -> list[tuple[str, str]]:
    return [(finding.level.value, finding.remedy) for finding in told.findings]


def test_status_tells_what_lacks_and_when_it_ends(ca_dir: Path, now: datetime) -> None:
    """What a technician and the network team look at."""
    (ca_dir / "root.key").unlink()
    told = status(ca_dir, {"blog": (TUMBLR,), "forum": (HostName("reddit.com"),)}, now)
    assert told.lacking == ("tumblr.com",)
    assert not told.root_key.present
    assert told.expires_at == now + timedelta(days=730)
    assert told.root.expires_at == now + timedelta(days=3652)
    assert [i.subject.rpartition(" ")[0] for i in told.intermediates] == [
        "CN=schoolgate forum-1",
        "CN=schoolgate social-network-1",
    ]
    assert len(told.root.fingerprint) == 95


def test_status_of_an_expired_ca_is_told_all_the_same(ca_dir: Path, now: datetime) -> None:
    """Telling is not using."""
    assert status(ca_dir, {}, now + timedelta(days=4000)).root.expires_at < now + timedelta(days=4000)


def test_a_good_ca_has_nothing_to_do(locked_dir: Path, names: Names, now: datetime) -> None:
    """No finding at all, whether the key is here or away."""
    assert status(locked_dir, names, now).findings == ()
    (locked_dir / "root.key").unlink()
    assert status(locked_dir, names, now).findings == ()


def test_a_passphrase_left_beside_the_key_is_amber(ca_dir: Path, names: Names, now: datetime) -> None:
    """With the command that takes it away."""
    assert found(status(ca_dir, names, now)) == [("amber", "schoolgate ca passphrase")]


def test_an_open_key_is_amber(old_dir: Path, names: Names, now: datetime) -> None:
    """With the command that encrypts it."""
    told = status(old_dir, names, now)
    assert found(told) == [("amber", "schoolgate ca passphrase")]
    assert "not encrypted" in told.findings[0].message


def test_names_without_a_page_are_red(locked_dir: Path, names: Names, now: datetime) -> None:
    """How many, and the command; from where the key is, if it is away."""
    told = status(locked_dir, {**names, "blog": (TUMBLR,)}, now)
    assert found(told) == [("red", "schoolgate ca renew")]
    assert told.findings[0].message == "1 of the refused domains has no page."
    (locked_dir / "root.key").unlink()
    away = status(locked_dir, {**names, "blog": (TUMBLR,)}, now)
    assert found(away) == [("red", "schoolgate ca renew --root-key FILE")]


def test_names_no_longer_refused_are_amber(locked_dir: Path, names: Names, now: datetime) -> None:
    """The CA can do more than it must."""
    told = status(locked_dir, {"forum": names["forum"]}, now)
    assert found(told) == [("amber", "schoolgate ca renew")]
    assert told.findings[0].message == "The CA can still speak for 2 domains no longer refused."


def test_the_last_two_months_are_amber_and_expiry_is_red(locked_dir: Path, names: Names, now: datetime) -> None:
    """In time for somebody to come back from the holidays."""
    levels = [
        [finding.level for finding in status(locked_dir, names, now + timedelta(days=day)).findings]
        for day in (669, 671, 729, 731)
    ]
    assert levels == [[], [Level.AMBER], [Level.AMBER], [Level.RED]]


def test_the_roots_last_year_is_amber_and_its_end_is_red(locked_dir: Path, now: datetime) -> None:
    """A new root has to reach every device: that takes its time."""
    told = [status(locked_dir, {}, now + timedelta(days=day)).findings for day in (3280, 3290, 3653)]
    levels = [[finding.level for finding in findings if "root" in finding.message] for findings in told]
    assert levels == [[], [Level.AMBER], [Level.RED]]


def test_a_clock_before_the_cas_birth_is_red(locked_dir: Path, names: Names, now: datetime) -> None:
    """The clock is suspected, and status is told all the same."""
    told = status(locked_dir, names, now - timedelta(days=400))
    assert [finding.level for finding in told.findings] == [Level.RED]
    assert "before this CA was made" in told.findings[0].message
    assert "timedatectl" in told.findings[0].remedy


def test_expiry_is_that_of_what_is_in_use(ca_dir: Path, now: datetime) -> None:
    """For the figure: without knowing the policy, and without the root's key."""
    (ca_dir / "root.key").unlink()
    assert expires_at(ca_dir) == now + timedelta(days=730)


def test_an_unreadable_key_is_an_error_not_a_guess(locked_dir: Path, names: Names, now: datetime) -> None:
    """A directory in the key's place is no key."""
    (locked_dir / "root.key").unlink()
    (locked_dir / "root.key").mkdir()
    with pytest.raises(root_key.CaError, match=r"root\.key: cannot be read"):
        status(locked_dir, names, now)
