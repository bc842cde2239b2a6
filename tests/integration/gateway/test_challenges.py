"""Under ``optional`` only a person who went there is asked, and only where signing in could open it."""

from collections.abc import Iterator
from contextlib import suppress

import h2.config
import h2.connection
import pytest
from hpack import Decoder
from hyperframe.frame import Frame, GoAwayFrame, HeadersFrame

from tests.integration.gateway.clients import ConnectRefused, Reply, eventually, is_closed, read_reply, request_head
from tests.integration.gateway.gate import Client, gate
from tests.integration.gateway.people import JONES, PASSWORDS, SMITH, People, basic, signed_in
from tests.integration.gateway.processes import SCHOOLGATE
from tests.integration.gateway.world import World

INSTAGRAM, FACEBOOK, BBC = "www.instagram.com", "www.facebook.com", "www.bbc.co.uk"
TYPED = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: none", "Sec-Fetch-User: ?1")
LINK = (*TYPED[:2], "Sec-Fetch-Site: same-origin", TYPED[3])
FRAME = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe", "Sec-Fetch-Site: cross-site")
FETCH = ("Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Sec-Fetch-Site: same-origin")
AHEAD = (*TYPED, "Sec-Purpose: prefetch")
PAGE = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[People]:
    folder = tmp_path_factory.mktemp("challenges")
    with gate(folder, world, (*SCHOOLGATE, "answerer"), settings={"proxy_auth": "optional"}) as made:
        people = People(made)
        with people.looked_after():
            yield people


@pytest.fixture
def people(running: People) -> People:
    """Instagram is granted to j.smith."""
    running.gate.process.check()
    running.gate.keeper.reset()
    running.arrive()
    running.gate.keeper.grant(f"person:{SMITH}", "instagram")
    running.gate.world.forget()
    return running


@pytest.fixture
def device(people: People, source: str) -> Client:
    """The gateway has taken the grant over: somebody else at another address gets through."""
    elsewhere = people.gate.client("127.40.0.1")
    eventually(lambda: signed_in(elsewhere, SMITH).opens(INSTAGRAM))
    return people.gate.client(source)


def asked(client: Client, name: str = INSTAGRAM) -> Reply:
    """What the proxy asks when a browser comes for ``name``."""
    with pytest.raises(ConnectRefused) as refused:
        client.tunnel(name)
    return refused.value.reply


def test_a_person_is_sent_round_and_asked(people: People, device: Client) -> None:
    """307 to the same address, whatever it is; the connection is closed; the next CONNECT is challenged, once."""
    with device.tls(INSTAGRAM) as browser:
        browser.sendall(request_head("GET", "/p/private?q=1", INSTAGRAM, *TYPED))
        reply = read_reply(browser)
        assert (reply.status, reply.header("location"), reply.body) == (307, "#", b"")
        assert "no-store" in (reply.header("cache-control") or "")
        assert is_closed(browser)
    assert asked(device).status == 407
    assert device.get(INSTAGRAM).is_page
    assert people.gate.world.closed.accepts == 1  # the one elsewhere


def test_what_is_typed_is_read_on_the_connection_that_asked(people: People, device: Client) -> None:
    """As a browser does: the origin is reached, undecrypted, and the record names who it was."""
    assert device.get(INSTAGRAM, "/", *TYPED).reply.status == 307
    target = f"{INSTAGRAM}:{device.world.port}"
    with device.connect() as connection:
        connection.sendall(request_head("CONNECT", target, target))
        assert read_reply(connection).status == 407
        connection.sendall(request_head("CONNECT", target, target, basic(SMITH, PASSWORDS[SMITH])))
        assert read_reply(connection, connecting=True).status == 200
    assert signed_in(device, SMITH).opens(INSTAGRAM)
    assert [d.person for d in people.gate.decided(device.source) if d.verdict == "allow"][-1:] == [SMITH]


def test_over_http2_the_connection_is_closed_too(device: Client) -> None:
    """GOAWAY before the answer: the browser makes a new connection for the same address."""
    with device.tls(INSTAGRAM, alpn=("h2",)) as browser:
        assert browser.alpn == "h2"
        http = h2.connection.H2Connection(h2.config.H2Configuration())
        http.initiate_connection()
        fields = [(":method", "GET"), (":path", "/p"), (":scheme", "https"), (":authority", INSTAGRAM)]
        told = [(name.lower(), value) for name, _, value in (header.partition(": ") for header in TYPED)]
        http.send_headers(1, [*fields, *told], end_stream=True)
        browser.sendall(http.data_to_send())
        data = b""
        with suppress(ConnectionError):
            while piece := browser.recv():
                data += piece
    frames = [frame for frame in frames_of(data) if isinstance(frame, (GoAwayFrame, HeadersFrame))]
    gone, answer = frames
    assert isinstance(gone, GoAwayFrame)
    assert (gone.error_code, gone.last_stream_id) == (0, 1)
    assert isinstance(answer, HeadersFrame)
    headers = dict(Decoder().decode(answer.data, raw=True))
    assert (headers[b":status"], headers[b"location"]) == (b"307", b"#")
    assert b"connection" not in headers
    assert asked(device).status == 407


def frames_of(data: bytes) -> Iterator[Frame]:
    """h2 itself takes nothing after a GOAWAY; browsers take what was asked for before it."""
    while data:
        frame, length = Frame.parse_frame_header(memoryview(data[:9]))
        frame.parse_body(memoryview(data[9 : 9 + length]))
        yield frame
        data = data[9 + length :]


@pytest.mark.parametrize("headers", [FRAME, FETCH, AHEAD, ()])
def test_nothing_in_the_background_is_ever_asked(people: People, device: Client, headers: tuple[str, ...]) -> None:
    """A frame, a fetch, a prefetch, a program: refused, and no 407 after it."""
    before = people.gate.figure("schoolgate_refusals_total", form="challenge")
    assert device.get(INSTAGRAM, "/", *headers).reply.status in {204, 403, 503}
    assert not device.opens(INSTAGRAM)
    assert people.gate.figure("schoolgate_refusals_total", form="challenge") == before
    assert device.get(INSTAGRAM, "/", *headers).reply.status != 307


def test_nobody_is_asked_where_no_person_may(people: People, device: Client) -> None:
    """Facebook is granted to nobody: the page. What passes passes."""
    assert device.get(FACEBOOK, "/", *TYPED).is_page
    assert device.get(BBC, "/", *TYPED).is_internet
    people.gate.keeper.reset()
    eventually(lambda: not signed_in(people.gate.client("127.40.0.1"), SMITH).opens(INSTAGRAM))
    assert device.get(INSTAGRAM, "/", *TYPED).is_page


def test_only_that_device_and_that_host_is_asked(people: People, device: Client, source: str) -> None:
    """Who else comes meanwhile is not."""
    assert device.get(INSTAGRAM, "/", *TYPED).reply.status == 307
    neighbour = people.gate.client(source.replace("127.20.", "127.41."))
    assert neighbour.get(INSTAGRAM).is_page
    assert device.get("instagram.com").is_page
    assert device.get(FACEBOOK).is_page
    assert asked(device).status == 407


def test_who_cancels_sees_the_page_and_can_sign_in_from_it(device: Client) -> None:
    """No second prompt out of the blue; the link on the page (a person's own click, from there) brings it back."""
    assert device.get(INSTAGRAM, "/", *TYPED).reply.status == 307
    assert asked(device).status == 407
    seen = device.get(INSTAGRAM, "/", *TYPED, PAGE)
    assert seen.is_page
    assert b'href=""' in seen.reply.body
    assert device.get(INSTAGRAM, "/", *LINK).reply.status == 307
    assert asked(device).status == 407
    assert device.get(INSTAGRAM, "/", *LINK[:3]).is_page  # not by a click


def test_somebody_without_a_grant_is_not_asked_again(people: People, device: Client) -> None:
    """They have said who they are: the page, and no round trip."""
    assert signed_in(device, JONES).get(INSTAGRAM, "/", *TYPED).is_page
    assert people.gate.decided(device.source)[-1].person == JONES


def test_a_browser_with_connections_to_spare_is_sent_round_until_it_makes_a_new_one(device: Client) -> None:
    """Idle ones are used up first; a program that never asks anew sees the page in the end."""
    statuses = []
    idle = [device.tls(INSTAGRAM) for _ in range(6)]
    for connection in idle:
        with connection:
            connection.sendall(request_head("GET", "/", INSTAGRAM, *TYPED))
            statuses.append(read_reply(connection).status)
    assert statuses == [307] * 4 + [403] * 2
    assert asked(device).status == 407


def test_a_plain_page_is_asked_for_at_once(people: People, device: Client) -> None:
    """There is no connection that could hide who went there: 407 to a navigation, the page to the rest."""
    target = f"http://{INSTAGRAM}:{device.world.http_port}/"
    with device.connect() as connection:
        connection.sendall(request_head("GET", target, INSTAGRAM, PAGE))
        assert read_reply(connection).status == 407
        connection.sendall(request_head("GET", target, INSTAGRAM, PAGE, basic(SMITH, PASSWORDS[SMITH])))
        assert read_reply(connection).status == 200
    image = request_head("GET", target, INSTAGRAM, "Accept: image/avif,image/webp,*/*", "Referer: http://x.example/")
    assert device.http(image).status != 407
    assert b"proxy-auth" not in people.gate.world.closed_http.visits[-1].head.lower()


def test_a_sent_round_browser_is_refused_on_record(people: People, device: Client) -> None:
    """It is an attempt, a navigation, refused; the challenge after it is only counted."""
    before = people.gate.figure("schoolgate_refusals_total", form="round")
    assert device.get(INSTAGRAM, "/", *TYPED).reply.status == 307
    assert asked(device).status == 407
    (decided,) = people.gate.decided(device.source)
    assert (decided.verdict, decided.reason, decided.person) == ("deny", "not_authorised", None)
    eventually(lambda: people.gate.figure("schoolgate_refusals_total", form="round") == before + 1)
