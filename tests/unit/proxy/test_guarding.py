"""Hooks through mitmproxy's own dispatcher, which swallows what they raise: whatever happens, they have denied."""

import asyncio
from dataclasses import dataclass, field

import pytest
from mitmproxy import hooks, http
from mitmproxy.exceptions import AddonHalt
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.test import tflow

from proxy.guarding import guarded, guarded_async, unavailable

DENIED, LET_IN = 503, None


@dataclass
class Books:
    """The part of the desk that a guard needs."""

    faults: list[tuple[str, str]] = field(default_factory=list)

    def fault(self, where: str, error: BaseException) -> None:
        self.faults.append((where, type(error).__name__))


def deny(_: object, flow: http.HTTPFlow) -> None:
    flow.response = unavailable()


class Door:
    """Two hooks that do what a test tells them."""

    name = "door"

    def __init__(self, does) -> None:
        self.desk, self._does = Books(), does

    @guarded_async(deny)
    async def http_connect(self, flow: http.HTTPFlow) -> None:
        flow.response = unavailable()
        await asyncio.sleep(0)
        await self._does()
        flow.response = None

    @guarded(deny)
    def request(self, _: http.HTTPFlow) -> None:
        self._does().send(None)


async def nothing() -> None:
    pass


async def fails() -> None:
    raise RuntimeError("by a test")


async def halts() -> None:
    raise AddonHalt


async def hangs() -> None:
    await asyncio.Event().wait()


def dispatched(door: Door, hook: hooks.Hook) -> None:
    async def run() -> None:
        addons = Master(Options()).addons
        addons.add(door)
        await addons.trigger_event(hook)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("does", "response", "faults"),
    [(nothing, LET_IN, []), (fails, DENIED, [("http_connect", "RuntimeError")]), (halts, DENIED, [])],
)
def test_a_hook_that_waits_denies_until_its_last_line(does, response, faults):
    """A fault is counted; a halt is mitmproxy's own affair; neither lets anybody in."""
    door, flow = Door(does), tflow.tflow()
    dispatched(door, hooks.all_hooks["http_connect"](flow))
    assert (flow.response and flow.response.status_code) == response
    assert door.desk.faults == faults


def test_a_hook_that_is_cancelled_has_denied():
    """And the cancellation goes on: swallowed, it would hang the connection."""
    door, flow = Door(hangs), tflow.tflow()

    async def run() -> None:
        task = asyncio.create_task(door.http_connect(flow))
        for _ in range(5):
            await asyncio.sleep(0)
        assert flow.response is not None
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert flow.response.status_code == DENIED
    assert door.desk.faults == [("http_connect", "CancelledError")]


def test_a_hook_that_fails_at_once_denies():
    """The plain kind."""
    door, flow = Door(fails), tflow.tflow()
    dispatched(door, hooks.all_hooks["request"](flow))
    assert flow.response.status_code == DENIED
    assert door.desk.faults == [("request", "RuntimeError")]
