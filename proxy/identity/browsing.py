"""Basic with a browsing password: the keeper is asked once, and its answer holds until the password is another.

Every browsing credential has an id, and the snapshot says which one stands for whom. An answer of the keeper's is
kept, under a keyed hash of what the client sent, for as long as the snapshot says the same of that name's credential:
a new password, a disabled account, and the next connection asks anew. Nothing is kept per address. The same question
from the same place is asked once, however many connections wait for it; nobody waits longer than ``PATIENCE``.
"""

import asyncio
import hashlib
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from policies.names import IPAddress, normal_address
from policies.snapshot import Snapshot
from proxy.identity import basic, exchange
from proxy.identity.door import Identity, Unproven
from proxy.identity.exchange import Question

logger = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds for the keeper's answer
HOLDS = 8 * 3600.0  # seconds for which an answer is kept at the longest: a school day
WAIT_HOLDS = 1.0  # seconds before somebody who has to wait is looked up again
MOST_ANSWERS = 4096
MOST_QUESTIONS = 64  # at once
MOST_FROM_ONE = 16  # address: no device keeps all others out by asking

type Answer = Identity | Unproven


class _Kept(NamedTuple):
    """An answer, and what it rests on."""

    answer: Answer
    credential: str | None  # of that name, in the snapshot of the time
    until: float


class BrowsingDoor:
    """Who sent these credentials. For one event loop."""

    challenge = 'Basic realm="School network: sign in with your browsing password", charset="UTF-8"'

    def __init__(
        self,
        socket_path: Path,
        snapshot: Callable[[], Snapshot | None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._snapshot, self._monotonic = socket_path, snapshot, monotonic
        self._secret = secrets.token_bytes(32)
        self._answers: OrderedDict[bytes, _Kept] = OrderedDict()
        self._questions: dict[Question, asyncio.Task[Answer]] = {}
        self._away = False

    async def identify(self, authorization: str, address: IPAddress) -> Answer:
        """Who sent this ``Proxy-Authorization``. Never raises for anything a client can send."""
        sent = basic.parse(authorization)
        if sent is None:
            return Unproven.WRONG
        if self._snapshot() is None:
            return Unproven.AWAY
        question = Question(sent.name, sent.password, str(normal_address(address)))
        return self._kept(question) or await self._asked(question)

    # What is known

    def _kept(self, question: Question) -> Answer | None:
        """What is known, while it still holds."""
        for key in (self._key_of_answer(question), self._key_of_wait(question)):
            if (kept := self._answers.get(key)) is None:
                continue
            if self._monotonic() < kept.until and kept.credential == self._credential_of(question.name):
                self._answers.move_to_end(key)
                return kept.answer
            del self._answers[key]
        return None

    def _keep(self, question: Question, answer: Answer, credential: str | None) -> None:
        """An answer holds wherever it is asked again; having to wait, for this name at this device and a moment."""
        if answer is Unproven.AWAY:
            return
        waits = answer is Unproven.WAIT
        key = self._key_of_wait(question) if waits else self._key_of_answer(question)
        self._answers[key] = _Kept(answer, credential, self._monotonic() + (WAIT_HOLDS if waits else HOLDS))
        if len(self._answers) > MOST_ANSWERS:
            self._answers.popitem(last=False)

    def _key_of_answer(self, question: Question) -> bytes:
        return self._key("answer", question.name, question.password)

    def _key_of_wait(self, question: Question) -> bytes:
        return self._key("wait", question.name, question.address)

    def _key(self, *parts: str) -> bytes:
        """What stands for these in memory: of no use to whoever reads it there."""
        return hashlib.blake2b("\0".join(parts).encode(), key=self._secret, digest_size=16).digest()

    def _credential_of(self, name: str) -> str | None:
        snapshot = self._snapshot()
        member = snapshot.members.get(name) if snapshot else None
        return member.browsing if member else None

    # Asking

    async def _asked(self, question: Question) -> Answer:
        """The answer to a question that is asked once, whoever of those waiting for it goes away."""
        if (asking := self._questions.get(question)) is None:
            if self._is_busy_with(question.address):
                return Unproven.AWAY
            asking = self._questions[question] = asyncio.create_task(self._ask(question))
            asking.add_done_callback(lambda _: self._questions.pop(question, None))
        return await asyncio.shield(asking)

    def _is_busy_with(self, address: str) -> bool:
        theirs = sum(asked.address == address for asked in self._questions)
        return len(self._questions) >= MOST_QUESTIONS or theirs >= MOST_FROM_ONE

    async def _ask(self, question: Question) -> Answer:
        credential = self._credential_of(question.name)  # before the keeper looks: what it says is no older
        answer = await self._answer(question)
        if isinstance(answer, Identity):
            credential = self._credential_of(question.name)
            if answer != Identity(question.name, credential or ""):
                return Unproven.AWAY  # the snapshot that knows this credential is on its way
        self._keep(question, answer, credential)
        return answer

    async def _answer(self, question: Question) -> Answer:
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await exchange.ask(self._path, question)
        except (OSError, EOFError, ValueError) as error:
            self._complain(error)
            return Unproven.AWAY
        self._away = False
        return answer

    def _complain(self, error: Exception) -> None:
        """Once for as long as it lasts; an error of these kinds holds nothing of the question."""
        if not self._away:
            logger.error("Nobody can sign in to the proxy: the keeper does not answer (%s).", type(error).__name__)
        self._away = True
