"""Persons on the wire, in the real Chromium: sign in once, reach what was granted to you; nobody else does.

Two persons share one machine. schoolgate runs as a school runs it; the only thing made up is the internet behind it.
"""

import json
import logging
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response

from tests.browser import launched
from tests.integration.gateway.clients import eventually
from tests.integration.gateway.gate import INTERNET
from tests.integration.gateway.processes import (
    REPOSITORY,
    SCHOOLGATE,
    STARTING,
    Process,
    figure,
    free_port,
    http_status,
)
from tests.integration.gateway.school import environment, write_policy
from tests.integration.gateway.world import World, internet
from tests.needs import require

logger = logging.getLogger(__name__)

INSTAGRAM, FACEBOOK, BBC, GATE = "www.instagram.com", "www.facebook.com", "www.bbc.co.uk", "gate.school.example"
SMITH, JONES = "j.smith", "a.jones"
SIGN_IN = {"head": "correct horse battery staple", SMITH: "seven ducks on the pond", JONES: "the kettle is on again"}
BROWSING = {SMITH: "wire: only for the wire 1", JONES: "wire: only for the wire 2"}
TRICKLING = """() => {
    window.endedAt = null
    fetch('/trickling').then(async answer => {
        const reader = answer.body.getReader()
        window.started = true
        while (!(await reader.read()).done);
    }).catch(() => {}).finally(() => { window.endedAt = Date.now() })
}"""


@dataclass(frozen=True)
class School:
    """schoolgate at work, with a listener in clear and one behind TLS, and the head teacher's commands."""

    process: Process
    world: World
    root: Path
    proxy: str
    private_proxy: str
    status: str

    def command(self, *arguments: str, typed: tuple[str, ...] = ()) -> str:
        done = subprocess.run(
            (*SCHOOLGATE, *arguments),
            input="".join(f"{line}\n" for line in typed),
            env=self.process.environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def as_head(self, *arguments: str, typed: tuple[str, ...] = ()) -> Any:
        """What the head teacher's command prints."""
        words = ("--as", "head", "--password-stdin", *arguments, "--json")
        return json.loads(self.command(*words, typed=(SIGN_IN["head"], *typed)))

    def has_arrived(self) -> None:
        """The head, and two members of staff with browsing passwords of their own."""
        self.command(*ADD, "head", "--name", "Head", "--role", "slt", "--password-stdin", typed=(SIGN_IN["head"],))
        for name in (SMITH, JONES):
            self.as_head(*ADD, name, "--name", name, "--role", "staff", "--password-stdin", typed=(SIGN_IN[name],))
            words = ("--as", "head", "--password-stdin", "people", "password", name, "--browsing", "--password-stdin")
            self.command(*words, typed=(SIGN_IN["head"], BROWSING[name]))

    def grant(self) -> int:
        number: int = self.as_head("grant", f"person:{SMITH}", "instagram", "--for", "2h", "--reason", "Open day")["id"]
        return number

    def revoke(self, number: int) -> datetime:
        self.as_head("revoke", str(number), "--reason", "The open day is over")
        (row,) = (row for row in self.as_head("grants", "--all") if row["id"] == number)
        return datetime.fromisoformat(row["revoked_at"])

    def browser(self, name: str, *, proxy: str | None = None) -> "Any":
        """A browser of its own, which answers a proxy that asks with this person's browsing password."""
        return launched(
            proxy=proxy or self.proxy,
            person=(name, BROWSING[name]),
            trust=(self.root, self.world.root),
            hosts={GATE: "127.0.0.1"},
        )

    def url(self, name: str) -> str:
        return f"https://{name}:{self.world.port}/open-day?from=poster"

    def challenges(self) -> float:
        files = (self.process_files()).glob("*.prom")
        return sum(figure(file.read_text(), "schoolgate_refusals_total", form="challenge") for file in files)

    def process_files(self) -> Path:
        return Path(self.process.environment["SCHOOLGATE_STATE_DIR"]) / "processes"


ADD = ("people", "add")


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    require("chromium", "certutil")
    folder = tmp_path_factory.mktemp("persons")
    with internet(folder) as world, running(folder, world) as made:
        made.has_arrived()
        yield made


@contextmanager
def running(folder: Path, world: World) -> Iterator[School]:
    port, private, status = free_port(), free_port(), f"127.0.0.1:{free_port()}"
    listen = f"explicit@127.0.0.1:{port},explicit+tls@127.0.0.1:{private}"
    policy = write_policy(folder / "policy.yaml", world)
    values = {"listen": listen, "status": status, "proxy_auth": "optional", "host_name": GATE}
    settings = environment(folder / "state", policy, world, **values)
    with Process((*SCHOOLGATE, "run"), settings, folder / "run.log") as process:
        root = folder / "school-root.pem"
        made = School(process, world, root, f"http://127.0.0.1:{port}", f"https://{GATE}:{private}", status)
        eventually(lambda: is_ready(made), within=STARTING)
        root.write_text(made.command("ca", "export"))
        yield made


def is_ready(school: School) -> bool:
    school.process.check()
    return http_status(f"http://{school.status}/readyz") == 200


def visit(page: Page, school: School, name: str) -> Response:
    answer = page.goto(school.url(name))
    assert answer is not None
    return answer


def opens(page: Page, school: School, name: str = INSTAGRAM) -> bool:
    """Whether the origin itself is reached: the certificate that Chromium sees is the internet's."""
    answer = visit(page, school, name)
    return answer.status == 200 and issuer(answer) == INTERNET


def is_page(page: Page, school: School, name: str = INSTAGRAM) -> bool:
    """Whether it is the school's page, under the school's own certificate."""
    answer = visit(page, school, name)
    return answer.status == 403 and issuer(answer) != INTERNET


def issuer(answer: Response) -> str:
    details: Mapping[str, Any] = answer.security_details() or {}
    return str(details.get("issuer"))


def page_of(browser: Browser) -> Page:
    return browser.new_context().new_page()


def test_a_person_with_a_grant_reaches_it_and_another_on_the_same_machine_does_not(school: School) -> None:
    """Signed in once, undecrypted; the record names each; revoking ends it."""
    number = school.grant()
    before = school.challenges()
    with school.browser(SMITH) as of_smith:
        smith = page_of(of_smith)
        eventually(lambda: opens(smith, school))
        assert smith.url.startswith(school.url(INSTAGRAM))
        assert all(opens(smith, school) for _ in range(3))
        assert opens(smith, school, BBC)
        eventually(lambda: school.challenges() == before + 1)
        with ThreadPoolExecutor(1) as beside:  # Playwright drives one browser in a thread
            beside.submit(jones_comes_and_goes, school).result()
        assert opens(smith, school)
        downloading(smith)
        revoked_at = school.revoke(number)
        ended_at = eventually(lambda: smith.evaluate("window.endedAt"), every=0.05)
        logger.warning("Revoked, and ended in Chromium %.3f s later", ended_at / 1000 - revoked_at.timestamp())
        assert ended_at / 1000 >= revoked_at.timestamp()
        assert eventually(lambda: is_page(smith, school))
    eventually(lambda: {(SMITH, "allow"), (SMITH, "deny"), (JONES, "deny")} <= verdicts(school))
    assert (JONES, "allow") not in verdicts(school)
    assert (None, "allow") not in verdicts(school)


def jones_comes_and_goes(school: School) -> None:
    """Another person's browser on the same machine, while the first one's is open."""
    with school.browser(JONES) as of_jones:
        jones = page_of(of_jones)
        assert is_page(jones, school)
        assert is_page(jones, school, FACEBOOK)
        assert opens(jones, school, BBC)


def downloading(page: Page) -> None:
    page.evaluate(TRICKLING)
    eventually(lambda: page.evaluate("window.started"))
    assert page.evaluate("window.endedAt") is None


def verdicts(school: School) -> set[tuple[str | None, str]]:
    """Who is on record with what, for Instagram."""
    rows = school.as_head("attempts", "--limit", "1000")
    return {(row["person"], row["verdict"]) for row in rows if row["host"] == INSTAGRAM}


def test_the_same_through_the_tls_listener(school: School) -> None:
    """``HTTPS gate:port`` in a PAC file: the gateway's own certificate is the school's, and nothing is in clear."""
    number = school.grant()
    with school.browser(SMITH, proxy=school.private_proxy) as of_smith:
        smith = page_of(of_smith)
        eventually(lambda: opens(smith, school))
        assert opens(smith, school, BBC)
        assert is_page(smith, school, FACEBOOK)
        school.revoke(number)
        assert eventually(lambda: is_page(smith, school))
