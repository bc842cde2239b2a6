"""What a test needs of the machine it runs on, said once: without it the test is skipped, and says why.

``SCHOOLGATE_TEST_ALL=1`` turns every such skip into a failure, so that a full run proves a full run.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest

TEST_ALL = "SCHOOLGATE_TEST_ALL"


def require(*parts: str) -> None:
    """Go on only if every part is there. Raises KeyError for a part nobody has described."""
    for part in parts:
        if lack := lacking(part):
            _without(part, lack)


@cache
def lacking(part: str) -> str | None:
    """Why ``part`` cannot be used here, or None if it can."""
    return _PARTS[part]()


def tool(name: str) -> Path | None:
    """Where a program is, sbin included (a user's PATH often leaves it out)."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    found = shutil.which(name, path=path)
    return Path(found) if found else None


def postgresql_programs() -> Path | None:
    """The folder with ``initdb``: Debian keeps it out of the PATH, one folder per version."""
    if (on_path := tool("initdb")) is not None:
        return on_path.resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


def _without(part: str, lack: str) -> None:
    if os.environ.get(TEST_ALL) == "1":
        pytest.fail(f"{TEST_ALL}=1 asks for every test, and this one needs {part}: {lack}", pytrace=False)
    pytest.skip(f"needs {part}: {lack}")


def _root() -> str | None:
    return None if os.geteuid() == 0 else "run the tests as root"


def _program(name: str, package: str) -> Callable[[], str | None]:
    return lambda: None if tool(name) else f"there is no {name}: apt install {package}"


def _postgresql() -> str | None:
    return None if postgresql_programs() else "there is no initdb: apt install postgresql"


def _namespaces() -> str | None:
    ip = tool("ip")
    if ip is None:
        return "there is no ip: apt install iproute2"
    if lack := _root():
        return lack
    name = f"sg-probe-{os.getpid()}"
    made = subprocess.run([ip, "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return f"network namespaces are not allowed here: {made.stderr.strip()}"
    subprocess.run([ip, "netns", "del", name], capture_output=True, check=True)
    return None


_PARTS: Mapping[str, Callable[[], str | None]] = {
    "root": _root,
    "namespaces": _namespaces,
    "nftables": _program("nft", "nftables"),
    "postgresql": _postgresql,
    "prometheus": _program("prometheus", "prometheus"),
    "promtool": _program("promtool", "prometheus"),
    "curl": _program("curl", "curl"),
    "openssl": _program("openssl", "openssl"),
    "chromium": _program("chromium", "chromium"),
    "certutil": _program("certutil", "libnss3-tools"),
    "groff": _program("groff", "groff-base"),
    "zsh": _program("zsh", "zsh"),
    "fish": _program("fish", "fish"),
    "dnsmasq": _program("dnsmasq", "dnsmasq-base"),
}
