"""Who stands behind what an explicit client asks for, and when it is asked: every door, on a real judge."""

import asyncio
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from mitmproxy import http
from prometheus_client import CollectorRegistry

from policies.attempt import Attempt
from policies.authorisation import Authorisation, Subject, Target
from policies.loading import default_policy_path, load_catalogue, load_policy
from policies.names import HostName
from policies.snapshot import Member, Snapshot
from policies.vocabulary import Protocol, Reason
from proxy.identity.door import Identity, Unproven
from proxy.identity.pacing import AT_ONCE
from proxy.judging import Judge
from proxy.metrics import Metrics
from proxy.persons import NOBODY, Invitation, Persons, Standing, Turn
from proxy.record.journal import JournalWriter
from proxy.settings import ProxyAuth
from proxy.snapshot import SnapshotReader, publish

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SMITH = Identity("j.smith", "credential-1")
INSTAGRAM, FACEBOOK, BBC = HostName("www.instagram.com"), HostName("www.facebook.com"), HostName("www.bbc.co.uk")
EXEMPT = HostName("ocsp.digicert.com")
WROTE = "Basic whatever"
TYPED = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "none", "sec-fetch-user": "?1"}


class Keeper:
    """A door that answers what a test says, and counts."""

    challenge = 'Basic realm="a school"'

    def __init__(self, answer: Identity | Unproven = SMITH) -> None:
        self.answer, self.asked = answer, 0

    async def identify(self, _authorization, _address):
        self.asked += 1
        return self.answer


def judge(tmp_path, mode, *, published=True) -> Judge:
    if published:
        publish(tmp_path / "snapshot", a_snapshot())
    metrics = Metrics(CollectorRegistry())
    reader = SnapshotReader(tmp_path / "snapshot", metrics)
    reader.poll(NOW, 0.0)
    journal = JournalWriter(tmp_path / "journal", "answerer")
    required = mode is ProxyAuth.REQUIRED
    return Judge(reader, journal, metrics, b"k" * 32, clock=lambda: NOW, must_sign_in=required)


def a_snapshot() -> Snapshot:
    grant = Authorisation(
        id=1,
        subject=Subject.parse("person:j.smith"),
        target=Target.parse("instagram"),
        starts_at=NOW,
        ends_at=NOW + timedelta(hours=1),
    )
    return Snapshot(
        number=1,
        confirmed_at=NOW,
        policy=load_policy(default_policy_path()),
        catalogue=load_catalogue(),
        authorisations=(grant,),
        members={"j.smith": Member("staff", browsing="credential-1")},
    )


def attempt(host=INSTAGRAM, *, explicit=True, protocol=Protocol.TLS, fault=None) -> Attempt:
    return Attempt(
        address=ip_address("10.20.0.10"),
        destination=host,
        port=443,
        protocol=protocol,
        explicit=explicit,
        server_name=host,
        fault=fault,
    )


def request(headers=(), method="GET") -> http.Request:
    return http.Request.make(method, "http://www.instagram.com/", headers=dict(headers))


def met(persons, an_attempt, wrote=None):
    return asyncio.run(persons.meet(an_attempt, request(method="CONNECT"), wrote, nullcontext))


# Who is asked


@pytest.mark.parametrize(
    ("mode", "host", "wrote", "expected", "asked"),
    [
        (ProxyAuth.OPTIONAL, INSTAGRAM, None, NOBODY, 0),
        (ProxyAuth.OPTIONAL, INSTAGRAM, WROTE, Standing(SMITH, answered=True), 1),
        (ProxyAuth.OPTIONAL, FACEBOOK, WROTE, Standing(SMITH, answered=True), 1),
        (ProxyAuth.OPTIONAL, BBC, WROTE, NOBODY, 0),
        (ProxyAuth.REQUIRED, BBC, None, Turn.ASK, 0),
        (ProxyAuth.REQUIRED, BBC, WROTE, Standing(SMITH, answered=True), 1),
        (ProxyAuth.REQUIRED, EXEMPT, None, NOBODY, 0),
        (ProxyAuth.REQUIRED, EXEMPT, WROTE, NOBODY, 0),
    ],
)
def test_who_is_asked_and_who_is_looked_up(tmp_path, mode, host, wrote, expected, asked):
    """Only where it matters for the decision or the record."""
    keeper = Keeper()
    assert met(Persons(judge(tmp_path, mode), keeper, mode), attempt(host), wrote) == expected
    assert keeper.asked == asked


@pytest.mark.parametrize(
    ("mode", "host", "answer", "expected"),
    [
        (ProxyAuth.OPTIONAL, INSTAGRAM, Unproven.WRONG, Turn.ASK),
        (ProxyAuth.OPTIONAL, INSTAGRAM, Unproven.WAIT, Standing(fault=Reason.TOO_BUSY, answered=True)),
        (ProxyAuth.OPTIONAL, INSTAGRAM, Unproven.AWAY, Standing(answered=True)),
        (ProxyAuth.REQUIRED, BBC, Unproven.WRONG, Turn.ASK),
        (ProxyAuth.REQUIRED, BBC, Unproven.WAIT, Standing(fault=Reason.TOO_BUSY, answered=True)),
        (ProxyAuth.REQUIRED, BBC, Unproven.AWAY, Standing(fault=Reason.TOO_BUSY, answered=True)),
    ],
)
def test_what_credentials_that_show_nobody_lead_to(tmp_path, mode, host, answer, expected):
    """Wrong ones are asked for again; who has to wait, or cannot be looked up, is not."""
    assert met(Persons(judge(tmp_path, mode), Keeper(answer), mode), attempt(host), WROTE) == expected


@pytest.mark.parametrize("mode", [ProxyAuth.OPTIONAL, ProxyAuth.REQUIRED])
def test_a_transparent_client_is_never_asked(tmp_path, mode):
    """It speaks to the origin: what it sends is not for the gateway."""
    keeper = Keeper()
    persons = Persons(judge(tmp_path, mode), keeper, mode)
    assert met(persons, attempt(explicit=False), WROTE) == NOBODY
    assert asyncio.run(persons.meet(attempt(explicit=False), request(), WROTE, nullcontext)) == NOBODY
    assert persons.invite(attempt(explicit=False), NOBODY, request(TYPED)) is Invitation.NONE
    assert keeper.asked == 0


def test_without_a_snapshot_nobody_is_asked(tmp_path):
    """There is nothing that they could be; what they ask for is refused anyway."""
    keeper = Keeper()
    persons = Persons(judge(tmp_path, ProxyAuth.REQUIRED, published=False), keeper, ProxyAuth.REQUIRED)
    assert met(persons, attempt(), WROTE) == NOBODY
    assert keeper.asked == 0


def test_off_asks_nobody(tmp_path):
    """Whatever they send."""
    persons = Persons(judge(tmp_path, ProxyAuth.OFF), None, ProxyAuth.OFF)
    assert met(persons, attempt(), WROTE) == NOBODY
    assert persons.invite(attempt(), NOBODY, request(TYPED)) is Invitation.NONE
    with pytest.raises(LookupError):
        persons.challenge(request(), last=False)


def test_a_malformed_request_is_not_asked_who_sent_it(tmp_path):
    """No person turns it."""
    persons = Persons(judge(tmp_path, ProxyAuth.REQUIRED), Keeper(), ProxyAuth.REQUIRED)
    broken = attempt(protocol=Protocol.HTTP, fault=Reason.MALFORMED)
    assert asyncio.run(persons.meet(broken, request(), None, nullcontext)) == NOBODY


@pytest.mark.parametrize("answer", [Unproven.WRONG, Unproven.WAIT, Unproven.AWAY])
def test_a_device_that_shows_nobody_again_and_again_waits(tmp_path, answer):
    """It is read no further meanwhile; another device, and who shows who they are, is answered at once."""
    paused = list[str]()

    @contextmanager
    def waiting():
        paused.append("read no further")
        yield

    async def scenario() -> None:
        keeper = Keeper(answer)
        persons = Persons(judge(tmp_path, ProxyAuth.REQUIRED), keeper, ProxyAuth.REQUIRED)

        async def meet(host: str = "10.20.0.10"):
            an_attempt = replace(attempt(BBC), address=ip_address(host))
            return await persons.meet(an_attempt, request(method="CONNECT"), WROTE, waiting)

        flood = [asyncio.create_task(meet()) for _ in range(AT_ONCE + 200)]
        for _ in range(10):
            await asyncio.sleep(0)
        assert AT_ONCE <= sum(task.done() for task in flood) < len(flood)
        assert len(paused) > len(flood)
        await meet("10.20.0.11")
        keeper.answer = SMITH
        assert await meet() == Standing(SMITH, answered=True)
        assert not all(task.done() for task in flood)
        for task in flood:
            task.cancel()

    asyncio.run(scenario())


# Sent round


def test_a_person_is_sent_round_asked_and_then_offered_the_link(tmp_path):
    """307, 407, and after that the page."""
    persons = Persons(judge(tmp_path, ProxyAuth.OPTIONAL), Keeper(), ProxyAuth.OPTIONAL)
    assert persons.invite(attempt(), NOBODY, request(TYPED)) is Invitation.ROUND
    assert met(persons, attempt(FACEBOOK)) == NOBODY
    assert met(persons, attempt()) is Turn.ASK
    assert met(persons, attempt()) == NOBODY
    assert persons.invite(attempt(), NOBODY, request(TYPED)) is Invitation.LINK
    by_link = {**TYPED, "sec-fetch-site": "same-origin"}
    assert persons.invite(attempt(), NOBODY, request(by_link)) is Invitation.ROUND


def test_who_has_answered_is_offered_nothing(tmp_path):
    """They are who they are, or nobody could look."""
    persons = Persons(judge(tmp_path, ProxyAuth.OPTIONAL), Keeper(), ProxyAuth.OPTIONAL)
    for standing in (Standing(SMITH, answered=True), Standing(answered=True)):
        assert persons.invite(attempt(), standing, request(TYPED)) is Invitation.NONE


def test_where_no_person_may_nobody_is_invited(tmp_path):
    """Nor is what fetches in the background."""
    persons = Persons(judge(tmp_path, ProxyAuth.OPTIONAL), Keeper(), ProxyAuth.OPTIONAL)
    assert persons.invite(attempt(FACEBOOK), NOBODY, request(TYPED)) is Invitation.NONE
    assert persons.invite(attempt(), NOBODY, request()) is Invitation.NONE


# What they say


def test_a_challenge_names_the_scheme_and_says_it_in_words(tmp_path):
    """HEAD has no body; the last one closes the connection."""
    persons = Persons(judge(tmp_path, ProxyAuth.OPTIONAL), Keeper(), ProxyAuth.OPTIONAL)
    asked = persons.challenge(request(), last=False)
    assert (asked.status_code, asked.headers["proxy-authenticate"]) == (407, Keeper.challenge)
    assert "sign in" in (asked.text or "")
    assert "connection" not in asked.headers
    assert persons.challenge(request(method="HEAD"), last=True).content == b""
    assert persons.challenge(request(), last=True).headers["connection"] == "close"


def test_an_attempt_carries_who_stands_behind_it():
    """The person and their credential; or why nobody is let in; a fault of its own comes first."""
    plain = attempt()
    assert NOBODY.signed(plain) is plain
    assert Standing(SMITH).signed(plain) == replace(plain, person="j.smith", credential="credential-1")
    assert Standing(fault=Reason.TOO_BUSY).signed(plain).fault is Reason.TOO_BUSY
    assert Standing(fault=Reason.TOO_BUSY).signed(attempt(fault=Reason.MALFORMED)).fault is Reason.MALFORMED


# The backstop


@pytest.mark.parametrize(
    ("host", "explicit", "person", "reason"),
    [
        (BBC, True, None, Reason.BAD_CREDENTIALS),
        (EXEMPT, True, None, Reason.EXEMPT),
        (INSTAGRAM, True, None, Reason.NOT_AUTHORISED),
        (BBC, True, SMITH, Reason.UNLISTED),
        (INSTAGRAM, True, SMITH, Reason.AUTHORISED),
        (BBC, False, None, Reason.UNLISTED),
    ],
)
def test_who_must_sign_in_and_has_not_passes_nowhere_but_what_is_free(tmp_path, host, explicit, person, reason):
    """Whatever the hooks did before: the judge says so, now and when it judges again."""
    signed = Standing(person).signed(attempt(host, explicit=explicit))
    a_judge = judge(tmp_path, ProxyAuth.REQUIRED)
    ticket = a_judge.judge(signed)
    assert ticket.decision.reason is reason
    assert a_judge.judge_again(ticket).reason is reason
