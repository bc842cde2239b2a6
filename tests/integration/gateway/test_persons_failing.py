"""A fault anywhere on the way from a password to a person opens nothing for anybody (law 1)."""

import importlib
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.integration.gateway.clients import eventually, read_reply, request_head
from tests.integration.gateway.conftest import FAULTY
from tests.integration.gateway.faults import functions_of
from tests.integration.gateway.gate import Client, gate
from tests.integration.gateway.people import JONES, SMITH, People, basic, signed_in
from tests.integration.gateway.world import World

INSTAGRAM, FACEBOOK, BBC = "www.instagram.com", "www.facebook.com", "www.bbc.co.uk"
TYPED = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: none", "Sec-Fetch-User: ?1")
ON_THE_WAY = (
    "proxy.requests",
    "proxy.desk",
    "proxy.persons",
    "proxy.identity.challenging",
    "proxy.identity.browsing",
    "proxy.identity.exchange",
    "proxy.identity.basic",
)
POINTS = sorted(
    name
    for module in ON_THE_WAY
    for name, _ in functions_of(importlib.import_module(module))
    if not name.endswith(("._asdict", "._replace", "._make"))  # what NamedTuple gives, and nobody here calls
)

ALWAYS_MET = {
    "Requests.http_connect",
    "Requests.requestheaders",
    "Requests._challenge",
    "Desk.issue",
    "Persons.meet",
    "Requests._meet",
    "Persons._shown",
    "Standing.signed",
    "BrowsingDoor.identify",
    "BrowsingDoor._ask",
    "ask",
    "parse",
}


@pytest.fixture(scope="module", params=["optional", "required"])
def running(tmp_path_factory: pytest.TempPathFactory, world: World, request: pytest.FixtureRequest) -> Iterator[People]:
    """An enforcing process that asks people, and in which any function can be made to fail."""
    folder = tmp_path_factory.mktemp(request.param)
    settings = {"proxy_auth": request.param}
    with gate(folder, world, (*FAULTY, str(folder / "faults")), settings=settings) as made:
        people = People(made)
        with people.looked_after():
            people.arrive()
            people.gate.keeper.grant(f"person:{SMITH}", "instagram")
            yield people


@pytest.mark.parametrize("point", POINTS)
def test_a_fault_opens_nothing_for_anybody(running: People, source: str, point: str) -> None:
    """Who may not does not; who may either does or does not; afterwards all is as before."""
    running.gate.process.check()
    device = running.gate.client(source)
    running.change_credential(SMITH)  # who is remembered by nobody
    running.change_credential(JONES)
    eventually(lambda: is_known(running, device, JONES))
    running.gate.world.forget()
    faults = running.gate.state_dir.parent / "faults"
    hit, errors = faults / "hit" / point, running.gate.figure("schoolgate_internal_errors_total")
    (faults / point).touch()
    try:
        browse(running, device)
        assert hit.exists() or point not in ALWAYS_MET
        assert running.gate.world.closed_http.accepts == 0
        if running.gate.process.environment["SCHOOLGATE_PROXY_AUTH"] == "required":
            assert not device.opens(BBC)
    finally:
        (faults / point).unlink()
    if hit.exists():
        eventually(lambda: running.gate.figure("schoolgate_internal_errors_total") > errors)
    smith = signed_in(device, SMITH, running.passwords[SMITH])
    eventually(lambda: smith.opens(INSTAGRAM))
    assert signed_in(device, JONES, running.passwords[JONES]).get(INSTAGRAM).is_page


def is_known(people: People, device: Client, name: str) -> bool:
    """Whether the gateway has the snapshot that knows their password of now."""
    with suppress(OSError):
        signed_in(device, name, people.passwords[name]).get(FACEBOOK)
    return name in {decided.person for decided in people.gate.decided(device.source)}


def browse(people: People, device: Client) -> None:
    """Everybody tries what is not theirs; somebody tries what is."""
    for name, password in ((JONES, people.passwords[JONES]), (SMITH, "wrong"), (SMITH, people.passwords[SMITH])):
        browser = signed_in(device, name, password)
        for host in (FACEBOOK, INSTAGRAM):
            with suppress(OSError):
                seen = browser.get(host)
                assert not seen.is_internet or (name, password, host) == (SMITH, people.passwords[SMITH], INSTAGRAM)
        with suppress(OSError):
            target = f"http://{FACEBOOK}:{device.world.http_port}/"
            device.http(request_head("GET", target, FACEBOOK, basic(name, password)))
    for headers in (TYPED, ()):
        with suppress(OSError), device.tls(INSTAGRAM) as refused:
            refused.sendall(request_head("GET", "/", INSTAGRAM, *headers))
            assert read_reply(refused).status in {307, 403, 503}
        with suppress(OSError):
            device.tunnel(INSTAGRAM).close()
