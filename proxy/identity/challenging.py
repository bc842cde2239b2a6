"""Whom to challenge when they come back: a browser that a person used, sent round once so that it can be asked there.

A CONNECT does not say whether a person went there or a page fetched something; what is asked inside the refused
connection does. So that is where somebody is expected from; only the next CONNECT for that host from there is
challenged, once. Nothing here says who anybody is, and what is forgotten costs a click.
"""

from collections import OrderedDict
from dataclasses import dataclass

from policies.attempt import Destination
from policies.names import IPAddress

EXPECTED_FOR = 30.0  # seconds
RESTS_FOR = 600.0  # seconds after a challenge in which the next one is only made if it is asked for
MOST_TIMES = 4  # sent round in a row: an idle connection may be used before a new one is made
MOST_EXPECTED = 4096


@dataclass(slots=True)
class _Expected:
    until: float = 0.0
    times: int = 0
    challenged_at: float | None = None

    def is_due(self, now: float) -> bool:
        return now < self.until

    def rests(self, now: float) -> bool:
        return self.challenged_at is not None and now - self.challenged_at < RESTS_FOR


class Challenges:
    """Who is expected, by client address and host. ``now`` is monotonic."""

    def __init__(self) -> None:
        self._expected: OrderedDict[tuple[IPAddress, Destination], _Expected] = OrderedDict()

    def __len__(self) -> int:
        return len(self._expected)

    def expect(self, address: IPAddress, host: Destination, now: float, *, wished: bool = False) -> bool:
        """Expect them back. False: they are not to be sent round; they were challenged lately and do not wish it."""
        expected = self._expected.setdefault((address, host), _Expected())
        self._expected.move_to_end((address, host))
        if len(self._expected) > MOST_EXPECTED:
            self._expected.popitem(last=False)
        if not wished and expected.rests(now):
            return False
        times = expected.times if expected.is_due(now) else 0
        if times >= MOST_TIMES:
            return False
        expected.times, expected.until = times + 1, now + EXPECTED_FOR
        return True

    def take(self, address: IPAddress, host: Destination, now: float) -> bool:
        """Whether they were expected. Once: who comes after them is not."""
        expected = self._expected.get((address, host))
        if expected is None or not expected.is_due(now):
            return False
        expected.until, expected.times, expected.challenged_at = 0.0, 0, now
        return True

    def answered(self, address: IPAddress, host: Destination) -> None:
        """Somebody there has said who they are: whoever comes without it is somebody new, or starts afresh."""
        self._expected.pop((address, host), None)
