"""The browser that other tests use is a real one, trusts what it was given and nothing else, and leaves nothing."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error

from tests.browser import launched
from tests.integration.gateway.internet import InternetAuthority, TlsOrigin
from tests.needs import require

HOST = "origin.example"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> InternetAuthority:
    require("chromium", "certutil")
    return InternetAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def origin(authority: InternetAuthority) -> Iterator[TlsOrigin]:
    with TlsOrigin(authority.server_context([HOST]), "127.0.0.1") as server:
        yield server


def visit(browser: Browser, origin: TlsOrigin) -> str:
    page = browser.new_page()
    answer = page.goto(f"https://{HOST}:{origin.port}/")
    return answer.text() if answer else ""


def test_a_trusted_root_is_trusted(authority: InternetAuthority, origin: TlsOrigin) -> None:
    """With the root in its database the browser opens the page without a word."""
    with launched(trust=authority.root, hosts={HOST: "127.0.0.1"}) as browser:
        assert visit(browser, origin).startswith("hello from the internet")


def test_an_unknown_root_is_not(origin: TlsOrigin) -> None:
    """No certificate error is ever passed over."""
    with launched(hosts={HOST: "127.0.0.1"}) as browser, pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
        visit(browser, origin)


def test_no_other_name_leads_anywhere(origin: TlsOrigin) -> None:
    """A browser without a proxy knows the names it was given and no more."""
    require("chromium", "certutil")
    with launched() as browser, pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        visit(browser, origin)


def test_nothing_is_left_behind(authority: InternetAuthority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a process of the browser nor its home."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with launched(trust=authority.root) as browser:
        assert browser.is_connected()
        assert processes_at_home(tmp_path)
    assert not processes_at_home(tmp_path)
    assert not list(tmp_path.iterdir())


def processes_at_home(folder: Path) -> list[int]:
    """The processes whose home is below ``folder``."""
    return [pid for pid in running() if f"HOME={folder}/".encode() in environment(pid)]


def running() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # it has gone, or belongs to somebody else
        return b""
