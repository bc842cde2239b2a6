"""The policy's and the catalogue's files, watched: good changes take effect, bad ones change nothing."""

from pathlib import Path

import pytest

from policies.loading import PolicyError
from proxy.policy_files import PolicyFiles

POLICY = """\
school: {name: A school, contact: the office}
networks: {estate: {addresses: [10.0.0.0/8]}}
timetable: {}
rules: [{name: Estate, clause: "3 ¶1", verdict: deny, categories: [social-network]}]
"""
BUNDLE = """\
bundle: push
name: Push
purpose: Notifications
because: Devices need them
clause: "1"
source: the vendor
version: "1"
hosts: [{purpose: Push, domains: [push.example]}]
"""
SERVICES = """\
category: social-network
name: Social networks
services: {facebook: {name: Facebook, domains: [facebook.com]}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "social-network.yaml").write_text(SERVICES)
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


@pytest.fixture
def files(path: Path) -> PolicyFiles:
    return PolicyFiles(path, path.parent / "services")


def settle(files: PolicyFiles) -> bool:
    """Look until a change has stood still; whether it took effect."""
    return files.poll() or files.poll()


def test_nothing_changes_by_itself(files: PolicyFiles) -> None:
    """Looking again and again reads nothing again."""
    policy = files.policy
    assert [settle(files) for _ in range(3)] == [False, False, False]
    assert files.policy is policy


def test_a_changed_policy_takes_effect(path: Path, files: PolicyFiles) -> None:
    """Once it has stood still for a moment."""
    version = files.policy.version
    path.write_text(POLICY.replace("the office", "the head"))
    assert [files.poll(), files.poll(), files.poll()] == [False, True, False]
    assert files.policy.school.contact == "the head"
    assert files.policy.version != version


def test_a_changed_bundle_takes_effect(path: Path) -> None:
    """A bundle that the policy names is part of the policy, not of the catalogue."""
    bundle = path.parent / "bundles" / "push.yaml"
    bundle.parent.mkdir()
    bundle.write_text(BUNDLE)
    path.write_text(POLICY + "exempt: [{bundle: push}]\n")
    files = PolicyFiles(path, path.parent / "services", bundle.parent)
    before, changed_at = files.policy.version, files.catalogue_changed_at
    bundle.write_text(BUNDLE.replace("push.example", "pull.example"))
    assert [files.poll(), files.poll()] == [False, True]
    assert files.policy.exempt[0].domains == ("pull.example",)
    assert files.policy.version != before
    assert files.catalogue_changed_at == changed_at


def test_a_changed_catalogue_takes_effect(path: Path, files: PolicyFiles) -> None:
    """A file that is added to its folder is one too."""
    extra = SERVICES.replace("social-network", "forum").replace("facebook", "reddit").replace("Facebook", "Reddit")
    (path.parent / "services" / "forum.yaml").write_text(extra)
    assert settle(files)
    assert sorted(files.catalogue.services) == ["facebook", "reddit"]


def test_a_touched_policy_changes_nothing(path: Path, files: PolicyFiles) -> None:
    """The same words saved again are the same policy."""
    path.write_text(POLICY)
    assert not settle(files)


@pytest.mark.parametrize("content", ["", "rules: [", POLICY.replace("deny", "perhaps"), POLICY + "odd: 1\n"])
def test_an_invalid_policy_is_refused_once(path: Path, files: PolicyFiles, content: str) -> None:
    """The one before stays in force; the error names the file, and is not raised at every look."""
    before = files.policy
    path.write_text(content)
    files.poll()
    with pytest.raises(PolicyError, match=r"policy\.yaml"):
        files.poll()
    assert not settle(files)
    assert files.policy is before
    path.write_text(POLICY.replace("the office", "the head"))
    assert settle(files)


def test_a_removed_policy_is_refused(path: Path, files: PolicyFiles) -> None:
    """The last one stays in force."""
    before = files.policy
    path.unlink()
    files.poll()
    with pytest.raises(PolicyError, match="no such file"):
        files.poll()
    assert files.policy is before


def test_policy_and_catalogue_must_agree(path: Path, files: PolicyFiles) -> None:
    """A policy that speaks of a category which the catalogue does not have is refused."""
    path.write_text(POLICY.replace("[social-network]", "[no-such]"))
    files.poll()
    with pytest.raises(PolicyError, match="no-such"):
        files.poll()


@pytest.mark.parametrize("content", [None, ""])
def test_without_a_policy_there_is_no_start(path: Path, content: str | None) -> None:
    """Missing or empty: refused with a sentence that names the file."""
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with pytest.raises(PolicyError, match=r"policy\.yaml"):
        PolicyFiles(path, path.parent / "services")


def test_the_schools_own_policy_is_the_default() -> None:
    """Without a setting, the policy and the catalogue that come with schoolgate."""
    files = PolicyFiles(None)
    assert files.policy.version
    assert files.catalogue.services
    assert files.catalogue_changed_at > 0
