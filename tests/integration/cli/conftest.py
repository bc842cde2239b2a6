"""The real command on a real state directory: in this process where that will do, else in one of its own."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from policies.loading import default_policy_path, load_catalogue, load_policy
from policies.snapshot import Snapshot
from policies.vocabulary import Role
from proxy import init
from proxy.cli.app import run
from proxy.cli.session import keep_token
from proxy.services import accounts
from proxy.settings import load
from proxy.snapshot import publish
from proxy.store.engine import Store
from proxy.store.queries import snapshot_parts

ROOT = Path(__file__).parents[3]
PASSWORDS = {
    "head": "lapwing umbrella soup",
    "deputy": "walrus cardigan ferry",
    "tech": "gravel thimble otter",
    "net": "mitten harbour plum",
    "j.smith": "pickle lantern fox",
}
ROLES = {
    "head": Role.SLT,
    "deputy": Role.SLT,
    "tech": Role.TECHNICIAN,
    "net": Role.NETWORK,
    "j.smith": Role.STAFF,
}
DEADLINE = 60


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        return json.loads(self.err.splitlines()[-1])["error"]


@dataclass
class Commands:
    """``schoolgate …`` on one state directory."""

    state_dir: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def session_file(self) -> Path:
        return self.state_dir.parent / "session"

    @property
    def environment(self) -> Mapping[str, str]:
        own = {
            "SCHOOLGATE_STATE_DIR": str(self.state_dir),
            "SCHOOLGATE_SESSION": str(self.session_file),
            "SCHOOLGATE_CONFIG": os.devnull,
        }
        return {**os.environ, "PYTHONPATH": str(ROOT), **own, **self.extra}

    def __call__(self, *arguments: str, stdin: str | bytes = "") -> Result:
        """Here, through ``main``'s own ``run``; standard input is no terminal."""
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        with self.monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))
            for name, value in self.environment.items():
                patched.setenv(name, value)
            self.capsys.readouterr()
            code = run(arguments)
        captured = self.capsys.readouterr()
        return Result(int(code), captured.out, captured.err)

    def as_(self, name: str, *arguments: str) -> Result:
        """As somebody, by the password on standard input."""
        return self("--as", name, "--password-stdin", *arguments, stdin=f"{PASSWORDS[name]}\n")

    def act_as(self, name: str) -> None:
        """From here on as somebody who signed in when the state directory was prepared."""
        keep_token(self.session_file, (self.state_dir / f"{name}.token").read_text())

    def login(self, name: str) -> None:
        assert self("login", name, "--password-stdin", stdin=PASSWORDS[name] + "\n").code == 0

    def process(self, *arguments: str, stdin: str = "", **options: Any) -> Result:
        """In a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "proxy.cli", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=dict(self.environment),
            timeout=DEADLINE,
            **options,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    @property
    def store(self) -> Store:
        return Store.open(load(self.environment).settings.store_url)

    def publish(self) -> None:
        """What the keeper would publish now."""
        store = self.store
        publish_state(self.state_dir, store)
        store.close()


POLICY, CATALOGUE = load_policy(default_policy_path()), load_catalogue()


def publish_state(state_dir: Path, store: Store) -> None:
    now = datetime.now(UTC)
    with store.read() as unit:
        parts = snapshot_parts(unit, now)
    snapshot = Snapshot(
        number=1,
        confirmed_at=now,
        policy=POLICY,
        catalogue=CATALOGUE,
        authorisations=parts.authorisations,
        devices=parts.devices,
        members=parts.members,
    )
    publish(state_dir / "snapshot", snapshot)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Path:
    """A state directory with people in each role, as the keeper leaves it; made once, copied for each test."""
    state_dir = tmp_path_factory.mktemp("prepared") / "state"
    settings = load({"SCHOOLGATE_CONFIG": os.devnull, "SCHOOLGATE_STATE_DIR": str(state_dir)}).settings
    now = datetime.now(UTC)
    init.prepare(settings, POLICY, CATALOGUE, now)
    store = Store.open(settings.store_url)
    with store.write() as unit:
        head = None
        for name, password in PASSWORDS.items():
            accounts.add_person(
                unit,
                head,
                name=name,
                display_name=name.title(),
                role=ROLES[name],
                password=password,
                now=now,
                owner=True,
            )
            actor = accounts.sign_in(unit, name, password, now)
            head = head or actor
            (state_dir / f"{name}.token").write_text(accounts.start_session(unit, actor, now))
    publish_state(state_dir, store)
    store.close()
    return state_dir


@pytest.fixture
def bare(tmp_path, capsys, monkeypatch) -> Commands:
    """Commands on a state directory that is not there yet."""
    return Commands(tmp_path / "state", capsys, monkeypatch)


@pytest.fixture
def school(prepared, tmp_path, capsys, monkeypatch) -> Iterator[Commands]:
    """Commands on a prepared state directory of the test's own; nobody is signed in."""
    shutil.copytree(prepared, tmp_path / "state")
    (tmp_path / "state").chmod(0o700)
    return Commands(tmp_path / "state", capsys, monkeypatch)


@pytest.fixture
def head(school) -> Commands:
    """Commands of the head teacher, who has signed in."""
    school.act_as("head")
    return school
