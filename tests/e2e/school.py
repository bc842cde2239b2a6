"""schoolgate at work in the lab, and real clients of it: every curl is written down, to be compared with the record."""

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import urlsplit

from ruamel.yaml import YAML

from tests.e2e.lab import DEVICES, DEVICES_6, GATE, GATE_6, GATE_OF_GUESTS, GUEST, Lab, lab
from tests.integration.gateway.clients import DEADLINE, eventually
from tests.integration.gateway.gate import INTERNET
from tests.integration.gateway.processes import REPOSITORY, SCHOOLGATE, STARTING, Process, http_status
from tests.needs import tool

EXPLICIT, TRANSPARENT, STATUS = 8080, 8081, "127.0.0.1:9464"
RULESET = files("deploy").joinpath("nftables/transparent.nft")
PASSWORD = "correct horse battery staple"
LOOKS = 20  # within which what was granted, revoked or edited must have taken effect
CURL_CUT = frozenset({18, 35, 56})  # curl's exit codes for: less came than was said, TLS broke off, receiving failed
DAY = [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "23:59:59"}]
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
        """A command of the technician's, the password on its standard input."""
        done = subprocess.run(
            (*SCHOOLGATE, *arguments),
            input=PASSWORD + "\n",
            env=self.process.environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

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


def write_policy(path: Path, *, lesson: bool) -> None:
    yaml = YAML()
    policy = yaml.load(files("policies").joinpath("horringer-court.yaml").read_text(encoding="utf-8"))
    policy.pop("examples")  # they speak of the real timetable
    policy["timetable"]["periods"]["lessons"] = DAY
    policy["timetable"]["terms"] = [] if lesson else LONG_AGO
    policy["timetable"]["holidays"] = []
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        yaml.dump(policy, file)
    new.replace(path)


@dataclass(frozen=True)
class Answer:
    """What curl was given. ``issuer`` signed the certificate; ``status`` is 0 where there was no answer."""

    status: int
    issuer: str
    body: str

    @property
    def is_page(self) -> bool:
        """The school's refusal, under the school's certificate."""
        return self.status == 403 and self.issuer not in (INTERNET, "")

    @property
    def is_internet(self) -> bool:
        """The origin itself, undecrypted."""
        return self.status == 200 and self.issuer == INTERNET


@dataclass(frozen=True)
class Device:
    """A device, and how its traffic meets the gateway: by its proxy setting, or steered on its way out."""

    school: School
    address: str
    proxy: str | None

    def get(self, url: str, *options: str, at: str | None = None) -> Answer:
        """GET by curl; ``at`` is where the device believes the name lives, whatever its hosts file says."""
        where = ("--connect-to", f"::{_bracketed(at)}:") if at else ()
        told = ("--max-time", str(DEADLINE), "--write-out", "%{stderr}%{http_code}\n%{certs}")
        done = subprocess.run(
            self._curl(url, *told, *where, *options), capture_output=True, text=True, check=False, timeout=60
        )
        status, _, certificates = done.stderr.partition("\n")
        issuers = re.findall(r"^Issuer:.*?CN = (.+)$", certificates, re.MULTILINE)
        return Answer(int(status), issuers[0] if issuers else "", done.stdout)

    def page(self, host: str, *, at: str | None = None) -> bool:
        return self.get(f"https://{host}/", at=at).is_page

    def is_cut_off(self, host: str) -> bool:
        """Whether there is neither page nor origin: an alert, or a reset."""
        answer = self.get(f"https://{host}/")
        return (answer.status, answer.issuer) == (0, "")

    def opens(self, host: str, *, at: str | None = None) -> bool:
        return self.get(f"https://{host}/", at=at).is_internet

    @contextmanager
    def download(self, host: str) -> Iterator["Download"]:
        """A download under way, at a rate at which it would last for days."""
        limits = ("--http1.1", "--limit-rate", "1M", "--no-buffer", "--output", "-")
        command = self._curl(f"https://{host}/endless", *limits)
        with TemporaryFile() as file, subprocess.Popen(command, stdout=file) as process:
            try:
                eventually(lambda: process.poll() is not None or os.fstat(file.fileno()).st_size)
                assert process.poll() is None, f"the download did not begin: curl ended with {process.returncode}"
                yield Download(process)
            finally:
                process.kill()

    def _curl(self, url: str, *options: str) -> Sequence[str]:
        self.school.tried[self.address, (urlsplit(url).hostname or "").removesuffix(".")] += 1
        family = "-6" if ":" in self.address else "-4"
        through = ("--proxy", self.proxy) if self.proxy else ()
        common = ("--silent", family, "--interface", self.address, "--cacert", str(self.school.roots))
        return self.school.lab.client.command(str(tool("curl")), *common, *through, *options, url)


@dataclass(frozen=True)
class Download:
    process: subprocess.Popen[bytes]

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def is_cut(self) -> bool:
        """Whether it ended, and not by itself: that would be 0."""
        return self.process.poll() in CURL_CUT


@dataclass(frozen=True)
class Way:
    """How the devices' traffic meets the gateway, and from which addresses."""

    school: School
    addresses: tuple[str, ...]
    proxy: str | None

    def device(self, number: int) -> Device:
        return Device(self.school, self.addresses[number], self.proxy)

    def where(self, addresses: tuple[str, str]) -> str:
        """Of a place's IPv4 and IPv6 addresses the one that these devices would use."""
        return addresses[":" in self.addresses[0]]


WAYS: Mapping[str, tuple[tuple[str, ...], str | None]] = {
    "explicit": (DEVICES, f"http://{GATE}:{EXPLICIT}"),
    "explicit-ipv6": (DEVICES_6, f"http://[{GATE_6}]:{EXPLICIT}"),
    "transparent": (DEVICES, None),
    "transparent-ipv6": (DEVICES_6, None),
}
GUESTS_WAYS: Mapping[str, tuple[tuple[str, ...], str | None]] = {
    "explicit": ((GUEST,), f"http://{GATE_OF_GUESTS}:{EXPLICIT}"),
    "transparent": ((GUEST,), None),
}


def soon(condition: Callable[[], bool]) -> bool:
    """Whether it is so within a few looks; each is an attempt of its own, so that few are many enough."""
    return any(condition() for _ in range(LOOKS))


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
        running.schoolgate("people", "add", "head", "--name", "Head", "--role", "slt", "--password-stdin")
        running.roots.write_text(running.schoolgate("ca", "export") + made.authority.root.read_text())
        yield running


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
