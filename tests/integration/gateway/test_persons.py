"""Persons on the wire: who is asked, who gets through, what is recorded, and that nobody's credentials go further."""

import contextlib
import select
import socket
import ssl
import sys
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proxy.identity.pacing import AT_ONCE
from proxy.record.events import Ended
from tests.integration.gateway.clients import ConnectRefused, eventually, is_closed, read_reply, request_head
from tests.integration.gateway.gate import Client, gate
from tests.integration.gateway.people import JONES, PASSWORDS, SMITH, People, basic, signed_in
from tests.integration.gateway.processes import REPOSITORY, SCHOOLGATE, free_port
from tests.integration.gateway.school import write_policy
from tests.integration.gateway.world import OPEN, World

INSTAGRAM, FACEBOOK, BBC = "www.instagram.com", "www.facebook.com", "www.bbc.co.uk"
ANSWERER = (*SCHOOLGATE, "answerer")
MITMDUMP = str(Path(sys.executable).with_name("mitmdump"))
EXEMPT = [{"domains": ["wikipedia.org"], "clause": "Exempt", "because": "lessons need it"}]
NOBODY = [0] * 6


@pytest.fixture(scope="module")
def optional(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[People]:
    folder = tmp_path_factory.mktemp("optional")
    with gate(folder, world, ANSWERER, settings={"proxy_auth": "optional"}) as running:
        people = People(running)
        with people.looked_after():
            yield people


@pytest.fixture(scope="module")
def required(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[People]:
    folder = tmp_path_factory.mktemp("required")
    with gate(folder, world, ANSWERER, settings={"proxy_auth": "required"}, exempt=EXEMPT) as running:
        people = People(running)
        with people.looked_after():
            yield people


@pytest.fixture
def people(optional: People) -> People:
    """Under ``optional``, with a grant of Instagram to j.smith."""
    return at_work(optional)


@pytest.fixture
def strict(required: People) -> People:
    """Under ``required``, with the same grant."""
    return at_work(required)


def at_work(people: People) -> People:
    people.gate.process.check()
    people.gate.keeper.reset()
    people.arrive()
    people.gate.keeper.grant(f"person:{SMITH}", "instagram")
    people.gate.world.forget()
    return people


@pytest.fixture
def device(people: People, source: str) -> Client:
    return people.gate.client(source)


@pytest.fixture
def strict_device(strict: People, source: str) -> Client:
    return strict.gate.client(source)


# Who gets through


def test_a_person_with_a_grant_gets_through_undecrypted(people: People, device: Client) -> None:
    """The origin's own certificate; another person at the same machine sees the page; the record names each."""
    smith, jones = signed_in(device, SMITH), signed_in(device, JONES)
    eventually(lambda: smith.opens(INSTAGRAM))
    assert jones.get(INSTAGRAM).is_page
    assert smith.opens(INSTAGRAM)
    assert device.get(INSTAGRAM).is_page
    by_person = {(decided.person, decided.verdict) for decided in people.gate.decided(device.source)}
    assert by_person >= {(SMITH, "allow"), (JONES, "deny"), (None, "deny")}
    assert (JONES, "allow") not in by_person
    assert (None, "allow") not in by_person


def test_two_persons_at_one_machine_never_share(people: People, device: Client) -> None:
    """Many connections of both at the same time: each gets their own, and only that."""
    eventually(lambda: signed_in(device, SMITH).opens(INSTAGRAM))
    people.gate.world.forget()
    with ThreadPoolExecutor(8) as pool:
        names = [SMITH, JONES] * 12
        opened = list(pool.map(lambda name: signed_in(device, name).opens(INSTAGRAM), names))
    assert opened == [name == SMITH for name in names]
    assert people.gate.world.closed.accepts == names.count(SMITH)


def test_the_keeper_is_asked_once_for_each_credential(people: People, device: Client) -> None:
    """Whatever the number of connections; the address plays no part."""
    smith = signed_in(device, SMITH)
    eventually(lambda: smith.opens(INSTAGRAM))
    before = len(people.asked)
    assert all(smith.opens(INSTAGRAM) for _ in range(5))
    assert len(people.asked) == before


def test_an_unlisted_host_needs_no_person(people: People, device: Client) -> None:
    """Nobody is looked up for what is never recorded; not even a wrong password closes it."""
    assert signed_in(device, SMITH).opens(BBC)
    assert signed_in(device, SMITH, "wrong").opens(BBC)
    assert people.asked == []
    assert people.gate.decided(device.source) == []


def test_revoking_ends_what_the_person_has_open(people: People, device: Client) -> None:
    """A running download is cut, and the next connection meets the page."""
    smith = signed_in(device, SMITH)
    eventually(lambda: smith.opens(INSTAGRAM))
    with smith.download(INSTAGRAM) as download, smith.download(BBC) as elsewhere:
        people.gate.keeper.revoke(people.gate.keeper.authorisations[-1])
        assert is_closed(download)
        elsewhere.recv()
    assert smith.get(INSTAGRAM).is_page


def test_a_new_password_ends_what_rests_on_the_old_one(people: People, device: Client) -> None:
    """The tunnel is cut; the old password is asked about again, the new one opens."""
    smith = signed_in(device, SMITH)
    eventually(lambda: smith.opens(INSTAGRAM))
    with smith.download(INSTAGRAM) as download:
        people.change_credential(SMITH)
        assert is_closed(download)
    with pytest.raises(ConnectRefused) as refused:
        smith.get(INSTAGRAM)
    assert refused.value.reply.status == 407
    eventually(lambda: signed_in(device, SMITH, people.passwords[SMITH]).opens(INSTAGRAM))


# Wrong credentials


def test_wrong_credentials_are_asked_for_again_on_the_same_connection(people: People, device: Client) -> None:
    """407 with the scheme, short and plain; what is typed then is read on the same connection."""
    eventually(lambda: signed_in(device, SMITH).opens(INSTAGRAM))
    target = f"{INSTAGRAM}:{device.world.port}"
    with device.connect() as connection:
        for _ in range(3):
            connection.sendall(request_head("CONNECT", target, target, basic(SMITH, "wrong")))
            reply = read_reply(connection)
            assert reply.status == 407
            assert (reply.header("proxy-authenticate") or "").startswith('Basic realm="')
            assert len(reply.body) < 200
        connection.sendall(request_head("CONNECT", target, target, basic(SMITH, PASSWORDS[SMITH])))
        assert read_reply(connection, connecting=True).status == 200
    assert people.gate.reasons(device.source).count("bad_credentials") == 3
    assert {d.person for d in people.gate.decided(device.source) if d.reason == "bad_credentials"} == {None}


def test_a_connection_is_not_asked_for_ever(people: People, device: Client) -> None:
    """Somebody who tries password after password has to connect anew."""
    target = f"{INSTAGRAM}:{device.world.port}"
    with device.connect() as connection:
        tried = 0
        with contextlib.suppress(ConnectionError):
            for tried in range(100):
                connection.sendall(request_head("CONNECT", target, target, basic(SMITH, f"wrong {tried}")))
                assert read_reply(connection).status == 407
        assert tried < 20
    assert people.gate.world.closed.accepts == 0


@pytest.mark.parametrize(
    "header",
    [
        "Proxy-Authorization: Basic",
        "Proxy-Authorization: Basic ====",
        "Proxy-Authorization: Negotiate YII=",
        "Proxy-Authorization: Basic " + "A" * 30_000,
        "Proxy-Authorization: Basic " + b64encode(b"\xff\xfe:\xff").decode(),
        basic(SMITH, PASSWORDS[SMITH]) + "\r\n" + basic(SMITH, PASSWORDS[SMITH]),
        basic(SMITH, PASSWORDS[SMITH] + "\0"),
    ],
)
def test_what_is_no_credential_shows_nobody(device: Client, header: str) -> None:
    """Another scheme, half a field, two of them, a megabyte of it: 407, and nothing is reached."""
    target = f"{INSTAGRAM}:{device.world.port}"
    with device.connect() as connection:
        connection.sendall(request_head("CONNECT", target, target, header))
        assert read_reply(connection, connecting=True).status == 407
    assert [server.accepts for server in device.world.servers] == NOBODY


def test_who_has_to_wait_sees_the_page(people: People, device: Client) -> None:
    """Too many wrong ones: no further 407, which would only make a browser ask for more of them; and when to come."""
    people.waiting = {SMITH}
    try:
        seen = signed_in(device, SMITH).get(INSTAGRAM)
        assert (seen.reply.status, seen.is_internet) == (503, False)
        assert seen.reply.header("retry-after")
        assert people.gate.reasons(device.source) == ["too_busy"]
        assert signed_in(device, SMITH).opens(BBC)
    finally:
        people.waiting = set()


@pytest.mark.parametrize("waiting", [set(), {SMITH}], ids=["wrong", "made to wait"])
def test_a_device_that_shows_nobody_again_and_again_waits_itself(
    people: People, device: Client, waiting: set[str]
) -> None:
    """A password with each of hundreds of connections: others are answered meanwhile, and it is not."""
    eventually(lambda: signed_in(device, SMITH).opens(INSTAGRAM))
    target = f"{INSTAGRAM}:{device.world.port}"
    faults = people.gate.figure("schoolgate_internal_errors_total")
    people.waiting = waiting
    try:
        with contextlib.ExitStack() as stack:
            rude = people.gate.client(f"127.33.0.{len(waiting) + 1}")
            guessing = [stack.enter_context(rude.connect()) for _ in range(AT_ONCE + 160)]
            for number, connection in enumerate(guessing):
                connection.sendall(request_head("CONNECT", target, target, basic(SMITH, f"guess {number}")))
            eventually(lambda: sum(has_answer(connection) for connection in guessing) >= AT_ONCE)
            assert device.opens(BBC)
            assert signed_in(device, SMITH).opens(INSTAGRAM)
            assert not all(has_answer(connection) for connection in guessing)
    finally:
        people.waiting = set()
    eventually(lambda: people.gate.figure("schoolgate_connections_live") <= 1)
    assert people.gate.figure("schoolgate_internal_errors_total") == faults


def has_answer(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0)[0])


def test_hundreds_of_wrong_passwords_do_not_stop_an_honest_one(people: People, device: Client, source: str) -> None:
    """At once, all different: others are served meanwhile, nothing is reached, nothing is left open."""
    eventually(lambda: signed_in(device, SMITH).opens(INSTAGRAM))
    people.gate.world.forget()
    target = f"{INSTAGRAM}:{device.world.port}"
    guessing = [people.gate.client(f"127.31.0.{number % 4 + 1}").connect() for number in range(200)]
    for number, connection in enumerate(guessing):
        connection.sendall(request_head("CONNECT", target, target, basic(SMITH, f"guess {number}")))
    assert device.opens(BBC)
    assert signed_in(device, SMITH).opens(INSTAGRAM)
    for connection in guessing:
        with contextlib.suppress(ConnectionError):
            assert read_reply(connection, connecting=True).status in {
                200,
                407,
            }  # 200: nobody could look, and the page follows
        connection.close()
    assert people.gate.world.closed.accepts == 1
    eventually(lambda: people.gate.figure("schoolgate_connections_live") <= 1)


# Plain HTTP


def plain(name: str, client: Client, *headers: str) -> bytes:
    return request_head("GET", f"http://{name}:{client.world.http_port}/", name, *headers)


def test_each_plain_request_speaks_for_itself(people: People, device: Client) -> None:
    """One connection, one credential after the other: nothing of the one before is left."""
    eventually(lambda: signed_in(device, SMITH).opens(INSTAGRAM))
    with device.connect() as connection:
        for wrong in (basic(JONES, "wrong"), basic(SMITH, "wrong")):
            connection.sendall(plain(INSTAGRAM, device, wrong))
            assert read_reply(connection).status == 407
        connection.sendall(plain(INSTAGRAM, device, basic(SMITH, PASSWORDS[SMITH])))
        assert read_reply(connection).status == 200
    assert device.http(plain(INSTAGRAM, device, basic(JONES, PASSWORDS[JONES]))).status == 403
    assert device.http(plain(INSTAGRAM, device)).status == 403
    assert people.gate.world.closed_http.accepts == 1


def test_one_request_does_not_vouch_for_the_next(people: People, device: Client) -> None:
    """Two in one segment: the second, without credentials, is not the first one's person."""
    eventually(lambda: signed_in(device, SMITH).opens(INSTAGRAM))
    people.gate.world.forget()
    with device.connect() as connection:
        good, bare = plain(INSTAGRAM, device, basic(SMITH, PASSWORDS[SMITH])), plain(INSTAGRAM, device)
        connection.sendall(plain(INSTAGRAM, device, basic(SMITH, "wrong")) + bare + good)
        received = b""
        with contextlib.suppress(ConnectionError):
            while data := connection.recv(65536):
                received += data
    assert received.count(b"HTTP/1.1 407") == 1
    assert received.count(b"HTTP/1.1 403") == 1
    assert people.gate.world.closed_http.accepts == 0


# What is sent to the proxy stays there


def test_credentials_never_go_further(people: People, device: Client) -> None:
    """Not upstream, plain, upgraded or tunnelled; not into the journal, the figures, the snapshot or the log."""
    smith, header = signed_in(device, SMITH), basic(SMITH, PASSWORDS[SMITH])
    eventually(lambda: smith.opens(INSTAGRAM))
    assert device.http(plain(INSTAGRAM, device, header)).status == 200
    websocket = ("Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eDp4")
    with device.connect() as connection:
        connection.sendall(plain(INSTAGRAM, device, header, *websocket))
        assert connection.recv(65536).startswith(b"HTTP/1.1 101")
    with smith.tunnel(INSTAGRAM, device.world.http_port) as tunnel:
        tunnel.sendall(request_head("GET", "/", INSTAGRAM, header, basic(JONES, "inside")))
        assert read_reply(tunnel).status == 200
    with pytest.raises(ConnectRefused):
        signed_in(device, SMITH, "wrong").get(INSTAGRAM)
    heads = b"".join(
        request for server in device.world.servers for visit in server.visits for request in visit.requests
    )
    assert heads.count(b"GET ") >= 3
    assert b"proxy-auth" not in heads.lower()
    secrets = [PASSWORDS[SMITH].encode(), *(h.split()[-1].encode() for h in (header, basic(SMITH, "wrong")))]
    files = [path for path in [*people.gate.state_dir.rglob("*"), people.gate.process.log] if path.is_file()]
    assert not [path for path in files for secret in secrets if secret in path.read_bytes()]


# Nobody to ask


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory, world: World, request: pytest.FixtureRequest) -> Iterator[People]:
    """A gate whose keeper is away."""
    folder = tmp_path_factory.mktemp("alone")
    with gate(folder, world, ANSWERER, settings={"proxy_auth": request.param}, exempt=EXEMPT) as running:
        yield at_work(People(running))


@pytest.mark.parametrize("alone", ["optional"], indirect=True)
def test_with_the_keeper_away_optional_judges_without_a_person(alone: People, source: str) -> None:
    """The page for what only a person may; the rest as ever; no 407 that nobody could answer."""
    client = signed_in(alone.gate.client(source), SMITH)
    eventually(lambda: client.opens(BBC))
    assert client.get(INSTAGRAM).is_page
    assert alone.gate.reasons(source) == ["not_authorised"]
    assert client.get(INSTAGRAM, "/", *NAVIGATION).is_page


@pytest.mark.parametrize("alone", ["required"], indirect=True)
def test_with_the_keeper_away_required_is_too_busy(alone: People, source: str) -> None:
    """Nobody can be let in; the exempt passes."""
    client = signed_in(alone.gate.client(source), SMITH)
    eventually(lambda: client.opens("wikipedia.org"))
    assert not client.opens(BBC)
    seen = client.get(INSTAGRAM)
    assert (seen.reply.status, seen.is_internet) == (503, False)
    assert set(alone.gate.reasons(source)) == {"too_busy"}
    assert alone.gate.world.closed.accepts == 0


NAVIGATION = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: none", "Sec-Fetch-User: ?1")


def test_a_keeper_that_hangs_holds_up_nobody_else(people: People, device: Client) -> None:
    """Who waits for it gets the page in the end; who does not need it is served meanwhile."""
    people.answering.clear()
    try:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(signed_in(device, SMITH).get, INSTAGRAM)
            eventually(lambda: people.asked)
            assert device.opens(BBC)
            assert device.get(FACEBOOK).is_page
            assert waiting.result(60).is_page
    finally:
        people.answering.set()


def test_who_leaves_while_being_looked_up_leaves_nothing(people: People, device: Client) -> None:
    """No attempt stays open, nothing is dialled."""
    people.answering.clear()
    try:
        connection = device.connect()
        connection.sendall(plain(INSTAGRAM, device, basic(SMITH, PASSWORDS[SMITH])))
        eventually(lambda: people.asked)
        connection.close()
    finally:
        people.answering.set()
    eventually(lambda: people.gate.figure("schoolgate_connections_live") == 0)
    mine = {decided.id for decided in people.gate.decided(device.source)}
    eventually(lambda: mine <= {event.id for event in people.gate.events() if isinstance(event, Ended)})


# Required


def test_required_asks_everybody_for_everything(strict: People, strict_device: Client) -> None:
    """407 whatever the host, before anything is dialled; with a name and a password all is as the policy says."""
    for name in (BBC, INSTAGRAM):
        with pytest.raises(ConnectRefused) as refused:
            strict_device.get(name)
        assert refused.value.reply.status == 407
    assert strict_device.http(plain(BBC, strict_device)).status == 407
    assert [server.accepts for server in strict_device.world.servers] == NOBODY
    assert strict.gate.decided(strict_device.source) == []
    smith, jones = signed_in(strict_device, SMITH), signed_in(strict_device, JONES)
    eventually(lambda: smith.opens(INSTAGRAM))
    assert smith.opens(BBC)
    assert jones.opens(BBC)
    assert jones.get(INSTAGRAM).is_page
    assert strict_device.http(plain(BBC, strict_device, basic(JONES, PASSWORDS[JONES]))).status == 200


def test_required_lets_the_exempt_pass_without_a_name(strict: People, strict_device: Client) -> None:
    """What a school cannot lose asks nobody."""
    eventually(lambda: strict_device.opens("wikipedia.org"))
    assert strict.asked == []


def test_required_is_not_passed_round_through_what_is_free(strict: People, strict_device: Client) -> None:
    """A CONNECT to a free address or name that then names another site: refused, and on record."""
    eventually(lambda: strict_device.opens("wikipedia.org"))
    strict.gate.world.forget()
    for through in (OPEN, "wikipedia.org"):
        with pytest.raises((OSError, ssl.SSLError)):
            strict_device.get(BBC, through=through)
        with strict_device.tunnel(through, strict_device.world.http_port) as tunnel:
            tunnel.sendall(request_head("GET", "/", BBC))
            assert read_reply(tunnel).status == 403
    assert [server.accepts for server in strict_device.world.servers] == NOBODY
    assert set(strict.gate.reasons(strict_device.source)) <= {"bad_credentials", "name_mismatch"}


def test_required_ends_what_was_free_and_is_not_any_more(
    tmp_path_factory: pytest.TempPathFactory, world: World
) -> None:
    """An exemption that the policy loses: who has not signed in is cut, like everybody whose basis is gone."""

    folder = tmp_path_factory.mktemp("losing")
    with gate(folder, world, ANSWERER, settings={"proxy_auth": "required"}, exempt=EXEMPT) as running:
        client = running.client("127.32.0.1")
        eventually(lambda: client.opens("wikipedia.org"))
        with client.download("wikipedia.org") as download:
            write_policy(running.keeper.policy_file, world)
            running.keeper.publish()
            assert is_closed(download)


def test_a_challenge_is_counted_and_not_recorded(strict: People, strict_device: Client) -> None:
    """It is no attempt: nobody has said anything yet."""
    before = strict.gate.figure("schoolgate_refusals_total", form="challenge")
    with pytest.raises(ConnectRefused):
        strict_device.get(BBC)
    eventually(lambda: strict.gate.figure("schoolgate_refusals_total", form="challenge") == before + 1)
    assert strict.gate.decided(strict_device.source) == []


def test_a_body_that_nobody_reads_ends_with_its_request(strict: People, strict_device: Client) -> None:
    """A challenged upload: its body is dropped, and the next request on the connection is read where it begins."""
    name, header = BBC, basic(SMITH, PASSWORDS[SMITH])
    eventually(lambda: signed_in(strict_device, SMITH).opens(BBC))
    with strict_device.connect() as connection:
        target = f"http://{name}:{strict_device.world.http_port}/"
        connection.sendall(request_head("POST", target, name, "Content-Length: 200000") + b"x" * 200_000)
        assert read_reply(connection).status == 407
        connection.sendall(plain(name, strict_device, header))
        assert read_reply(connection).status == 200


def test_a_hello_sent_with_its_connect_waits_for_its_person(people: People, device: Client) -> None:
    """An eager client gains nothing: what it sent early is read once it is known who it is."""
    smith = signed_in(device, SMITH)
    eventually(lambda: smith.opens(INSTAGRAM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for root in device.roots:
        context.load_verify_locations(root)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=INSTAGRAM)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    target = f"{INSTAGRAM}:{device.world.port}"
    with device.connect() as connection:
        connection.sendall(request_head("CONNECT", target, target, *smith.headers) + outgoing.read())
        assert read_reply(connection, connecting=True).status == 200
        connection.shutdown(socket.SHUT_WR)
    eventually(lambda: device.world.closed.accepts >= 1)


def test_under_mitmdump_people_sign_in_too(tmp_path_factory: pytest.TempPathFactory, world: World) -> None:
    """The addon asks, whoever runs it; what they say is in none of mitmdump's logs."""
    folder, port = tmp_path_factory.mktemp("mitmdump"), free_port()
    script = ("-s", str(REPOSITORY / "proxy" / "addon.py"), "--set", f"confdir={folder / 'mitmproxy'}")
    command = (MITMDUMP, *script, "--listen-host", "127.0.0.1", "--listen-port", str(port))
    with gate(folder, world, command, port=port, settings={"proxy_auth": "optional"}) as running:
        people = People(running)
        with people.looked_after():
            at_work(people)
            client = running.client("127.33.0.1")
            eventually(lambda: signed_in(client, SMITH).opens(INSTAGRAM))
            assert signed_in(client, JONES).get(INSTAGRAM).is_page
            with client.connect() as connection:
                connection.sendall(b"CONNECT x:443 HTTP/1.1\r\n" + basic(SMITH, PASSWORDS[SMITH]).encode())
        running.process.stop()
        assert basic(SMITH, PASSWORDS[SMITH]).split()[-1] not in running.process.output
        assert SMITH not in running.process.output
