"""schoolgate at work in the lab, and the technician's and the head's commands beside it."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.e2e.lab import Lab, lab
from tests.integration.gateway.clients import eventually
from tests.integration.gateway.processes import REPOSITORY, SCHOOLGATE, STARTING, Process, http_status
from tests.integration.gateway.school import timetable
from tests.needs import tool

EXPLICIT, TRANSPARENT, STATUS = 8080, 8081, "127.0.0.1:9464"
RULESET = files("deploy").joinpath("nftables/transparent.nft")
ADD_HEAD = ("people", "add", "head", "--name", "Head", "--role", "slt", "--password-stdin")
PASSWORD = "correct horse battery staple"
LONG_AGO = [{"name": "Autumn 1999", "first": "1999-09-01", "last": "1999-12-17"}]


@dataclass(frozen=True)
class School:
    """The lab with schoolgate running on its gateway. ``tried`` counts attempts by address and host."""

    lab: Lab
    process: Process
    folder: Path
    tried: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    @property
    def roots(self) -> Path:
        """What the devices trust: the school's certificate authority and the internet's."""
        return self.folder / "roots.pem"

    def schoolgate(self, *arguments: str) -> str:
        return schoolgate(self.process.environment, *arguments)

    def as_head(self, *arguments: str) -> Any:
        """What the head teacher's command prints."""
        return json.loads(self.schoolgate("--as", "head", "--password-stdin", *arguments, "--json"))

    def grant(self, who: str, target: str, lasting: str = "2h") -> int:
        """A grant, by its number."""
        number: int = self.as_head("grant", who, target, "--for", lasting, "--reason", "Posts of the open day")["id"]
        return number

    def revoke(self, number: int) -> None:
        self.as_head("revoke", str(number), "--reason", "The open day is over")

    def attempts(self, *options: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.as_head("attempts", "--limit", "100000", *options)
        return found

    def steer(self) -> None:
        """Load the ruleset as it is shipped."""
        self.nft("-f", str(RULESET))

    def nft(self, *arguments: str) -> None:
        self.lab.gate.run(str(tool("nft")), *arguments)

    def is_ready(self) -> bool:
        self.process.check()
        with self.lab.gate.inside():
            return http_status(f"http://{STATUS}/readyz") == 200

    def edit_policy(self, *, lesson: bool) -> None:
        """Put the present moment into a lesson, or every lesson into the past, and save the file."""
        write_policy(self.folder / "policy.yaml", lesson=lesson)


def schoolgate(environment: Mapping[str, str], *arguments: str) -> str:
    """What a command prints; the password is on its standard input."""
    done = subprocess.run(
        (*SCHOOLGATE, *arguments),
        input=PASSWORD + "\n",
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_policy(path: Path, *, lesson: bool) -> None:
    yaml = YAML()
    yaml.representer.ignore_aliases = lambda _: True  # a policy writes everything out
    policy = yaml.load(files("policies").joinpath("horringer-court.yaml").read_text(encoding="utf-8"))
    policy.pop("examples")  # they speak of the real timetable
    policy["timetable"] = {**timetable("00:00:00"), "terms": [] if lesson else LONG_AGO}
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        yaml.dump(policy, file)
    new.replace(path)


@contextmanager
def school(folder: Path) -> Iterator[School]:
    settings = {
        "SCHOOLGATE_STATE_DIR": str(folder / "state"),
        "SCHOOLGATE_POLICY": str(folder / "policy.yaml"),
        "SCHOOLGATE_LISTEN": f"transparent@:{TRANSPARENT},explicit@:{EXPLICIT}",
        "SCHOOLGATE_STATUS": STATUS,
    }
    write_policy(folder / "policy.yaml", lesson=True)
    with lab(folder) as made, Process(made.gate.command(*SCHOOLGATE, "run"), settings, folder / "run.log") as process:
        running = School(made, process, folder)
        running.steer()
        eventually(running.is_ready, within=STARTING)
        running.schoolgate(*ADD_HEAD)
        running.roots.write_text(running.schoolgate("ca", "export") + made.authority.root.read_text())
        yield running
