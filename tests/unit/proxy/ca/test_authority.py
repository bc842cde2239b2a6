"""The CA as the answerer and the start use it: which names it covers, how it grows, what it remembers."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.names import HostName
from proxy.ca import authority
from proxy.ca.authority import Authority, create, ensure, root_certificate, status, update
from proxy.ca.errors import CaMissing

Names = dict[str, tuple[HostName, ...]]
TUMBLR = HostName("tumblr.com")


@pytest.fixture
def opened(ca_dir: Path, now: datetime) -> Authority:
    return Authority.open(ca_dir, now)


def files_of(ca_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in ca_dir.rglob("*.*")}


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


def test_a_category_is_split_at_a_hundred(tmp_path: Path, now: datetime) -> None:
    """Pages stay light: 250 names are three intermediates."""
    create(tmp_path / "ca", {"forum": [HostName(f"forum-{n:03}.example") for n in range(250)]}, now)
    assert [len(i.names) for i in status(tmp_path / "ca", {}, now).intermediates] == [100, 100, 50]


def test_names_below_others_take_no_room(tmp_path: Path, now: datetime) -> None:
    """A permitted domain covers what is below it."""
    names = [HostName(name) for name in ("m.facebook.com", "facebook.com", "facebook.com", "myfacebook.com")]
    create(tmp_path / "ca", {"social-network": names}, now)
    assert status(tmp_path / "ca", {}, now).intermediates[0].names == ("facebook.com", "myfacebook.com")


def test_growing_touches_nothing_that_is_there(ca_dir: Path, names: Names, now: datetime) -> None:
    """A new service gets an intermediate of its own; root and the others keep every byte."""
    before = files_of(ca_dir)
    grown = {**names, "social-network": (*names["social-network"], HostName("threads.net")), "blog": (TUMBLR,)}
    assert update(ca_dir, grown, now) == ("social-network-2", "blog-1")
    after = files_of(ca_dir)
    assert {name: after[name] for name in before} == before
    assert Authority.open(ca_dir, now).context_for(HostName("www.tumblr.com"), now) is not None


def test_nothing_lacking_needs_no_root_key(ca_dir: Path, names: Names, now: datetime) -> None:
    """Every start asks; with the key away it is an error only if there is something to sign."""
    (ca_dir / "root.key").unlink()
    assert update(ca_dir, names, now) == ()
    with pytest.raises(CaMissing, match="new intermediates need it") as caught:
        update(ca_dir, {**names, "blog": (TUMBLR,)}, now)
    assert "Put it back" in caught.value.hint


def test_a_last_month_is_renewed(ca_dir: Path, names: Names, now: datetime) -> None:
    """An intermediate about to end is followed by another before it does, and the newer one is used."""
    later = now + timedelta(days=710)
    assert update(ca_dir, names, later) == ("social-network-2", "forum-2")
    assert update(ca_dir, names, later) == ()
    assert Authority.open(ca_dir, later).expires_at == later + timedelta(days=730)


def test_two_starts_at_once_issue_once(ca_dir: Path, names: Names, now: datetime) -> None:
    """One writer at a time, and the second finds nothing lacking."""
    grown = {**names, "blog": (TUMBLR,)}
    with ThreadPoolExecutor(4) as pool:
        issued = list(pool.map(lambda _: update(ca_dir, grown, now), range(4)))
    assert sorted(issued) == [(), (), (), ("blog-1",)]


def test_a_start_makes_or_grows(tmp_path: Path, names: Names, now: datetime) -> None:
    """The first makes the CA, the next keeps its root."""
    ensure(tmp_path / "ca", names, now)
    root = root_certificate(tmp_path / "ca")
    ensure(tmp_path / "ca", {**names, "blog": (TUMBLR,)}, now)
    assert root_certificate(tmp_path / "ca") == root
    assert status(tmp_path / "ca", {"blog": (TUMBLR,)}, now).lacking == ()


def test_what_remains_of_a_killed_start_is_in_nobodys_way(ca_dir: Path, names: Names, now: datetime) -> None:
    """A draft that a dead process left is neither read nor an obstacle."""
    (ca_dir / "intermediates" / "blog-1.new").write_bytes(b"half a certif")
    assert update(ca_dir, {**names, "blog": (TUMBLR,)}, now) == ("blog-1",)
    Authority.open(ca_dir, now)


def test_status_tells_what_lacks_and_when_it_ends(ca_dir: Path, now: datetime) -> None:
    """What a technician and the network team look at."""
    (ca_dir / "root.key").unlink()
    told = status(ca_dir, {"blog": (TUMBLR,), "forum": (HostName("reddit.com"),)}, now)
    assert told.lacking == ("tumblr.com",)
    assert not told.root_key_present
    assert told.expires_at == now + timedelta(days=730)
    assert told.root.expires_at == now + timedelta(days=3652)
    assert [i.subject for i in told.intermediates] == [
        "CN=schoolgate forum-1,O=schoolgate",
        "CN=schoolgate social-network-1,O=schoolgate",
    ]
    assert len(told.root.fingerprint) == 95


def test_status_of_an_expired_ca_is_told_all_the_same(ca_dir: Path, now: datetime) -> None:
    """Telling is not using."""
    assert status(ca_dir, {}, now + timedelta(days=4000)).root.expires_at < now + timedelta(days=4000)


labels = st.text(alphabet="abcdefghij-", min_size=1, max_size=8).map(lambda label: f"x{label}x")
hosts = st.lists(labels, min_size=1, max_size=4).map(lambda parts: HostName(".".join([*parts, "example"])))


@given(names=st.dictionaries(st.sampled_from(["forum", "blog"]), st.lists(hosts, max_size=150)))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_name_it_was_made_for_is_covered(tmp_path_factory: pytest.TempPathFactory, names: Names) -> None:
    """Whatever the catalogue holds: none lacks, none is covered unasked, no intermediate is too large."""
    now = datetime.fromisoformat("2026-09-07T08:30:00Z")
    ca_dir = tmp_path_factory.mktemp("state") / "ca"
    create(ca_dir, names, now)
    told = status(ca_dir, names, now)
    covered = {name for intermediate in told.intermediates for name in intermediate.names}
    assert told.lacking == ()
    assert covered <= {name for category in names.values() for name in category}
    assert all(len(intermediate.names) <= 100 for intermediate in told.intermediates)
