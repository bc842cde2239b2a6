"""The CA is made once, grows with the catalogue, gives up what is not refused any more, and is renewed in time."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.names import HostName
from proxy.ca.authority import Authority
from proxy.ca.errors import CaError, CaMissing, KeyLocked, WrongPassphrase
from proxy.ca.issuing import Issue, Renewal, create, ensure, plan, renew
from proxy.ca.status import expires_at, root_certificate, status

Names = dict[str, tuple[HostName, ...]]
TUMBLR = HostName("tumblr.com")
NOTHING = Renewal((), ())


def files_of(ca_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in ca_dir.rglob("*.*")}


def titles(renewal: Renewal) -> tuple[str, ...]:
    return tuple(issue.title for issue in renewal.issued)


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
    assert titles(renew(ca_dir, grown, now)) == ("social-network-2", "blog-1")
    after = files_of(ca_dir)
    assert {name: after[name] for name in before} == before
    assert Authority.open(ca_dir, now).context_for(HostName("www.tumblr.com"), now) is not None


def test_nothing_lacking_needs_no_root_key(ca_dir: Path, names: Names, now: datetime) -> None:
    """Every start asks; with the key away it is an error only if there is something to sign."""
    (ca_dir / "root.key").unlink()
    assert renew(ca_dir, names, now) == NOTHING
    with pytest.raises(CaMissing, match="new intermediates need it") as caught:
        renew(ca_dir, {**names, "blog": (TUMBLR,)}, now)
    assert "--root-key" in caught.value.hint


def test_a_last_year_is_renewed(ca_dir: Path, names: Names, now: datetime) -> None:
    """Once a year: what would not last until the year after is issued anew, and the old goes."""
    later = now + timedelta(days=365)
    done = renew(ca_dir, names, later)
    assert titles(done) == ("social-network-2", "forum-2")
    assert done.removed == ("forum-1", "social-network-1")
    assert renew(ca_dir, names, later) == NOTHING
    assert expires_at(ca_dir) == later + timedelta(days=730)


def test_a_start_renews_in_the_last_month_only(ca_dir: Path, names: Names, now: datetime) -> None:
    """What a start can do unasked it does, but no sooner than it must."""
    before = files_of(ca_dir)
    ensure(ca_dir, names, now + timedelta(days=690))
    assert files_of(ca_dir) == before
    ensure(ca_dir, names, now + timedelta(days=710))
    assert expires_at(ca_dir) == now + timedelta(days=710 + 730)


def test_two_starts_at_once_issue_once(ca_dir: Path, names: Names, now: datetime) -> None:
    """One writer at a time, and the second finds nothing lacking."""
    grown = {**names, "blog": (TUMBLR,)}
    with ThreadPoolExecutor(4) as pool:
        issued = list(pool.map(lambda _: titles(renew(ca_dir, grown, now)), range(4)))
    assert sorted(issued) == [(), (), (), ("blog-1",)]


def test_a_start_makes_or_grows(tmp_path: Path, names: Names, now: datetime) -> None:
    """The first makes the CA, the next keeps its root."""
    assert ensure(tmp_path / "ca", names, now)
    root = root_certificate(tmp_path / "ca")
    assert not ensure(tmp_path / "ca", {**names, "blog": (TUMBLR,)}, now)
    assert root_certificate(tmp_path / "ca") == root
    assert status(tmp_path / "ca", {"blog": (TUMBLR,)}, now).lacking == ()


def test_what_remains_of_a_killed_start_is_in_nobodys_way(ca_dir: Path, names: Names, now: datetime) -> None:
    """A draft that a dead process left is neither read nor an obstacle."""
    (ca_dir / "intermediates" / "blog-1.new").write_bytes(b"half a certif")
    assert titles(renew(ca_dir, {**names, "blog": (TUMBLR,)}, now)) == ("blog-1",)
    assert sorted(path.name for path in (ca_dir / "intermediates").iterdir()) == [
        "blog-1.pem",
        "forum-1.pem",
        "social-network-1.pem",
    ]


def test_a_name_no_longer_refused_is_given_up(ca_dir: Path, now: datetime) -> None:
    """The CA can speak for no more than it must: what permits an exempt name is replaced by what does not."""
    fewer = {"social-network": (HostName("facebook.com"),), "forum": (HostName("reddit.com"),)}
    done = renew(ca_dir, fewer, now)
    assert done.issued == (Issue("social-network-2", (HostName("facebook.com"),)),)
    assert done.removed == ("social-network-1",)
    assert status(ca_dir, {}, now).intermediates[1].names == ("facebook.com",)


def test_giving_up_a_whole_category_needs_no_key(ca_dir: Path, names: Names, now: datetime) -> None:
    """Nothing is signed, so nobody is asked."""
    (ca_dir / "root.key").unlink()
    assert renew(ca_dir, {"forum": names["forum"]}, now).removed == ("social-network-1",)


def test_a_start_gives_up_nothing(locked_dir: Path, names: Names, now: datetime) -> None:
    """Exempting a service must not make a gateway whose key is in a safe complain at every start."""
    before = files_of(locked_dir)
    ensure(locked_dir, {**names, "social-network": (HostName("facebook.com"),)}, now)
    assert files_of(locked_dir) == before


def test_a_start_without_the_passphrase_says_what_lacks(locked_dir: Path, names: Names, now: datetime) -> None:
    """It goes on with what there is, and names the command."""
    with pytest.raises(CaError, match=r"covers 2 names \(substack.com is one\)") as caught:
        ensure(locked_dir, {**names, "blog": (TUMBLR, HostName("substack.com"))}, now)
    assert "schoolgate ca renew" in caught.value.hint


def test_a_plan_is_what_is_done(ca_dir: Path, names: Names, now: datetime) -> None:
    """A dry run tells the truth, and changes nothing."""
    before, later = files_of(ca_dir), now + timedelta(days=400)
    planned = plan(ca_dir, {**names, "blog": (TUMBLR,)}, later)
    assert files_of(ca_dir) == before
    assert renew(ca_dir, {**names, "blog": (TUMBLR,)}, later) == planned


def test_renewing_leaves_root_and_key_alone(ca_dir: Path, names: Names, now: datetime) -> None:
    """No device needs anything, and a copy of the key in the safe stays the key."""
    before = {name: (ca_dir / name).read_bytes() for name in ("root.pem", "root.key", "root.passphrase")}
    renew(ca_dir, names, now + timedelta(days=400))
    assert {name: (ca_dir / name).read_bytes() for name in before} == before


def test_the_key_may_be_elsewhere_and_stays_there(
    locked_dir: Path, names: Names, now: datetime, tmp_path: Path, passphrase: str
) -> None:
    """Used from the stick (whose file system has no owners), and nowhere in the directory afterwards."""
    stick = tmp_path / "stick.key"
    shutil.move(locked_dir / "root.key", stick)
    stick.chmod(0o755)
    done = renew(locked_dir, {**names, "blog": (TUMBLR,)}, now, key_file=stick, passphrase=passphrase)
    assert titles(done) == ("blog-1",)
    assert not any(b"ENCRYPTED" in data for data in files_of(locked_dir).values())


@pytest.mark.parametrize("passphrase", [None, "not the passphrase of it"])
def test_without_the_passphrase_nothing_is_done(
    locked_dir: Path, names: Names, now: datetime, passphrase: str | None
) -> None:
    """None, or a wrong one: said, with what to do when it is lost, and every byte stays."""
    before = files_of(locked_dir)
    with pytest.raises(WrongPassphrase if passphrase else KeyLocked) as caught:
        renew(locked_dir, names, now + timedelta(days=700), passphrase=passphrase)
    assert "docs/ca.md, When the passphrase is lost" in caught.value.hint
    assert files_of(locked_dir) == before


@pytest.mark.parametrize("offset", [timedelta(days=-400), timedelta(days=3653)])
def test_outside_the_roots_time_nothing_is_renewed(
    ca_dir: Path, names: Names, now: datetime, offset: timedelta
) -> None:
    """A wrong clock would make certificates that nobody believes."""
    before = files_of(ca_dir)
    for act in (plan, renew, ensure):
        with pytest.raises(CaError, match=r"before this CA was made|root expired"):
            act(ca_dir, {**names, "blog": (TUMBLR,)}, now + offset)
    assert files_of(ca_dir) == before


@pytest.mark.parametrize("name", ["cloudfront.net", "akamaihd.net", "amazonaws.com", "co.uk", "com", "proxy"])
def test_nobodys_own_domain_is_never_signed_for(ca_dir: Path, names: Names, now: datetime, name: str) -> None:
    """Whatever list it came from: the CA refuses, and nothing is changed."""
    before = files_of(ca_dir)
    with pytest.raises(CaError, match=f"{name}: the CA signs for no top-level domain"):
        renew(ca_dir, {**names, "blog": (TUMBLR, HostName(name))}, now)
    assert files_of(ca_dir) == before


def test_the_gateways_own_name_is_issued_when_it_gets_one(ca_dir: Path, names: Names, now: datetime) -> None:
    """A host name given later is one more name that lacks."""
    done = renew(ca_dir, {**names, "gateway": (HostName("gate.school.example"),)}, now)
    assert done.issued == (Issue("gateway-1", (HostName("gate.school.example"),)),)


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
