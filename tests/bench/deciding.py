"""What one decision costs: ``decide()`` on the school's own policy and catalogue, in microseconds.

The median of many short timings, so that a neighbour on the machine costs a sample and not the figure. Each case
checks its verdict's reason first: a decision that went wrong is not a fast one.
"""

import statistics
import time
import timeit
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

from policies.authorisation import Authorisation, Subject, Target
from policies.decision import Attempt, decide
from policies.loading import default_policy_path, load_catalogue, load_policy
from policies.names import host_name
from policies.snapshot import Device, Snapshot
from policies.vocabulary import Protocol, Reason

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
MANY = 2_000
DEVICES = 500
TIMINGS, EACH = 60, 400
CLIENT, GRANTED = "10.20.0.10", "10.20.0.11"


@dataclass(frozen=True)
class Case:
    """One kind of decision, and what each amount of grants makes of its cost."""

    name: str
    host: str
    client: str
    reason: Reason


CASES = (
    Case("unlisted", "www.bbc.co.uk", CLIENT, Reason.UNLISTED),
    Case("refused", "www.facebook.com", CLIENT, Reason.NOT_AUTHORISED),
    Case("authorised", "www.facebook.com", GRANTED, Reason.AUTHORISED),
)


def measure() -> dict[str, tuple[float, float]]:
    """Case -> median microseconds with the one grant that the case "authorised" rests on, and with 2,000 beside it."""
    alone = _snapshot(())
    among = _snapshot(_granted(number) for number in range(2, MANY + 2))
    return {case.name: (_median(case, alone), _median(case, among)) for case in CASES}


def _median(case: Case, snapshot: Snapshot) -> float:
    attempt = Attempt(
        address=ip_address(case.client),
        destination=ip_address("203.0.113.7"),
        port=443,
        protocol=Protocol.TLS,
        explicit=False,
        server_name=host_name(case.host),
    )
    reason = decide(attempt, snapshot, NOW).reason
    if reason is not case.reason:
        raise RuntimeError(f"{case.name}: {case.host} was decided {reason}, not {case.reason}")
    timings = timeit.repeat(lambda: decide(attempt, snapshot, NOW), number=EACH, repeat=TIMINGS, timer=time.thread_time)
    return statistics.median(timings) / EACH * 1e6


def _snapshot(more: Iterable[Authorisation]) -> Snapshot:
    return Snapshot(
        number=1,
        confirmed_at=NOW,
        policy=load_policy(default_policy_path()),
        catalogue=load_catalogue(),
        authorisations=(_authorisation(1, f"address:{GRANTED}", "facebook"), *more),
        devices=tuple(_device(number) for number in range(DEVICES)),
    )


def _device(number: int) -> Device:
    address = f"10.30.{number // 250}.{number % 250 + 1}"
    return Device(f"room-{number}", (ip_network(address),), frozenset({f"group-{number % 20}"}))


def _granted(number: int) -> Authorisation:
    """Grants to other people, devices, addresses and groups, as a large school collects them."""
    place = number // 4
    who = (
        f"person:p{place}",
        f"device:room-{place % DEVICES}",
        f"address:10.40.{place // 250}.{place % 250 + 1}",
        f"group:group-{place % 20}",
    )[number % 4]
    return _authorisation(number, who, "instagram")


def _authorisation(number: int, who: str, target: str) -> Authorisation:
    hour = timedelta(hours=1)
    return Authorisation(
        id=number, subject=Subject.parse(who), target=Target.parse(target), starts_at=NOW - hour, ends_at=NOW + hour
    )
