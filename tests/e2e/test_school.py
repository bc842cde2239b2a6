"""The issue's "Done when", on a school of namespaces: explicit, and transparent behind the nftables ruleset we ship."""

import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.lab import (
    CLOSED,
    CLOSED_6,
    DEVICES,
    DEVICES_6,
    GATE,
    NAME_SERVER,
    OPEN,
    OPEN_6,
    Lab,
    Namespace,
    lab,
)
from tests.integration.gateway.clients import DEADLINE, Tls, eventually, is_closed, request_head, tunnel
from tests.integration.gateway.gate import INTERNET
from tests.integration.gateway.processes import (
    REPOSITORY,
    SCHOOLGATE,
    STARTING,
    Process,
    children,
    http_status,
)
from tests.needs import require, tool

EXPLICIT, TRANSPARENT, STATUS = 8080, 8081, 9464
FACEBOOK, BBC = "www.facebook.com", "www.bbc.co.uk"
PASSWORD = "correct horse battery staple"
RULES = REPOSITORY / "deploy" / "nftables" / "transparent.nft"


@dataclass(frozen=True)
class School:
    """The lab with schoolgate running on its gateway."""

    lab: Lab
    process: Process
    folder: Path

    def schoolgate(self, *arguments: str, text: str = "") -> str:
        done = subprocess.run(
            (*SCHOOLGATE, *arguments),
            input=text,
            env=self.process.environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def as_head(self, *arguments: str) -> str:
        return self.schoolgate("--as", "head", "--password-stdin", *arguments, text=PASSWORD + "\n")

    def grant(self, device: str, lasting: str) -> int:
        reason = ("--reason", "a lesson about advertising", "--json")
        return int(json.loads(self.as_head("grant", f"address:{device}", "facebook", "--for", lasting, *reason))["id"])

    @property
    def root(self) -> Path:
        return self.folder / "school-root.pem"


@dataclass(frozen=True)
class Way:
    """How a device's traffic meets the gateway."""

    name: str
    devices: tuple[str, ...]
    addresses: dict[str, str]  # where names live, as the device sees it; none: it asks the proxy by name

    def curl(self, school: School, device: str, url: str, *more: str, address: str | None = None) -> tuple[int, str]:
        """The status (0: no answer) and body of a GET from a device; ``address``: where it believes the name lives."""
        host = url.split("/")[2]
        at = address or self.addresses.get(host)
        literal = f"[{at}]" if at and ":" in at else at
        where = ("--proxy", f"http://{GATE}:{EXPLICIT}") if at is None else ("--connect-to", f"{host}::{literal}:")
        command = (
            "curl",
            "-sS",
            "--interface",
            device,
            "--max-time",
            str(DEADLINE),
            "-w",
            "\n%{http_code}",
            *where,
            *more,
        )
        done = subprocess.run(
            school.lab.client.command(str(tool("curl")), *command[1:], url),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        body, _, status = done.stdout.rpartition("\n")
        return int(status or 0), body

    def page(self, school: School, device: str, host: str) -> tuple[int, str]:
        return self.curl(school, device, f"https://{host}/", "--cacert", str(school.root))

    def opens(self, school: School, device: str, host: str) -> bool:
        """Whether the origin answers with its own certificate."""
        status, _ = self.curl(school, device, f"https://{host}/", "--cacert", str(school.lab.authority.root))
        return status == 200

    def download(self, school: School, device: str, host: str) -> Tls:
        with school.lab.client.inside():
            connection = self._connection(device, host)
        tls = Tls(connection, host, (school.root, school.lab.authority.root))
        assert tls.issuer == INTERNET
        tls.sendall(request_head("GET", "/endless", host))
        eventually(tls.recv)
        return tls

    def _connection(self, device: str, host: str) -> socket.socket:
        if host not in self.addresses:
            return tunnel((GATE, EXPLICIT), f"{host}:443", device)
        return socket.create_connection((self.addresses[host], 443), DEADLINE, (device, 0))


WAYS = (
    Way("explicit", DEVICES, {}),
    Way("transparent", DEVICES, {FACEBOOK: CLOSED, BBC: OPEN}),
    Way("transparent-ipv6", DEVICES_6, {FACEBOOK: CLOSED_6, BBC: OPEN_6}),
)


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    require("root", "namespaces", "nftables", "curl")
    folder = tmp_path_factory.mktemp("school")
    settings = {
        "SCHOOLGATE_STATE_DIR": str(folder / "state"),
        "SCHOOLGATE_LISTEN": f"explicit@{GATE}:{EXPLICIT},transparent@:{TRANSPARENT}",
        "SCHOOLGATE_STATUS": f"127.0.0.1:{STATUS}",
        "SCHOOLGATE_RESOLVER": NAME_SERVER,
    }
    with lab(folder) as made:
        made.gate.run(str(tool("nft")), "-f", str(RULES))
        command = made.gate.command(*SCHOOLGATE, "run")
        with Process(command, settings, folder / "run.log") as process:
            school = School(made, process, folder)
            eventually(lambda: ready(school), within=STARTING)
            first = ("people", "add", "head", "--name", "Head teacher", "--role", "slt", "--password-stdin")
            school.schoolgate(*first, text=PASSWORD + "\n")
            school.root.write_text(school.schoolgate("ca", "export"))
            yield school


def ready(school: School) -> bool:
    school.process.check()
    with school.lab.gate.inside():
        return http_status(f"http://127.0.0.1:{STATUS}/readyz") == 200


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def way(request: pytest.FixtureRequest, school: School) -> Way:
    school.lab.forget()
    chosen: Way = request.param
    return chosen


def test_facebook_is_refused_with_the_page(school: School, way: Way) -> None:
    """``curl --cacert ROOT https://www.facebook.com/`` is 403 with the page, and nothing reaches Facebook."""
    status, body = way.page(school, way.devices[2], FACEBOOK)
    assert status == 403
    assert "Facebook" in body
    assert school.lab.closed_accepts == 0


def test_bbc_passes_untouched(school: School, way: Way) -> None:
    """With the origin's own certificate."""
    assert way.opens(school, way.devices[2], BBC)


def test_a_grant_opens_for_its_address_alone_and_revoke_cuts(school: School, way: Way) -> None:
    """Within a second, undecrypted, for no other; and shut again in the middle of a download."""
    granted, other = way.devices[0], way.devices[1]
    identifier = school.grant(granted, "2h")
    eventually(lambda: way.opens(school, granted, FACEBOOK), within=2)
    assert way.page(school, other, FACEBOOK)[0] == 403
    with way.download(school, granted, FACEBOOK) as download:
        school.as_head("revoke", str(identifier), "--reason", "the lesson is over")
        assert is_closed(download)
    assert way.page(school, granted, FACEBOOK)[0] == 403


def test_a_grant_of_four_seconds_ends_by_itself(school: School, way: Way) -> None:
    """In the middle of a download, the same way."""
    device = way.devices[0]
    school.grant(device, "4s")
    eventually(lambda: way.opens(school, device, FACEBOOK), within=3)
    with way.download(school, device, FACEBOOK) as download:
        assert is_closed(download)
    assert way.page(school, device, FACEBOOK)[0] == 403


def test_a_refused_name_at_another_address_is_refused(school: School, way: Way) -> None:
    """``curl --connect-to``: the name is judged, wherever it is said to live."""
    spoofed = OPEN_6 if ":" in way.devices[0] else OPEN
    address = None if way.name == "explicit" else spoofed
    status, _ = way.curl(school, way.devices[2], f"https://{FACEBOOK}/", "--cacert", str(school.root), address=address)
    assert status == 403
    assert school.lab.closed_accepts == 0


def test_a_passed_name_at_a_refused_address_is_dialled_where_it_lives(school: School, way: Way) -> None:
    """Spoofing an innocent name leads to the innocent."""
    spoofed = CLOSED_6 if ":" in way.devices[0] else CLOSED
    address = None if way.name == "explicit" else spoofed
    trusted = ("--cacert", str(school.lab.authority.root))
    status, _ = way.curl(school, way.devices[2], f"https://{BBC}/", *trusted, address=address)
    assert status == 200
    assert school.lab.closed_accepts == 0
    assert sum(server.accepts for server in school.lab.open) == 1


def test_plain_http_is_judged_by_its_host(school: School, way: Way) -> None:
    """403 for the refused name, at whatever address."""
    if ":" in way.devices[0]:
        pytest.skip("the lab's plain origin speaks IPv4")
    for address in (CLOSED, OPEN):
        at = None if way.name == "explicit" else address
        assert way.curl(school, way.devices[2], f"http://{FACEBOOK}/", address=at)[0] == 403
    assert school.lab.closed_accepts == 0


# What only the transparent way has


def answers(namespace: Namespace, address: str, port: int, device: str) -> bool:
    """Whether a bare TCP connection comes about and is answered to a request."""
    with namespace.inside():
        try:
            with socket.create_connection((address, port), 2, (device, 0)) as connection:
                connection.sendall(request_head("GET", "/", BBC))
                return bool(connection.recv(1))
        except OSError:
            return False


def test_the_listener_met_directly_leads_nowhere(school: School) -> None:
    """Trap 5: an unredirected connection has no destination but the listener itself, and must not nest."""
    answerer = children(school.process.pid)["answerer"]
    before = descriptors(answerer)
    assert not answers(school.lab.client, GATE, TRANSPARENT, DEVICES[2])
    school.lab.gate.run(str(tool("nft")), "flush", "chain", "inet", "schoolgate", "unsteered")
    try:
        answers(school.lab.client, GATE, TRANSPARENT, DEVICES[2])
        eventually(lambda: descriptors(answerer) <= before + 4)
    finally:
        school.lab.gate.run(str(tool("nft")), "-f", str(RULES))
    assert ready(school)


def descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def test_with_the_steering_gone_the_web_is_shut_not_open(school: School) -> None:
    """Refusing to forward does not depend on steering."""
    school.lab.forget()
    school.lab.gate.run(str(tool("nft")), "flush", "chain", "inet", "schoolgate", "steer")
    try:
        assert not answers(school.lab.client, OPEN, 80, DEVICES[2])
        assert sum(server.accepts for server in school.lab.open) == 0
    finally:
        school.lab.gate.run(str(tool("nft")), "-f", str(RULES))


def test_quic_is_refused_so_that_browsers_fall_back(school: School) -> None:
    """UDP 443 is answered with port unreachable, at once."""
    with school.lab.client.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as quic:
        quic.settimeout(DEADLINE)
        quic.connect((OPEN, 443))
        quic.send(b"\xc0" + bytes(1199))
        with pytest.raises(ConnectionRefusedError):
            quic.recv(1)


def test_the_record_knows_each_device(school: School) -> None:
    """What was tried in this school, by address, refused and allowed."""
    rows = json.loads(school.as_head("attempts", "--json", "--limit", "1000"))
    found = {(row["address"], row["verdict"]) for row in rows if row["host"] == FACEBOOK}
    assert (DEVICES[2], "deny") in found
    assert (DEVICES[0], "allow") in found
    assert not [row for row in rows if "bbc" in str(row["host"])]


def test_stopping_leaves_the_web_shut(school: School) -> None:
    """Last of all: with schoolgate gone, steered connections are refused, not forwarded."""
    assert school.process.stop() == 0
    school.lab.forget()
    assert not answers(school.lab.client, OPEN, 80, DEVICES[2])
    assert sum(server.accepts for server in school.lab.open) == 0
