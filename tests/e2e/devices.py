"""The school's devices, by real clients: every curl is written down, to be compared with the record."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from urllib.parse import urlsplit

from tests.e2e.lab import DEVICES, DEVICES_6, GATE, GATE_6, GATE_OF_GUESTS, GUEST
from tests.e2e.school import EXPLICIT, School
from tests.integration.gateway.clients import DEADLINE, eventually
from tests.integration.gateway.gate import INTERNET
from tests.needs import tool

LOOKS = 20  # within which what was granted must be open
CUT = frozenset({18, 35, 56})  # curl's exit codes for: less came than was said, TLS broke off, receiving failed


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
        return self.process.poll() in CUT


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


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
