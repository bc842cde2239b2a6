"""The whole of ``schoolgate run``, with its real keeper, store and commands: used, watched, killed and brought back."""

import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from policies.loading import load_catalogue, load_policy
from proxy.services import accounts, grants
from proxy.store.engine import Store
from proxy.store.models import AttemptRow
from tests.integration.gateway.clients import DEADLINE, eventually, is_closed
from tests.integration.gateway.gate import Client
from tests.integration.gateway.processes import (
    REPOSITORY,
    SCHOOLGATE,
    STARTING,
    Process,
    children,
    figure,
    free_port,
    http_status,
)
from tests.integration.gateway.school import environment, write_policy
from tests.integration.gateway.world import World

FACEBOOK, BBC = "www.facebook.com", "www.bbc.co.uk"
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Site:
    """One installation, as a technician has it: processes, commands, figures."""

    process: Process
    state_dir: Path
    port: int
    status_port: int
    world: World
    folder: Path

    def client(self, source: str) -> Client:
        return Client(("127.0.0.1", self.port), source, self.world, self.folder / "school-root.pem")

    def schoolgate(self, *arguments: str, check: bool = True) -> str:
        """Run a command as the head teacher; its standard output."""
        done = subprocess.run(
            (*SCHOOLGATE, "--as", "head", "--password-stdin", *arguments),
            input=PASSWORD + "\n",
            env=self.process.environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def grant(self, source: str) -> int:
        reason = ("--reason", "a lesson about advertising")
        printed = self.schoolgate("grant", f"address:{source}", "facebook", "--for", "2h", *reason, "--json")
        return int(json.loads(printed)["id"])

    def grant_for(self, source: str, lasting: timedelta) -> None:
        """The command's own service, without the command's time to start: seconds matter here."""
        with closing(self._store()) as store, store.write() as session:
            now = datetime.now(UTC)
            grants.grant(
                session,
                accounts.sign_in(session, "head", PASSWORD, now),
                who=f"address:{source}",
                target="facebook",
                starts_at=now,
                ends_at=now + lasting,
                reason="a lesson about advertising",
                now=now,
                policy=load_policy(self.folder / "policy.yaml"),
                catalogue=load_catalogue(),
            )

    def attempts(self, source: str) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = json.loads(self.schoolgate("attempts", "--json", "--limit", "1000"))
        return [row for row in rows if row["address"] == source]

    def figure(self, name: str, **labels: str) -> float:
        return figure(self.metrics, name, **labels)

    def recorded(self, source: str) -> dict[str | None, int]:
        """Host -> how often this client tried it, straight from the store (asking by command takes a second each)."""
        with closing(self._store()) as store, store.read() as session:
            total = func.sum(AttemptRow.count)
            mine = select(AttemptRow.host, total).where(AttemptRow.address == source).group_by(AttemptRow.host)
            return {host: int(count) for host, count in session.execute(mine)}

    def _store(self) -> Store:
        return Store.open(f"sqlite:///{self.state_dir}/schoolgate.db")

    @property
    def metrics(self) -> str:
        with urllib.request.urlopen(f"{self.status}/metrics", timeout=DEADLINE) as answer:  # noqa: S310 -- our own
            exposition: bytes = answer.read()
            return exposition.decode()

    @property
    def status(self) -> str:
        return f"http://127.0.0.1:{self.status_port}"

    def child(self, name: str) -> int:
        return eventually(lambda: children(self.process.pid).get(name, 0))

    def ready(self) -> bool:
        self.process.check()
        return http_status(f"{self.status}/readyz") == 200


@contextmanager
def running(folder: Path, world: World) -> Iterator[Site]:
    state_dir, port, status_port = folder / "state", free_port(), free_port()
    policy = write_policy(folder / "policy.yaml", world)
    settings = environment(
        state_dir,
        policy,
        world,
        listen=f"explicit@127.0.0.1:{port}",
        status=f"127.0.0.1:{status_port}",
        admin=f"127.0.0.1:{free_port()}",
    )
    with Process((*SCHOOLGATE, "run"), settings, folder / "run.log") as process:
        site = Site(process, state_dir, port, status_port, world, folder)
        eventually(site.ready, within=STARTING)
        first = ("people", "add", "head", "--name", "Head teacher", "--role", "slt", "--password-stdin")
        site_command(site, *first, text=PASSWORD + "\n")
        (folder / "school-root.pem").write_text(site_command(site, "ca", "export"))
        yield site


def site_command(site: Site, *arguments: str, text: str = "") -> str:
    done = subprocess.run(
        (*SCHOOLGATE, *arguments),
        input=text,
        env=site.process.environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("site"), world) as made:
        yield made


@pytest.fixture
def device(site: Site, source: str) -> Client:
    eventually(site.ready)
    site.world.forget()
    return site.client(source)


def test_the_story_of_the_issue(site: Site, device: Client) -> None:
    """Refused; granted for one address, undecrypted; cut by ``revoke`` in the middle of a download; refused again."""
    assert device.get(FACEBOOK).is_page
    grant = site.grant(device.source)
    eventually(lambda: device.opens(FACEBOOK), within=5)
    assert site.client("127.0.0.99").get(FACEBOOK).is_page
    with device.download(FACEBOOK) as download:
        site.schoolgate("revoke", str(grant), "--reason", "the lesson is over")
        assert is_closed(download)
    assert device.get(FACEBOOK).is_page
    assert device.get(BBC).is_internet


def test_a_grant_of_four_seconds_ends_by_itself(site: Site, device: Client) -> None:
    """The same way, and nobody did anything."""
    site.grant_for(device.source, timedelta(seconds=4))
    eventually(lambda: device.opens(FACEBOOK))
    with device.download(FACEBOOK) as download:
        assert is_closed(download)
    assert device.get(FACEBOOK).is_page


def test_attempts_show_everything_once_or_with_a_true_count(site: Site, device: Client) -> None:
    """Every attempt at the catalogue and every refusal; nothing of what passed ``unlisted``."""
    for _ in range(7):
        device.get(FACEBOOK)
    device.get("www.reddit.com")
    assert device.get(BBC).is_internet

    eventually(lambda: site.recorded(device.source) == {FACEBOOK: 7, "www.reddit.com": 1})
    rows = site.attempts(device.source)
    assert {(row["verdict"], row["reason"]) for row in rows} == {("deny", "not_authorised")}
    assert sum(int(str(row["count"])) for row in rows) == 8


def test_the_reference_on_the_page_is_that_of_the_record(site: Site, device: Client) -> None:
    """Whoever reads it out can be found."""
    page = device.get(FACEBOOK).reply.body.decode()
    eventually(lambda: site.recorded(device.source))
    (row,) = site.attempts(device.source)
    assert str(row["reference"]) in page


def test_with_the_keeper_dead_enforcement_goes_on_and_nothing_is_lost(site: Site, device: Client) -> None:
    """kill -9 of the keeper: refused, passed and granted as before; what happened meanwhile is on record after."""
    site.grant(device.source)
    eventually(lambda: device.opens(FACEBOOK))
    keeper = site.child("keeper")
    os.kill(keeper, signal.SIGKILL)
    assert device.opens(FACEBOOK)
    assert device.get("www.reddit.com").is_page
    assert device.get(BBC).is_internet
    eventually(lambda: site.child("keeper") != keeper)
    eventually(site.ready)
    eventually(lambda: site.recorded(device.source).get("www.reddit.com") == 1)


def test_with_the_keeper_hung_enforcement_goes_on(site: Site, device: Client) -> None:
    """A stopped keeper stops nobody: not even the end of a grant."""
    site.grant_for(device.source, timedelta(seconds=5))
    eventually(lambda: device.opens(FACEBOOK))
    keeper = site.child("keeper")
    os.kill(keeper, signal.SIGSTOP)
    try:
        with device.download(FACEBOOK) as download:
            assert is_closed(download)
        assert device.get(FACEBOOK).is_page
        assert device.get(BBC).is_internet
    finally:
        os.kill(keeper, signal.SIGCONT)
    eventually(site.ready)


def test_with_the_answerer_dead_nobody_gets_through_until_it_is_back(site: Site, device: Client) -> None:
    """kill -9 of the answerer: what ran is gone, the supervisor brings it back, and the policy with it."""
    with device.download(BBC) as download:
        answerer = site.child("answerer")
        os.kill(answerer, signal.SIGKILL)
        assert is_closed(download)
    eventually(lambda: site.child("answerer") != answerer)
    eventually(lambda: device.opens(BBC), within=STARTING)
    assert device.get(FACEBOOK).is_page


def test_a_grant_survives_the_death_of_every_process(site: Site, device: Client) -> None:
    """What was granted is in the store, and is published again."""
    site.grant(device.source)
    eventually(lambda: device.opens(FACEBOOK))
    for name in ("keeper", "answerer"):
        os.kill(site.child(name), signal.SIGKILL)
    eventually(lambda: device.opens(FACEBOOK), within=STARTING)


def test_with_the_store_away_enforcement_goes_on(site: Site, device: Client) -> None:
    """The last good state is enforced, and ``/readyz`` says ready: it is."""
    store = site.state_dir / "schoolgate.db"
    away = store.with_name("away.db")
    store.rename(away)
    try:
        assert device.get(FACEBOOK).is_page
        assert device.get(BBC).is_internet
        assert site.ready()
    finally:
        store.unlink(missing_ok=True)
        away.rename(store)
    eventually(lambda: site.figure("schoolgate_store_up") == 1)


def test_a_changed_policy_file_takes_effect_and_an_invalid_one_does_not(site: Site, device: Client) -> None:
    """Exempted by a save; a file with a mistake is counted, and the policy before it stays in force."""
    policy = site.folder / "policy.yaml"
    failures = site.figure("schoolgate_policy_reload_failures_total")
    write_policy(policy, site.world, exempt=[{"because": "a test", "clause": "3", "domains": [FACEBOOK]}])
    try:
        eventually(lambda: device.opens(FACEBOOK))
        policy.write_text("school: {name: [")
        eventually(lambda: site.figure("schoolgate_policy_reload_failures_total") > failures)
        assert device.opens(FACEBOOK)
    finally:
        write_policy(policy, site.world)
    eventually(lambda: not device.opens(FACEBOOK))


def test_the_figures_tell_the_story_and_name_nobody(site: Site, device: Client) -> None:
    """One endpoint for all processes."""
    before = site.figure("schoolgate_attempts_total", verdict="deny", reason="not_authorised")
    device.get(FACEBOOK)
    eventually(lambda: site.figure("schoolgate_attempts_total", verdict="deny", reason="not_authorised") > before)
    exposition = site.metrics
    assert not [name for name in (FACEBOOK, device.source, "head", BBC) if f'"{name}"' in exposition]
    assert "schoolgate_snapshot_age_seconds" in exposition


def test_nothing_that_passed_is_anywhere_in_the_state_directory(site: Site, device: Client) -> None:
    """The issue's own test: grep it, the store and the logs included."""
    name = "private-matter.some.example"
    site.world.names.names[name] = site.world.names.names[BBC]
    for path in ("/secret-path", "/other"):
        assert device.get(name, path).is_internet
    device.http(f"GET http://{name}:{site.world.http_port}/secret-path HTTP/1.1\r\n\r\n".encode())
    device.get(FACEBOOK, "/secret-path")
    eventually(lambda: site.recorded(device.source))
    files = [path for path in [*site.state_dir.rglob("*"), site.process.log] if path.is_file()]
    traces = (b"private-matter", b"secret-path")
    assert not [path for path in files for trace in traces if trace in path.read_bytes()]


def test_a_second_run_on_one_state_directory_refuses(site: Site) -> None:
    """And says so, without disturbing the first."""
    settings = {**site.process.environment, "SCHOOLGATE_LISTEN": f"explicit@127.0.0.1:{free_port()}"}
    done = subprocess.run(
        (*SCHOOLGATE, "run"), env=settings, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert str(site.state_dir) in done.stderr
    assert site.ready()


def test_stopping_ends_everything(tmp_path: Path, world: World) -> None:
    """SIGTERM to the supervisor: status 0, no process and no listener left."""
    with running(tmp_path, world) as site:
        processes = [site.child("keeper"), site.child("answerer")]
        assert site.process.stop() == 0
    assert not [pid for pid in processes if Path(f"/proc/{pid}").exists()]
    with pytest.raises(ConnectionRefusedError):
        site.client("127.0.0.9").connect()
