"""The dashboard beside a whole running schoolgate: every query answers on what its own /metrics says."""

import subprocess
from collections.abc import Iterator, Mapping

import pytest

from tests.integration.deploy.prometheus_server import Prometheus, wait_for
from tests.integration.deploy.test_dashboard import QUERIES, as_grafana_asks
from tests.integration.gateway.clients import Tls
from tests.integration.gateway.gate import Client
from tests.integration.gateway.processes import (
    REPOSITORY,
    SCHOOLGATE,
    Process,
    clean_environment,
    free_port,
    http_status,
)
from tests.integration.gateway.school import OFFICE, TEACHER, environment, write_policy
from tests.integration.gateway.world import World, internet
from tests.needs import require

PASSWORD = "correct horse battery staple"


def schoolgate(settings: Mapping[str, str], *arguments: str) -> str:
    """A command of the test school, the password on its standard input."""
    done = subprocess.run(
        [*SCHOOLGATE, *arguments],
        env=clean_environment(settings),
        cwd=REPOSITORY,
        input=PASSWORD + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_head(settings: Mapping[str, str], *arguments: str) -> str:
    return schoolgate(settings, "--as", "head", "--password-stdin", *arguments)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with internet(tmp_path_factory.mktemp("internet")) as world:
        yield world


@pytest.fixture(scope="module")
def prometheus(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A school day in short: a refusal, a site that passes, a grant, a download that its revocation cuts."""
    require("prometheus")
    folder = tmp_path_factory.mktemp("school")
    proxy, status = free_port(), f"127.0.0.1:{free_port()}"
    settings = environment(
        folder / "state",
        write_policy(folder / "policy.yaml", world),
        world,
        listen=f"explicit@127.0.0.1:{proxy}",
        status=status,
    )
    with (
        Process([*SCHOOLGATE, "run"], settings, folder / "run.log") as process,
        Prometheus(folder, status) as prometheus,
    ):
        wait_for(lambda: enforces(process, status), "schoolgate enforces")
        root = folder / "root.pem"
        root.write_text(schoolgate(settings, "ca", "export"))
        school_day(settings, [Client(("127.0.0.1", proxy), source, world, root) for source in (TEACHER, OFFICE)])
        yield prometheus


def enforces(process: Process, status: str) -> bool:
    process.check()
    return http_status(f"http://{status}/readyz") == 200


def school_day(settings: Mapping[str, str], clients: list[Client]) -> None:
    teacher, office = clients
    schoolgate(settings, "people", "add", "head", "--name", "Head", "--role", "slt", "--password-stdin")
    assert office.get("www.facebook.com").is_page
    assert office.get("www.bbc.co.uk").is_internet
    as_head(settings, "grant", f"address:{TEACHER}", "facebook", "--for", "1h", "--reason", "A school day")
    wait_for(lambda: teacher.opens("www.facebook.com"), "the grant opens it")
    with teacher.download("www.facebook.com") as download:
        as_head(settings, "revoke", "1", "--reason", "The day is over")
        wait_for(lambda: ended(download), "the download is cut")
    assert teacher.get("www.facebook.com").is_page


def ended(download: Tls) -> bool:
    try:
        return not download.recv()
    except OSError:
        return True


@pytest.mark.parametrize("expression", QUERIES)
def test_every_query_answers_on_a_running_schoolgate(prometheus: Prometheus, expression: str) -> None:
    """No panel stays empty once schoolgate has been through what happens on any day."""
    wait_for(lambda: prometheus.query(as_grafana_asks(expression)), expression)
