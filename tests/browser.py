"""A real Chromium, the system's own, set up as a school would: through a proxy, trusting the roots it is given.

Each browser has a home of its own with a certificate database made by ``certutil``, so that an authority is trusted as
on a school's computer and what confines it is honoured. It resolves no name by itself but those it is given: whatever
it asks for goes to the proxy, or nowhere. When the block is left nothing of it runs any more.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from playwright.sync_api import Browser, ProxySettings, sync_playwright

from tests.needs import tool

NOWHERE: Mapping[str, str] = MappingProxyType({})
SETTLED = (
    "--disable-quic",  # no gateway on a TCP port sees it
    "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,LocalNetworkAccessChecks",  # on loopback
    "--no-pings",
)


@contextmanager
def launched(
    *,
    proxy: str | None = None,
    person: tuple[str, str] | None = None,
    trust: Path | Iterable[Path] = (),
    hosts: Mapping[str, str] = NOWHERE,
    arguments: Iterable[str] = (),
) -> Iterator[Browser]:
    """A headless browser.

    ``proxy``: ``http://127.0.0.1:8080``, or ``https://…`` for a listener with TLS. ``person``: the name and password
    given to a proxy that asks. ``trust``: root certificates, PEM. ``hosts``: names it knows without asking the proxy.
    """
    executable = tool("chromium")
    assert executable is not None, 'call require("chromium", "certutil") first'
    with TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as folder, sync_playwright() as playwright:
        home = Path(folder)
        trust_roots(home, [trust] if isinstance(trust, Path) else trust)
        browser = playwright.chromium.launch(
            executable_path=executable,
            chromium_sandbox=os.geteuid() != 0,
            env={"HOME": folder, "PATH": os.environ.get("PATH", ""), "LANG": "en_GB.UTF-8"},
            proxy=_proxy(proxy, person),
            args=[*SETTLED, _rules(hosts), *arguments],
        )
        try:
            yield browser
        finally:
            browser.close()


def trust_roots(home: Path, roots: Iterable[Path]) -> None:
    """The user's certificate database, where Chromium on Linux looks for authorities added by hand."""
    certutil = tool("certutil")
    assert certutil is not None, 'call require("chromium", "certutil") first'
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True, mode=0o700)
    at = ("-d", f"sql:{database}")
    subprocess.run([certutil, "-N", *at, "--empty-password"], check=True, capture_output=True)
    for number, root in enumerate(roots):
        added = ("-A", *at, "-n", f"root {number}", "-t", "C,,", "-i", str(root))
        subprocess.run([certutil, *added], check=True, capture_output=True)


def _proxy(server: str | None, person: tuple[str, str] | None) -> ProxySettings | None:
    if server is None:
        return None
    if person is None:
        return ProxySettings(server=server)
    return ProxySettings(server=server, username=person[0], password=person[1])


def _rules(hosts: Mapping[str, str]) -> str:
    known = [f"MAP {name} {address}" for name, address in hosts.items()]
    return f"--host-resolver-rules={', '.join([*known, 'MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1', 'EXCLUDE ::1'])}"
