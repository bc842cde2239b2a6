"""The CI script installs whatever a test asks of the machine, so that nothing has to be skipped there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = {
    "certutil": "libnss3-tools",
    "chromium": "chromium",
    "curl": "curl",
    "dnsmasq": "dnsmasq-base",
    "fish": "fish",
    "groff": "groff-base",
    "namespaces": "iproute2",
    "nftables": "nftables",
    "openssl": "openssl",
    "postgresql": "postgresql",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "zsh": "zsh",
}  # what the machine itself must give, such as being root, is no package


def asked_for() -> set[str]:
    calls = (re.findall(r"\brequire\(([^)]*)\)", path.read_text()) for path in (ROOT / "tests").rglob("*.py"))
    return {part for found in calls for call in found for part in re.findall(r'"([a-z]+)"', call)}


@pytest.mark.parametrize("part", sorted(asked_for() - {"root"}))
def test_ci_installs_what_tests_require(part: str) -> None:
    """Each part in a call of require() has its package in the list."""
    [listed] = re.findall(r"^packages=\(\n(.*?)^\)", (ROOT / ".ci/run").read_text(), re.MULTILINE | re.DOTALL)
    assert PACKAGES[part] in re.sub(r"#.*", "", listed).split()
