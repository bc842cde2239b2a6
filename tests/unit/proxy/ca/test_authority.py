"""The CA as the answerer has it: which names it covers, what it remembers, and how it follows the directory."""

import logging
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from policies.names import HostName
from proxy.ca import authority, issuing
from proxy.ca.authority import Authority, CertificateSource
from proxy.ca.certificates import issue_intermediate
from proxy.ca.root_key import read_signer
from proxy.ca.storage import change_intermediates, read_root

Names = dict[str, tuple[HostName, ...]]
FACEBOOK, TUMBLR = HostName("facebook.com"), HostName("tumblr.com")


@pytest.fixture
def opened(ca_dir: Path, now: datetime) -> Authority:
    return Authority.open(ca_dir, now)


@pytest.mark.parametrize("host", ["facebook.com", "m.facebook.com", "a.b.fbcdn.net", "reddit.com"])
def test_a_covered_host_gets_a_context(opened: Authority, now: datetime, host: str) -> None:
    """A name of the catalogue, and whatever lies below it."""
    assert opened.context_for(HostName(host), now) is not None


@pytest.mark.parametrize("host", ["notfacebook.com", "facebook.com.evil.example", "com", "bbc.co.uk"])
def test_any_other_host_gets_none(opened: Authority, now: datetime, host: str) -> None:
    """Whole labels only: what merely looks like a name of the catalogue is not answered for."""
    assert opened.context_for(HostName(host), now) is None


def test_a_context_is_made_once(opened: Authority, now: datetime) -> None:
    """The second connection to a host finds what the first one made."""
    first = opened.context_for(HostName("facebook.com"), now)
    assert opened.context_for(HostName("facebook.com"), now + timedelta(days=8)) is first


def test_a_leaf_is_replaced_before_it_ends(opened: Authority, now: datetime) -> None:
    """Nobody is shown a certificate in its last day."""
    first = opened.context_for(HostName("facebook.com"), now)
    assert opened.context_for(HostName("facebook.com"), now + timedelta(days=9, hours=1)) is not first


def test_a_leaf_from_the_future_is_replaced(opened: Authority, now: datetime) -> None:
    """After the clock was set back, what was made before is not yet valid for anybody."""
    late = opened.context_for(HostName("facebook.com"), now + timedelta(days=2))
    assert opened.context_for(HostName("facebook.com"), now) is not late


def test_only_so_many_contexts_are_kept(opened: Authority, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that makes up names takes memory from nobody: the least recently used goes."""
    monkeypatch.setattr(authority, "LARGEST_CACHE", 3)
    first = opened.context_for(HostName("facebook.com"), now)
    for number in range(10):
        opened.context_for(HostName(f"made-up-{number}.facebook.com"), now)
        assert opened.context_for(HostName("facebook.com"), now) is first
    assert len(opened._answers) == 3


def test_an_expired_intermediate_answers_no_more(opened: Authority, now: datetime) -> None:
    """While running, too: no page rather than one that no browser believes."""
    assert opened.context_for(HostName("facebook.com"), now + timedelta(days=730)) is None


def test_answering_needs_no_root_key(ca_dir: Path, now: datetime) -> None:
    """The root's key may be kept in a safe."""
    (ca_dir / "root.key").unlink()
    assert Authority.open(ca_dir, now).context_for(HostName("facebook.com"), now) is not None


def source(ca_dir: Path, now: datetime) -> CertificateSource:
    return CertificateSource(ca_dir, now)


def test_a_renewal_is_taken_over_without_a_restart(ca_dir: Path, names: Names, now: datetime) -> None:
    """A service that is new in the catalogue gets its page within a second of ``ca renew``."""
    certificates = source(ca_dir, now)
    assert certificates.context_for(TUMBLR, now) is None
    issuing.renew(ca_dir, {**names, "blog": (TUMBLR,)}, now)
    assert certificates.context_for(TUMBLR, now + timedelta(seconds=1)) is not None


def test_what_was_taken_away_is_not_answered_for_any_more(ca_dir: Path, names: Names, now: datetime) -> None:
    """A name that the policy exempts loses its certificate, cached ones too."""
    certificates = source(ca_dir, now)
    assert certificates.context_for(FACEBOOK, now) is not None
    issuing.renew(ca_dir, {"forum": names["forum"]}, now)
    assert certificates.context_for(FACEBOOK, now + timedelta(seconds=1)) is None


def test_an_unchanged_directory_is_not_read_again(ca_dir: Path, now: datetime) -> None:
    """Contexts stay cached: a look costs two stats, and one a second."""
    certificates = source(ca_dir, now)
    first = certificates.context_for(FACEBOOK, now)
    assert certificates.context_for(FACEBOOK, now + timedelta(minutes=5)) is first


def test_a_ca_made_later_is_found(tmp_path: Path, names: Names, now: datetime) -> None:
    """Without a CA there are alerts; with one there are pages, without a restart."""
    certificates = source(tmp_path / "ca", now)
    assert certificates.context_for(FACEBOOK, now) is None
    issuing.create(tmp_path / "ca", names, now)
    assert certificates.context_for(FACEBOOK, now + timedelta(seconds=10)) is not None


def test_a_ca_that_is_replaced_is_followed(ca_dir: Path, names: Names, now: datetime) -> None:
    """Changing to a new root needs no restart of the gateway either."""
    certificates = source(ca_dir, now)
    assert certificates.context_for(FACEBOOK, now) is not None
    shutil.rmtree(ca_dir)
    issuing.create(ca_dir, {"blog": (TUMBLR,)}, now)
    assert certificates.context_for(FACEBOOK, now + timedelta(seconds=1)) is None
    assert certificates.context_for(TUMBLR, now + timedelta(seconds=1)) is not None


def test_a_directory_that_breaks_leaves_what_was_read(
    ca_dir: Path, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    """Pages go on with the CA as it was; said once, not at every look."""
    certificates = source(ca_dir, now)
    (ca_dir / "root.pem").write_bytes(b"garbage")
    with caplog.at_level(logging.ERROR):
        for second in range(1, 5):
            assert certificates.context_for(FACEBOOK, now + timedelta(seconds=second)) is not None
    assert len(caplog.records) == 1
    assert "is used as it was" in caplog.text


def test_a_clock_before_the_cas_birth_heals_by_itself(
    ca_dir: Path, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway that booted in 1970 answers with alerts until its clock is set, then with pages."""
    birth = datetime.fromisoformat("1970-01-01T00:00:00Z")
    with caplog.at_level(logging.ERROR):
        certificates = source(ca_dir, birth)
        assert certificates.context_for(FACEBOOK, birth + timedelta(minutes=1)) is None
    assert "before this CA was made" in caplog.text
    assert "timedatectl" in caplog.text
    assert certificates.context_for(FACEBOOK, now) is not None


def test_all_intermediates_expired_heals_by_a_renewal(ca_dir: Path, names: Names, now: datetime) -> None:
    """Two years without a renewal: alerts, until ``ca renew``."""
    later = now + timedelta(days=731)
    certificates = source(ca_dir, later)
    assert certificates.context_for(FACEBOOK, later) is None
    issuing.renew(ca_dir, names, later)
    assert certificates.context_for(FACEBOOK, later + timedelta(seconds=10)) is not None


def test_one_that_begins_later_takes_over_when_it_begins(ca_dir: Path, names: Names, now: datetime) -> None:
    """An intermediate that was issued while the clock was ahead is used when its time has come, and not before."""
    certificate = read_root(ca_dir)
    ahead = now + timedelta(days=2)
    signer = issue_intermediate("blog-1", [TUMBLR], read_signer(ca_dir, certificate), ahead)
    change_intermediates(ca_dir, {"blog-1": signer}, ())
    certificates = source(ca_dir, now)
    assert certificates.context_for(TUMBLR, now) is None
    assert certificates.context_for(TUMBLR, ahead) is not None


def test_a_clock_that_steps_back_does_not_stop_the_looking(ca_dir: Path, names: Names, now: datetime) -> None:
    """Looked at tomorrow, it is looked at today again."""
    certificates = source(ca_dir, now + timedelta(days=1))
    issuing.renew(ca_dir, {**names, "blog": (TUMBLR,)}, now)
    assert certificates.context_for(TUMBLR, now) is not None
