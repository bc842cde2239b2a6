"""The wheel alone works: installed into an empty environment and run from another folder."""

import os
import subprocess
import sys
import sysconfig
import time
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.integration.gateway.processes import free_port

ROOT = Path(__file__).parents[3]
DEADLINE = 60.0
DATA = {
    "policies/horringer-court.yaml",
    "proxy/pages",
    "migrations/env.py",
    "migrations/script.py.mako",
    "migrations/versions",
    "deploy/schoolgate.toml",
    "deploy/systemd/schoolgate.service",
    "deploy/nftables/transparent.nft",
    "deploy/prometheus/prometheus.yml",
    "deploy/prometheus/schoolgate.rules.yml",
    "deploy/grafana/schoolgate.json",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [built] = folder.glob("schoolgate-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an environment with nothing but the wheel; what it depends on is lent from this one."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", environment / "bin/python"]
    quietly = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([*pip, "install", *quietly, wheel], check=True, capture_output=True)
    [site_packages] = environment.glob("lib/python*/site-packages")
    (site_packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")  # its own .pth files are not read
    return environment / "bin"


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """A state directory and ports of the test's own, and no way to the source."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return {
        **kept,
        "SCHOOLGATE_CONFIG": os.devnull,
        "SCHOOLGATE_STATE_DIR": str(tmp_path / "state"),
        "SCHOOLGATE_LISTEN": f"explicit@127.0.0.1:{free_port()}",
        "SCHOOLGATE_STATUS": f"127.0.0.1:{free_port()}",
        "SCHOOLGATE_ADMIN": f"127.0.0.1:{free_port()}",
    }


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == [], "something was written into the folder it was started from"


def run(*command: str | Path, environment: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=dict(environment), cwd=folder, capture_output=True, text=True, check=False)


def test_the_wheel_holds_every_file_of_every_package(wheel: Path) -> None:
    """Policies, catalogue, templates, migrations and what is deployed are inside; tests are not."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in ("policies", "proxy", "migrations", "deploy"):
        files = {str(path.relative_to(ROOT)) for path in (ROOT / package).rglob("*") if path.is_file()}
        assert {name for name in files if "__pycache__" not in name} <= names
    assert all(any(name.startswith(expected) for name in names) for expected in DATA)
    assert not any(name.startswith("tests/") for name in names)


def test_it_runs_what_is_in_the_wheel(installed: Path, environment: Mapping[str, str], elsewhere: Path) -> None:
    """The package that is imported is the installed one, not the source beside it."""
    shown = run(
        installed / "python", "-c", "import proxy; print(proxy.__file__)", environment=environment, folder=elsewhere
    )
    assert Path(shown.stdout.strip()).is_relative_to(installed.parent)


@pytest.mark.parametrize("command", [["--help"], ["policy", "check"], ["catalogue", "list"]], ids=" ".join)
def test_commands_find_their_files(
    installed: Path, environment: Mapping[str, str], elsewhere: Path, command: list[str]
) -> None:
    """Policy and catalogue are found inside the installed package."""
    done = run(installed / "schoolgate", *command, environment=environment, folder=elsewhere)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_run_enforces_from_any_folder(installed: Path, environment: Mapping[str, str], elsewhere: Path) -> None:
    """``schoolgate run`` makes what is missing, becomes ready, and ends when it is asked to."""
    log = elsewhere.parent / "run.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [installed / "schoolgate", "run"], env=dict(environment), cwd=elsewhere, stdout=output, stderr=output
        ) as process,
    ):
        try:
            deadline = time.monotonic() + DEADLINE
            while not _ready(environment["SCHOOLGATE_STATUS"]):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
        finally:
            process.terminate()
        assert process.wait(DEADLINE) == 0, log.read_text()


def _ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
