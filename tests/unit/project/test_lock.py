"""requirements.lock pins and hashes all that pyproject.toml asks for, and names no place that it came from."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", LOCK, re.MULTILINE))


def asked() -> Iterator[str]:
    yield from PROJECT["build-system"]["requires"]
    yield from PROJECT["project"]["dependencies"]
    yield from PROJECT["project"]["optional-dependencies"]["postgresql"]
    yield from PROJECT["dependency-groups"]["dev"]


@pytest.mark.parametrize("text", sorted(asked()))
def test_whatever_is_asked_for_is_pinned(text: str) -> None:
    """A changed pyproject.toml needs `make lock`."""
    requirement = Requirement(text)
    pinned = PINS[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pinned)


def test_every_pin_has_a_hash() -> None:
    """pip installs with --require-hashes: one pin without a hash and nothing installs."""
    entries = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) == len(PINS)
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_lock_names_no_registry_and_no_machine() -> None:
    """Where the packages were found is nobody's business but pip's."""
    assert "://" not in LOCK
    assert not re.search(r"(^|\s)/\w", LOCK)
    assert not re.search(r"^-", LOCK, re.MULTILINE)


def test_every_dependency_says_why() -> None:
    """Each line of a dependency list ends with its reason."""
    text = (ROOT / "pyproject.toml").read_text()
    lines = [line for line in text.splitlines() if re.match(r'\s+"[A-Za-z0-9.-]+(\[\w+\])?[<>=]', line)]
    assert len(lines) >= len(PROJECT["project"]["dependencies"]) + len(PROJECT["dependency-groups"]["dev"])
    assert [line for line in lines if ", # " not in re.sub(", +#", ", #", line)] == []
