"""What one decision costs: ``decide()`` on the school's own policy and catalogue, in microseconds.

The median of many short timings of the thread's own CPU time, so that a neighbour on the machine costs a sample and not
the figure. Each case checks its verdict's reason first: a decision that went wrong is not a fast one.
"""

import statistics
import time
import timeit
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

from policies.attempt import Attempt
from policies.authorisation import Authorisation, Subject, Target
from policies.decision import decide
from policies.loading import default_policy_path, load_catalogue, load_policy
from policies.names import host_name
from policies.snapshot import Device, Snapshot
from policies.vocabulary import Protocol, Reason

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
MANY = 2_000
DEVICES = 500
TIMINGS, EACH = 60, 400
CLIENT, GRANTED = "10.20.0.10", "10.20.0.11"


def _attempt(host: str, client: str) -> Attempt:
    return Attempt(
        address=ip_address(client),
        destination=ip_address("203.0.113.7"),
        port=443,
        protocol=Protocol.TLS,
        explicit=False,
        server_name=host_name(host),
    )


STRANGERS = [_attempt(f"www.example-{n}.org", f"10.50.{n // 250}.{n % 250 + 1}") for n in range(EACH)]
CASES: Mapping[str, tuple[Reason, Sequence[Attempt]]] = {
    "unlisted": (Reason.UNLISTED, [_attempt("www.bbc.co.uk", CLIENT)] * EACH),
    "unlisted, host and client seen for the first time": (Reason.UNLISTED, STRANGERS),
    "refused": (Reason.NOT_AUTHORISED, [_attempt("www.facebook.com", CLIENT)] * EACH),
    "authorised": (Reason.AUTHORISED, [_attempt("www.facebook.com", GRANTED)] * EACH),
}


def measure() -> Mapping[str, tuple[float, float]]:
    """Case -> median microseconds with the one grant that the case "authorised" rests on, and with 2,000 beside it."""
    alone = _snapshot(())
    among = _snapshot(_granted(number) for number in range(2, MANY + 2))
    return {name: (_median(*case, alone), _median(*case, among)) for name, case in CASES.items()}


def _median(reason: Reason, attempts: Sequence[Attempt], snapshot: Snapshot) -> float:
    if any(decide(attempt, snapshot, NOW).reason is not reason for attempt in attempts):
        raise RuntimeError(f"{attempts[0].server_name} was not decided as {reason}")

    def forget() -> None:
        if attempts is STRANGERS:
            for remembered in ("standing", "listing"):
                vars(snapshot).pop(remembered, None)

    def decide_all() -> None:
        for attempt in attempts:
            decide(attempt, snapshot, NOW)

    timings = timeit.repeat(decide_all, forget, number=1, repeat=TIMINGS, timer=time.thread_time)
    return statistics.median(timings) / len(attempts) * 1e6


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
