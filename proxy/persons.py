"""Who stands behind what an explicit client asks for, and when it is asked (``proxy_auth``).

``off``: nobody, ever. ``required``: everybody, but for what the policy passes as ``internal`` or ``exempt``.
``optional``: only where the grant of some person or group could turn the refusal, and only a person who went there:
never a page's or a program's own fetching. A CONNECT does not show which it was; the request inside the refused
connection does, so the browser is sent round to the same address (``Location: #``), and asked when it comes back.

Credentials that are sent unasked are used, where it matters for the decision or the record. Transparent clients speak
to the origin: what they send is not for us. Whatever goes wrong here, ``Judge`` lets nobody through who must sign in.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import Enum, auto
from time import monotonic

from mitmproxy import http

from policies.attempt import Attempt
from policies.decision import Decision
from policies.vocabulary import Kind, Reason
from proxy.classify import kind_of
from proxy.identity.challenging import Challenges
from proxy.identity.door import Door, Identity, Unproven
from proxy.identity.pacing import Pace
from proxy.judging import Judge
from proxy.settings import ProxyAuth

type Waiting = Callable[[], AbstractContextManager[None]]

NEVER_ASKED = frozenset({Reason.NO_SNAPSHOT, Reason.MALFORMED, Reason.PORT_NOT_ALLOWED})  # no person turns these
SIGN_IN = b"The school's gateway asks who you are: sign in with your name and browsing password.\n"


@dataclass(frozen=True, slots=True)
class Standing:
    """Who stands behind what is asked for: a person; else nobody known; with a ``fault``, nobody is let in.

    ``answered``: it has shown what it has, so that there is nothing more to ask.
    """

    identity: Identity | None = None
    fault: Reason | None = None
    answered: bool = False

    def signed(self, attempt: Attempt) -> Attempt:
        """The attempt with who stands behind it."""
        if self.identity is not None:
            return replace(attempt, person=self.identity.person, credential=self.identity.credential)
        return replace(attempt, fault=self.fault) if self.fault and not attempt.fault else attempt


NOBODY = Standing()


class Turn(Enum):
    """What becomes of a client before anything is decided."""

    ASK = auto()  # it is challenged: 407


class Invitation(Enum):
    """What a refused request is offered."""

    NONE = auto()
    LINK = auto()  # the page, with a way to sign in
    ROUND = auto()  # no page: the browser comes back at once, and is asked


class Persons:
    """Meets clients on behalf of a ``door``. Without one (``proxy_auth = off``) everybody is nobody."""

    def __init__(self, judge: Judge, door: Door | None, mode: ProxyAuth) -> None:
        self._judge, self._door = judge, door
        self._required, self._optional = mode is ProxyAuth.REQUIRED, mode is ProxyAuth.OPTIONAL
        self._challenges, self._pace = Challenges(), Pace()

    # Before anything is decided

    async def meet(
        self, attempt: Attempt, request: http.Request, authorization: str | None, waiting: Waiting
    ) -> Standing | Turn:
        """Who stands behind a CONNECT, or a plain request to the proxy: each speaks for itself.

        The ``attempt`` of a CONNECT takes its name for what would be shown inside. ``waiting`` is entered while
        somebody is looked up, and while a device waits that has shown nobody too often.
        """
        if self._door is None or not attempt.explicit or attempt.fault is not None:
            return NOBODY
        met = await self._met(self._door, attempt, request, authorization, waiting)
        shows_nobody = isinstance(met, Turn) or (met.answered and met.identity is None)
        if shows_nobody and (delay := self._pace.delay(attempt.address, monotonic())):
            with waiting():
                await asyncio.sleep(delay)
        return met

    async def _met(
        self, door: Door, attempt: Attempt, request: http.Request, authorization: str | None, waiting: Waiting
    ) -> Standing | Turn:
        foreseen = self._judge.foresee(attempt)
        if foreseen.reason in NEVER_ASKED:
            return NOBODY
        must = self._required and not foreseen.allowed
        if authorization is not None and (must or foreseen.recorded):
            with waiting():
                shown = await door.identify(authorization, attempt.address)
            return self._shown(attempt, shown, foreseen)
        asked = must or (authorization is None and self._optional and self._is_due(attempt, request))
        return Turn.ASK if asked else NOBODY

    def _shown(self, attempt: Attempt, shown: Identity | Unproven, foreseen: Decision) -> Standing | Turn:
        """What credentials lead to. Wrong ones are asked for again; others that show nobody close nothing free."""
        if isinstance(shown, Identity):
            if attempt.destination is not None:
                self._challenges.answered(attempt.address, attempt.destination)
            return Standing(shown, answered=True)
        if shown is Unproven.WRONG:
            self._judge.end(self._judge.judge(replace(attempt, fault=Reason.BAD_CREDENTIALS)))
            return Turn.ASK
        if foreseen.allowed:
            return Standing(answered=True)
        if shown is Unproven.WAIT:
            return Standing(fault=Reason.TOO_BUSY, answered=True)
        return Standing(fault=Reason.TOO_BUSY if self._required else None, answered=True)

    def _is_due(self, attempt: Attempt, request: http.Request) -> bool:
        """Somebody who was sent round, or who went to a plain page that may open for some."""
        if request.method == "CONNECT":
            host = attempt.destination
            return host is not None and self._challenges.take(attempt.address, host, monotonic())
        return kind_of(request.headers, request.method) is Kind.NAVIGATION and self._judge.would_ask(attempt)

    # After a refusal

    def invite(self, attempt: Attempt, standing: Standing, request: http.Request) -> Invitation:
        """What to offer to who asked for this inside a connection that was refused."""
        if not self._optional or not attempt.explicit or standing.answered or attempt.destination is None:
            return Invitation.NONE
        if kind_of(request.headers, request.method) is not Kind.NAVIGATION or not self._judge.would_ask(attempt):
            return Invitation.NONE
        wished = _is_wished(request.headers)
        sent = self._challenges.expect(attempt.address, attempt.destination, monotonic(), wished=wished)
        return Invitation.ROUND if sent else Invitation.LINK

    # The words

    def challenge(self, request: http.Request, *, last: bool) -> http.Response:
        """407: say who you are. The connection stays, for whoever types, unless it is the ``last`` time."""
        if self._door is None:
            raise LookupError("nobody is asked here")
        headers = [
            (b"Proxy-Authenticate", self._door.challenge.encode()),
            (b"Content-Type", b"text/plain; charset=utf-8"),
            (b"Cache-Control", b"no-store"),
        ]
        response = http.Response.make(407, b"" if request.method == "HEAD" else SIGN_IN, headers)
        if last:
            response.headers["connection"] = "close"
        return response


def round_trip() -> http.Response:
    """The same address again (RFC 3986 section 5.3 keeps path and query: they are not looked at), by a new CONNECT."""
    return http.Response.make(307, b"", {"Location": "#", "Cache-Control": "no-store", "Connection": "close"})


def _is_wished(headers: Mapping[str, str]) -> bool:
    """Whether a person followed a link on our own page: there is no other page at an address that is refused."""
    return headers.get("sec-fetch-site") == "same-origin" and headers.get("sec-fetch-user") == "?1"
